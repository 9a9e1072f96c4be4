package chat

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// The texts of testdata/conversations.json are Jinja2's; testdata/reference.py makes them.
type reference struct {
	Now           time.Time
	Conversations map[string]struct {
		Messages            []referenceMessage
		Tools               []json.RawMessage
		AddGenerationPrompt bool `json:"add_generation_prompt"`
		Extra               map[string]json.RawMessage
	}
	Texts map[string]map[string]struct {
		Text   *string
		Raised string
		Error  bool
	}
}

type referenceMessage struct {
	Role, Content, Name string
	Reasoning           string     `json:"reasoning_content"`
	ToolCallID          string     `json:"tool_call_id"`
	ToolCalls           []ToolCall `json:"tool_calls"`
}

func readReference(t testing.TB) reference {
	t.Helper()
	content, err := os.ReadFile("testdata/conversations.json")
	if err != nil {
		t.Fatal(err)
	}
	var r reference
	if err := json.Unmarshal(content, &r); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r reference) request(name string) Request {
	c := r.Conversations[name]
	request := Request{AddGenerationPrompt: c.AddGenerationPrompt, Now: r.Now, Extra: make(map[string]any)}
	for _, m := range c.Messages {
		request.Messages = append(request.Messages, Message{Role: m.Role, Content: m.Content,
			Reasoning: m.Reasoning, ToolCalls: m.ToolCalls, ToolCallID: m.ToolCallID, Name: m.Name})
	}
	for _, tool := range c.Tools {
		request.Tools = append(request.Tools, tool)
	}
	for name, value := range c.Extra {
		request.Extra[name] = value
	}
	return request
}

func TestTemplatesOfTheFamilies(t *testing.T) {
	r := readReference(t)
	for file, texts := range r.Texts {
		source, err := os.ReadFile(filepath.Join("testdata", "templates", file))
		if err != nil {
			t.Fatal(err)
		}
		template, err := NewTemplate(string(source), "<s>", "</s>")
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		for name, want := range texts {
			t.Run(strings.TrimSuffix(file, ".jinja")+"/"+name, func(t *testing.T) {
				got, err := template.Render(r.request(name))
				var raised *RaisedError
				switch {
				case want.Text != nil && err != nil:
					t.Errorf("got %v, want %q", err, *want.Text)
				case want.Text != nil && got != *want.Text:
					t.Errorf("got  %q\nwant %q", got, *want.Text)
				case want.Raised != "" && (!errors.As(err, &raised) || raised.Message != want.Raised):
					t.Errorf("got %q, %v, want the exception %q", got, err, want.Raised)
				case want.Error && (err == nil || errors.As(err, &raised)):
					t.Errorf("got %q, %v, want an error", got, err)
				}
			})
		}
	}
}

func TestAtlasQuestion(t *testing.T) {
	source, err := os.ReadFile("testdata/templates/atlas.jinja")
	if err != nil {
		t.Fatal(err)
	}
	template, err := NewTemplate(string(source), "<s>", "<|im_end|>")
	if err != nil {
		t.Fatal(err)
	}
	got, err := template.Render(Request{
		Messages:            []Message{{Role: "user", Content: "What is the capital of France?"}},
		AddGenerationPrompt: true,
	})
	want := "<|im_start|>user\nWhat is the capital of France?<|im_end|>\n<|im_start|>assistant\n"
	if err != nil || got != want {
		t.Errorf("got %q, %v", got, err)
	}
	if template.BeginsWithBOS(got) || !template.BeginsWithBOS("<s>"+got) {
		t.Error("BOS is taken for what it is not")
	}
}

func TestBuiltinTemplates(t *testing.T) {
	conversation := Request{Messages: []Message{
		{Role: "system", Content: "Be brief."}, {Role: "user", Content: "Hi"},
		{Role: "assistant", Content: "Hello"}, {Role: "user", Content: "Bye"},
	}, AddGenerationPrompt: true}
	want := map[string]string{
		"chatml": "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n" +
			"<|im_start|>assistant\nHello<|im_end|>\n<|im_start|>user\nBye<|im_end|>\n<|im_start|>assistant\n",
		"llama3": "<s><|start_header_id|>system<|end_header_id|>\n\nBe brief.<|eot_id|>" +
			"<|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|>" +
			"<|start_header_id|>assistant<|end_header_id|>\n\nHello<|eot_id|>" +
			"<|start_header_id|>user<|end_header_id|>\n\nBye<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
		"gemma": "<s><start_of_turn>user\nBe brief.\n\nHi<end_of_turn>\n<start_of_turn>model\nHello<end_of_turn>\n" +
			"<start_of_turn>user\nBye<end_of_turn>\n<start_of_turn>model\n",
		"mistral": "<s>[INST] Be brief.\n\nHi [/INST] Hello</s>[INST] Bye [/INST]",
		"phi3": "<|system|>\nBe brief.<|end|>\n<|user|>\nHi<|end|>\n<|assistant|>\nHello<|end|>\n" +
			"<|user|>\nBye<|end|>\n<|assistant|>\n",
	}
	if names := BuiltinNames(); len(names) != len(want) {
		t.Errorf("there are %q", names)
	}
	for _, name := range BuiltinNames() {
		source, err := Builtin(name)
		if err != nil {
			t.Fatal(err)
		}
		template, err := NewTemplate(source, "<s>", "</s>")
		if err != nil {
			t.Fatal(err)
		}
		if got, err := template.Render(conversation); err != nil || got != want[name] {
			t.Errorf("%s: got %q, %v\nwant %q", name, got, err, want[name])
		}
	}
	for _, name := range []string{"", "nonsense", "../builtin/chatml"} {
		if _, err := Builtin(name); !errors.Is(err, ErrUnknownTemplate) {
			t.Errorf("%q: got %v", name, err)
		}
	}
}

// header is a GGUF header's metadata as a test writes it.
type header map[string]string

func (h header) Has(key string) bool               { _, found := h[key]; return found }
func (h header) String(key string) (string, error) { return h[key], nil }

func TestOpen(t *testing.T) {
	if _, err := Open(header{}, "", ""); !errors.Is(err, ErrNoTemplate) {
		t.Errorf("no template: got %v", err)
	}
	if _, err := Open(header{keyTemplate: "{% if %}"}, "", ""); err == nil {
		t.Error("a malformed template was read")
	}
	if _, err := Open(header{keyTemplate: "", keyToolUseTemplate: "{{"}, "", ""); err == nil {
		t.Error("a malformed template for tools was read")
	}
	template, err := Open(header{keyTemplate: "plain", keyToolUseTemplate: "{{ tools[0].name }}"}, "", "")
	if err != nil {
		t.Fatal(err)
	}
	for want, tools := range map[string][]any{"plain": nil, "now": {map[string]string{"name": "now"}}} {
		if got, err := template.Render(Request{Tools: tools}); err != nil || got != want {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
	}
}

func TestRenderFailures(t *testing.T) {
	for _, test := range []struct {
		name, source string
		request      Request
		want         error
	}{
		{"an endless template", "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}", Request{}, ErrLimit},
		{"a macro without end", "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", Request{}, ErrLimit},
	} {
		template, err := NewTemplate(test.source, "", "")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := template.Render(test.request); !errors.Is(err, test.want) {
			t.Errorf("%s: got %v", test.name, err)
		}
	}
	template, err := NewTemplate("{{ messages|length }}", "", "")
	if err != nil {
		t.Fatal(err)
	}
	for name, request := range map[string]Request{
		"arguments":  {Messages: []Message{{ToolCalls: []ToolCall{{Arguments: `{"a": `}}}}},
		"tool 1":     {Tools: []any{1, func() {}}},
		"tool 0":     {Tools: []any{json.RawMessage("{")}},
		`"infinity"`: {Extra: map[string]any{"infinity": make(chan int)}},
	} {
		if _, err := template.Render(request); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestStrftime(t *testing.T) {
	at := time.Date(2024, time.July, 6, 0, 5, 3, 42000, time.FixedZone("CEST", 2*60*60))
	for format, want := range map[string]string{
		"%d %b %Y":                "06 Jul 2024",
		"%A, %-d %B %y":           "Saturday, 6 July 24",
		"%Y-%m-%dT%H:%M:%S.%f%z":  "2024-07-06T00:05:03.000042+0200",
		"%-m/%-d %-H %I %p %j %Z": "7/6 0 12 AM 188 CEST",
		"%e|%a|%%|%n|%F %T":       " 6|Sat|%|\n|2024-07-06 00:05:03",
		"%Q %- 100%":              "%Q %- 100%",
	} {
		if got := strftime(at, format); got != want {
			t.Errorf("%q: got %q, want %q", format, got, want)
		}
	}
}

func TestConcurrentUse(t *testing.T) {
	r := readReference(t)
	source, err := os.ReadFile("testdata/templates/qwen3.jinja")
	if err != nil {
		t.Fatal(err)
	}
	template, err := NewTemplate(string(source), "", "")
	if err != nil {
		t.Fatal(err)
	}
	want := *r.Texts["qwen3.jinja"]["calls"].Text
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 20 {
				if got, err := template.Render(r.request("calls")); err != nil || got != want {
					t.Errorf("got %q, %v", got, err)
				}
			}
		})
	}
	group.Wait()
}

func BenchmarkRender(b *testing.B) {
	r := readReference(b)
	source, err := os.ReadFile("testdata/templates/qwen3.jinja")
	if err != nil {
		b.Fatal(err)
	}
	template, err := NewTemplate(string(source), "", "")
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := template.Render(r.request("call")); err != nil {
			b.Fatal(err)
		}
	}
}
