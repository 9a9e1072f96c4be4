// Package playground is the page that realm serve has at /: a person's way to the models
// of a server. It is plain HTML, CSS and JavaScript modules, which are served as they
// stand in page and in package assets; what it says to the server goes over the WebSocket of package ws.
package playground

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/realm-webgpu/realm/web/assets"
)

//go:embed page
var page embed.FS

// Prefix is the path that the page's own files are below.
const Prefix = "/playground/"

// policy is what the browser holds the page to, beside what it is written to do: it
// runs and paints with its own files only, speaks to its own server only, stands in no
// frame, and has no way to make markup of a text.
// https://www.w3.org/TR/CSP3/, https://www.w3.org/TR/trusted-types/
const policy = "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; " +
	"require-trusted-types-for 'script'; trusted-types 'none'"

// types are those of the page's files. What the machine has to say about the endings of
// names is not asked.
var types = map[string]string{
	".html": "text/html; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".svg":  "image/svg+xml",
}

// file is one of the page's, ready to be sent.
type file struct {
	kind   string // its content type
	plain  []byte
	packed []byte // by gzip
	tag    string // ETag, of the content
}

// Handler serves the page at / and its files below Prefix.
func Handler() http.Handler {
	files, err := files()
	if err != nil {
		panic("playground: " + err.Error()) // they are part of the program
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f, ok := files[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		f.serve(w, r)
	})
}

// files returns all files of the page, by the paths that they are served at.
func files() (map[string]file, error) {
	plain, err := contents()
	if err != nil {
		return nil, err
	}
	files := map[string]file{}
	for name, text := range plain {
		if files[Prefix+name], err = newFile(name, text); err != nil {
			return nil, err
		}
	}
	files["/"] = files[Prefix+"index.html"]
	delete(files, Prefix+"index.html") // its links are those of /
	return files, nil
}

// contents returns what the page's files have, by their names.
func contents() (map[string][]byte, error) {
	own, err := fs.Sub(page, "page")
	if err != nil {
		return nil, err
	}
	return assets.With(own)
}

func newFile(name string, plain []byte) (file, error) {
	kind, ok := types[path.Ext(name)]
	if !ok {
		return file{}, fmt.Errorf("%s: its content type is not known", name)
	}
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return file{}, err
	}
	if _, err := z.Write(plain); err != nil {
		return file{}, err
	}
	if err := z.Close(); err != nil {
		return file{}, err
	}
	sum := sha256.Sum256(plain)
	return file{kind, plain, b.Bytes(), base64.RawURLEncoding.EncodeToString(sum[:12])}, nil
}

// serve sends the file, or says that the browser has it.
func (f file) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("X-Content-Type-Options", "nosniff")
	// A page and modules of two versions must never meet: each is asked for, and not
	// sent where it is the same.
	h.Set("Cache-Control", "no-cache")
	h.Set("Vary", "Accept-Encoding")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		h.Set("Allow", "GET, HEAD")
		http.Error(w, "only GET is allowed here", http.StatusMethodNotAllowed)
		return
	}
	packed := strings.Contains(r.Header.Get("Accept-Encoding"), "gzip")
	body, tag := f.plain, `"`+f.tag+`"`
	if packed {
		body, tag = f.packed, `"`+f.tag+`-gzip"`
	}
	h.Set("ETag", tag)
	h.Set("Content-Type", f.kind)
	if packed {
		h.Set("Content-Encoding", "gzip")
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
}
