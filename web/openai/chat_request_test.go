package openai

import (
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/realm-webgpu/realm/guest"
	"github.com/realm-webgpu/realm/web/service"
)

// chat is a request with members besides a conversation.
func chat(members string) []byte {
	text := `{"model":"m","messages":[{"role":"user","content":"hi"}]`
	if members != "" {
		text += "," + members
	}
	return []byte(text + "}")
}

// TestParseChat has what becomes of each parameter.
func TestParseChat(t *testing.T) {
	tools := `"tools":[{"type":"function","function":{"name":"now"}},{"type":"function","function":{"name":"weather","description":"d","strict":true,"parameters":{"type":"object","properties":{"b":{},"a":{}}}}}]`
	for _, c := range []struct {
		members string
		get     func(*ChatRequest) any
		want    any
	}{
		{``, func(r *ChatRequest) any { return r.Model }, "m"},
		{``, func(r *ChatRequest) any { return string(r.Chat.Messages) }, `[{"role":"user","content":"hi"}]`},
		{``, func(r *ChatRequest) any { return r.Request.Temperature }, float32(1)},
		{`"temperature":null`, func(r *ChatRequest) any { return r.Request.Temperature }, float32(1)},
		{`"temperature":0`, func(r *ChatRequest) any { return r.Request.Temperature }, float32(0)},
		{`"temperature":0.5`, func(r *ChatRequest) any { return r.Request.Temperature }, float32(0.5)},
		{`"top_p":0.25`, func(r *ChatRequest) any { return r.Request.TopP }, float32(0.25)},
		{`"top_p":0,"top_k":9`, func(r *ChatRequest) any { return r.Request.TopK }, 1},
		{`"top_k":-1`, func(r *ChatRequest) any { return r.Request.TopK }, 0},
		{`"top_k":40`, func(r *ChatRequest) any { return r.Request.TopK }, 40},
		{`"min_p":0.5,"typical_p":0.25`, func(r *ChatRequest) any { return r.Request.MinP + r.Request.TypicalP }, float32(0.75)},
		{`"presence_penalty":-2,"frequency_penalty":1.5`, func(r *ChatRequest) any { return r.Request.PresencePenalty + r.Request.FrequencyPenalty }, float32(-0.5)},
		{`"repetition_penalty":1.25,"penalize_prompt":true,"penalty_window":64`, func(r *ChatRequest) any {
			return []any{r.Request.RepetitionPenalty, r.Request.PenalizePrompt, r.Request.PenaltyWindow}
		}, []any{float32(1.25), true, 64}},
		{`"seed":7`, func(r *ChatRequest) any { return r.Request.Seed }, uint64(7)},
		{`"seed":-1`, func(r *ChatRequest) any { return r.Request.Seed }, uint64(math.MaxUint64)},
		{`"seed":-9223372036854775808`, func(r *ChatRequest) any { return r.Request.Seed }, uint64(1 << 63)},
		{`"seed":18446744073709551615`, func(r *ChatRequest) any { return r.Request.Seed }, uint64(math.MaxUint64)},
		{`"stop":"a"`, func(r *ChatRequest) any { return r.Request.Stop }, []string{"a"}},
		{`"stop":["a","b","c","d"]`, func(r *ChatRequest) any { return len(r.Request.Stop) }, 4},
		{`"stop":null`, func(r *ChatRequest) any { return r.Request.Stop }, []string(nil)},
		{`"stop_token_ids":[3,4],"ignore_eos":true`, func(r *ChatRequest) any { return []any{r.Request.StopTokens, r.Request.IgnoreEOS} }, []any{[]int32{3, 4}, true}},
		{`"n":3`, func(r *ChatRequest) any { return r.Request.N }, 3},
		{`"max_tokens":9`, func(r *ChatRequest) any { return r.Request.MaxTokens }, 9},
		{`"max_tokens":9.0`, func(r *ChatRequest) any { return r.Request.MaxTokens }, 9},
		{`"max_completion_tokens":8`, func(r *ChatRequest) any { return r.Request.MaxTokens }, 8},
		{`"max_completion_tokens":8,"max_tokens":8`, func(r *ChatRequest) any { return r.Request.MaxTokens }, 8},
		{`"logit_bias":{"42":-100,"7":1.5}`, func(r *ChatRequest) any { return r.Request.LogitBias }, map[string]float32{"42": -100, "7": 1.5}},
		{`"logprobs":true,"top_logprobs":5`, func(r *ChatRequest) any { return []any{r.Request.Logprobs, r.Request.TopLogprobs} }, []any{true, 5}},
		{`"stream":true,"stream_options":{"include_usage":true,"include_obfuscation":false}`, func(r *ChatRequest) any { return []bool{r.Stream, r.IncludeUsage} }, []bool{true, true}},
		{`"response_format":{"type":"text"}`, func(r *ChatRequest) any { return r.Request.Grammar }, (*guest.Grammar)(nil)},
		{`"response_format":{"type":"json_object"}`, func(r *ChatRequest) any { return *r.Request.Grammar }, guest.Grammar{Kind: "schema", Text: anyObject}},
		{`"response_format":{"type":"json_schema","json_schema":{"name":"x","strict":true,"schema":{"type":"integer"}}}`, func(r *ChatRequest) any { return *r.Request.Grammar }, guest.Grammar{Kind: "schema", Text: `{"type":"integer"}`, From: "response_format.json_schema.schema"}},
		{`"response_format":{"type":"json_object","schema":{"type":"integer"}}`, func(r *ChatRequest) any { return *r.Request.Grammar }, guest.Grammar{Kind: "schema", Text: `{"type":"integer"}`, From: "response_format.schema"}},
		{`"response_format":{"type":"json_object"},"tool_choice":"none",` + tools, func(r *ChatRequest) any { return *r.Request.Grammar }, guest.Grammar{Kind: "schema", Text: anyObject}},
		{`"response_format":{"type":"json_object"},"tool_choice":"required",` + tools, func(r *ChatRequest) any { return r.Request.Grammar }, (*guest.Grammar)(nil)},
		{`"guided_choice":["a.b","c"]`, func(r *ChatRequest) any { return *r.Request.Grammar }, guest.Grammar{Kind: "regex", Text: `(a\.b|c)`, From: "guided_choice"}},
		{`"guided_regex":"[0-9]"`, func(r *ChatRequest) any { return *r.Request.Grammar }, guest.Grammar{Kind: "regex", Text: `[0-9]`, From: "guided_regex"}},
		{`"guided_json":{"type":"null"}`, func(r *ChatRequest) any { return *r.Request.Grammar }, guest.Grammar{Kind: "schema", Text: `{"type":"null"}`, From: "guided_json"}},
		{`"guided_json":"{\"type\":\"null\"}"`, func(r *ChatRequest) any { return *r.Request.Grammar }, guest.Grammar{Kind: "schema", Text: `{"type":"null"}`, From: "guided_json"}},
		{`"structured_outputs":{"grammar":"root ::= \"a\""}`, func(r *ChatRequest) any { return *r.Request.Grammar }, guest.Grammar{Kind: "ebnf", Text: `root ::= "a"`, From: "structured_outputs.grammar"}},
		{`"grammar":"root ::= \"a\""`, func(r *ChatRequest) any { return *r.Request.Grammar }, guest.Grammar{Kind: "ebnf", Text: `root ::= "a"`, From: "grammar"}},
		{`"grammar":{"kind":"regex","text":"a+"}`, func(r *ChatRequest) any { return *r.Request.Grammar }, guest.Grammar{Kind: "regex", Text: `a+`, From: "grammar"}},
		{`"adapter":"pirate","guest":"beam"`, func(r *ChatRequest) any { return []string{r.Call().Adapter, r.Call().Guest} }, []string{"pirate", "beam"}},
		{`"speculative":"lookup"`, func(r *ChatRequest) any { return *r.Request.Speculative }, guest.Speculation{Mode: "lookup"}},
		{`"speculative":{"mode":"model","tokens":4}`, func(r *ChatRequest) any { return *r.Request.Speculative }, guest.Speculation{Mode: "model", Tokens: 4}},
		{`"speculative":false`, func(r *ChatRequest) any { return r.Request.Speculative }, (*guest.Speculation)(nil)},
		{`"speculative":"none"`, func(r *ChatRequest) any { return r.Request.Speculative }, (*guest.Speculation)(nil)},
		{`"reasoning_effort":"high"`, func(r *ChatRequest) any { return r.Chat.Template }, map[string]any{"reasoning_effort": "high", "enable_thinking": true, "thinking": true}},
		{`"reasoning_effort":"none","chat_template_kwargs":{"thinking":true,"k":1}`, func(r *ChatRequest) any { return r.Chat.Template }, map[string]any{"reasoning_effort": "none", "enable_thinking": false, "thinking": true, "k": 1.0}},
		{tools, func(r *ChatRequest) any { return string(r.Chat.Tools) }, `[{"type":"function","function":{"name":"now"}},{"type":"function","function":{"name":"weather","description":"d","parameters":{"type":"object","properties":{"b":{},"a":{}}}}}]`},
		{tools + `,"tool_choice":"auto"`, func(r *ChatRequest) any { return r.Chat.Choice }, service.ToolAuto},
		{tools + `,"tool_choice":"none"`, func(r *ChatRequest) any { return r.Chat.Choice }, service.ToolNone},
		{tools + `,"tool_choice":"required","parallel_tool_calls":false`, func(r *ChatRequest) any { return []any{r.Chat.Choice, r.Chat.OneCall} }, []any{service.ToolRequired, true}},
		{tools + `,"tool_choice":{"type":"function","function":{"name":"now"}}`, func(r *ChatRequest) any { return []any{r.Chat.Choice, r.Chat.Function} }, []any{service.ToolNamed, "now"}},
		{tools + `,"tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"required","tools":[{"type":"function","function":{"name":"now"}}]}}`, func(r *ChatRequest) any { return []any{r.Chat.Choice, string(r.Chat.Tools)} }, []any{service.ToolRequired, `[{"type":"function","function":{"name":"now"}}]`}},
		{`"functions":[{"name":"now"}],"function_call":{"name":"now"}`, func(r *ChatRequest) any { return []any{r.Legacy, r.Chat.OneCall, r.Chat.Choice, r.Chat.Function} }, []any{true, true, service.ToolNamed, "now"}},
		{`"functions":[{"name":"now"}],"function_call":"none"`, func(r *ChatRequest) any { return r.Chat.Choice }, service.ToolNone},
		{`"user":"u","metadata":{"a":"b"},"store":false,"service_tier":"flex","safety_identifier":"s","prompt_cache_key":"k","modalities":["text"],"verbosity":"medium","audio":null,"prediction":null`, func(r *ChatRequest) any { return r.Model }, "m"},
	} {
		r, err := ParseChat(chat(c.members), DefaultLimits())
		if err != nil {
			t.Errorf("%s: %v", c.members, err)
			continue
		}
		if got := c.get(r); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %v, want %v", c.members, got, c.want)
		}
	}
	a, _ := ParseChat(chat(""), DefaultLimits())
	b, _ := ParseChat(chat(`"seed":null`), DefaultLimits())
	if a.Request.Seed == b.Request.Seed {
		t.Error("two requests without a seed have the same one")
	}
}

// TestMessages has conversations as clients send them.
func TestMessages(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{`{"role":"developer","content":"x"}`, `{"role":"system","content":"x"}`},
		{`{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}],"name":"n"}`, `{"role":"user","content":"ab","name":"n"}`},
		{`{"role":"assistant","content":null,"refusal":"no","annotations":[],"audio":null,"function_call":null}`, `{"role":"assistant","content":"no"}`},
		{`{"role":"assistant","content":[{"type":"refusal","refusal":"no"}],"reasoning_content":"r"}`, `{"role":"assistant","content":"no","reasoning_content":"r"}`},
		{
			`{"role":"assistant","tool_calls":[{"id":"c","type":"function","index":0,"function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"c","content":"1"}`,
			`{"role":"assistant","content":"","tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","content":"1","tool_call_id":"c"}`,
		},
		{
			`{"role":"assistant","content":null,"function_call":{"name":"f","arguments":"{}"}},{"role":"function","name":"f","content":"1"}`,
			`{"role":"assistant","content":"","tool_calls":[{"id":"call_0","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","content":"1","name":"f","tool_call_id":"call_0"}`,
		},
	} {
		r, err := ParseChat([]byte(`{"messages":[`+c.in+`]}`), DefaultLimits())
		if err != nil {
			t.Errorf("%s: %v", c.in, err)
		} else if got := string(r.Chat.Messages); got != "["+c.want+"]" {
			t.Errorf("%s: %s", c.in, got)
		}
	}
}

// TestRefusals has what is refused, by name.
func TestRefusals(t *testing.T) {
	for _, c := range []struct{ members, param string }{
		{`"temprature":1`, "temprature"},
		{`"Temperature":1`, "Temperature"},
		{`"temperature":"hot"`, "temperature"},
		{`"temperature":2.5`, "temperature"},
		{`"temperature":-0.1`, "temperature"},
		{`"top_p":1.1`, "top_p"},
		{`"top_k":1.5`, "top_k"},
		{`"seed":1.5`, "seed"},
		{`"seed":18446744073709551616`, "seed"},
		{`"seed":"1"`, "seed"},
		{`"n":0`, "n"},
		{`"n":129`, "n"},
		{`"n":1e300`, "n"},
		{`"max_tokens":0`, "max_tokens"},
		{`"max_tokens":1,"max_completion_tokens":2`, "max_tokens"},
		{`"stop":""`, "stop"},
		{`"stop":[1]`, "stop"},
		{`"stop":["a","b","c","d","e","f","g","h","i","j","k","l","m","n","o","p","q"]`, "stop"},
		{`"presence_penalty":3`, "presence_penalty"},
		{`"logit_bias":{"x":1}`, "logit_bias"},
		{`"logit_bias":{"1":101}`, "logit_bias"},
		{`"logit_bias":[1]`, "logit_bias"},
		{`"top_logprobs":3`, "top_logprobs"},
		{`"logprobs":true,"top_logprobs":21`, "top_logprobs"},
		{`"stream_options":{"include_usage":true}`, "stream_options"},
		{`"stream":true,"stream_options":{"x":1}`, "stream_options.x"},
		{`"store":true`, "store"},
		{`"audio":{}`, "audio"},
		{`"modalities":["text","audio"]`, "modalities"},
		{`"prediction":{}`, "prediction"},
		{`"web_search_options":{}`, "web_search_options"},
		{`"verbosity":"low"`, "verbosity"},
		{`"reasoning_effort":"huge"`, "reasoning_effort"},
		{`"response_format":{"type":"xml"}`, "response_format.type"},
		{`"response_format":{"type":"json_schema"}`, "response_format.json_schema"},
		{`"response_format":{"type":"json_schema","json_schema":{"name":"a b","schema":{}}}`, "response_format.json_schema.name"},
		{`"response_format":{"type":"json_schema","json_schema":{"name":"a","schema":[]}}`, "response_format.json_schema.schema"},
		{`"response_format":{"type":"json_object"},"guided_regex":"a"`, "response_format"},
		{`"response_format":{"type":"json_object"},"tools":[{"type":"function","function":{"name":"a"}}]`, "response_format"},
		{`"tools":[{"type":"retrieval"}]`, "tools[0].type"},
		{`"tools":[{"type":"function"}]`, "tools[0].function"},
		{`"tools":[{"type":"function","function":{"name":"a b"}}]`, "tools[0].function.name"},
		{`"tools":[{"type":"function","function":{"name":"a"}},{"type":"function","function":{"name":"a"}}]`, "tools[1].function.name"},
		{`"tools":[{"type":"function","function":{"name":"a","parameters":"x"}}]`, "tools[0].function.parameters"},
		{`"tool_choice":"required"`, "tool_choice"},
		{`"tools":[{"type":"function","function":{"name":"a"}}],"tool_choice":{"type":"function","function":{"name":"b"}}`, "tool_choice"},
		{`"tools":[{"type":"function","function":{"name":"a"}}],"tool_choice":"sometimes"`, "tool_choice"},
		{`"speculative":"guess"`, "speculative"},
		{`"speculative":{"mode":"lookup","tokens":99}`, "speculative.tokens"},
		{`"chat_template_kwargs":[]`, "chat_template_kwargs"},
		{`"messages":[]`, "messages"},
		{`"messages":[{"content":"x"}]`, "messages[0].role"},
		{`"messages":[{"role":"robot","content":"x"}]`, "messages[0].role"},
		{`"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"x"}}]}]`, "messages[0].content[0].type"},
		{`"messages":[{"role":"user","content":[{"type":"input_audio"}]}]`, "messages[0].content[0].type"},
		{`"messages":[{"role":"tool","content":"x"}]`, "messages[0].tool_call_id"},
		{`"messages":[{"role":"user","content":"x","mood":"good"}]`, "messages[0].mood"},
		{`"messages":[{"role":"user","content":{}}]`, "messages[0].content"},
		{`"messages":["x"]`, "messages[0]"},
		{`"messages":{}`, "messages"},
		{`"model":1`, "model"},
	} {
		data := chat(c.members) // the later of two members of a name counts
		_, err := ParseChat(data, DefaultLimits())
		var e *service.Error
		if !errors.As(err, &e) {
			t.Errorf("%s: %v", c.members, err)
			continue
		}
		if e.Code != service.InvalidRequest || e.Param != c.param || !strings.HasPrefix(e.Message, c.param+": ") {
			t.Errorf("%s: %s of %q: %s", c.members, e.Code, e.Param, e.Message)
		}
	}
	for _, body := range []string{"", "x", "[]", "null", `"x"`, `{}{}`, `{"a":`, "{\"model\":\"\xff\"}", strings.Repeat("[", 300), `{"messages":` + strings.Repeat("[", 9999) + strings.Repeat("]", 9999) + `}`} {
		if _, err := ParseChat([]byte(body), DefaultLimits()); err == nil {
			t.Errorf("%.20q was taken", body)
		}
	}
	small := DefaultLimits()
	small.Body = 10
	if _, err := ParseChat(chat(""), small); err == nil || !strings.Contains(err.Error(), "at most 10") {
		t.Errorf("a long body: %v", err)
	}
}

// FuzzChat reads anything without harm. What is taken becomes a call whose parts are
// JSON.
func FuzzChat(f *testing.F) {
	f.Add(chat(`"tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":"required","stop":["a"],"seed":-1`))
	f.Add(chat(`"response_format":{"type":"json_schema","json_schema":{"name":"x","schema":{}}},"logit_bias":{"1":2}`))
	f.Add([]byte(`{"messages":[{"role":"assistant","function_call":{"name":"f","arguments":"{}"}},{"role":"function","name":"f","content":[{"type":"text","text":"x"}]}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := ParseChat(data, DefaultLimits())
		if err != nil {
			checkError(t, err)
			return
		}
		c := r.Call()
		if !json.Valid(c.Chat.Messages) || c.Chat.Tools != nil && !json.Valid(c.Chat.Tools) || c.Request.N < 1 {
			t.Errorf("%q became %+v", data, c)
		}
		if _, err := json.Marshal(c.Request); err != nil {
			t.Error(err)
		}
	})
}

// checkError reports an error that is none of a request's.
func checkError(t *testing.T, err error) {
	t.Helper()
	var e *service.Error
	if !errors.As(err, &e) || e.Code != service.InvalidRequest || e.Message == "" || len(e.Message) > 1000 {
		t.Errorf("the error is %v", err)
	}
}
