package api

import (
	"bufio"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/realm-webgpu/realm/web/openai"
	"github.com/realm-webgpu/realm/web/service"
	"github.com/realm-webgpu/realm/web/tenant"
)

// TestErrors has what goes wrong before a model is asked. All has OpenAI's shape,
// which the rig checks.
func TestErrors(t *testing.T) {
	r := newRig(t, nil, func(o *Options) {
		o.Limits = openai.DefaultLimits()
		o.Limits.Body, o.Limits.Depth = 4096, 16
		o.Hosts = []string{"localhost"}
	})
	post := []string{"method", "POST", "Content-Type", "application/json"}
	for _, c := range []struct {
		path, body string
		headers    []string
		status     int
		says       string
	}{
		{"/nothing", "", nil, 404, "/nothing"},
		{"/v1/models/a/b:c", "", nil, 404, "MODEL_NOT_FOUND"},
		{"/v1/chat/completions", "", nil, 405, "only POST"},
		{"/health", "{}", nil, 405, "only GET and HEAD"},
		{"/v1/chat/completions", "{", nil, 400, "no JSON object"},
		{"/v1/chat/completions", "[]", nil, 400, "no JSON object: it is an array"},
		{"/v1/chat/completions", "[", nil, 400, "unexpected end"},
		{"/v1/chat/completions", `{"messages":[],"x":` + strings.Repeat("[", 20) + strings.Repeat("]", 20) + "}", nil, 400, "16 deep"},
		{"/v1/chat/completions", question(`"user":"` + strings.Repeat("u", 5000) + `"`), nil, 413, "4096"},
		{"/v1/chat/completions", question(""), []string{"Content-Type", "text/plain"}, 415, "application/json"},
		{"/v1/chat/completions", question(`"model":"gpt-9"`), nil, 404, "MODEL_NOT_FOUND"},
		{"/v1/chat/completions", question(`"adapter":"pirate"`), nil, 404, "ADAPTER_NOT_FOUND"},
		{"/v1/chat/completions", question(`"guest":"nobody"`), nil, 404, "GUEST_NOT_FOUND"},
		{"/v1/chat/completions", question(`"stream":true,"guest":"nobody"`), nil, 404, "GUEST_NOT_FOUND"},
		{"/v1/chat/completions", question(`"guided_regex":"("`), nil, 400, "INVALID_REQUEST"},
		{"/v1/chat/completions", question(`"logit_bias":{"99999999":1}`), nil, 400, "99999999"},
		{"/v1/completions", `{"prompt":"` + strings.Repeat("word ", 600) + `"}`, nil, 400, "CONTEXT_OVERFLOW"},
		{"/v1/completions", `{"prompt":[99999999]}`, nil, 400, `"param":"prompt"`},
		{"/v1/completions", `{"prompt":[1,null]}`, nil, 400, `"param":"prompt"`},
		{"/v1/completions", `{"prompt":"a","logit_bias":{"5":null}}`, nil, 400, `"param":"logit_bias"`},
		{"/v1/completions", `{"prompt":"a","guided_choice":["a",null]}`, nil, 400, `"param":"guided_choice"`},
		{"/v1/completions", `{"prompt":"a","user":5}`, nil, 400, `"param":"user"`},
		{"/v1/embeddings", `{"input":[[1,null]]}`, nil, 400, `"param":"input"`},
		{"/detokenize", `{"tokens":[null]}`, nil, 400, `"param":"tokens"`},
		{"/v1/completions", `{"prompt":[-1]}`, nil, 400, `"param":"prompt"`},
		{"/v1/completions", `{"prompt":"a","stop_token_ids":[2048]}`, nil, 400, `"param":"stop_token_ids"`},
		{"/v1/completions", `{"prompt":"` + strings.Repeat("word ", 600) + `"}`, nil, 400, "maximum context length of the model is 512"},
		{"/v1/embeddings", `{"input":[[1],[99999999]]}`, nil, 400, `"param":"input"`},
		{"/v1/chat/completions", question(`"logit_bias":{"99999999":1}`), nil, 400, `"param":"logit_bias"`},
		{"/v1/chat/completions", question(`"temperature":1e999`), nil, 400, "1e999 cannot be read as a number"},
		{"/v1/chat/completions", question(`"ignore_eos":true,"guided_regex":"a"`), nil, 400, `"param":"ignore_eos"`},
		{"/v1/chat/completions", question(`"guided_choice":["a"],"guided_regex":"a"`), nil, 400, "guided_choice: an answer is held to one grammar, and there is guided_regex"},
		{"/v1/chat/completions", question(`"guided_json":{"not":{}}`), nil, 400, `"guided_json: schema #: not: the keyword: unsupported in a grammar","type":"invalid_request_error","param":"guided_json"`},
		{"/v1/chat/completions", question(`"tool_choice":"required","tools":[{"type":"function","function":{"name":"f","parameters":{"not":{}}}}]`), nil, 400, `"param":"tools"`},
		{"/v1/chat/completions", `{"messages":[{"role":"user","content":[{"type":"text"}]}]}`, nil, 400, "messages[0].content[0].text"},
		{"/v1/chat/completions", question(""), []string{"Content-Encoding", "gzip"}, 415, "Content-Encoding"},
		{"/detokenize", `{"tokens":[99999999]}`, nil, 400, "99999999"},
		{"/health", "", []string{"Host", "evil.example"}, 421, "FORBIDDEN"},
		{"/health", "", []string{"Host", "localhost:8080"}, 200, "ok"},
		{"/health", "", []string{"Host", "[::1]:8080"}, 200, "ok"},
		{"/ready", "", nil, 200, "ready"},
		{"/version", "", nil, 200, "test"},
		{"/metrics", "", nil, 404, "off"},
		{"/openapi.yaml", "", nil, 200, "openapi: 3"},
		{"/v1/ws/ticket", "", post, 200, "rt_"},
	} {
		resp, text := r.do(t, c.path, c.body, c.headers...)
		if resp.StatusCode != c.status || !strings.Contains(text, c.says) {
			t.Errorf("%s %.80s: %s %s", c.path, c.body, resp.Status, text)
		}
	}
	if resp, _ := r.do(t, "/v1/models", "x"); resp.Header.Get("Allow") != "GET, HEAD" {
		t.Errorf("Allow is %q", resp.Header.Get("Allow"))
	}
	if resp, text := do(t, r.admin.URL+"/v1/load_lora_adapter", `{"lora_name":"x"}`); resp.StatusCode != 400 || !strings.Contains(text, "lora_path") {
		t.Errorf("an adapter without a path: %s %s", resp.Status, text)
	}
	if resp, text := do(t, r.admin.URL+"/debug/pprof/goroutine?debug=1", ""); resp.StatusCode != 200 || !strings.Contains(text, "goroutine profile") {
		t.Errorf("pprof: %s", resp.Status)
	}
	if resp, _ := r.do(t, "/debug/pprof/", ""); resp.StatusCode != 404 {
		t.Errorf("pprof on the listener of tenants: %s", resp.Status)
	}
}

// TestRequestID takes ids that are sane.
func TestRequestID(t *testing.T) {
	r := newRig(t, nil, nil)
	for id, taken := range map[string]bool{"abc-1.2_X": true, "a b": false, strings.Repeat("x", 129): false, "": false, "ü": false} {
		resp, _ := r.do(t, "/health", "", "X-Request-Id", id)
		if got := resp.Header.Get("X-Request-Id"); (got == id) != taken || got == "" {
			t.Errorf("of %q came %q", id, got)
		}
	}
	r.do(t, "/v1/chat/completions", question(`"user":"SECRET","max_tokens":2`), "X-Request-Id", "mine")
	log := r.log.String()
	if !strings.Contains(log, `"request":"mine"`) || !strings.Contains(log, `"completion_tokens":2`) {
		t.Errorf("the log is %s", log)
	}
	for _, text := range []string{"capital", "SECRET", "The"} {
		if strings.Contains(log, text) {
			t.Errorf("the log has %q: %s", text, log)
		}
	}
}

// TestCORS lets in pages of the origins that are configured.
func TestCORS(t *testing.T) {
	r := newRig(t, nil, func(o *Options) { o.Origins = []string{"https://ok.example"} })
	for origin, allowed := range map[string]bool{"https://ok.example": true, "https://evil.example": false, "null": false} {
		resp, _ := r.do(t, "/v1/chat/completions", "", "method", "OPTIONS", "Origin", origin, "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "authorization,content-type,x-stainless-lang,x-evil")
		if got := resp.Header.Get("Access-Control-Allow-Origin") == origin; got != allowed || resp.StatusCode != http.StatusNoContent {
			t.Errorf("%s: %s %v", origin, resp.Status, resp.Header)
		}
		if got := resp.Header.Get("Access-Control-Allow-Headers"); allowed && got != "authorization, content-type, x-stainless-lang" {
			t.Errorf("headers %q", got)
		}
		resp, _ = r.do(t, "/health", "", "Origin", origin)
		if got := resp.Header.Get("Access-Control-Allow-Origin") == origin; got != allowed || resp.Header.Get("Vary") != "Origin" {
			t.Errorf("%s: %v", origin, resp.Header)
		}
	}
}

// TestKeys has tenants with keys, who see nothing of each other.
func TestKeys(t *testing.T) {
	store, err := tenant.Open(t.Context(), t.TempDir()+"/realm.db", tenant.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	key := func(name string, change func(*tenant.Settings)) string {
		s := tenant.NewSettings()
		change(&s)
		if _, err := store.Create(t.Context(), name, s); err != nil {
			t.Fatal(err)
		}
		k, _, err := store.CreateKey(t.Context(), name, "k", time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	limited := key("limited", func(s *tenant.Settings) { s.Limits.RequestsPerMinute = 1 })
	boss := key("boss", func(s *tenant.Settings) { s.Admin = true })
	r := newRig(t, func(o *service.Options) { o.Tenants = store }, func(o *Options) {
		o.Metrics = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("numbers")) })
	})
	bearer := func(k string) []string { return []string{"Authorization", "Bearer " + k} }
	for _, c := range []struct {
		path, key string
		status    int
	}{
		{"/v1/models", "", 401}, {"/v1/models", "rk_nonsense", 401}, {"/v1/models", limited, 200},
		{"/health", "", 200}, {"/ready", "", 200}, {"/openapi.yaml", "", 200},
		{"/metrics", "", 401}, {"/metrics", limited, 403}, {"/metrics", boss, 200},
	} {
		resp, text := r.do(t, c.path, "", bearer(c.key)...)
		if resp.StatusCode != c.status || c.status == 401 && resp.Header.Get("WWW-Authenticate") != "Bearer" {
			t.Errorf("%s with %.6q: %s %s", c.path, c.key, resp.Status, text)
		}
	}
	load := `{"lora_name":"x","lora_path":"y"}`
	for k, status := range map[string]int{"": 401, limited: 403} {
		if resp, text := do(t, r.admin.URL+"/v1/load_lora_adapter", load, bearer(k)...); resp.StatusCode != status {
			t.Errorf("an adapter with %.6q: %s %s", k, resp.Status, text)
		}
	}
	if resp, _ := do(t, r.admin.URL+"/metrics", ""); resp.StatusCode != 200 {
		t.Errorf("metrics on the admin listener: %s", resp.Status)
	}
	resp, text := r.do(t, "/v1/chat/completions", question(`"max_tokens":1`), bearer(limited)...)
	if resp.StatusCode != 200 || resp.Header.Get("x-ratelimit-limit-requests") != "1" || resp.Header.Get("x-ratelimit-remaining-requests") != "0" || resp.Header.Get("x-ratelimit-limit-tokens") != "" {
		t.Errorf("the first: %s %v %s", resp.Status, resp.Header, text)
	}
	resp, text = r.do(t, "/v1/chat/completions", question(`"max_tokens":1,"stream":true`), bearer(limited)...)
	if resp.StatusCode != 429 || resp.Header.Get("Retry-After") == "" || resp.Header.Get("Retry-After-Ms") == "" || resp.Header.Get("x-ratelimit-reset-requests") == "" || !strings.Contains(text, "rate_limit_error") {
		t.Errorf("the second: %s %v %s", resp.Status, resp.Header, text)
	}
}

// TestGone ends what a client has left, and drops a client that reads nothing.
func TestGone(t *testing.T) {
	r := newRig(t, nil, func(o *Options) { o.WriteTimeout = time.Second })
	body := question(`"stream":true,"ignore_eos":true,"max_tokens":450,"n":4,"logprobs":true,"top_logprobs":20`)
	open := func() *net.TCPConn {
		c, err := net.Dial("tcp", r.server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		tcp := c.(*net.TCPConn)
		_ = tcp.SetReadBuffer(2048)
		if _, err := tcp.Write([]byte("POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body)); err != nil {
			t.Fatal(err)
		}
		first := make([]byte, 512)
		if _, err := tcp.Read(first); err != nil || !strings.HasPrefix(string(first), "HTTP/1.1 200") {
			t.Fatalf("%v %s", err, first)
		}
		return tcp
	}
	gone := open()
	gone.Close()
	slow := open()
	defer slow.Close()
	deadline := time.Now().Add(time.Minute)
	for r.service.Snapshot().Answers > 0 {
		if time.Now().After(deadline) {
			t.Fatalf("answers go on: %+v", r.service.Snapshot())
		}
		time.Sleep(20 * time.Millisecond)
	}
	for strings.Count(r.log.String(), "CANCELLED") != 2 { // a request is logged behind its end
		if time.Now().After(deadline) {
			t.Fatalf("2 were to be cancelled: %s", r.log)
		}
		time.Sleep(20 * time.Millisecond)
	}
	// Nobody else has noticed.
	if out := asked[openai.ChatResponse](t, r, "/v1/chat/completions", question("")); *out.Choices[0].Message.Content != paris {
		t.Errorf("behind them: %+v", out)
	}
}

// TestPageNotRead drops a client that does not read what is none of this package's.
func TestPageNotRead(t *testing.T) {
	dropped := make(chan struct{})
	r := newRig(t, nil, func(o *Options) {
		o.WriteTimeout = 200 * time.Millisecond
		o.Others = map[string]http.Handler{"/page": http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			for page := make([]byte, 1<<20); ; {
				if _, err := w.Write(page); err != nil {
					close(dropped)
					return
				}
			}
		})}
	})
	c, err := net.Dial("tcp", r.server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write([]byte("GET /page HTTP/1.1\r\nHost: x\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	select {
	case <-dropped:
	case <-time.After(time.Minute):
		t.Error("a page waits for its reader")
	}
}

// TestSlowBody gives up on a body that does not come.
func TestSlowBody(t *testing.T) {
	r := newRig(t, nil, func(o *Options) { o.ReadTimeout = 50 * time.Millisecond })
	c, err := net.Dial("tcp", r.server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write([]byte("POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{")); err != nil {
		t.Fatal(err)
	}
	_ = c.SetReadDeadline(time.Now().Add(time.Minute))
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusRequestTimeout {
		t.Error(resp.Status)
	}
}

// TestProbe answers a load balancer that asks in HTTP/1.0, and names no host.
func TestProbe(t *testing.T) {
	r := newRig(t, nil, func(o *Options) { o.Hosts = []string{"localhost"} })
	c, err := net.Dial("tcp", r.server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write([]byte("GET /health HTTP/1.0\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("%s", resp.Status)
	}
}
