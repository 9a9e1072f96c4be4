package trace

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/realm-webgpu/realm/web/service"
)

// TestTrace sends spans to a collector.
func TestTrace(t *testing.T) {
	var mu sync.Mutex
	var spans []*tracepb.Span
	sink := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v1/traces" {
			t.Errorf("spans come to %s", r.URL.Path)
		}
		data, err := io.ReadAll(r.Body)
		var q collector.ExportTraceServiceRequest
		if err == nil {
			err = proto.Unmarshal(data, &q)
		}
		if err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		for _, rs := range q.ResourceSpans {
			for _, ss := range rs.ScopeSpans {
				spans = append(spans, ss.Spans...)
			}
		}
	}))
	defer sink.Close()
	tracer, err := Open(t.Context(), Options{Endpoint: sink.URL, Sample: 1, Service: "realm-test", Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	h := tracer.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		Route(r.Context(), r.Method, "/v1/chat/completions", "id", "tenant")
		Answer(r.Context(), service.Result{
			Model: "atlas", Usage: service.Usage{Prompt: 19, Completion: 9}, Finish: []string{"stop"},
			Timings: service.Timings{Queue: time.Millisecond, FirstToken: 2 * time.Millisecond, Total: 3 * time.Millisecond},
		})
		if http.NewResponseController(w).Flush() != nil {
			t.Error("parts cannot be sent on")
		}
	}))
	server := httptest.NewServer(h)
	for _, path := range []string{"/v1/chat/completions", "/health"} {
		q, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+path, strings.NewReader("SECRET"))
		if err != nil {
			t.Fatal(err)
		}
		q.Header.Set("Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
		resp, err := http.DefaultClient.Do(q)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
	}
	server.Close() // a span ends behind its answer
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := tracer.Close(ctx); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(spans) != 1 {
		t.Fatalf("%d spans, want 1", len(spans))
	}
	s := spans[0]
	text := s.String()
	for _, want := range []string{"gen_ai.usage.output_tokens", "first token", "atlas", "tenant"} {
		if !strings.Contains(text, want) {
			t.Errorf("the span has no %q: %s", want, text)
		}
	}
	if s.Name != "POST /v1/chat/completions" || len(s.ParentSpanId) != 0 || len(s.Links) != 1 || strings.Contains(text, "SECRET") {
		t.Errorf("span %s", text)
	}
}

// TestOff costs nothing without an endpoint.
func TestOff(t *testing.T) {
	tracer, err := Open(t.Context(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	called := false
	tracer.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		called = true
		Route(r.Context(), "GET", "/", "", "")
		Answer(r.Context(), service.Result{})
	})).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
	if err := tracer.Close(t.Context()); err != nil || !called {
		t.Error(called, err)
	}
	if _, err := Open(t.Context(), Options{Endpoint: "http://%zz"}); err == nil {
		t.Error("an endpoint that is none was taken")
	}
}
