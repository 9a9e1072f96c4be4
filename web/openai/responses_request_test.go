package openai

import (
	"encoding/json"
	"testing"
)

// TestParseResponses has conversations in the items of this API.
func TestParseResponses(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{`"input":"x"`, `[{"role":"user","content":"x"}]`},
		{`"input":"x","instructions":"be brief"`, `[{"role":"system","content":"be brief"},{"role":"user","content":"x"}]`},
		{`"input":[{"role":"developer","content":"d"},{"type":"message","role":"user","content":[{"type":"input_text","text":"a"}],"id":"i","status":"completed"}]`, `[{"role":"system","content":"d"},{"role":"user","content":"a"}]`},
		{
			`"input":[{"type":"reasoning","id":"rs","summary":[],"content":[{"type":"reasoning_text","text":"hm"}],"encrypted_content":null},{"role":"assistant","content":[{"type":"output_text","text":"b","annotations":[]}]},{"type":"function_call","call_id":"1","name":"f","arguments":"{}"},{"type":"function_call","call_id":"2","name":"g","arguments":"{}"},{"type":"function_call_output","call_id":"1","output":[{"type":"input_text","text":"r"}]}]`,
			`[{"role":"assistant","content":"b","reasoning_content":"hm","tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{}"}},{"id":"2","type":"function","function":{"name":"g","arguments":"{}"}}]},{"role":"tool","content":"r","tool_call_id":"1"}]`,
		},
	} {
		r, err := ParseResponses([]byte("{"+c.in+"}"), DefaultLimits())
		if err != nil {
			t.Errorf("%s: %v", c.in, err)
		} else if got := string(r.Chat.Messages); got != c.want {
			t.Errorf("%s: %s", c.in, got)
		}
	}
	r, err := ParseResponses([]byte(`{"input":"x","tools":[{"type":"function","name":"f"},{"type":"function","name":"g"}],"tool_choice":{"type":"allowed_tools","mode":"auto","tools":[{"type":"function","name":"g"}]},"reasoning":{"effort":"low","summary":"auto"},"parallel_tool_calls":false,"top_logprobs":2}`), DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	if string(r.Chat.Tools) != `[{"type":"function","function":{"name":"g"}}]` || !r.Chat.OneCall || r.Chat.Template["reasoning_effort"] != "low" || *r.Echo.Reasoning.Effort != "low" || r.Request.TopLogprobs != 2 || !r.Request.Logprobs {
		t.Errorf("request %+v", r)
	}
	r, err = ParseResponses([]byte(`{"input":"x","text":{"format":{"type":"json_schema","name":"n","schema":{"type":"null"}}}}`), DefaultLimits())
	if err != nil || r.Request.Grammar.Text != `{"type":"null"}` {
		t.Errorf("request %+v, %v", r, err)
	}
}

// FuzzResponses reads anything without harm.
func FuzzResponses(f *testing.F) {
	for _, s := range []string{
		`{"input":"x","tools":[{"type":"function","name":"f"}],"tool_choice":"required"}`,
		`{"input":[{"type":"reasoning","summary":[{"type":"summary_text","text":"x"}]},{"type":"function_call","call_id":"1","name":"f","arguments":"{}"},{"type":"function_call_output","call_id":"1","output":"1"}]}`,
		`{"input":"x","text":{"format":{"type":"json_object"}},"reasoning":{"effort":"high"},"include":["reasoning.encrypted_content"]}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := ParseResponses(data, DefaultLimits())
		if err != nil {
			checkError(t, err)
			return
		}
		c := r.Call()
		if !json.Valid(c.Chat.Messages) || c.Chat.Tools != nil && !json.Valid(c.Chat.Tools) {
			t.Errorf("%q became %+v", data, c)
		}
		if _, err := json.Marshal(r.Echo); err != nil {
			t.Error(err)
		}
	})
}

// FuzzOthers reads requests for embeddings, tokens and adapters without harm.
func FuzzOthers(f *testing.F) {
	for _, s := range []string{`{"input":[[1,2]],"encoding_format":"base64"}`, `{"prompt":"x"}`, `{"messages":[{"role":"user","content":"x"}]}`, `{"tokens":[1]}`, `{"lora_name":"a","lora_path":"b"}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		l := DefaultLimits()
		for _, parse := range []func() error{
			func() error { _, err := ParseEmbedding(data, l); return err },
			func() error { _, err := ParseTokenize(data, l); return err },
			func() error { _, err := ParseDetokenize(data, l); return err },
			func() error { _, err := ParseAdapter(data, l, true); return err },
		} {
			if err := parse(); err != nil {
				checkError(t, err)
			}
		}
	})
}
