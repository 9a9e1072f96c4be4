//go:build unix

package serve

import (
	"bufio"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/gorilla/websocket"

	"github.com/realm-webgpu/realm/e2e/models"
	"github.com/realm-webgpu/realm/e2e/realm"
)

// long is a text that takes a while.
const long = `{"prompt":"The","stream":true,"ignore_eos":true,"max_tokens":450,"temperature":0}`

// begun is an answer whose first part has come.
func begun(t *testing.T, s *realm.Server) (*http.Response, *bufio.Reader) {
	t.Helper()
	resp := open(t, s.URL+"/v1/completions", "", long)
	t.Cleanup(func() { resp.Body.Close() })
	r := bufio.NewReader(resp.Body)
	if line, err := r.ReadString('\n'); err != nil || !strings.HasPrefix(line, "data: {") {
		t.Fatalf("%v: %q", err, line)
	}
	return resp, r
}

// TestHangup reads the configuration again, and drops nobody.
func TestHangup(t *testing.T) {
	h := realm.NewHome(t)
	path := h.Put("globe.gguf", models.Atlas)
	s := h.Serve("")
	c := socket(t, s, "")
	say(t, c, `{"id":"long","function":"generate","params":`+long+`}`)
	if m := hear(t, c); m.Status != "streaming" {
		t.Fatalf("%+v", m)
	}
	_, body := begun(t, s)
	h.Configure("default-model = 'globe'\n[[models]]\nname = 'globe'\npath = '" + filepath.ToSlash(path) + "'\n[queue]\nlimit = 7\n[log]\nlevel = 'warn'\n")
	s.Signal(syscall.SIGHUP)
	s.Wait("it was read", func() bool { return strings.Contains(s.Log(), "the configuration was read again") })
	if !strings.Contains(s.Log(), "key=queue.limit") {
		t.Errorf("it is not told what was not taken over: %s", s.Log())
	}
	if status, text := ask(t, s.URL+"/v1/chat/completions", "", france); status != 200 || !strings.Contains(text, `"model":"globe"`) {
		t.Errorf("%d %s", status, text)
	}
	if status, text := ask(t, s.URL+"/v1/chat/completions", "", as("atlas", france)); status != 404 {
		t.Errorf("a model that is not served any more: %d %s", status, text)
	}
	rest, err := io.ReadAll(body)
	if err != nil || !strings.HasSuffix(string(rest), "data: [DONE]\n\n") {
		t.Errorf("an answer that was under way: %v, %s", err, rest)
	}
	if m := last(t, c, "long"); m.Status != "complete" {
		t.Errorf("a call that was under way: %+v", m)
	}
	if strings.Contains(s.Log(), "route=/v1/chat/completions") {
		t.Errorf("a request was logged below the new level: %s", s.Log())
	}
	h.Configure("listen-on = 1\n")
	s.Signal(syscall.SIGHUP)
	s.Wait("it was refused", func() bool { return strings.Contains(s.Log(), "unknown key listen-on") })
	if status, _ := ask(t, s.URL+"/v1/chat/completions", "", france); status != 200 {
		t.Errorf("after a configuration that is wrong: %d", status)
	}
}

// TestTerminate lets what runs end, and says why sockets are closed.
func TestTerminate(t *testing.T) {
	s := realm.NewHome(t).Serve("[timeouts]\ndrain = '2m'\n")
	_, body := begun(t, s)
	idle, busy := socket(t, s, ""), socket(t, s, "")
	say(t, busy, `{"id":"long","function":"generate","params":`+long+`}`)
	hear(t, busy)
	s.Signal(syscall.SIGTERM)
	wantClose(t, idle)
	for _, path := range []string{"/ready", "/v1/completions"} {
		body := ""
		if path != "/ready" {
			body = long
		}
		resp, err := http.Post(s.URL+path, "application/json", strings.NewReader(body))
		if path == "/ready" {
			if err == nil {
				resp.Body.Close()
			}
			resp, err = http.Get(s.URL + path)
		}
		if err != nil {
			continue // it has ended: the answers were quick
		}
		text, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != 503 || resp.Header.Get("Retry-After") == "" || !strings.Contains(string(text), "UNAVAILABLE") {
			t.Errorf("%s: %s %s", path, resp.Status, text)
		}
	}
	if rest, err := io.ReadAll(body); err != nil || !strings.HasSuffix(string(rest), "data: [DONE]\n\n") {
		t.Errorf("the answer ended with %v: %s", err, rest)
	}
	if m := last(t, busy, "long"); m.Status != "complete" {
		t.Errorf("the call ended with %+v", m)
	}
	wantClose(t, busy)
	if code := s.End(); code != 0 {
		t.Errorf("exit code %d\n%s", code, s.Log())
	}
}

// TestTwice ends at once on a second signal, also on one that comes with the first. The
// answer that is under way cannot end before: nobody reads it, and it is larger than what
// the system keeps for those who do not.
func TestTwice(t *testing.T) {
	s := realm.NewHome(t).Serve("[timeouts]\ndrain = '10m'\nwrite = '10m'\n")
	resp := open(t, s.URL+"/v1/completions", "", `{"prompt":"The","stream":true,"ignore_eos":true,"n":16,"logprobs":20,"max_tokens":450}`)
	defer resp.Body.Close()
	s.Signal(os.Interrupt)
	s.Signal(syscall.SIGTERM)
	if code := s.End(); code != -1 { // by the signal
		t.Errorf("exit code %d\n%s", code, s.Log())
	}
}

// wantClose wants a connection closed by a server that ends, and says so.
func wantClose(t *testing.T, c *websocket.Conn) {
	t.Helper()
	_, text, err := c.ReadMessage()
	e, ok := err.(*websocket.CloseError) //nolint:errorlint // ReadMessage returns it as it is
	if !ok || e.Code != websocket.CloseGoingAway || e.Text != "the server is shutting down" {
		t.Errorf("%v %s", err, text)
	}
}

// TestDrainTimeout cuts short what takes too long, and says so.
func TestDrainTimeout(t *testing.T) {
	// The answer does not end by itself: a guest that makes so few calls takes a minute.
	s := realm.NewHome(t).Serve("[timeouts]\ndrain = '0s'\n[tenants.guest]\ncalls-per-second = 20\n")
	_, body := begun(t, s)
	s.Signal(syscall.SIGTERM)
	if rest, err := io.ReadAll(body); err != nil || !strings.Contains(string(rest), `"code":"UNAVAILABLE"`) {
		t.Errorf("the answer ended with %v: %s", err, rest)
	}
	if code := s.End(); code != 0 {
		t.Errorf("exit code %d\n%s", code, s.Log())
	}
}
