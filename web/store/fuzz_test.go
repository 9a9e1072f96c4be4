package store

import (
	"encoding/json"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"unicode"
)

// FuzzParseReference: any text is an error, or a name that reads the same again and
// that leads nowhere but to its server.
func FuzzParseReference(f *testing.F) {
	f.Add("hf.co/org/repo:Q4_K_M")
	f.Add("https://example.com/a%2f..%2fb.gguf?x=y#sha256=" + strings.Repeat("0", 64))
	f.Add("https://hf.co/org/../repo")
	f.Fuzz(func(t *testing.T, s string) {
		r, err := ParseReference(s)
		if err != nil {
			return
		}
		name := r.String()
		if strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Fatalf("%q has characters that cannot be printed", name)
		}
		again, err := ParseReference(name)
		if err != nil || again.String() != name {
			t.Fatalf("%q reads as %q, %v", name, again, err)
		}
		h := &hub{base: must(parseHubURL("https://example.com"))}
		if address := h.address(r, "x.gguf"); r.URL == nil && address != "https://example.com/"+r.Organization+"/"+r.Repository+"/resolve/main/x.gguf" {
			t.Fatalf("%q is at %q", name, address)
		}
	})
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// FuzzManifest: any bytes are an error, or a manifest whose paths lie in the store
// and which, written again, reads the same.
func FuzzManifest(f *testing.F) {
	f.Add([]byte(`{"version":1,"models":{"hf.co/a/b:Q4_0":{"files":[{"name":"x","size":1,"sha256":"` + strings.Repeat("ab", 32) + `","url":"https://e.com/x","etag":"\"1\""}],"architecture":"llama","format":"Q4_0","parameters":7,"pulled":"2026-01-02T03:04:05Z"}}}`))
	for _, text := range badManifests {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := parseManifest(data)
		if err != nil {
			return
		}
		s := Open("/store")
		for _, model := range m.sorted() {
			for _, path := range s.Paths(model) {
				if filepath.Dir(path) != filepath.Join("/store", "files") {
					t.Fatalf("path %q", path)
				}
			}
			if found, err := m.find(model.Name); err != nil || found.Name != model.Name {
				t.Fatalf("%q is found as %q, %v", model.Name, found.Name, err)
			}
		}
		again, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if m2, err := parseManifest(again); err != nil || !reflect.DeepEqual(m.sorted(), m2.sorted()) {
			t.Fatalf("written again it is %s, %v", again, err)
		}
	})
}

// FuzzState: any bytes are no state, or one whose ranges lie in the file.
func FuzzState(f *testing.F) {
	f.Add([]byte(`{"url":"x","size":100,"etag":"\"1\"","done":[[0,10],[20,30]]}`))
	f.Add([]byte(`{"size":9223372036854775807,"done":[[0,9223372036854775807]]}`))
	f.Add([]byte(`{"size":100,"done":[[-1,10],[5,3]]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, ok := parseState(data)
		if !ok {
			return
		}
		there := s.Done
		for start, end := range s.Done.missing(s.Size, max(s.Size/100, 1)) {
			there = there.with(start, end)
		}
		if s.Size > 0 && !reflect.DeepEqual(there, ranges{{0, s.Size}}) {
			t.Fatalf("%v of %d bytes with what is missing are %v", s.Done, s.Size, there)
		}
	})
}

// FuzzListing: any listing is an error, or files of one model in the order of their
// shards.
func FuzzListing(f *testing.F) {
	f.Add([]byte(`[{"type":"file","path":"a-Q4_0.gguf","size":1}]`), "Q4_0")
	f.Add([]byte(`[{"type":"file","path":"a-Q4_0-00001-of-00002.gguf"},{"type":"file","path":"a-Q4_0-00002-of-00002.gguf"}]`), "")
	f.Add([]byte(`[{"type":"file","path":".gguf"},{"type":"file","path":"-99999-of-99999.gguf"}]`), "x")
	f.Fuzz(func(t *testing.T, data []byte, quant string) {
		var files []listed
		if json.Unmarshal(data, &files) != nil {
			return
		}
		var models []listed
		for _, l := range files {
			if l.model() {
				models = append(models, l)
			}
		}
		v, err := choose(Reference{Organization: "o", Repository: "r", Quant: quant}, variants(models))
		if err != nil {
			_ = err.Error()
			return
		}
		if len(v.files) != v.count {
			t.Fatalf("%d files of %d", len(v.files), v.count)
		}
		if _, err := ParseReference("hf.co/o/r:" + v.label); err != nil {
			t.Fatalf("label %q: %v", v.label, err)
		}
	})
}
