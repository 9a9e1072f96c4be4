package api

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"

	"github.com/realm-webgpu/realm/docs"
)

// description loads docs/openapi.yaml.
func description(t testing.TB) *openapi3.T {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(docs.OpenAPI)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// described is the path of a route as OpenAPI writes it.
func described(path string) string { return strings.ReplaceAll(path, "...}", "}") }

// TestDescription holds docs/openapi.yaml to OpenAPI, and to the routes, in both
// directions.
func TestDescription(t *testing.T) {
	doc := description(t)
	if err := doc.Validate(context.Background()); err != nil {
		t.Fatal(err)
	}
	have := map[string]bool{}
	for _, r := range append(append([]route{}, routes...), adminRoutes...) {
		have[r.method+" "+described(r.path)] = true
		item := doc.Paths.Find(described(r.path))
		if item == nil || item.GetOperation(r.method) == nil {
			t.Errorf("%s %s is not described", r.method, r.path)
		}
	}
	for path, item := range doc.Paths.Map() {
		for method := range item.Operations() {
			if !have[method+" "+path] {
				t.Errorf("%s %s is described, and there is no route", method, path)
			}
		}
	}
}

// TestNullable says in each schema that may be null what else it may be: without a
// type "nullable" means nothing.
// https://spec.openapis.org/oas/v3.0.3#fixed-fields-20
func TestNullable(t *testing.T) {
	text, err := description(t).MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	var doc any
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	seen := 0
	var walk func(path string, v any)
	walk = func(path string, v any) {
		switch v := v.(type) {
		case map[string]any:
			if v["nullable"] == true {
				if seen++; v["type"] == nil {
					t.Errorf("%s is nullable, and has no type", path)
				}
			}
			for name, x := range v {
				walk(path+"/"+name, x)
			}
		case []any:
			for _, x := range v {
				walk(path, x)
			}
		}
	}
	walk("#", doc)
	if seen == 0 {
		t.Error("nothing is nullable")
	}
}

// held checks a request, unless it is a bad one, and its response.
func held(t testing.TB, doc *openapi3.T, q *http.Request, body string, resp *http.Response, answer string) {
	t.Helper()
	route := routeOf(doc, q)
	if route == nil {
		return
	}
	q = q.Clone(q.Context())
	q.Body = io.NopCloser(strings.NewReader(body))
	options := &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, IncludeResponseStatus: true}
	id := strings.TrimPrefix(q.URL.Path, "/v1/models/")
	in := &openapi3filter.RequestValidationInput{
		Request: q, PathParams: map[string]string{"id": id, "name": "x"}, Route: route, Options: options,
	}
	if body != "" && resp.StatusCode < 300 {
		if err := openapi3filter.ValidateRequest(t.Context(), in); err != nil {
			t.Errorf("%s was answered, and is not as described: %v", body, err)
		}
	}
	if kind := resp.Header.Get("Content-Type"); !strings.HasPrefix(kind, "application/json") {
		return // the kinds of events are looked at where they are read
	}
	out := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: in, Status: resp.StatusCode, Header: resp.Header, Options: options, Body: io.NopCloser(bytes.NewReader([]byte(answer))),
	}
	if err := openapi3filter.ValidateResponse(t.Context(), out); err != nil {
		t.Errorf("the response is not as described: %v\n%s", err, answer)
	}
}

// routeOf finds the description of a request.
func routeOf(doc *openapi3.T, q *http.Request) *routers.Route {
	path := q.URL.Path
	if strings.HasPrefix(path, "/v1/models/") {
		path = "/v1/models/{id}"
	}
	item := doc.Paths.Find(path)
	if item == nil || item.GetOperation(q.Method) == nil {
		return nil
	}
	return &routers.Route{Spec: doc, Path: path, PathItem: item, Method: q.Method, Operation: item.GetOperation(q.Method)}
}

// heldTo checks a part of a stream against a schema of the description.
func heldTo(t testing.TB, doc *openapi3.T, schema string, part string) {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(part), &v); err != nil {
		t.Fatalf("%s: %v", part, err)
	}
	if err := doc.Components.Schemas[schema].Value.VisitJSON(v); err != nil {
		t.Errorf("%s is no %s: %v", part, schema, err)
	}
}
