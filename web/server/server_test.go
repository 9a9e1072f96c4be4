package server

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	embedded "github.com/realm-webgpu/realm/e2e/models"
	"github.com/realm-webgpu/realm/web/config"
	"github.com/realm-webgpu/realm/web/internal/webtest"
	"github.com/realm-webgpu/realm/web/tenant"
)

// newConfig is a configuration of a server on the CPU, in a folder of its own.
func newConfig(t *testing.T) *config.Config {
	t.Helper()
	c := config.Default()
	c.Listen, c.Device = "127.0.0.1:0", "cpu"
	c.Database = filepath.Join(t.TempDir(), "realm.db")
	return c
}

// running is a server that runs.
type running struct {
	*Server
	url, admin string
	stop       func() error // ends it, and returns what Run did
	log        *webtest.Log
}

// start runs a server until the test has ended.
func start(t *testing.T, c *config.Config) *running {
	t.Helper()
	r := &running{log: &webtest.Log{}}
	var err error
	r.Server, err = New(t.Context(), c, Options{Version: "test", Log: r.log.Logger()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ready, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- r.Run(ctx, func(address, admin net.Addr) {
			r.url = "http://" + address.String()
			if admin != nil {
				r.admin = "http://" + admin.String()
			}
			close(ready)
		})
	}()
	select {
	case <-ready:
	case err := <-ended:
		t.Fatal(err)
	}
	stopped := false
	r.stop = func() error {
		if stopped {
			return nil
		}
		stopped = true
		cancel()
		err := <-ended
		return errors.Join(err, r.Close())
	}
	t.Cleanup(func() {
		if err := r.stop(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// post sends JSON and returns what came back.
func (r *running) post(t *testing.T, path, key, body string) (status int, answer map[string]any) {
	t.Helper()
	var headers []string
	if key != "" {
		headers = []string{"Authorization", "Bearer " + key}
	}
	status, text := send(t, http.MethodPost, r.url+path, body, headers...)
	if err := json.Unmarshal([]byte(text), &answer); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return status, answer
}

// content is the text of an answer.
func content(t *testing.T, answer map[string]any) string {
	t.Helper()
	choices, ok := answer["choices"].([]any)
	if !ok || len(choices) == 0 {
		t.Fatalf("no choices: %v", answer)
	}
	text, _ := choices[0].(map[string]any)["message"].(map[string]any)["content"].(string)
	return text
}

const france = `{"temperature":0,"messages":[{"role":"user","content":"What is the capital of France?"}]}`

// TestBuiltin serves what is built in, to everyone on the machine.
func TestBuiltin(t *testing.T) {
	c := newConfig(t)
	c.AdminListen = "127.0.0.1:0"
	r := start(t, c)
	status, answer := r.post(t, "/v1/chat/completions", "", france)
	if status != http.StatusOK || content(t, answer) != "The capital of France is Paris." {
		t.Errorf("%d: %v", status, answer)
	}
	status, answer = r.post(t, "/v1/chat/completions", "", strings.Replace(france, `{`, `{"model":"atlas:pirate",`, 1))
	if text := content(t, answer); status != http.StatusOK || !strings.Contains(text, "Paris") || text == "The capital of France is Paris." {
		t.Errorf("as a pirate, %d: %q", status, text)
	}
	status, answer = r.post(t, "/v1/chat/completions", "", strings.Replace(france, `{`, `{"speculative":"model",`, 1))
	if status != http.StatusOK || content(t, answer) != "The capital of France is Paris." {
		t.Errorf("drafted, %d: %v", status, answer)
	}
	p, err := http.Get(r.admin + "/health")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Body.Close()
	if p.StatusCode != http.StatusOK {
		t.Errorf("the administrators' listener: %s", p.Status)
	}
	if strings.Contains(r.log.String(), "capital") {
		t.Error("the log has text of a prompt or an answer")
	}
}

// key makes a tenant and a key of it.
func (r *running) key(t *testing.T, name string) string {
	t.Helper()
	if _, err := r.store.Create(t.Context(), name, tenant.NewSettings()); err != nil {
		t.Fatal(err)
	}
	key, _, err := r.store.CreateKey(t.Context(), name, "main", time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// TestKeys are wanted from the first one on.
func TestKeys(t *testing.T) {
	c := newConfig(t)
	r := start(t, c)
	if status, answer := r.post(t, "/v1/chat/completions", "", france); status != http.StatusOK {
		t.Fatalf("without keys: %d, %v", status, answer)
	}
	key := r.key(t, "acme")
	if status, _ := r.post(t, "/v1/chat/completions", "", france); status != http.StatusUnauthorized {
		t.Errorf("without the key: %d", status)
	}
	if status, answer := r.post(t, "/v1/chat/completions", key, france); status != http.StatusOK {
		t.Errorf("with the key: %d, %v", status, answer)
	}
	if err := r.usage.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	used, err := r.store.Usage(t.Context(), "acme", 1)
	if err != nil || len(used) != 1 || used[0].Model != "atlas" || used[0].Requests != 1 || used[0].CompletionTokens == 0 {
		t.Errorf("%+v, %v", used, err)
	}
}

// TestExposed refuses to be reached by others without keys.
func TestExposed(t *testing.T) {
	c := newConfig(t)
	c.Listen = "0.0.0.0:0"
	_, err := New(t.Context(), c, Options{Log: slog.New(slog.DiscardHandler)})
	if !errors.Is(err, ErrOpen) || !strings.Contains(err.Error(), "realm key create") {
		t.Errorf("%v", err)
	}
	c.AllowOpen = true
	s, err := New(t.Context(), c, Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// TestReload takes over other models, and nothing of a configuration that is wrong.
func TestReload(t *testing.T) {
	path := filepath.Join(t.TempDir(), "globe.gguf")
	if err := os.WriteFile(path, embedded.Atlas, 0o600); err != nil {
		t.Fatal(err)
	}
	c := newConfig(t)
	r := start(t, c)
	if status, _ := r.post(t, "/v1/chat/completions", "", france); status != http.StatusOK {
		t.Fatal(status)
	}
	next := *c
	next.Models = []config.Model{{Name: "globe", Path: path}}
	next.Listen = "127.0.0.1:1"
	if err := r.Reload(t.Context(), &next); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(r.log.String(), `"key":"listen"`) {
		t.Error("what was not taken over is not told")
	}
	if status, answer := r.post(t, "/v1/chat/completions", "", strings.Replace(france, "{", `{"model":"globe",`, 1)); status != http.StatusOK {
		t.Errorf("%d, %v", status, answer)
	}
	if status, _ := r.post(t, "/v1/chat/completions", "", strings.Replace(france, "{", `{"model":"atlas",`, 1)); status != http.StatusNotFound {
		t.Errorf("the model that is gone: %d", status)
	}
	broken := next
	broken.Models = []config.Model{{Name: "none", Path: path + ".none"}}
	if err := r.Reload(t.Context(), &broken); err == nil || !strings.Contains(err.Error(), "none") {
		t.Errorf("%v", err)
	}
	if status, _ := r.post(t, "/v1/chat/completions", "", france); status != http.StatusOK {
		t.Errorf("after a reload that failed: %d", status)
	}
}

// TestEnd lets an answer end that was under way.
func TestEnd(t *testing.T) {
	r := start(t, newConfig(t))
	// The first answer loads the model.
	if status, _ := r.post(t, "/v1/chat/completions", "", france); status != http.StatusOK {
		t.Fatal(status)
	}
	q, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.url+"/v1/completions",
		strings.NewReader(`{"prompt":"The","stream":true,"ignore_eos":true,"max_tokens":300,"temperature":0}`))
	if err != nil {
		t.Fatal(err)
	}
	q.Header.Set("Content-Type", "application/json")
	p, err := http.DefaultClient.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Body.Close()
	if _, err := io.ReadFull(p.Body, make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	stopped := make(chan error, 1)
	go func() { stopped <- r.stop() }()
	rest, err := io.ReadAll(p.Body)
	if err != nil || !strings.HasSuffix(strings.TrimSpace(string(rest)), "data: [DONE]") {
		t.Errorf("the answer ended with %.80q, %v", rest[max(0, len(rest)-80):], err)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

// TestPage has the playground at / and nothing of it elsewhere.
func TestPage(t *testing.T) {
	r := start(t, newConfig(t))
	for path, want := range map[string]struct {
		status int
		kind   string
	}{
		"/":                   {http.StatusOK, "text/html; charset=utf-8"},
		"/playground/main.js": {http.StatusOK, "text/javascript; charset=utf-8"},
		"/playground/none.js": {http.StatusNotFound, "text/plain; charset=utf-8"},
		"/index.html":         {http.StatusNotFound, "application/json"},
		"/v1/none":            {http.StatusNotFound, "application/json"},
	} {
		p, err := http.Get(r.url + path)
		if err != nil {
			t.Fatal(err)
		}
		p.Body.Close()
		if p.StatusCode != want.status || p.Header.Get("Content-Type") != want.kind {
			t.Errorf("%s: %d %s, want %d %s", path, p.StatusCode, p.Header.Get("Content-Type"), want.status, want.kind)
		}
	}
}
