package playground

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"path"
	"regexp"
	"strings"
	"testing"
)

// get asks the handler for a path, with headers by turns of name and value.
func get(t *testing.T, method, target string, headers ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, target, nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	Handler().ServeHTTP(w, r)
	return w.Result()
}

func body(t *testing.T, r *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// pageFiles are the contents of the page's files, by their names.
func pageFiles(t *testing.T) map[string][]byte {
	t.Helper()
	files, err := contents()
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TestFiles serves every file under the policy, plain, by gzip, and not at all to those
// that have it.
func TestFiles(t *testing.T) {
	for name, want := range pageFiles(t) {
		target := Prefix + name
		if name == "index.html" {
			target = "/"
		}
		r := get(t, http.MethodGet, target)
		if r.StatusCode != http.StatusOK || body(t, r) != string(want) {
			t.Errorf("%s: status %d, and not what the file has", target, r.StatusCode)
		}
		h := r.Header
		if !strings.HasPrefix(h.Get("Content-Security-Policy"), "default-src 'self'; ") || strings.Contains(h.Get("Content-Security-Policy"), "unsafe") {
			t.Errorf("%s: policy %q", target, h.Get("Content-Security-Policy"))
		}
		if h.Get("Cache-Control") != "no-cache" || h.Get("ETag") == "" || h.Get("Content-Type") != types[path.Ext(name)] {
			t.Errorf("%s: %v", target, h)
		}
		packed := get(t, http.MethodGet, target, "Accept-Encoding", "br, gzip")
		z, err := gzip.NewReader(packed.Body)
		if err != nil {
			t.Fatalf("%s: %v", target, err)
		}
		if got, err := io.ReadAll(z); err != nil || !bytes.Equal(got, want) || packed.Header.Get("Content-Encoding") != "gzip" {
			t.Errorf("%s by gzip: %v, %v", target, err, packed.Header)
		}
		for _, tag := range []string{h.Get("ETag"), `W/` + h.Get("ETag"), `"another", ` + h.Get("ETag")} {
			if r := get(t, http.MethodGet, target, "If-None-Match", tag); r.StatusCode != http.StatusNotModified || body(t, r) != "" {
				t.Errorf("%s that the browser has as %s: status %d", target, tag, r.StatusCode)
			}
		}
		if r := get(t, http.MethodGet, target, "If-None-Match", packed.Header.Get("ETag")); r.StatusCode != http.StatusOK {
			t.Errorf("%s, plain, where the browser has it by gzip: status %d", target, r.StatusCode)
		}
	}
}

// TestOthers refuses what is not there and what is not asked for.
func TestOthers(t *testing.T) {
	for _, target := range []string{"/playground/", "/playground/none.js", "/playground/index.html", "/playground/../playground.go"} {
		if r := get(t, http.MethodGet, target); r.StatusCode != http.StatusNotFound {
			t.Errorf("%s: status %d", target, r.StatusCode)
		}
	}
	if r := get(t, http.MethodPost, "/"); r.StatusCode != http.StatusMethodNotAllowed || r.Header.Get("Allow") != "GET, HEAD" {
		t.Errorf("POST: %d, %v", r.StatusCode, r.Header)
	}
	if r := get(t, http.MethodHead, "/"); r.StatusCode != http.StatusOK || body(t, r) != "" {
		t.Errorf("HEAD: %d", r.StatusCode)
	}
}

// forbidden are ways to make markup or code of a text, and styles and scripts that stand
// in the page: the policy would stop them in the browser, and here they do not begin.
var forbidden = regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|eval\(|new Function|<style|\sstyle=|\son[a-z]+="|javascript:`)

var imports = regexp.MustCompile(`(?m)^(?:import|export) .*from "(.+)";$|import\("(.+?)"\)`)

// TestModules holds the page to what it may have and what there is.
func TestModules(t *testing.T) {
	files := pageFiles(t)
	used := map[string]bool{"main.js": true, "index.html": true}
	for name, data := range files {
		if found := forbidden.Find(data); found != nil {
			t.Errorf("%s has %q", name, found)
		}
		if n := bytes.Count(data, []byte("\n")); n > 400 {
			t.Errorf("%s has %d lines: what is the part that has a name of its own?", name, n)
		}
		for _, m := range imports.FindAllStringSubmatch(string(data), -1) {
			used[strings.TrimPrefix(m[1]+m[2], "./")] = true
		}
		for _, m := range regexp.MustCompile(`(?:href|src)="playground/(.+?)"`).FindAllStringSubmatch(string(data), -1) {
			used[m[1]] = true
		}
	}
	for name := range used {
		if _, ok := files[name]; !ok {
			t.Errorf("%s is used and not there", name)
		}
	}
	for name := range files {
		if !used[name] {
			t.Errorf("%s is used by nothing", name)
		}
	}
}
