package demo

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/andybalholm/brotli"
)

// Prefix is the path that the page is served at.
const Prefix = "/demo/"

// policy is what the browser holds the page to: its own files only, but for models, which
// it may get from wherever it is told. https://www.w3.org/TR/CSP3/
const policy = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self' https: http://localhost:* http://127.0.0.1:*; " +
	"object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// types are those of the page's files. What the machine has to say about the endings of
// names is not asked.
var types = map[string]string{
	".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8",
	".json": "application/json", ".svg": "image/svg+xml", ".wasm": "application/wasm", ".gguf": "application/octet-stream",
}

// Handler serves the page below Prefix where this build has it, or says how to build it.
func Handler() http.Handler {
	if files := builtin(); files != nil {
		return http.StripPrefix(Prefix, NewHandler(files))
	}
	return http.HandlerFunc(unbuilt)
}

// packed is what a file's name ends with that is compressed with brotli
// (https://www.rfc-editor.org/rfc/rfc7932).
const packed = ".br"

// NewHandler serves what build.Publish wrote. Of files that are there compressed no others are
// needed.
func NewHandler(files fs.FS) http.Handler { return &handler{files: files, known: map[string]*file{}} }

type handler struct {
	files fs.FS
	mu    sync.Mutex
	known map[string]*file // that were asked for
}

// file is one of the page's.
type file struct {
	content []byte
	packed  bool   // by brotli
	tag     string // ETag
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	secure(w.Header())
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "only GET is allowed here", http.StatusMethodNotAllowed)
		return
	}
	name := strings.TrimPrefix(r.URL.Path, "/")
	if name == "" {
		name = "index.html"
	}
	kind, ok := types[path.Ext(name)]
	if !ok || !fs.ValidPath(name) {
		http.NotFound(w, r)
		return
	}
	f, err := h.file(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		http.NotFound(w, r)
		return
	case err != nil:
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	header := w.Header()
	header.Set("Content-Type", kind)
	// A page and modules of two versions must never meet: each is asked for, and not
	// sent where it is the same.
	header.Set("Cache-Control", "no-cache")
	header.Set("Vary", "Accept-Encoding")
	content, tag := f.content, f.tag
	switch {
	case f.packed && accepts(r, "br"):
		header.Set("Content-Encoding", "br")
		tag += "-br"
	case f.packed:
		if content, err = io.ReadAll(brotli.NewReader(bytes.NewReader(content))); err != nil {
			http.Error(w, fmt.Sprintf("%s: %v", name, err), http.StatusInternalServerError)
			return
		}
	}
	header.Set("ETag", `"`+tag+`"`)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
}

// file returns a file, read once.
func (h *handler) file(name string) (*file, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if f, ok := h.known[name]; ok {
		return f, nil
	}
	f := &file{packed: true}
	var err error
	f.content, err = fs.ReadFile(h.files, name+packed)
	if errors.Is(err, fs.ErrNotExist) {
		f.packed = false
		f.content, err = fs.ReadFile(h.files, name)
	}
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(f.content)
	f.tag = base64.RawURLEncoding.EncodeToString(sum[:12])
	h.known[name] = f
	return f, nil
}

// accepts reports whether the client takes an encoding.
func accepts(r *http.Request, encoding string) bool {
	for _, part := range strings.Split(r.Header.Get("Accept-Encoding"), ",") {
		name, quality, _ := strings.Cut(part, ";")
		if strings.TrimSpace(name) == encoding {
			return strings.ReplaceAll(quality, " ", "") != "q=0"
		}
	}
	return false
}

func secure(h http.Header) {
	h.Set("Content-Security-Policy", policy)
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("X-Content-Type-Options", "nosniff")
}

// unbuilt says how to build the page.
func unbuilt(w http.ResponseWriter, _ *http.Request) {
	secure(w.Header())
	w.Header().Set("Content-Type", types[".html"])
	w.WriteHeader(http.StatusNotFound)
	fmt.Fprint(w, unbuiltPage)
}

const unbuiltPage = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Realm: the demo is not built in</title>
<h1>The demo is not built in</h1>
<p>Releases of Realm have the whole runtime as a page here. This build was made without it, as it takes minutes to make. In the sources:</p>
<pre>
go run ./web/demo/publish          # or: just demo
go run -tags demo ./cmd/realm
</pre>
<p>The first command also writes it as static files, for any web server: docs/browser.md has more.</p>
</html>
`
