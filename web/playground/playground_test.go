package playground

import (
	"bytes"
	"compress/gzip"
	"io"
	"io/fs"
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

// TestFiles serves every file under the policy, plain, by gzip, and not at all to those
// that have it.
func TestFiles(t *testing.T) {
	err := fs.WalkDir(page, "page", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		want, err := page.ReadFile(name)
		if err != nil {
			return err
		}
		target := Prefix + path.Base(name)
		if name == "page/index.html" {
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
		return nil
	})
	if err != nil {
		t.Fatal(err)
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
	entries, err := page.ReadDir("page")
	if err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{"main.js": true, "index.html": true}
	for _, e := range entries {
		data, err := page.ReadFile("page/" + e.Name())
		if err != nil {
			t.Fatal(err)
		}
		if found := forbidden.Find(data); found != nil {
			t.Errorf("%s has %q", e.Name(), found)
		}
		if n := bytes.Count(data, []byte("\n")); n > 400 {
			t.Errorf("%s has %d lines: what is the part that has a name of its own?", e.Name(), n)
		}
		for _, m := range imports.FindAllStringSubmatch(string(data), -1) {
			name := strings.TrimPrefix(m[1]+m[2], "./")
			if _, err := page.ReadFile("page/" + name); err != nil {
				t.Errorf("%s imports %s: %v", e.Name(), name, err)
			}
			used[name] = true
		}
		for _, m := range regexp.MustCompile(`(?:href|src)="playground/(.+?)"`).FindAllStringSubmatch(string(data), -1) {
			if _, err := page.ReadFile("page/" + m[1]); err != nil {
				t.Errorf("%s: %v", e.Name(), err)
			}
			used[m[1]] = true
		}
	}
	for _, e := range entries {
		if !used[e.Name()] {
			t.Errorf("%s is used by nothing", e.Name())
		}
	}
}
