package demo

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/andybalholm/brotli"
)

// TestHandler serves files compressed, to those who take them so, and as they are.
func TestHandler(t *testing.T) {
	const program = "\x00asm and so on, and so on, and so on"
	var packed bytes.Buffer
	w := brotli.NewWriter(&packed)
	if _, err := io.WriteString(w, program); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	h := NewHandler(fstest.MapFS{
		"realm.wasm.br": {Data: packed.Bytes()},
		"broken.js.br":  {Data: []byte("no brotli")},
		"atlas.gguf":    {Data: []byte("GGUF model")},
		"secret.txt":    {Data: []byte("none of the page's")},
	})
	for _, c := range []struct {
		name, method, path, accept string
		status                     int
		encoding, kind, body       string
	}{
		{"compressed", "GET", "/realm.wasm", "gzip, br", 200, "br", "application/wasm", packed.String()},
		{"plain", "GET", "/realm.wasm", "gzip", 200, "", "application/wasm", program},
		{"refused", "GET", "/realm.wasm", "br; q=0", 200, "", "application/wasm", program},
		{"never compressed", "GET", "/atlas.gguf", "br", 200, "", "application/octet-stream", "GGUF model"},
		{"broken", "GET", "/broken.js", "", 500, "", "", ""},
		{"none", "GET", "/none.js", "br", 404, "", "", ""},
		{"no page", "GET", "/", "br", 404, "", "", ""},
		{"another kind", "GET", "/secret.txt", "br", 404, "", "", ""},
		{"out of it", "GET", "/../secret.js", "br", 404, "", "", ""},
		{"the compressed one", "GET", "/realm.wasm.br", "br", 404, "", "", ""},
		{"no body", "HEAD", "/atlas.gguf", "br", 200, "", "application/octet-stream", ""},
		{"another method", "POST", "/atlas.gguf", "br", 405, "", "", ""},
	} {
		r := httptest.NewRequest(c.method, c.path, nil)
		r.Header.Set("Accept-Encoding", c.accept)
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, r)
		got := rec.Result()
		if got.StatusCode != c.status || got.Header.Get("Content-Encoding") != c.encoding || c.status == 200 && (rec.Body.String() != c.body || got.Header.Get("Content-Type") != c.kind) {
			t.Errorf("%s: %d, %v, %q", c.name, got.StatusCode, got.Header, rec.Body)
		}
		if got.Header.Get("Content-Security-Policy") == "" || got.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: no policy: %v", c.name, got.Header)
		}
		if c.status != 200 || c.method == "HEAD" {
			continue
		}
		r.Header.Set("If-None-Match", got.Header.Get("ETag"))
		rec = httptest.NewRecorder()
		if h.ServeHTTP(rec, r); rec.Code != http.StatusNotModified {
			t.Errorf("%s: asked for again it is %d, want 304", c.name, rec.Code)
		}
	}
}

// TestUnbuilt answers with how the page is built, where it is not.
func TestUnbuilt(t *testing.T) {
	if builtin() != nil {
		t.Skip("this build has the page")
	}
	rec := httptest.NewRecorder()
	Handler().ServeHTTP(rec, httptest.NewRequest("GET", Prefix, nil))
	if rec.Code != http.StatusNotFound || !strings.Contains(rec.Body.String(), "go run -tags demo ./cmd/realm") {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
}
