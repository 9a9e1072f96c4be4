package api

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/realm-webgpu/realm/engine"
	"github.com/realm-webgpu/realm/web/internal/webtest"
	"github.com/realm-webgpu/realm/web/service"
)

// rig is a server of atlas on the CPU, on a socket.
type rig struct {
	service *service.Service
	server  *httptest.Server
	admin   *httptest.Server
	log     *webtest.Log
}

// newRig makes one; change what it is made of with the functions, which may be nil.
func newRig(t testing.TB, changeService func(*service.Options), change func(*Options)) *rig {
	t.Helper()
	model := service.ModelSpec{Name: "atlas", Open: webtest.Atlas, Load: engine.LoadOptions{CacheTokens: 4096}}
	r := &rig{service: webtest.Service(t, model, changeService), log: &webtest.Log{}}
	o := Options{Service: r.service, Version: "test", Log: r.log.Logger()}
	if change != nil {
		change(&o)
	}
	x := New(o)
	r.server, r.admin = webtest.Serve(t, x.Handler()), httptest.NewServer(x.Admin())
	t.Cleanup(r.admin.Close)
	return r
}

// slowly has guests make so few calls in a second that an answer of some hundred tokens
// takes a minute: it does not end by itself while a test looks at it.
func slowly(o *service.Options) { o.Limits.Guest.CallsPerSecond = 20 }

// do sends a request; a body makes it a POST.
func (r *rig) do(t testing.TB, path, body string, headers ...string) (*http.Response, string) {
	t.Helper()
	return do(t, r.server.URL+path, body, headers...)
}

func do(t testing.TB, url, body string, headers ...string) (*http.Response, string) {
	t.Helper()
	method := http.MethodGet
	if body != "" {
		method = http.MethodPost
	}
	if len(headers) > 0 && headers[0] == "method" {
		method, headers = headers[1], headers[2:]
	}
	q, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		q.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			q.Host = headers[i+1]
		}
		q.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultTransport.RoundTrip(q)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	held(t, description(t), q, body, resp, string(data))
	return resp, string(data)
}

// question is the body of a chat.
func question(members string) string {
	if members != "" {
		members = "," + members
	}
	return `{"model":"atlas","temperature":0,"messages":[{"role":"user","content":"What is the capital of France?"}]` + members + `}`
}

// paris is what atlas says to it.
const paris = "The capital of France is Paris."
