package chat

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
)

// counted gives ids that count from 1.
func counted() func() string {
	n := 0
	return func() string {
		n++
		return "id" + strconv.Itoa(n)
	}
}

// read gives what an answer is in pieces, with ids that count.
func read(f Format, o ParserOptions, pieces ...string) Message {
	o.NewID = counted()
	p := NewParser(f, o)
	var deltas []Delta
	for _, piece := range pieces {
		deltas = append(deltas, p.Push(piece)...)
	}
	return gather(append(deltas, p.Close()...))
}

// show writes an answer on one line: r for reasoning, c for content, and the calls.
func show(m Message) string {
	var parts []string
	if m.Reasoning != "" {
		parts = append(parts, fmt.Sprintf("r%q", m.Reasoning))
	}
	if m.Content != "" {
		parts = append(parts, fmt.Sprintf("c%q", m.Content))
	}
	for _, c := range m.ToolCalls {
		parts = append(parts, fmt.Sprintf("%s %s(%s)", c.ID, c.Name, c.Arguments))
	}
	return strings.Join(parts, " ")
}

// pieces cuts a text at random places, into bytes if random is nil.
func pieces(text string, random *rand.Rand) []string {
	var cut []string
	for len(text) > 0 {
		n := 1
		if random != nil {
			n = 1 + random.IntN(min(len(text), 24))
		}
		cut, text = append(cut, text[:n]), text[n:]
	}
	return cut
}

// answers are texts, and what they are with tools; whole is what they are with WholeCalls, if that
// is something else.
var answers = []struct {
	name        string
	format      Format
	open        bool
	text        string
	want, whole string
}{
	{name: "plain", format: FormatPlain, text: " <think>a</think> <tool_call>{}\n",
		want: `c" <think>a</think> <tool_call>{}\n"`},
	{name: "nothing", format: FormatHermes},
	{name: "white space", format: FormatHermes, text: " \n\t", want: `c" \n\t"`},
	{name: "content", format: FormatHermes, text: "  Hello, <b>wörld</b> 🦙 <tool>\n", want: `c"  Hello, <b>wörld</b> 🦙 <tool>\n"`},

	{name: "reasoning", format: FormatDeepSeek, text: "\n <think>\n\na <b> \n</thin> c\n\n</think>\n\n b\n",
		want: `r"a <b> \n</thin> c" c" b\n"`},
	{name: "empty reasoning", format: FormatHermes, text: "<think>\n\n</think>\n\nHi", want: `c"Hi"`},
	{name: "open reasoning", format: FormatDeepSeek, open: true, text: "\nHm.\n</think>\n\n\nYes.", want: `r"Hm." c"Yes."`},
	{name: "reasoning opened twice", format: FormatDeepSeek, open: true, text: "<think>\nHm.</think>Yes.", want: `r"Hm." c"Yes."`},
	{name: "open reasoning with space", format: FormatDeepSeek, open: true, text: "\n  <thin", want: `r"  <thin"`},
	{name: "unfinished reasoning", format: FormatHermes, text: "<think>\nHm.\n\n", want: `r"Hm.\n\n"`},
	{name: "unfinished marker of reasoning", format: FormatHermes, text: "<think>Hm.\n</thi", want: `r"Hm.\n</thi"`},
	{name: "unfinished first marker", format: FormatHermes, text: " <thi", want: `c" <thi"`},
	{name: "reasoning is read once", format: FormatHermes, text: "<think>a</think><think>b</think>", want: `r"a" c"<think>b</think>"`},
	{name: "reasoning behind content", format: FormatHermes, text: "a <think>b</think>", want: `c"a <think>b</think>"`},
	{name: "call in reasoning", format: FormatHermes, text: `<think><tool_call>{"name": "f"}</tool_call></think>`,
		want: `r"<tool_call>{\"name\": \"f\"}</tool_call>"`},
	{name: "reasoning of Mistral", format: FormatMistral, text: "[THINK]a [b]\n[/THINK]\nc", want: `r"a [b]" c"c"`},

	{name: "call", format: FormatHermes, text: "<tool_call>\n{\"name\": \"f\", \"arguments\": {\"a\": 1}}\n</tool_call>", want: `id1 f({"a": 1})`},
	{name: "reasoning, content, calls", format: FormatHermes,
		text: "<think>\nHm.\n</think>\n\nLet me see.\n<tool_call>\n{\"name\": \"f\", \"arguments\": {}}\n</tool_call>\n<tool_call>{\"name\":\"g\",\"arguments\":{ }}</tool_call>\n",
		want: `r"Hm." c"Let me see." id1 f({}) id2 g({ })`},
	{name: "content on both sides", format: FormatHermes,
		text: "a \n<tool_call>\n{\"name\": \"f\", \"arguments\": {}}\n</tool_call>\tb ", want: `c"a \n\tb " id1 f({})`},
	{name: "content behind", format: FormatHermes, text: " <tool_call>{\"name\": \"f\", \"arguments\": {}}</tool_call>\nb", want: `c"b" id1 f({})`},
	{name: "nesting", format: FormatHermes,
		text: `<tool_call>{"arguments":{"a":{"b":[{"}":"{"},[]]},"c":"\"}\\","d":-1.5e+3},"name":"f"}</tool_call>`,
		want: `id1 f({"a":{"b":[{"}":"{"},[]]},"c":"\"}\\","d":-1.5e+3})`},
	{name: "marker in a string", format: FormatHermes,
		text: `<tool_call>{"name": "f", "arguments": {"a": "</tool_call><tool_call>{"}}</tool_call>`, want: `id1 f({"a": "</tool_call><tool_call>{"})`},
	{name: "unicode", format: FormatHermes, text: `<tool_call>{"name": "größe\u00e9", "arguments": {"ü": "🦙\ud83e\udd99"}}</tool_call>é`,
		want: `c"é" id1 größeé({"ü": "🦙\ud83e\udd99"})`},
	{name: "other members", format: FormatHermes, text: `<tool_call>{"id": 7, "name": "f", "x": [null, true], "arguments": {}, "y": false, "z": 1 }</tool_call>`,
		want: `id1 f({})`},
	{name: "parameters", format: FormatHermes, text: `<tool_call>{"name": "f", "parameters": {}}</tool_call>`, want: `id1 f({})`},
	{name: "no arguments", format: FormatHermes, text: `<tool_call>{"name": "f"}</tool_call>`, want: `id1 f({})`},
	{name: "no closing brace", format: FormatHermes, text: "<tool_call>{\"name\": \"f\", \"arguments\": {}\n</tool_call>\nb", want: `c"b" id1 f({})`},
	{name: "no closing marker", format: FormatHermes, text: "<tool_call>{\"name\": \"f\", \"arguments\": {}}\n<tool_call>{\"name\": \"g\", \"arguments\": {}}",
		want: `id1 f({}) id2 g({})`},
	{name: "marker twice", format: FormatHermes, text: "<tool_call><tool_call>{\"name\": \"f\", \"arguments\": {}}</tool_call>", want: `c"<tool_call>" id1 f({})`},
	{name: "half a marker", format: FormatHermes, text: "<tool_<tool_call>{\"name\": \"f\", \"arguments\": {}}</tool_call>", want: `c"<tool_" id1 f({})`},
	{name: "something behind the arguments", format: FormatHermes, text: `<tool_call>{"name": "f", "arguments": {}, oops}</tool_call>`,
		want: `c", oops}</tool_call>" id1 f({})`},
	{name: "a brace too many", format: FormatHermes, text: `<tool_call>{"name": "f", "arguments": {}}}</tool_call>`, want: `c"}</tool_call>" id1 f({})`},
	{name: "no object", format: FormatHermes, text: "a\n<tool_call>\n<function=f>\n</tool_call>\n", want: `c"a\n<tool_call>\n<function=f>\n</tool_call>\n"`},
	{name: "no name", format: FormatHermes, text: `<tool_call>{"arguments": {}}</tool_call>`, want: `c"<tool_call>{\"arguments\": {}}</tool_call>"`},
	{name: "empty name", format: FormatHermes, text: `<tool_call>{"name": "", "arguments": {}}</tool_call>`, want: `c"<tool_call>{\"name\": \"\", \"arguments\": {}}</tool_call>"`},
	{name: "long name", format: FormatHermes, text: `<tool_call>{"name": "` + strings.Repeat("f", 257) + `"}`,
		want: `c"<tool_call>{\"name\": \"` + strings.Repeat("f", 257) + `\"}"`},
	{name: "long key", format: FormatHermes, text: `<tool_call>{"` + strings.Repeat("k", 257) + `": 1, "name": "f"}`,
		want: `c"<tool_call>{\"` + strings.Repeat("k", 257) + `\": 1, \"name\": \"f\"}"`},
	{name: "two names", format: FormatHermes, text: `<tool_call>{"name": "f", "name": "g"}`, want: `c"<tool_call>{\"name\": \"f\", \"name\": \"g\"}"`},
	{name: "arguments as text", format: FormatHermes, text: `<tool_call>{"name": "f", "arguments": "{}"}`, want: `c"<tool_call>{\"name\": \"f\", \"arguments\": \"{}\"}"`},
	{name: "unfinished name", format: FormatHermes, text: `a <tool_call>{"name": "f`, want: `c"a <tool_call>{\"name\": \"f"`},
	{name: "unfinished marker", format: FormatHermes, text: "a\n<tool_cal", want: `c"a\n<tool_cal"`},
	{name: "unfinished closing marker", format: FormatHermes, text: `<tool_call>{"name": "f", "arguments": {}}</tool_`, want: `c"</tool_" id1 f({})`},
	{name: "unfinished arguments", format: FormatHermes, text: `a <tool_call>{"name": "f", "arguments": {"a": "b`,
		want: `c"a" id1 f({"a": "b)`, whole: `c"a <tool_call>{\"name\": \"f\", \"arguments\": {\"a\": \"b"`},
	{name: "malformed arguments", format: FormatHermes,
		text:  `<tool_call>{"name": "f", "arguments": {"a": }}</tool_call> <tool_call>{"name": "g", "arguments": {}}</tool_call>`,
		want:  `c"}}</tool_call>" id1 f({"a": ) id2 g({})`,
		whole: `c"<tool_call>{\"name\": \"f\", \"arguments\": {\"a\": }}</tool_call>" id1 g({})`},
	{name: "line feed in a string", format: FormatHermes, text: "<tool_call>{\"arguments\": {\"a\": \"\n\"}, \"name\": \"f\"}",
		want: `c"<tool_call>{\"arguments\": {\"a\": \"\n\"}, \"name\": \"f\"}"`},

	{name: "Llama", format: FormatLlama3, text: `{"name": "f", "parameters": {"a": {"b": "}"}}}`, want: `id1 f({"a": {"b": "}"}})`},
	{name: "Llama with type", format: FormatLlama3, text: "\n\n{\"type\": \"function\", \"name\": \"f\", \"parameters\": {}}\n", want: `id1 f({})`},
	{name: "Llama's calls", format: FormatLlama3, text: `{"name": "f", "parameters": {}}; {"name": "g", "parameters": {}};` + "\n" + `{"name": "h", "parameters": {}}`,
		want: `id1 f({}) id2 g({}) id3 h({})`},
	{name: "separator behind", format: FormatLlama3, text: `{"name": "f", "parameters": {}}; b`, want: `c"; b" id1 f({})`},
	{name: "python tag", format: FormatLlama3, text: `Yes. <|python_tag|>{"name": "f", "parameters": {}}; {"name": "g", "parameters": {}}`,
		want: `c"Yes." id1 f({}) id2 g({})`},
	{name: "python", format: FormatLlama3, text: `<|python_tag|>f.call(a="b")`, want: `c"<|python_tag|>f.call(a=\"b\")"`},
	{name: "function tag", format: FormatLlama3, text: "Yes.\n<function=f.g-1>{\"a\": \"</function>\"}</function> <function=g>\n{}</function>.",
		want: `c"Yes.\n ." id1 f.g-1({"a": "</function>"}) id2 g({})`},
	{name: "no function tag", format: FormatLlama3, text: "<function=> <function=a b>{} <function=f>[] <function=f<", want: `c"<function=> <function=a b>{} <function=f>[] <function=f<"`},
	{name: "JSON content", format: FormatLlama3, text: `{"age": 7, "name": "f", "parameters": {}}`, want: `c"{\"age\": 7, \"name\": \"f\", \"parameters\": {}}"`},
	{name: "a name alone", format: FormatLlama3, text: `{"name": "f"}`, want: `c"{\"name\": \"f\"}"`},
	{name: "JSON behind content", format: FormatLlama3, text: `So: {"name": "f", "parameters": {}}`, want: `c"So: {\"name\": \"f\", \"parameters\": {}}"`},

	{name: "Mistral", format: FormatMistral, text: `[TOOL_CALLS] [{"name": "f", "arguments": {"a": [1]}, "id": "123456789"} , {"name": "g", "arguments": {}}]`,
		want: `id1 f({"a": [1]}) id2 g({})`},
	{name: "Mistral without a list", format: FormatMistral, text: `a[TOOL_CALLS]{"name": "f", "arguments": {}} b`, want: `c"a b" id1 f({})`},
	{name: "newer Mistral", format: FormatMistral, text: `Yes.[TOOL_CALLS]f[ARGS]{"a": "[TOOL_CALLS]"}[TOOL_CALLS]g[ARGS]{}`,
		want: `c"Yes." id1 f({"a": "[TOOL_CALLS]"}) id2 g({})`},
	{name: "Mistral with ids", format: FormatMistral, text: `[TOOL_CALLS]f[CALL_ID]123456789[ARGS]{}[TOOL_CALLS]g{"a": 1}`, want: `id1 f({}) id2 g({"a": 1})`},
	{name: "list without calls", format: FormatMistral, text: "[TOOL_CALLS] []", want: `c"[TOOL_CALLS] []"`},
	{name: "list with something else", format: FormatMistral, text: `[TOOL_CALLS][{"name": "f", "arguments": {}}, 7]`, want: `c", 7]" id1 f({})`},
	{name: "list without end", format: FormatMistral, text: `[TOOL_CALLS][{"name": "f", "arguments": {}} b`, want: `c"b" id1 f({})`},
	{name: "names that are none", format: FormatMistral, text: "[TOOL_CALLS]<[TOOL_CALLS]f<[TOOL_CALLS]\xff{}", want: `c"[TOOL_CALLS]<[TOOL_CALLS]f<[TOOL_CALLS]\xff{}"`},
	{name: "unfinished list", format: FormatMistral, text: `[TOOL_CALLS][{"name": "f", "arguments": {}} `, want: `id1 f({})`},
	{name: "name without arguments", format: FormatMistral, text: "[TOOL_CALLS]f[ARG[TOOL_CALLS]g[ARGS]{}[TOOL_CALLS]h[CALL_ID]",
		want: `c"[TOOL_CALLS]f[ARG[TOOL_CALLS]h[CALL_ID]" id1 g({})`},
	{name: "brackets", format: FormatMistral, text: "[TOOL_[1] [[TOOL", want: `c"[TOOL_[1] [[TOOL"`},
}

func TestAnswers(t *testing.T) {
	for _, test := range answers {
		t.Run(test.format.String()+"/"+test.name, func(t *testing.T) {
			for _, whole := range []bool{false, true} {
				want := test.want
				if whole && test.whole != "" {
					want = test.whole
				}
				o := ParserOptions{Tools: true, ReasoningOpen: test.open, WholeCalls: whole}
				if got := show(read(test.format, o, test.text)); got != want {
					t.Errorf("WholeCalls %v\ngot  %s\nwant %s", whole, got, want)
				}
				if got := show(read(test.format, o, pieces(test.text, nil)...)); got != want {
					t.Errorf("WholeCalls %v, byte by byte\ngot  %s\nwant %s", whole, got, want)
				}
			}
		})
	}
}

func TestAnswersWithoutTools(t *testing.T) {
	for _, test := range answers {
		want := Message{Role: "assistant", Content: test.text}
		if strings.HasPrefix(test.want, "r") || strings.HasPrefix(strings.TrimSpace(test.text), "<think>") {
			continue
		}
		if got := read(test.format, ParserOptions{}, pieces(test.text, nil)...); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %s", test.name, show(got))
		}
	}
}

// The example of the package's documentation: what goes out at each push.
func TestDeltas(t *testing.T) {
	p := NewParser(FormatHermes, ParserOptions{Tools: true, NewID: counted()})
	for i, step := range []struct {
		push string
		want []Delta
	}{
		{"One mo", []Delta{{Kind: DeltaContent, Text: "One mo"}}},
		{"ment.\n<too", []Delta{{Kind: DeltaContent, Text: "ment."}}},
		{`l_call>{"name": "weather", "argum`, nil},
		{`ents": {"ci`, []Delta{{Kind: DeltaCall, ID: "id1", Name: "weather"}, {Kind: DeltaArguments, Text: `{"ci`}}},
		{`ty": "Bonn"}}</tool_call>`, []Delta{{Kind: DeltaArguments, Text: `ty": "Bonn"}`}}},
		{"", nil},
		{"\n<tool_call>{\"arguments\": {\"a\": 1}, ", nil},
		{`"name": "f"`, []Delta{{Kind: DeltaCall, Index: 1, ID: "id2", Name: "f"}, {Kind: DeltaArguments, Index: 1, Text: `{"a": 1}`}}},
		{"}</tool_call>\nDone", []Delta{{Kind: DeltaContent, Text: "\n\n\nDone"}}},
		{".<", []Delta{{Kind: DeltaContent, Text: "."}}},
	} {
		if got := p.Push(step.push); !reflect.DeepEqual(got, step.want) {
			t.Errorf("push %d: got %+v, want %+v", i+1, got, step.want)
		}
	}
	if got, want := p.Close(), []Delta{{Kind: DeltaContent, Text: "<"}}; !reflect.DeepEqual(got, want) {
		t.Errorf("close: got %+v, want %+v", got, want)
	}
}

// A call that is too large to be held comes back as content; one that need not be held may be large.
func TestLargeCalls(t *testing.T) {
	large := `{"a": "` + strings.Repeat("x", 2*maxCall) + `"}`
	text := `<tool_call>{"name": "f", "arguments": ` + large + `}</tool_call>`
	if m := read(FormatHermes, ParserOptions{Tools: true}, text); len(m.ToolCalls) != 1 || m.ToolCalls[0].Arguments != large || m.Content != "" {
		t.Error("large arguments did not go through")
	}
	p := NewParser(FormatHermes, ParserOptions{Tools: true, WholeCalls: true})
	if deltas := p.Push(text[:maxCall]); deltas != nil {
		t.Errorf("%d deltas before the limit", len(deltas))
	}
	if m := gather(p.Push(text[maxCall : maxCall+1])); m.Content != text[:maxCall+1] {
		t.Errorf("%d bytes at the limit", len(m.Content))
	}
	for _, text := range []string{text, strings.Repeat(" ", 3*maxSpace) + "x", "<tool_call>" + strings.Repeat(" ", 2*maxCall), "<tool_call>{\"name\": " + strings.Repeat("[", 2*maxCall)} {
		if m := Parse(FormatHermes, ParserOptions{Tools: true}, text); m.Content != text {
			t.Errorf("of %.20q there are %d bytes of %d", text, len(m.Content), len(text))
		}
	}
}

func TestRandomIDs(t *testing.T) {
	m := Parse(FormatMistral, ParserOptions{Tools: true}, "[TOOL_CALLS]f[ARGS]{}[TOOL_CALLS]f[ARGS]{}")
	if len(m.ToolCalls) != 2 || m.Role != "assistant" {
		t.Fatalf("got %+v", m)
	}
	a, b := m.ToolCalls[0].ID, m.ToolCalls[1].ID
	if len(a) != 9 || len(b) != 9 || a == b {
		t.Errorf("got ids %q and %q", a, b)
	}
}

// What a template writes for an answer is read as that answer.
func TestTemplatesAndAnswers(t *testing.T) {
	calls := []ToolCall{
		{ID: "call12345", Name: "get_weather", Arguments: `{"city":"Köln \"}\"","days":[1,{"a":null}]}`},
		{ID: "call67890", Name: "now", Arguments: "{}"},
	}
	for _, test := range []struct {
		file   string
		answer Message
	}{
		{"hermes", Message{ToolCalls: calls}},
		{"qwen3", Message{ToolCalls: calls, Content: "Let me see.", Reasoning: "Weather,\n\nthen time."}},
		{"qwen3", Message{Content: "It rains."}},
		{"llama3", Message{ToolCalls: calls[:1]}},
		{"mistral", Message{ToolCalls: calls}},
	} {
		source, err := os.ReadFile(filepath.Join("testdata", "templates", test.file+".jinja"))
		if err != nil {
			t.Fatal(err)
		}
		template, err := NewTemplate(string(source), "", "</s>")
		if err != nil {
			t.Fatal(err)
		}
		test.answer.Role = "assistant"
		request := Request{Messages: []Message{{Role: "user", Content: "Hi"}}, AddGenerationPrompt: true}
		prompt, err := template.Render(request)
		if err != nil {
			t.Fatal(err)
		}
		request.Messages, request.AddGenerationPrompt = append(request.Messages, test.answer), false
		text, err := template.Render(request)
		if err != nil {
			t.Fatal(err)
		}
		if test.file == "hermes" { // its turns of calls have the line feed in front of the marker
			prompt = strings.TrimSuffix(prompt, "\n")
		}
		text, found := strings.CutPrefix(text, prompt)
		if !found {
			t.Fatalf("%s: %q does not begin with %q", test.file, text, prompt)
		}
		for _, end := range []string{"<|im_end|>\n", "<|im_end|>", "<|eot_id|>", "</s>"} {
			text = strings.TrimSuffix(text, end)
		}
		format := DetectFormat(string(source))
		next := 0
		o := ParserOptions{Tools: true, ReasoningOpen: format.OpensReasoning(prompt), NewID: func() string {
			next++
			return calls[next-1].ID
		}}
		got := Parse(format, o, text)
		for i, c := range got.ToolCalls {
			var arguments any
			if err := json.Unmarshal([]byte(c.Arguments), &arguments); err != nil {
				t.Fatal(err)
			}
			compact, err := json.Marshal(arguments)
			if err != nil {
				t.Fatal(err)
			}
			got.ToolCalls[i].Arguments = string(compact)
		}
		if !reflect.DeepEqual(got, test.answer) {
			t.Errorf("%s: %q\ngot  %s\nwant %s", test.file, text, show(got), show(test.answer))
		}
	}
}

func BenchmarkParser(b *testing.B) {
	text := "<think>\n" + strings.Repeat("Let me think, <b>hard</b>.\n", 400) + "</think>\n\n" +
		strings.Repeat("Well <now>, ", 400) + "\n<tool_call>{\"name\": \"f\", \"arguments\": {\"a\": \"" + strings.Repeat("code\\n ", 2000) + "\"}}</tool_call>"
	random := rand.New(rand.NewPCG(1, 2))
	cut := pieces(text, random)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		p := NewParser(FormatHermes, ParserOptions{Tools: true})
		for _, piece := range cut {
			p.Push(piece)
		}
		p.Close()
	}
}
