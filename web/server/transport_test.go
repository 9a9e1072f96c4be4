package server

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// dial opens a connection to a server.
func (r *running) dial(t *testing.T) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(r.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	return c
}

// TestTimeoutOptions gives up on clients, and on answers, that take too long.
func TestTimeoutOptions(t *testing.T) {
	r := start(t, parse(t, t.TempDir(), "[timeouts]\nread-header = '200ms'\nread = '200ms'\nidle = '200ms'\nrequest = '100ms'\n"))
	for name, c := range map[string]struct{ said, want string }{
		"read-header": {"GET /health HTTP/1.1\r\n", ""},
		"read":        {"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{", "HTTP/1.1 408"},
		"idle":        {"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n", "HTTP/1.1 200"},
	} {
		conn := r.dial(t)
		if _, err := io.WriteString(conn, c.said); err != nil {
			t.Fatal(err)
		}
		said, err := io.ReadAll(conn) // ends when the server closes it
		if err != nil || !strings.HasPrefix(string(said), c.want) {
			t.Errorf("%s: %v, %q", name, err, said)
		}
	}
	r.wants(t, "/v1/completions", `{"prompt":"The","n":16,"ignore_eos":true,"max_tokens":450}`, 504, "not there after 100ms")
}

// TestSlowReaderOptions has what drops a reader that is too slow: packages api and ws show
// with sockets that do not read that it is.
func TestSlowReaderOptions(t *testing.T) {
	c := parse(t, t.TempDir(), "[timeouts]\nwrite = '3s'\n[websocket]\nbuffer = '5KiB'\nping = '7s'\nhello = '9s'\n")
	r := start(t, c)
	if o := socketOptions(c, r.service, r.options); o.Write != 3*time.Second || o.Buffer != 5<<10 || o.Ping != 7*time.Second || o.Hello != 9*time.Second {
		t.Errorf("of the WebSocket: %+v", o)
	}
	if o := r.httpOptions(c); o.WriteTimeout != 3*time.Second || o.ReadTimeout != time.Minute {
		t.Errorf("of HTTP: %+v", o)
	}
}

// until waits until something is so.
func (r *running) until(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain until %s: %s", what, r.log)
		}
	}
}

// socket opens a WebSocket, past the hello of a server without keys.
func (r *running) socket(t *testing.T, headers ...string) *websocket.Conn {
	t.Helper()
	h := http.Header{}
	for i := 0; i < len(headers); i += 2 {
		h.Set(headers[i], headers[i+1])
	}
	c, resp, err := websocket.DefaultDialer.DialContext(t.Context(), "ws"+strings.TrimPrefix(r.url, "http")+"/ws", h)
	if err != nil {
		t.Fatalf("%v, %+v", err, resp)
	}
	resp.Body.Close()
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetReadDeadline(time.Now().Add(2 * time.Minute)); err != nil {
		t.Fatal(err)
	}
	if _, text, err := c.ReadMessage(); err != nil || !bytes.Contains(text, []byte(`"connected"`)) {
		t.Fatalf("%v, %s", err, text)
	}
	return c
}

// TestWebSocketOptions bounds connections, and says whose pages may connect and ask.
func TestWebSocketOptions(t *testing.T) {
	r := start(t, parse(t, t.TempDir(), `hosts = ["realm.example"]
[websocket]
origins = ["https://*.example.com"]
connections = 2
max-frame = "2KiB"
calls = 1
`))
	a := r.socket(t)
	r.socket(t, "Origin", "https://a.example.com")
	url := "ws" + strings.TrimPrefix(r.url, "http") + "/ws"
	if _, resp, err := websocket.DefaultDialer.DialContext(t.Context(), url, nil); err == nil || resp == nil || resp.StatusCode != 503 {
		t.Errorf("a third connection: %v", err)
	}
	for _, id := range []string{"1", "2"} {
		if err := a.WriteMessage(websocket.TextMessage, []byte(`{"id":"`+id+`","function":"generate","params":{"prompt":"The","ignore_eos":true,"max_tokens":400}}`)); err != nil {
			t.Fatal(err)
		}
	}
	for {
		_, text, err := a.ReadMessage()
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(text, []byte(`"id":"2"`)) {
			if !bytes.Contains(text, []byte("at most 1")) {
				t.Errorf("two calls at once: %s", text)
			}
			break
		}
	}
	if err := a.WriteMessage(websocket.TextMessage, []byte(`{"id":"3","function":"health","params":{"x":"`+strings.Repeat("x", 2048)+`"}}`)); err != nil {
		t.Fatal(err)
	}
	wantClose(t, a, websocket.CloseMessageTooBig)
	for _, c := range []struct {
		headers []string
		status  int
	}{
		{[]string{"Host", "realm.example"}, 200}, {[]string{"Host", "evil.example"}, 421}, {[]string{"Host", "localhost:1"}, 200},
	} {
		if status, text := send(t, http.MethodGet, r.url+"/health", "", c.headers...); status != c.status {
			t.Errorf("%v: %d %s", c.headers, status, text)
		}
	}
	r.until(t, "a page of another origin is refused", func() bool { // once there is room for it
		_, resp, err := websocket.DefaultDialer.DialContext(t.Context(), url, http.Header{"Origin": {"https://example.com"}})
		return err != nil && resp != nil && resp.StatusCode == 403
	})
	for origin, allowed := range map[string]bool{"https://b.example.com": true, "https://example.com": false} {
		q, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.url+"/health", nil)
		if err != nil {
			t.Fatal(err)
		}
		q.Header.Set("Origin", origin)
		resp, err := http.DefaultClient.Do(q)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if got := resp.Header.Get("Access-Control-Allow-Origin") == origin; got != allowed {
			t.Errorf("pages of %s may ask: %v", origin, got)
		}
	}
}

// TestPingOptions drops a client that does not answer pings.
func TestPingOptions(t *testing.T) {
	r := start(t, parse(t, t.TempDir(), "[websocket]\nping = '300ms'\n"))
	mute := r.socket(t)
	mute.SetPingHandler(func(string) error { return nil })
	wantClose(t, mute, websocket.ClosePolicyViolation)
}

// wantClose reads until the server closes a connection.
func wantClose(t *testing.T, c *websocket.Conn, code int) {
	t.Helper()
	for {
		if _, _, err := c.ReadMessage(); err != nil {
			if !websocket.IsCloseError(err, code) {
				t.Errorf("%v, want the code %d", err, code)
			}
			return
		}
	}
}

// TestHello wants a client with keys to say who it is in time.
func TestHello(t *testing.T) {
	c := parse(t, t.TempDir(), "[websocket]\nhello = '200ms'\n")
	c.Database = filepath.Join(t.TempDir(), "realm.db")
	r := start(t, c)
	r.key(t, "acme")
	socket, resp, err := websocket.DefaultDialer.DialContext(t.Context(), "ws"+strings.TrimPrefix(r.url, "http")+"/ws", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	resp.Body.Close()
	wantClose(t, socket, 4401)
}

// TestTracing sends spans of HTTP, of streams and of calls on a WebSocket, and counts the
// same in the metrics.
func TestTracing(t *testing.T) {
	var mu sync.Mutex
	var sent bytes.Buffer
	sink := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, q *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if q.URL.Path == "/v1/traces" {
			_, _ = sent.ReadFrom(q.Body)
		}
	}))
	defer sink.Close()
	r := start(t, parse(t, t.TempDir(), "[tracing]\nendpoint = '"+sink.URL+"'\nsample = 1\nservice = 'realm-of-test'\n"))
	r.wants(t, "/v1/chat/completions", ask(""), 200, "Paris")
	r.wants(t, "/v1/responses", `{"input":"What is the capital of France?","temperature":0,"stream":true}`, 200, "response.completed")
	socket := r.socket(t)
	if err := socket.WriteMessage(websocket.TextMessage, []byte(`{"id":"x","function":"chat","params":`+ask("")+`}`)); err != nil {
		t.Fatal(err)
	}
	for {
		_, text, err := socket.ReadMessage()
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(text, []byte(`"complete"`)) {
			break
		}
	}
	_, metrics := send(t, http.MethodGet, r.url+"/metrics", "")
	for _, line := range []string{
		`vllm:request_success_total{finished_reason="stop",model_name="atlas"} 3`, `vllm:time_to_first_token_seconds_count{model_name="atlas"} 3`,
		`realm_tenant_requests_total{code="ok",tenant="local"} 3`,
	} {
		if !strings.Contains(metrics, line+"\n") {
			t.Errorf("the metrics have no %s", line)
		}
	}
	if err := r.stop(); err != nil { // sends what is left
		t.Error(err)
	}
	mu.Lock()
	defer mu.Unlock()
	for _, want := range []string{"POST /v1/chat/completions", "POST /v1/responses", "WS chat", "first token", "realm-of-test"} {
		if !bytes.Contains(sent.Bytes(), []byte(want)) {
			t.Errorf("no span has %q", want)
		}
	}
	if bytes.Contains(sent.Bytes(), []byte("capital")) {
		t.Error("a span has text of a prompt or an answer")
	}
}
