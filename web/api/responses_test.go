package api

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/realm-webgpu/realm/web/openai"
)

// TestResponses has responses in one piece.
func TestResponses(t *testing.T) {
	r := newRig(t, nil, nil)
	for _, input := range []string{
		`"What is the capital of France?"`,
		`[{"role":"user","content":"What is the capital of France?"}]`,
		`[{"type":"message","role":"user","content":[{"type":"input_text","text":"What is the capital of France?"}]}]`,
	} {
		out := asked[openai.Response](t, r, "/v1/responses", `{"temperature":0,"input":`+input+`}`)
		if out.Status != "completed" || len(out.Output) != 1 || (*out.Output[0].Content)[0].Text != paris || out.Usage.Output != 9 {
			t.Errorf("%s: %+v", input, out)
		}
	}
	short := asked[openai.Response](t, r, "/v1/responses", `{"input":"What is the capital of France?","max_output_tokens":2,"temperature":0,"metadata":{"a":"b"},"instructions":"Be brief."}`)
	if short.Status != "incomplete" || short.Incomplete.Reason != "max_output_tokens" || short.Output[0].Status != "incomplete" || *short.MaxTokens != 2 || string(short.Metadata) != `{"a":"b"}` || *short.Instructions != "Be brief." {
		t.Errorf("cut short: %+v", short)
	}
	for _, c := range []struct{ members, param string }{
		{`"store":true`, "store"},
		{`"previous_response_id":"resp_1"`, "previous_response_id"},
		{`"background":true`, "background"},
		{`"tools":[{"type":"web_search"}]`, "tools[0].type"},
		{`"include":["file_search_call.results"]`, "include"},
		{`"truncation":"auto"`, "truncation"},
		{`"input":[{"type":"item_reference","id":"x"}]`, "input[0].type"},
		{`"input":[{"role":"user","content":[{"type":"input_image"}]}]`, "input[0].content[0].type"},
		{`"mood":1`, "mood"},
	} {
		resp, text := r.do(t, "/v1/responses", `{"input":"x",`+c.members+`}`)
		if resp.StatusCode != http.StatusBadRequest || !strings.Contains(text, `"param":"`+c.param+`"`) {
			t.Errorf("%s: %s %s", c.members, resp.Status, text)
		}
	}
}

// TestResponsesStream has the events of a message, and of a call, in OpenAI's order.
func TestResponsesStream(t *testing.T) {
	r := newRig(t, nil, nil)
	stream := func(body string) ([]string, []openai.ResponseEvent) {
		t.Helper()
		_, text := r.do(t, "/v1/responses", body)
		doc := description(t)
		var names []string
		var all []openai.ResponseEvent
		for i, e := range events(t, text) {
			heldTo(t, doc, "ResponseEvent", e.data)
			var v openai.ResponseEvent
			if err := json.Unmarshal([]byte(e.data), &v); err != nil || v.Type != e.name || v.Sequence != i {
				t.Fatalf("event %d: %v %s", i, err, e.data)
			}
			if n := len(names); n == 0 || names[n-1] != e.name {
				names = append(names, e.name)
			}
			all = append(all, v)
		}
		return names, all
	}
	names, all := stream(`{"input":"What is the capital of France?","temperature":0,"stream":true,"include":["message.output_text.logprobs"]}`)
	want := "response.created response.in_progress response.output_item.added response.content_part.added response.output_text.delta response.output_text.done response.content_part.done response.output_item.done response.completed"
	if got := strings.Join(names, " "); got != want {
		t.Errorf("events %s", got)
	}
	text, last := "", all[len(all)-1].Response
	for _, e := range all {
		if e.Type == "response.output_text.delta" {
			text += *e.Delta
		}
	}
	if p := (*last.Output[0].Content)[0]; text != paris || p.Text != paris || len(*p.Logprobs) < 8 {
		t.Errorf("the parts make %q, and the response is %+v", text, p)
	}
	names, all = stream(`{"input":"x","temperature":0,"stream":true,"tools":[{"type":"function","name":"f","parameters":{"type":"object","properties":{"x":{"type":"boolean"}},"required":["x"],"additionalProperties":false}}],"tool_choice":{"type":"function","name":"f"},"max_output_tokens":100}`)
	want = "response.created response.in_progress response.output_item.added response.function_call_arguments.delta response.function_call_arguments.done response.output_item.done response.completed"
	if got := strings.Join(names, " "); got != want {
		t.Errorf("events %s", got)
	}
	item := all[len(all)-1].Response.Output[0]
	var a struct{ X *bool }
	if err := json.Unmarshal([]byte(*item.Arguments), &a); err != nil || a.X == nil || item.Name != "f" || item.CallID == "" || item.Status != "completed" {
		t.Errorf("call %+v", item)
	}
	// The call goes back with its output.
	out := asked[openai.Response](t, r, "/v1/responses", `{"input":[{"role":"user","content":"x"},{"type":"function_call","call_id":"c","name":"f","arguments":"{}"},{"type":"function_call_output","call_id":"c","output":"1"}],"max_output_tokens":2}`)
	if out.Usage.Output != 2 {
		t.Errorf("a conversation with calls: %+v", out)
	}
}
