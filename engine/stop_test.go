package engine

import (
	"errors"
	"strings"
	"testing"
)

func TestStopper(t *testing.T) {
	for _, c := range []struct {
		name, text string
		stops      []string
		want       string
		stopped    bool
	}{
		{"none", "some text", nil, "some text", false},
		{"in the middle", "one. two", []string{". "}, "one", true},
		{"at the start", "\nabc", []string{"\n"}, "", true},
		{"a beginning that comes to nothing", "a<b</c", []string{"</s>"}, "a<b</c", false},
		{"a beginning inside a beginning", "aaab", []string{"aab"}, "a", true},
		{"a beginning at the end", "abc<", []string{"</s>"}, "abc<", false},
		{"the first of two", "x;y.", []string{".", ";"}, "x", true},
		{"the one that ends first", "abcd", []string{"abcd", "c"}, "ab", true},
		{"the longest of those that end together", "abcd", []string{"c", "bc"}, "a", true},
		{"characters of several bytes", "où? où!", []string{"ù!"}, "où? o", true},
	} {
		// The same, however the text is cut.
		for size := 1; size <= len(c.text); size++ {
			s, err := newStopper(c.stops)
			if err != nil {
				t.Fatal(err)
			}
			var got strings.Builder
			stopped := false
			for rest := c.text; rest != "" && !stopped; rest = rest[min(size, len(rest)):] {
				var text string
				text, stopped = s.push(rest[:min(size, len(rest))])
				got.WriteString(text)
			}
			if !stopped {
				got.WriteString(s.flush())
			}
			if got.String() != c.want || stopped != c.stopped {
				t.Errorf("%s, pieces of %d bytes: %q, %v; want %q, %v", c.name, size, got.String(), stopped, c.want, c.stopped)
			}
		}
	}
}

func TestStopperHoldsBackNoMoreThanItMust(t *testing.T) {
	s, err := newStopper([]string{"</s>", "\n\n"})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ piece, text string }{
		{"abc", "abc"}, {"d<", "d"}, {"/", ""}, {"x\n", "</x"}, {"y", "\ny"}, {"<<", "<"}, {"", ""},
	} {
		if text, stopped := s.push(c.piece); text != c.text || stopped {
			t.Errorf("push %q: %q, %v; want %q", c.piece, text, stopped, c.text)
		}
	}
	if rest := s.flush(); rest != "<" {
		t.Errorf("flush: %q", rest)
	}
}

func TestStopStringsThatCannotBe(t *testing.T) {
	for _, stop := range []string{"", "\xff", "a\x80"} {
		if _, err := newStopper([]string{"ok", stop}); !errors.Is(err, ErrOption) || !strings.Contains(err.Error(), "stop string 1") {
			t.Errorf("%q: error %v", stop, err)
		}
	}
}
