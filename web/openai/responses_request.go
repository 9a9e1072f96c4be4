package openai

import (
	"encoding/json"
	"slices"

	"github.com/realm-webgpu/realm/guest"
	"github.com/realm-webgpu/realm/web/service"
)

// ResponsesRequest is a request of the Responses API
// (https://platform.openai.com/docs/api-reference/responses/create) that keeps nothing
// on the server.
type ResponsesRequest struct {
	target
	Request guest.Request // without messages and tools
	Chat    service.Chat
	// Echo are the members of the request that the response repeats.
	Echo ResponseEcho
}

// ResponseEcho are members of a request that its response repeats.
type ResponseEcho struct {
	Instructions *string         `json:"instructions"`
	MaxTokens    *int            `json:"max_output_tokens"`
	Metadata     json.RawMessage `json:"metadata"`
	Parallel     bool            `json:"parallel_tool_calls"`
	Reasoning    ReasoningEcho   `json:"reasoning"`
	Temperature  float32         `json:"temperature"`
	TopP         float32         `json:"top_p"`
	Text         json.RawMessage `json:"text"`
	ToolChoice   json.RawMessage `json:"tool_choice"`
	Tools        json.RawMessage `json:"tools"`
	TopLogprobs  int             `json:"top_logprobs"`
}

// ReasoningEcho is the reasoning of a request.
type ReasoningEcho struct {
	Effort  *string `json:"effort"`
	Summary *string `json:"summary"` // always null
}

// ParseResponses reads a request of POST /v1/responses. store is false where it is
// absent: this server keeps no responses. The error is a *service.Error that names the
// parameter.
func ParseResponses(data []byte, l Limits) (*ResponsesRequest, error) {
	o, err := readBody(data, l)
	if err != nil {
		return nil, err
	}
	r := &ResponsesRequest{}
	r.echo(o)
	r.target.read(o, l)
	accounts(o, l)
	o.refuse("previous_response_id", "conversation", "prompt", "context_management", "moderation", "access_programs", "image")
	if o.flag("background", false) {
		o.fail("background", "is not supported: this server keeps no answers")
	}
	o.choice("truncation", "disabled")
	o.accept("max_tool_calls") // of tools of OpenAI's own, of which there are none
	r.input(o, l)
	r.tools(o, l)
	q := &r.Request
	sampling(o, l, q)
	stops(o, l, q)
	q.N = 1
	q.MaxTokens, _ = o.count("max_output_tokens", 1, maxTokens)
	r.logprobs(o, l)
	r.format(o, l)
	ending(o, q, &r.Chat)
	q.Grammar = besideTools(o, "text", &r.Chat, q.Grammar)
	q.Speculative = speculation(o, l)
	r.reasoning(o)
	if err := o.end(); err != nil {
		return nil, err
	}
	e := &r.Echo
	if e.Temperature, e.TopP = q.Temperature, q.TopP; e.TopP == 0 && q.TopK != 1 {
		e.TopP = 1
	}
	e.Parallel, e.TopLogprobs = !r.Chat.OneCall, q.TopLogprobs
	if q.MaxTokens > 0 {
		e.MaxTokens = &q.MaxTokens
	}
	return r, nil
}

// echo keeps the members that are repeated as they came.
func (r *ResponsesRequest) echo(o *object) {
	for _, m := range []struct {
		name, otherwise string
		into            *json.RawMessage
	}{
		{"metadata", `{}`, &r.Echo.Metadata},
		{"text", `{"format":{"type":"text"}}`, &r.Echo.Text},
		{"tool_choice", `"auto"`, &r.Echo.ToolChoice},
		{"tools", `[]`, &r.Echo.Tools},
	} {
		*m.into = json.RawMessage(m.otherwise)
		if o.has(m.name) {
			*m.into = o.members[m.name]
		}
	}
}

// input reads instructions and input, which together are the conversation.
func (r *ResponsesRequest) input(o *object, l Limits) {
	var all []message
	if s := o.text("instructions", int(l.Body)); s != "" {
		r.Echo.Instructions = &s
		all = append(all, message{Role: "system", Content: s})
	}
	const name = "input"
	switch raw := o.members[name]; {
	case len(raw) == 0 || string(raw) == "null":
		o.fail(name, "is missing")
	case raw[0] == '"':
		var s string
		o.read(name, "a string", &s)
		all = append(all, message{Role: "user", Content: s})
	default:
		if n := o.objects(name, l.Messages, func(item *object) { all = readItem(item, all, l) }); n == 0 {
			o.fail(name, "there are no items")
		}
	}
	r.Chat.Messages = marshal(all)
}

// readItem reads an item of the input and puts it to the conversation: calls, and what
// was thought before, belong to the assistant's message.
func readItem(o *object, all []message, l Limits) []message {
	most := int(l.Body)
	o.accept("id", "status")
	kind := o.choice("type", "message", "function_call", "function_call_output", "reasoning")
	switch kind {
	case "", "message":
		m := message{Role: o.choice("role", "system", "developer", "user", "assistant"), Content: content(o, "content")}
		if m.Role == "" {
			o.fail("role", "is missing")
		}
		if m.Role == "developer" {
			m.Role = "system"
		}
		o.accept("phase")
		if last := lastOf(all); m.Role == "assistant" && last != nil && last.Content == "" && len(last.ToolCalls) == 0 {
			last.Content = m.Content
		} else {
			all = append(all, m)
		}
	case "function_call":
		c := ToolCall{ID: o.text("call_id", most), Type: "function", Function: FunctionCall{Name: o.text("name", most), Arguments: o.text("arguments", most)}}
		if c.ID == "" {
			o.fail("call_id", "is missing")
		}
		o.refuse("namespace")
		last := lastOf(all)
		if last == nil {
			all = append(all, message{Role: "assistant"})
			last = &all[len(all)-1]
		}
		last.ToolCalls = append(last.ToolCalls, c)
	case "function_call_output":
		m := message{Role: "tool", ToolCallID: o.text("call_id", most), Content: content(o, "output")}
		if m.ToolCallID == "" {
			o.fail("call_id", "is missing")
		}
		o.accept("name") // that of the call
		all = append(all, m)
	case "reasoning":
		m := message{Role: "assistant"}
		if m.Reasoning = content(o, "content"); m.Reasoning == "" {
			m.Reasoning = content(o, "summary")
		}
		o.accept("summary", "encrypted_content")
		all = append(all, m)
	}
	o.finish()
	return all
}

// lastOf returns the last message, if it is the assistant's.
func lastOf(all []message) *message {
	if n := len(all); n > 0 && all[n-1].Role == "assistant" {
		return &all[n-1]
	}
	return nil
}

// tools reads tools, tool_choice and parallel_tool_calls in the shapes of this API.
func (r *ResponsesRequest) tools(o *object, l Limits) {
	var all []tool
	o.objects("tools", l.Tools, func(t *object) {
		if kind := t.text("type", 256); kind != "function" {
			t.fail("type", "%q is not supported: tools are functions", clip(kind))
		}
		all = addTool(t, all, readFunction(t, l))
		t.finish()
	})
	const name = "tool_choice"
	if raw := o.members[name]; len(raw) > 0 && raw[0] == '{' {
		if t := o.object(name); t != nil {
			switch t.choice("type", "function", "allowed_tools") {
			case "allowed_tools":
				all = allowed(t, l, &r.Chat, all)
			default:
				r.Chat.Choice, r.Chat.Function = service.ToolNamed, t.text("name", 256)
				t.finish()
			}
			o.adopt(t)
		}
	} else {
		r.Chat.Choice = choiceNamed(o.choice(name, "none", "auto", "required"))
	}
	r.Chat.OneCall = !o.flag("parallel_tool_calls", true)
	setTools(o, &r.Chat, all)
}

// logprobs reads top_logprobs and include, which asks for log-probabilities.
func (r *ResponsesRequest) logprobs(o *object, l Limits) {
	q := &r.Request
	var include []string
	o.read("include", "an array of strings", &include)
	for _, what := range include {
		switch what {
		case "message.output_text.logprobs":
			q.Logprobs = true
		case "reasoning.encrypted_content": // reasoning is in the answer as it is
		default:
			o.fail("include", "%q is not supported", clip(what))
		}
	}
	if n, ok := o.count("top_logprobs", 0, l.TopLogprobs); ok && n > 0 {
		q.Logprobs, q.TopLogprobs = true, n
	}
}

// format reads text, whose format is that of chat with its members one level up.
func (r *ResponsesRequest) format(o *object, l Limits) {
	t := o.object("text")
	if t == nil {
		r.Request.Grammar = constraint(o, l)
		return
	}
	if v := t.choice("verbosity", "low", "medium", "high"); v != "" && v != "medium" {
		t.fail("verbosity", "%q is not supported: say in the input how long answers are to be", v)
	}
	if f := t.object("format"); f != nil {
		switch f.choice("type", "text", "json_object", "json_schema") {
		case "json_object":
			r.Request.Grammar = &guest.Grammar{Kind: "schema", Text: anyObject}
		case "json_schema":
			r.Request.Grammar = namedSchema(f, l)
		case "":
			f.fail("type", "is missing")
		}
		f.finish()
		t.adopt(f)
	}
	t.finish()
	o.adopt(t)
	if g := constraint(o, l); g != nil {
		if r.Request.Grammar != nil {
			o.fail("text", "an answer is held to one grammar, and the request has two")
		}
		r.Request.Grammar = g
	}
}

// reasoning reads reasoning, and what the chat template is given.
func (r *ResponsesRequest) reasoning(o *object) {
	if x := o.object("reasoning"); x != nil {
		if e := x.choice("effort", efforts...); e != "" {
			r.Echo.Reasoning.Effort = &e
			o.members["reasoning_effort"] = marshal(e)
		}
		x.choice("summary", "auto", "concise", "detailed")
		x.choice("generate_summary", "auto", "concise", "detailed")
		x.finish()
		o.adopt(x)
	}
	r.Chat.Template = template(o)
}

// Call returns what the service is asked for. ID, Tenant and Deliver are the caller's
// to set.
func (r *ResponsesRequest) Call() service.Call {
	c := r.target.call(r.Request)
	talk := r.Chat
	c.Chat = &talk
	return c
}

// addTool adds a tool, whose name has to be its own.
func addTool(o *object, all []tool, t tool) []tool {
	if slices.ContainsFunc(all, func(other tool) bool { return other.Function.Name == t.Function.Name }) {
		o.fail("name", "there are two functions %q", t.Function.Name)
	}
	return append(all, t)
}
