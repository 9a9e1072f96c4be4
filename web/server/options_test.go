package server

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	embedded "github.com/realm-webgpu/realm/e2e/models"
	"github.com/realm-webgpu/realm/guest"
	"github.com/realm-webgpu/realm/web/config"
)

// These tests show that each option of docs/realm.example.toml does what it says, beside
// those of listen, database and allow-open in server_test.go.

// parse reads a configuration of a server on the CPU, whose paths are under dir.
func parse(t *testing.T, dir, text string) *config.Config {
	t.Helper()
	c, err := config.Parse([]byte("listen = '127.0.0.1:0'\ndevice = 'cpu'\ndatabase = ''\n"+text), dir)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return c
}

// ask is a chat with members besides.
func ask(members string) string {
	return `{"temperature":0,"messages":[{"role":"user","content":"What is the capital of France?"}]` + members + `}`
}

// wants posts a request, and fails unless the answer has a status and says something.
func (r *running) wants(t *testing.T, path, body string, status int, says string) {
	t.Helper()
	got, text := send(t, http.MethodPost, r.url+path, body)
	if got != status || !strings.Contains(text, says) {
		t.Errorf("%s %.200s: %d %.400s, want %d that says %q", path, body, got, text, status, says)
	}
}

// send sends a request with headers, which are pairs of a name and a value.
func send(t *testing.T, method, url, body string, headers ...string) (int, string) {
	t.Helper()
	q, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	q.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			q.Host = headers[i+1]
		}
		q.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// TestRequestOptions bounds what a request may ask for.
func TestRequestOptions(t *testing.T) {
	r := start(t, parse(t, t.TempDir(), `[requests]
body = "1KiB"
headers = "1KiB"
n = 2
best-of = 3
logprobs = 1
stops = 1
stop-bytes = 4
grammar = 64
messages = 2
tools = 1
logit-biases = 1
inputs = 2
max-tokens = 7
default-tokens = 3
`))
	const chat, text, tool = "/v1/chat/completions", "/v1/completions", `{"type":"function","function":{"name":"f%d"}}`
	for _, c := range []struct {
		path, body string
		status     int
		says       string
	}{
		{chat, ask(""), 200, `"completion_tokens":3`},
		{chat, ask(`,"max_tokens":7,"n":2`), 200, `"completion_tokens":14`},
		{chat, ask(`,"max_tokens":8`), 400, "at most 7"},
		{chat, ask(`,"user":"` + strings.Repeat("u", 1024) + `"`), 413, "1024 bytes"},
		{chat, ask(`,"n":3`), 400, "[1, 2]"},
		{text, `{"prompt":"a","best_of":3}`, 200, "choices"},
		{text, `{"prompt":"a","best_of":4}`, 400, "[1, 3]"},
		{chat, ask(`,"logprobs":true,"top_logprobs":2`), 400, "[0, 1]"},
		{chat, ask(`,"stop":["a","b"]`), 400, "at most 1"},
		{chat, ask(`,"stop":"abcde"`), 400, "1 to 4"},
		{chat, ask(`,"guided_regex":"` + strings.Repeat("a", 65) + `"`), 400, "at most 64"},
		{chat, `{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"},{"role":"user","content":"c"}]}`, 400, "at most 2"},
		{chat, ask(`,"tools":[` + fmt.Sprintf(tool, 1) + "," + fmt.Sprintf(tool, 2) + `]`), 400, "at most 1"},
		{chat, ask(`,"logit_bias":{"1":1,"2":1}`), 400, "at most 1"},
		{"/v1/embeddings", `{"input":["a","b","c"]}`, 400, "at most 2"},
		{text, `{"prompt":["a","b"],"n":2}`, 400, "at most 2"},
	} {
		r.wants(t, c.path, c.body, c.status, c.says)
	}
	// net/http reads some KiB more than it is told to.
	if status, _ := send(t, http.MethodGet, r.url+"/health", "", "X-Long", strings.Repeat("x", 64<<10)); status != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("64 KiB of headers: %d", status)
	}
}

// TestTenantOptions bounds tenants that have no limits of their own.
func TestTenantOptions(t *testing.T) {
	dir := t.TempDir()
	r := start(t, parse(t, dir, ""))
	const chat = "/v1/chat/completions"
	long := `,"ignore_eos":true,"max_tokens":100`
	for _, c := range []struct {
		options, members string
		status           int
		says             string
	}{
		{"tokens-per-minute = 50", long, 429, "the limit is 50 a minute"},
		{"pages = 1", long, 503, "OUT_OF_MEMORY"},
		{"guest.memory = '4KiB'", "", 429, "memory"},
		{"guest.fuel = 1000", "", 429, "fuel"},
		{"guest.wall-time = '1ms'", `,"n":4` + long, 429, "wall time"},
		{"guest.handles = 1", `,"n":4`, 429, "QUOTA_EXCEEDED"},
		{"guest.rows = 1", `,"n":4`, 200, "Paris"}, // they take turns
		{"guest.pages = 1", long, 429, "QUOTA_EXCEEDED"},
		{"guest.tokens = 10", long, 429, "QUOTA_EXCEEDED"},
		{"guest.emit = 10", "", 429, "QUOTA_EXCEEDED"},
		{"guest.calls-per-second = 1", "", 200, "Paris"}, // it waits
		{"requests-per-minute = 1", "", 200, "Paris"},
	} {
		if err := r.Reload(t.Context(), parse(t, dir, "[tenants]\n"+c.options)); err != nil {
			t.Fatal(err)
		}
		r.wants(t, chat, ask(c.members), c.status, c.says)
	}
	r.wants(t, chat, ask(""), 429, "1 requests a minute")
}

// TestModelOptions has what models are served, and how.
func TestModelOptions(t *testing.T) {
	dir := t.TempDir()
	for name, data := range map[string][]byte{
		"atlas.gguf": embedded.Atlas, "adapters/pirate.gguf": embedded.Pirate,
		"chat.jinja": []byte("{% for m in messages %}{{ m.content }}{% endfor %}"), "guests/own.wasm": guest.Module,
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c := parse(t, dir, `admin-listen = "127.0.0.1:0"
default-model = "globe"
adapter-root = "adapters"
guest-root = "guests"
guest = "own"
model-root = "models"
[[models]]
name = "atlas"
source = "builtin:atlas"
kv-type = "f32"
[[models]]
name = "globe"
path = "atlas.gguf"
context = 64
preload = true
default-adapter = "pirate"
draft = "small"
adapters = [{ name = "pirate", path = "adapters/pirate.gguf" }]
[[models]]
name = "bare"
path = "atlas.gguf"
template = "@chat.jinja"
[[models]]
name = "small"
source = "builtin:draft"
`)
	c.AdminListen = "127.0.0.1:0"
	r := start(t, c)
	if _, list := send(t, http.MethodGet, r.url+"/v1/models", ""); !strings.Contains(list, `"id":"globe","object":"model","created":`) || !strings.Contains(list, `"max_model_len":64`) || strings.Count(list, `"max_model_len":null`) < 2 {
		t.Errorf("one is loaded, with its own context: %s", list)
	}
	const chat = "/v1/chat/completions"
	r.wants(t, chat, ask(`,"speculative":"model"`), 200, `"model":"globe"`)
	pirate := func(members string) string {
		_, text := send(t, http.MethodPost, r.url+chat, ask(members))
		return text
	}
	if usual, none := pirate(""), pirate(`,"adapter":"none"`); strings.Contains(usual, "The capital of France is Paris.") || !strings.Contains(none, "The capital of France is Paris.") {
		t.Errorf("by default %s, and without the adapter %s", usual, none)
	}
	r.wants(t, chat, ask(`,"guest":"own"`), 200, "Paris")
	r.wants(t, "/tokenize", `{"model":"bare","messages":[{"role":"user","content":"Paris"}]}`, 200, `"count":4,`)
	r.wants(t, chat, ask(`,"model":"atlas"`), 200, "Paris")
	if s := r.Snapshot(); len(s.Models) < 3 {
		t.Errorf("models %+v", s.Models)
	}
	// Adapters come and go while it runs.
	if status, text := send(t, http.MethodPost, r.admin+"/v1/load_lora_adapter", `{"model":"atlas","lora_name":"sailor","lora_path":"pirate.gguf"}`); status != 200 {
		t.Errorf("%d %s", status, text)
	}
	r.wants(t, chat, ask(`,"model":"atlas:sailor"`), 200, `"model":"atlas:sailor"`)
	if status, text := send(t, http.MethodPost, r.admin+"/v1/load_lora_adapter", `{"model":"atlas","lora_name":"x","lora_path":"../atlas.gguf"}`); status != 403 {
		t.Errorf("a path out of adapter-root: %d %s", status, text)
	}
	for text, says := range map[string]string{
		"guest = 'none'\nguest-root = 'guests'":                                           "no none.wasm",
		"[[models]]\nname = 'a'\nsource = 'hf.co/o/r:Q4_0'\n":                             "realm pull hf.co/o/r:Q4_0",
		"[[models]]\nname = 'a'\nsource = 'builtin:a'\n":                                  "builtin:a",
		"[[models]]\nname = 'a'\nsource = 'builtin:atlas'\ntemplate = 'no-such-template'": "no-such-template",
	} {
		if err := r.Reload(t.Context(), parse(t, dir, text)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", text, err, says)
		}
	}
}

// TestMemoryOptions bounds the device's memory, and its queue.
func TestMemoryOptions(t *testing.T) {
	dir := t.TempDir()
	r := start(t, parse(t, dir, "threads = 1\n[memory]\ntotal = '1MiB'\n"))
	r.wants(t, "/v1/chat/completions", ask(""), 503, "OUT_OF_MEMORY")
	r = start(t, parse(t, dir, "[memory]\nadapters = '1KiB'\n"))
	r.wants(t, "/v1/chat/completions", ask(`,"adapter":"pirate"`), 503, "OUT_OF_MEMORY")
	r = start(t, parse(t, dir, "[queue]\nlimit = 1\n"))
	var group sync.WaitGroup
	refused := make(chan struct{}, 64)
	for range 64 {
		group.Go(func() {
			status, text := send(t, http.MethodPost, r.url+"/v1/completions", `{"prompt":"The","ignore_eos":true,"max_tokens":100}`)
			if status == 503 && strings.Contains(text, "QUEUE_FULL") {
				refused <- struct{}{}
			} else if status != 200 {
				t.Errorf("%d %s", status, text)
			}
		})
	}
	group.Wait()
	if len(refused) == 0 {
		t.Error("64 requests at once fitted into a queue of 1")
	}
}
