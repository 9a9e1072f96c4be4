package chat

import (
	"encoding/json"
	"strings"
	"testing"
)

// scan reports whether text is a JSON value for a scanner, with white space around it.
func scan(text string) bool {
	var s scanner
	for i := range len(text) {
		switch s.next(text[i]) {
		case valueBad:
			return false
		case valueDone:
			return isBlank([]byte(text[i+1:]))
		case valueOver:
			return isBlank([]byte(text[i:]))
		}
	}
	return s.next(' ') == valueOver // a number ends with the text
}

var values = []string{
	`{"a": [1, -0, 0.5, 1e9, -12.50E-3, true, false, null, "x\u00eF\n\"\\\/"], "": {}, "b": []}`,
	` [ ] `, "0", "-0.0e+0", "12 ", `""`, "null", "\t\"é🦙\"\r\n", "[[[[1]]]]", `{"a":{"b":{}}}`,
	"", " ", "01", "-", "1.", ".5", "1e", "1e+", "+1", "- 1", "0x1", "1 2", "nul", "nulll", "True",
	`"`, `"\x"`, `"\u12g4"`, "\"\n\"", "\"\x00\"", `'a'`, "[1,]", "[,1]", "[1 2]", "[1}", "[", "{]",
	`{"a"}`, `{"a":}`, `{"a":1,}`, `{,}`, `{1:2}`, `{"a" 1}`, `{"a":1 "b":2}`, `{"a":1}}`, "{}{}", "\v1", "\u00a01",
}

func TestScanner(t *testing.T) {
	for _, text := range values {
		if got, want := scan(text), json.Valid([]byte(text)); got != want {
			t.Errorf("%q: got %v, want %v", text, got, want)
		}
	}
	for depth, want := range map[int]bool{maxNesting: true, maxNesting + 1: false} {
		if scan(strings.Repeat("[", depth)+strings.Repeat("]", depth)) != want {
			t.Errorf("%d lists in each other: not %v", depth, want)
		}
	}
}

// FuzzScanner compares the scanner with encoding/json, which is the same but for the nesting.
func FuzzScanner(f *testing.F) {
	for _, text := range values {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Count(text, "[")+strings.Count(text, "{") > maxNesting {
			return
		}
		if got, want := scan(text), json.Valid([]byte(text)); got != want {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}
