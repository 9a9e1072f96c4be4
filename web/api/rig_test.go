package api

import (
	"bytes"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	embedded "github.com/realm-webgpu/realm/e2e/models"
	"github.com/realm-webgpu/realm/engine"
	"github.com/realm-webgpu/realm/engine/gguf"
	"github.com/realm-webgpu/realm/guest"
	"github.com/realm-webgpu/realm/web/service"
)

// rig is a server of atlas on the CPU, on a socket.
type rig struct {
	service *service.Service
	server  *httptest.Server
	admin   *httptest.Server
	log     *lines
}

// lines are those of a log.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func atlas() (*gguf.File, error) { return gguf.Read(bytes.NewReader(embedded.Atlas)) }

// newRig makes one; change what it is made of with the functions, which may be nil.
func newRig(t testing.TB, changeService func(*service.Options), change func(*Options)) *rig {
	t.Helper()
	e, err := engine.Open(engine.Options{Device: "cpu", CacheDir: engine.NoCache})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	so := service.Options{
		Engine: e,
		Live: service.Live{
			Guest:  guest.Module,
			Models: []service.ModelSpec{{Name: "atlas", Open: atlas, Load: engine.LoadOptions{CacheTokens: 4096}}},
		},
	}
	if changeService != nil {
		changeService(&so)
	}
	s, err := service.New(t.Context(), so)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	r := &rig{service: s, log: &lines{}}
	o := Options{Service: s, Version: "test", Log: slog.New(slog.NewJSONHandler(r.log, nil))}
	if change != nil {
		change(&o)
	}
	x := New(o)
	r.server, r.admin = httptest.NewUnstartedServer(x.Handler()), httptest.NewServer(x.Admin())
	r.server.Config.ConnState = func(c net.Conn, s http.ConnState) {
		if s == http.StateNew { // the system takes little for who does not read
			_ = c.(*net.TCPConn).SetWriteBuffer(4 << 10)
		}
	}
	r.server.Start()
	t.Cleanup(r.server.Close)
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
