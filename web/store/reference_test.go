package store

import (
	"errors"
	"strings"
	"testing"
)

func TestParseReference(t *testing.T) {
	zeros := strings.Repeat("0", 64)
	for s, want := range map[string]string{ // "" for an error
		"hf.co/org/repo:Q4_K_M":                     "hf.co/org/repo:Q4_K_M",
		"hf.co/org/repo":                            "hf.co/org/repo",
		"hf.co/org/repo/":                           "hf.co/org/repo",
		"huggingface.co/org/repo:q8_0":              "hf.co/org/repo:q8_0",
		"https://hf.co/org/repo:Q4_0":               "hf.co/org/repo:Q4_0",
		"https://huggingface.co/org/repo":           "hf.co/org/repo",
		"hf.co/org/repo:dir/file-Q4_0":              "hf.co/org/repo:dir/file-Q4_0",
		"https://huggingface.co/o/r/resolve/main/x": "https://huggingface.co/o/r/resolve/main/x",
		"http://localhost:80/x.gguf":                "http://localhost:80/x.gguf",
		"HTTPS://example.com/a%20b.gguf?x=1":        "https://example.com/a%20b.gguf?x=1",
		"https://e.com/x#sha256=" + zeros:           "https://e.com/x",
		"https://[::1]:8/x.gguf":                    "https://[::1]:8/x.gguf",

		"":                                "",
		"model.gguf":                      "",
		"org/repo:Q4_0":                   "",
		"hf.co/":                          "",
		"hf.co/org":                       "",
		"hf.co/org/repo:":                 "",
		"hf.co/org/repo/file.gguf":        "",
		"hf.co/../repo":                   "",
		"hf.co/org/..":                    "",
		"hf.co/org/a..b":                  "",
		"hf.co/.org/repo":                 "",
		"hf.co/org/repo:../../x":          "",
		"hf.co/org/repo:a/../x":           "",
		"hf.co/org/repo:/x":               "",
		"hf.co/org/repo:a//b":             "",
		"hf.co/org/re\\po":                "",
		"hf.co/org/repo?x":                "",
		"hf.co/org/repo%2f..":             "",
		"hf.co/or\x00g/repo":              "",
		"hf.co/org/repo\n":                "",
		"hf.co/org/\u202erepo":            "",
		"ftp://e.com/x":                   "",
		"file:///etc/passwd":              "",
		"http:///x":                       "",
		"http://":                         "",
		"http:x":                          "",
		"https://user:secret@e.com/x":     "",
		"https://e.com/x#sha256=":         "",
		"https://e.com/x#sha256=xyz":      "",
		"https://e.com/x#md5=" + zeros:    "",
		"https://e.com/x#":                "https://e.com/x",
		"http://e.com/" + zeros + "\x1b[": "",
		"https://e.com/m-00001-of-00002.gguf#sha256=" + zeros:  "",
		"https://e.com/" + strings.Repeat("x", maxReference):   "",
		"hf.co/" + strings.Repeat("x", maxHubSegment+1) + "/r": "",
	} {
		r, err := ParseReference(s)
		switch {
		case want == "":
			if !errors.Is(err, ErrReference) {
				t.Errorf("%.100q: %v, %v; want ErrReference", s, r, err)
			}
			if err != nil && strings.Contains(err.Error(), "secret") {
				t.Errorf("%q: the error has the password: %v", s, err)
			}
		case err != nil || r.String() != want:
			t.Errorf("%.100q: %q, %v; want %q", s, r, err, want)
		case strings.Contains(s, "#sha256=") != (r.SHA256 == zeros):
			t.Errorf("%.100q: SHA-256 %q", s, r.SHA256)
		}
	}
}

func TestCutShard(t *testing.T) {
	for name, want := range map[string]bool{
		"a-00001-of-00003.gguf": true, "a-00003-of-00003.gguf": true, "-00001-of-00001.gguf": true,
		"a-00004-of-00003.gguf": false, "a-00000-of-00003.gguf": false, "a-1-of-3.gguf": false,
		"a-00001-of-00003": false, "a.gguf": false, "a-000001-of-00003.gguf": false,
	} {
		base, no, count, ok := cutShard(name)
		if ok != want || ok && joinShard(base, no, count) != name {
			t.Errorf("%s: %q, %d, %d, %t", name, base, no, count, ok)
		}
	}
}
