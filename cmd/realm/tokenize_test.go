package main

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestTokenize(t *testing.T) {
	f := newFolder(t)
	const text = "Hello é <|im_end|>\n"
	for _, c := range []struct {
		name, stdin string
		args        []string
		want        string
	}{
		{"text", "Hello world\n", nil, "815 708 15\n"},
		{"nothing", "", nil, "\n"},
		{"bos", "Hello world\n", []string{"--bos"}, "1 815 708 15\n"},
		{"special", "<|im_end|>", []string{"--special"}, "4\n"},
		{"decode", " 815,708\n15\t", []string{"--decode"}, "Hello world\n"},
		{"decode special", "1 815 4", []string{"--decode", "--special"}, "<s>Hello<|im_end|>"},
		{"decode without special", "1 815 4", []string{"--decode"}, "Hello"},
	} {
		if o := f.good(c.stdin, append([]string{"tokenize"}, c.args...)...); o.stdout != c.want || o.stderr != "" {
			t.Errorf("%s: printed %q and %q, want %q", c.name, o.stdout, o.stderr, c.want)
		}
	}
	ids := f.good(text, "tokenize").stdout
	if o := f.good(ids, "tokenize", "--decode"); o.stdout != text {
		t.Errorf("%q became %q", text, o.stdout)
	}
	var r tokenizeReport
	if err := json.Unmarshal([]byte(f.good("Hello world\n", "tokenize", "--json").stdout), &r); err != nil {
		t.Fatal(err)
	}
	if r.Count != 3 || len(r.IDs) != 3 || strings.Join(r.Pieces, "") != r.Text || r.Text != "Hello world\n" {
		t.Errorf("%+v", r)
	}
}
