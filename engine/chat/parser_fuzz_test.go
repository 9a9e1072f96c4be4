package chat

import (
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
)

// bounds are what a parser may hold besides the text that it was just given.
const bounds = maxCall + 3*maxSpace

// FuzzParser reads an answer in pieces. It is the same as in one piece, nothing in it is made up, and
// with WholeCalls all arguments are objects.
func FuzzParser(f *testing.F) {
	for i, test := range answers {
		f.Add(test.text, byte(test.format), uint64(i), test.open, i%2 == 0, true)
	}
	f.Fuzz(func(t *testing.T, text string, format byte, seed uint64, open, whole, tools bool) {
		o := ParserOptions{Tools: tools, ReasoningOpen: open, WholeCalls: whole}
		want := read(Format(format), o, text)
		random := rand.New(rand.NewPCG(seed, 0))
		p := NewParser(Format(format), ParserOptions{Tools: tools, ReasoningOpen: open, WholeCalls: whole, NewID: counted()})
		var deltas []Delta
		for _, piece := range pieces(text, random) {
			deltas = append(deltas, p.Push(piece)...)
			if n := len(p.space) + len(p.held) + len(p.call.raw); n > bounds {
				t.Fatalf("holds %d bytes", n)
			}
		}
		deltas = append(deltas, p.Close()...)
		if got := gather(deltas); !reflect.DeepEqual(got, want) {
			t.Fatalf("got  %s\nwant %s", show(got), show(want))
		}
		calls := 0
		for i, d := range deltas {
			switch {
			case d.Kind == DeltaCall:
				if d.Index != calls || d.ID == "" || d.Name == "" || d.Text != "" {
					t.Fatalf("delta %d is %+v", i, d)
				}
				calls++
			case d.Text == "" || d.ID != "" || d.Name != "" || d.Kind == DeltaArguments && d.Index != calls-1:
				t.Fatalf("delta %d is %+v", i, d)
			}
		}
		if !isPartOf(want.Content, text) || !isPartOf(want.Reasoning, text) {
			t.Fatalf("there is more in %s", show(want))
		}
		if len(want.ToolCalls) == 0 && want.Reasoning == "" && !open && !strings.Contains(strings.ToLower(text), "think") && want.Content != text {
			t.Fatalf("content is %q", want.Content)
		}
		for _, c := range want.ToolCalls {
			if !strings.Contains(text, c.Arguments) && c.Arguments != "{}" {
				t.Fatalf("arguments are %q", c.Arguments)
			}
			var object map[string]any
			if err := json.Unmarshal([]byte(c.Arguments), &object); whole && err != nil {
				t.Fatalf("arguments %q: %v", c.Arguments, err)
			}
		}
	})
}

// isPartOf reports whether a text is another with some of its bytes left out.
func isPartOf(part, text string) bool {
	for i := 0; i < len(text) && part != ""; i++ {
		if text[i] == part[0] {
			part = part[1:]
		}
	}
	return part == ""
}
