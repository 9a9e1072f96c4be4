package service

import (
	"errors"
	"strings"
	"testing"

	"github.com/realm-webgpu/realm/engine/grammar"
	"github.com/realm-webgpu/realm/guest"
)

const weather = `[
	{"type":"function","function":{"name":"weather","parameters":{
		"type":"object","properties":{"zebra":{"$ref":"#/$defs/place"},"apple":{"type":"integer"}},"required":["zebra"],
		"additionalProperties":false,"$defs":{"place":{"type":"string","enum":["Bonn","Oslo"]}}}}},
	{"type":"function","function":{"name":"now"}}
]`

// accepts reports whether a grammar takes a whole text.
func accepts(t *testing.T, schema, text string) bool {
	t.Helper()
	g, err := grammar.ParseSchema([]byte(schema), grammar.SchemaOptions{})
	if err != nil {
		t.Fatalf("%s: %v", schema, err)
	}
	m := g.NewMatcher(grammar.NewVocabularyOf(nil, nil))
	return m.AdvanceText(text) == nil && m.Done()
}

// TestToolGrammar holds answers that have to call to the tools' own schemas.
func TestToolGrammar(t *testing.T) {
	for _, test := range []struct {
		name string
		chat Chat
		yes  []string
		no   []string
	}{
		{
			"required", Chat{Tools: []byte(weather), Choice: ToolRequired},
			[]string{
				`[{"name":"weather","arguments":{"zebra":"Bonn"}}]`,
				`[{"name":"weather","arguments":{"zebra":"Oslo","apple":1}},{"name":"now","arguments":{}}]`,
			},
			[]string{`[]`, `{}`, `[{"name":"other","arguments":{}}]`, `[{"name":"weather","arguments":{"zebra":"Rome"}}]`, `[{"name":"now","arguments":{"a":1}}]`},
		},
		{
			"one call", Chat{Tools: []byte(weather), Choice: ToolRequired, OneCall: true},
			[]string{`[{"name":"now","arguments":{}}]`},
			[]string{`[{"name":"now","arguments":{}},{"name":"now","arguments":{}}]`},
		},
		{
			"named", Chat{Tools: []byte(weather), Choice: ToolNamed, Function: "weather"},
			[]string{`{"zebra":"Bonn","apple":-3}`},
			[]string{`[{"name":"weather","arguments":{"zebra":"Bonn"}}]`, `{"apple":1}`},
		},
	} {
		g, err := test.chat.grammar()
		if err != nil {
			t.Fatalf("%s: %v", test.name, err)
		}
		for _, text := range test.yes {
			if !accepts(t, g.Text, text) {
				t.Errorf("%s: %s is refused", test.name, text)
			}
		}
		for _, text := range test.no {
			if accepts(t, g.Text, text) {
				t.Errorf("%s: %s is taken", test.name, text)
			}
		}
	}
}

// TestToolErrors names what is wrong with tools.
func TestToolErrors(t *testing.T) {
	for _, test := range []struct {
		chat  Chat
		param string
		says  string
	}{
		{Chat{Tools: []byte(`{}`)}, "tools", "cannot unmarshal"},
		{Chat{Tools: []byte(`[{"type":"retrieval"}]`)}, "tools", "tools[0].type"},
		{Chat{Tools: []byte(`[{"type":"function","function":{}}]`)}, "tools", "tools[0].function.name"},
		{Chat{Choice: ToolRequired}, "tool_choice", "no tools"},
		{Chat{Tools: []byte(weather), Choice: ToolNamed, Function: "rain"}, "tool_choice", `"rain"`},
	} {
		err := test.chat.check()
		var e *Error
		if !errors.As(err, &e) || e.Param != test.param || !strings.Contains(e.Message, test.says) {
			t.Errorf("%s: %v, want %s of %s", test.chat.Tools, err, test.says, test.param)
		}
	}
}

// TestChoiceParts takes answers apart, however they are cut.
func TestChoiceParts(t *testing.T) {
	for _, test := range []struct {
		name   string
		choice ToolChoice
		text   string
		calls  []CallDelta // ids apart
		finish string
	}{
		{"named", ToolNamed, `{"zebra":"Bonn"}`, []CallDelta{{Name: "weather", Arguments: `{"zebra":"Bonn"}`}}, "tool_calls"},
		{"required", ToolRequired, `[{"name":"weather","arguments":{"zebra":"Bonn"}}, {"name":"now","arguments":{}}]`,
			[]CallDelta{{Name: "weather", Arguments: `{"zebra":"Bonn"}`}, {Index: 1, Name: "now", Arguments: "{}"}}, "tool_calls"},
		{"cut short", ToolRequired, `[{"name":"weather","arguments":{"zebra":"Bonn"}}, {"name":"no`,
			[]CallDelta{{Name: "weather", Arguments: `{"zebra":"Bonn"}`}}, "tool_calls"},
	} {
		for size := 1; size <= len(test.text); size++ {
			a := &Answer{call: Call{Chat: &Chat{Tools: []byte(weather), Choice: test.choice, Function: "weather"}}}
			c := newChoice(0, a)
			var got []CallDelta
			finish := ""
			deliver := func(d Delta) error {
				if d.Text != "" {
					t.Errorf("%s: text %q", test.name, d.Text)
				}
				for _, call := range d.Calls {
					if call.Name != "" {
						if !strings.HasPrefix(call.ID, "call_") {
							t.Errorf("%s: id %q", test.name, call.ID)
						}
						got = append(got, CallDelta{Index: call.Index, Name: call.Name, Arguments: call.Arguments})
					} else {
						got[call.Index].Arguments += call.Arguments
					}
				}
				finish += d.Finish
				return nil
			}
			for rest := test.text; rest != ""; {
				n := min(size, len(rest))
				c.add(rest[:n])
				if err := c.flush(deliver); err != nil {
					t.Fatal(err)
				}
				rest = rest[n:]
			}
			c.end(guest.Event{FinishReason: "stop"})
			if err := c.flush(deliver); err != nil {
				t.Fatal(err)
			}
			if len(got) != len(test.calls) || finish != test.finish {
				t.Fatalf("%s in pieces of %d: %+v, %q", test.name, size, got, finish)
			}
			for i, call := range test.calls {
				if got[i] != call {
					t.Errorf("%s in pieces of %d: call %d is %+v, want %+v", test.name, size, i, got[i], call)
				}
			}
		}
	}
}
