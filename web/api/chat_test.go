package api

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/realm-webgpu/realm/web/openai"
)

// asked decodes a good answer.
func asked[T any](t *testing.T, r *rig, path, body string) T {
	t.Helper()
	resp, text := r.do(t, path, body)
	var out T
	if err := json.Unmarshal([]byte(text), &out); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s %s: %s %s", path, body, resp.Status, text)
	}
	return out
}

// event is a server-sent one.
type event struct{ name, data string }

// events reads a stream to its end.
func events(t *testing.T, text string) []event {
	t.Helper()
	var all []event
	for part := range strings.SplitSeq(text, "\n\n") {
		var e event
		for line := range strings.SplitSeq(part, "\n") {
			switch name, value, _ := strings.Cut(line, ": "); name {
			case "event":
				e.name = value
			case "data":
				e.data = value
			case "":
			default:
				t.Errorf("a line of a stream is %q", line)
			}
		}
		if e.data != "" {
			all = append(all, e)
		}
	}
	return all
}

// streamed asks for a stream of chat and returns its parts.
func streamed(t *testing.T, r *rig, members string) []openai.ChatChunk {
	t.Helper()
	_, text := r.do(t, "/v1/chat/completions", question(`"stream":true`+members))
	all := events(t, text)
	if len(all) < 3 || all[len(all)-1].data != "[DONE]" {
		t.Fatalf("the stream is %s", text)
	}
	doc := description(t)
	var parts []openai.ChatChunk
	for _, e := range all[:len(all)-1] {
		heldTo(t, doc, "ChatChunk", e.data)
		var c openai.ChatChunk
		if err := json.Unmarshal([]byte(e.data), &c); err != nil {
			t.Fatal(err)
		}
		parts = append(parts, c)
	}
	return parts
}

// TestChat asks in one piece.
func TestChat(t *testing.T) {
	r := newRig(t, nil, nil)
	out := asked[openai.ChatResponse](t, r, "/v1/chat/completions", question(""))
	c := out.Choices[0]
	if *c.Message.Content != paris || c.Finish != "stop" || c.Message.Role != "assistant" || c.Logprobs != nil {
		t.Errorf("choice %+v", c)
	}
	if u := out.Usage; u.CompletionTokens != 9 || u.PromptTokens < 10 || u.TotalTokens != u.PromptTokens+9 || out.Model != "atlas" || out.Timings.TTFTMS <= 0 {
		t.Errorf("usage %+v, timings %+v, model %q", u, out.Timings, out.Model)
	}
	out = asked[openai.ChatResponse](t, r, "/v1/chat/completions", question(`"n":2,"max_tokens":3,"logprobs":true,"top_logprobs":2,"stop":["xyz"],"seed":-3`))
	if len(out.Choices) != 2 || out.Choices[1].Index != 1 || out.Choices[1].Finish != "length" {
		t.Fatalf("choices %+v", out.Choices)
	}
	for _, c := range out.Choices {
		text := ""
		for _, p := range c.Logprobs.Content {
			text += p.Token
			if len(p.Top) != 2 || len(p.Bytes) != len(p.Token) || p.Logprob > 0 {
				t.Errorf("log-probability %+v", p)
			}
		}
		if text != *c.Message.Content {
			t.Errorf("the tokens are %q, the text %q", text, *c.Message.Content)
		}
	}
	out = asked[openai.ChatResponse](t, r, "/v1/chat/completions", question(`"stop":"France"`))
	if got := *out.Choices[0].Message.Content; got != "The capital of " {
		t.Errorf("up to the stop string it is %q", got)
	}
	out = asked[openai.ChatResponse](t, r, "/v1/chat/completions", question(`"response_format":{"type":"json_schema","json_schema":{"name":"x","strict":true,"schema":{"type":"object","properties":{"city":{"type":"string","maxLength":9}},"required":["city"],"additionalProperties":false}}},"max_tokens":200`))
	var city struct{ City *string }
	if err := json.Unmarshal([]byte(*out.Choices[0].Message.Content), &city); err != nil || city.City == nil {
		t.Errorf("of the schema: %v %s", err, *out.Choices[0].Message.Content)
	}
	a := asked[openai.ChatResponse](t, r, "/v1/chat/completions", strings.Replace(question(`"seed":5`), `"temperature":0`, `"temperature":1.9`, 1))
	b := asked[openai.ChatResponse](t, r, "/v1/chat/completions", strings.Replace(question(`"seed":5`), `"temperature":0`, `"temperature":1.9`, 1))
	if *a.Choices[0].Message.Content != *b.Choices[0].Message.Content {
		t.Error("the same seed has another answer")
	}
	if lookup := asked[openai.ChatResponse](t, r, "/v1/chat/completions", question(`"speculative":{"mode":"lookup","tokens":4}`)); *lookup.Choices[0].Message.Content != paris {
		t.Errorf("with drafts: %+v", lookup.Choices[0])
	}
}

// TestChatStream has the parts in OpenAI's order.
func TestChatStream(t *testing.T) {
	r := newRig(t, nil, nil)
	parts := streamed(t, r, `,"stream_options":{"include_usage":true}`)
	first, last, end := parts[0].Choices[0], parts[len(parts)-2].Choices[0], parts[len(parts)-1]
	if first.Delta.Role != "assistant" || *first.Delta.Content != "" || first.Finish != nil {
		t.Errorf("it begins with %+v", first)
	}
	if last.Finish == nil || *last.Finish != "stop" || last.Delta.Content != nil {
		t.Errorf("it ends with %+v", last)
	}
	if len(end.Choices) != 0 || !strings.Contains(string(end.Usage), `"completion_tokens":9`) || string(parts[0].Usage) != "null" {
		t.Errorf("usage comes as %s", end.Usage)
	}
	text := ""
	for _, p := range parts[1 : len(parts)-2] {
		if p.ID != parts[0].ID || p.Choices[0].Delta.Role != "" {
			t.Errorf("part %+v", p)
		}
		text += *p.Choices[0].Delta.Content
	}
	if text != paris {
		t.Errorf("the parts make %q", text)
	}
	for _, p := range streamed(t, r, "") {
		if p.Usage != nil || len(p.Choices) != 1 {
			t.Errorf("without include_usage: %+v", p)
		}
	}
}

const weather = `"tools":[{"type":"function","function":{"name":"weather","parameters":{"type":"object","properties":{"sure":{"type":"boolean"}},"required":["sure"],"additionalProperties":false}}},{"type":"function","function":{"name":"now"}}],"max_tokens":300`

// TestTools has calls that a grammar holds the answer to.
func TestTools(t *testing.T) {
	r := newRig(t, nil, nil)
	named := `,"tool_choice":{"type":"function","function":{"name":"weather"}}`
	out := asked[openai.ChatResponse](t, r, "/v1/chat/completions", question(weather+named))
	c := out.Choices[0]
	if len(c.Message.ToolCalls) != 1 || c.Message.Content != nil || c.Finish != "tool_calls" {
		t.Fatalf("choice %+v", c)
	}
	check := func(call openai.ToolCall) {
		t.Helper()
		var a struct{ Sure *bool }
		if err := json.Unmarshal([]byte(call.Function.Arguments), &a); err != nil || a.Sure == nil || call.Function.Name != "weather" || call.ID == "" {
			t.Errorf("call %+v: %v", call, err)
		}
	}
	check(c.Message.ToolCalls[0])

	var call openai.ToolCall
	heads := 0
	for _, p := range streamed(t, r, ","+weather+`,"tool_choice":"required","parallel_tool_calls":false`) {
		for _, d := range p.Choices[0].Delta.ToolCalls {
			if d.ID != "" || d.Type != "" || d.Function.Name != "" {
				heads++
				call.ID, call.Function.Name = d.ID, d.Function.Name
			}
			call.Function.Arguments += d.Function.Arguments
		}
	}
	if heads != 1 || call.ID == "" {
		t.Errorf("%d parts have an id or a name, and the call is %+v", heads, call)
	}
	legacy := asked[openai.ChatResponse](t, r, "/v1/chat/completions", question(`"functions":[{"name":"f","parameters":{"type":"object","properties":{"x":{"type":"boolean"}},"required":["x"]}}],"function_call":{"name":"f"},"max_tokens":100`))
	if c := legacy.Choices[0]; c.Finish != "function_call" || c.Message.FunctionCall == nil || c.Message.FunctionCall.Name != "f" || c.Message.ToolCalls != nil {
		t.Errorf("the older way: %+v", c)
	}
	// What was called goes back, with its result.
	if resp, text := r.do(t, "/v1/chat/completions", `{"messages":[{"role":"user","content":"x"},{"role":"assistant","tool_calls":[{"id":"c","type":"function","function":{"name":"weather","arguments":"{}"}}]},{"role":"tool","tool_call_id":"c","content":"rain"}],"max_tokens":2}`); resp.StatusCode != http.StatusOK {
		t.Errorf("a conversation with calls: %s %s", resp.Status, text)
	}
}

// TestCompletions has several prompts, echoes and log-probabilities.
func TestCompletions(t *testing.T) {
	r := newRig(t, nil, nil)
	tokens := asked[openai.TokenizeResponse](t, r, "/tokenize", `{"prompt":"The capital of France","return_token_strs":true}`)
	if tokens.Count != len(tokens.Tokens) || len(tokens.TokenStrs) != tokens.Count || tokens.MaxModelLen != 512 {
		t.Errorf("tokens %+v", tokens)
	}
	ids, err := json.Marshal(tokens.Tokens)
	if err != nil {
		t.Fatal(err)
	}
	text := asked[openai.CompletionResponse](t, r, "/v1/completions", `{"prompt":["The capital of France","Oslo is"],"max_tokens":3,"temperature":0,"logprobs":2,"n":2}`)
	byIDs := asked[openai.CompletionResponse](t, r, "/v1/completions", `{"prompt":`+string(ids)+`,"max_tokens":3,"temperature":0}`)
	if len(text.Choices) != 4 || text.Choices[0].Text != byIDs.Choices[0].Text || text.Choices[3].Index != 3 || text.Choices[0].Text != text.Choices[1].Text {
		t.Errorf("choices %+v, by ids %+v", text.Choices, byIDs.Choices)
	}
	l := text.Choices[2].Logprobs
	if strings.Join(l.Tokens, "") != text.Choices[2].Text || len(l.TopLogprobs[0]) < 2 || l.TextOffset[0] != 0 || l.TextOffset[1] != len(l.Tokens[0]) {
		t.Errorf("log-probabilities %+v", l)
	}
	echo := asked[openai.CompletionResponse](t, r, "/v1/completions", `{"prompt":`+string(ids)+`,"max_tokens":3,"temperature":0,"echo":true}`)
	if got := echo.Choices[0].Text; !strings.HasSuffix(got, "The capital of France"+byIDs.Choices[0].Text) {
		t.Errorf("with echo %q", got)
	}
	doc, got := description(t), map[int]string{}
	_, stream := r.do(t, "/v1/completions", `{"prompt":["The capital of France","Oslo is"],"max_tokens":3,"temperature":0,"stream":true,"echo":true}`)
	all := events(t, stream)
	for _, e := range all[:len(all)-1] {
		heldTo(t, doc, "CompletionResponse", e.data)
		var c openai.CompletionResponse
		if err := json.Unmarshal([]byte(e.data), &c); err != nil {
			t.Fatal(err)
		}
		got[c.Choices[0].Index] += c.Choices[0].Text
	}
	if got[0] != "The capital of France"+text.Choices[0].Text || got[1] != "Oslo is"+text.Choices[2].Text {
		t.Errorf("streams %v", got)
	}
	detok := asked[openai.DetokenizeResponse](t, r, "/detokenize", `{"tokens":`+string(ids)+`}`)
	if !strings.HasSuffix(detok.Prompt, "The capital of France") {
		t.Errorf("back to text: %q", detok.Prompt)
	}
	chat := asked[openai.TokenizeResponse](t, r, "/tokenize", `{"messages":[{"role":"user","content":"What is the capital of France?"}]}`)
	if whole := asked[openai.ChatResponse](t, r, "/v1/chat/completions", question("")); chat.Count != whole.Usage.PromptTokens {
		t.Errorf("a conversation has %d tokens, counted as %d", chat.Count, whole.Usage.PromptTokens)
	}
}

// TestEmbeddings has both formats, which agree.
func TestEmbeddings(t *testing.T) {
	r := newRig(t, nil, nil)
	floats := asked[openai.EmbeddingResponse](t, r, "/v1/embeddings", `{"model":"atlas","input":["Paris","Oslo"],"encoding_format":"float"}`)
	coded := asked[openai.EmbeddingResponse](t, r, "/v1/embeddings", `{"model":"atlas","input":"Oslo","encoding_format":"base64"}`)
	if len(floats.Data) != 2 || floats.Usage.PromptTokens < 4 || floats.Data[1].Index != 1 {
		t.Fatalf("embeddings %+v", floats)
	}
	vector := floats.Data[1].Embedding.([]any)
	again := openai.NewEmbeddings(&openai.EmbeddingRequest{Base64: true}, "", [][]float32{float32s(vector)}, 0)
	if again.Data[0].Embedding != coded.Data[0].Embedding {
		t.Error("base64 has another vector")
	}
	for _, bad := range []string{`{"input":"x","dimensions":7}`, `{"input":[]}`, `{"input":["a",[1]]}`, `{"input":"x","encoding_format":"int8"}`} {
		if resp, text := r.do(t, "/v1/embeddings", bad); resp.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %s %s", bad, resp.Status, text)
		}
	}
	if resp, text := r.do(t, "/v1/embeddings", `{"input":"x","dimensions":256}`); resp.StatusCode != http.StatusOK && len(vector) == 256 {
		t.Errorf("its own length: %s %s", resp.Status, text)
	}
}

func float32s(all []any) []float32 {
	var out []float32
	for _, v := range all {
		out = append(out, float32(v.(float64)))
	}
	return out
}

// TestStreamFails has an error in the middle of a stream: an event, and the last.
func TestStreamFails(t *testing.T) {
	for path, body := range map[string]string{
		"/v1/chat/completions": question(`"stream":true,"ignore_eos":true,"max_tokens":400`),
		"/v1/responses":        `{"input":"x","stream":true,"ignore_eos":true,"max_output_tokens":400}`,
	} {
		r := newRig(t, slowly, nil)
		q, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.server.URL+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		q.Header.Set("Content-Type", "application/json")
		resp, err := http.DefaultClient.Do(q)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		in := bufio.NewReader(resp.Body)
		if _, err := in.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
		now, cancel := context.WithCancel(t.Context())
		cancel()
		go func() { _ = r.service.Drain(now) }() // cuts short what runs
		rest, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		text := string(bytes.TrimSpace(rest))
		last := text[strings.LastIndex(text, "data: ")+len("data: "):]
		if path == "/v1/chat/completions" {
			heldTo(t, description(t), "ErrorResponse", last)
		} else if !strings.Contains(last, `"type":"response.failed"`) || !strings.Contains(last, `"status":"failed"`) {
			t.Errorf("a response fails with %s", last)
		}
		if !strings.Contains(last, `"code":"UNAVAILABLE"`) {
			t.Errorf("%s: the last event is %s", path, last)
		}
		if resp, text := r.do(t, "/ready", ""); resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" {
			t.Errorf("ready: %s %s", resp.Status, text)
		}
		if resp, _ := r.do(t, "/health", ""); resp.StatusCode != http.StatusOK {
			t.Errorf("health: %s", resp.Status)
		}
	}
}

// TestKeepAlive has comments in a stream that has nothing to say.
func TestKeepAlive(t *testing.T) {
	r := newRig(t, nil, func(o *Options) { o.KeepAlive = 4 * time.Millisecond })
	_, text := r.do(t, "/v1/chat/completions", question(`"stream":true`))
	if !strings.Contains(text, ": keep-alive\n\n") {
		t.Errorf("the stream is %s", text)
	}
	if all := events(t, text); all[len(all)-1].data != "[DONE]" {
		t.Errorf("the stream is %s", text)
	}
}
