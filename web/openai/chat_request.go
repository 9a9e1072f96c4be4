package openai

import (
	"maps"

	"github.com/realm-webgpu/realm/guest"
	"github.com/realm-webgpu/realm/web/service"
)

// ChatRequest is a request for the next message of a conversation.
type ChatRequest struct {
	target
	// Legacy says that functions were used, the older name of tools: the answer has
	// function_call, and no tool_calls.
	Legacy  bool
	Request guest.Request // without messages and tools
	Chat    service.Chat
}

// ParseChat reads a request of POST /v1/chat/completions, or of the WebSocket's chat.
// The error is a *service.Error that names the parameter.
func ParseChat(data []byte, l Limits) (*ChatRequest, error) {
	o, err := readBody(data, l)
	if err != nil {
		return nil, err
	}
	r := &ChatRequest{}
	r.target.read(o, l)
	r.Chat.Messages = marshal(messages(o, l))
	r.Legacy = readTools(o, l, &r.Chat)
	q := &r.Request
	sampling(o, l, q)
	stops(o, l, q)
	choices(o, l, q)
	q.MaxTokens = mostTokens(o)
	q.Logprobs = o.flag("logprobs", false)
	if n, ok := o.count("top_logprobs", 0, l.TopLogprobs); ok {
		if q.TopLogprobs = n; n > 0 && !q.Logprobs {
			o.fail("top_logprobs", "is for requests with logprobs only")
		}
	}
	q.Grammar = besideTools(o, "response_format", &r.Chat, constraint(o, l))
	ending(o, q, &r.Chat)
	q.Speculative = speculation(o, l)
	r.Chat.Template = template(o)
	accounts(o, l)
	modalities(o)
	o.refuse("audio", "prediction", "web_search_options", "moderation")
	if err := o.end(); err != nil {
		return nil, err
	}
	return r, nil
}

// mostTokens reads max_completion_tokens, and max_tokens, its older name. 0: not said.
func mostTokens(o *object) int {
	older, ok := o.count("max_tokens", 1, maxTokens)
	n, both := o.count("max_completion_tokens", 1, maxTokens)
	switch {
	case !both:
		return older
	case ok && n != older:
		o.fail("max_tokens", "is %d, and max_completion_tokens, its newer name, %d", older, n)
	}
	return n
}

// modalities reads what kinds of answers are wanted, and verbosity: there are only
// texts, as long as the model makes them.
func modalities(o *object) {
	var all []string
	o.read("modalities", "an array of strings", &all)
	for _, m := range all {
		if m != "text" {
			o.fail("modalities", "%q is not supported: answers are text", clip(m))
		}
	}
	if v := o.choice("verbosity", "low", "medium", "high"); v != "" && v != "medium" {
		o.fail("verbosity", "%q is not supported: say in the conversation how long answers are to be", v)
	}
}

// efforts are the values of reasoning_effort.
var efforts = []string{"none", "minimal", "low", "medium", "high", "xhigh", "max"}

// template reads what the chat template is given besides. reasoning_effort becomes the
// variables that templates know: reasoning_effort itself (gpt-oss), enable_thinking
// (Qwen, GLM) and thinking (DeepSeek, Granite), which are false for none and minimal.
// chat_template_kwargs come after and win.
func template(o *object) map[string]any {
	var out map[string]any
	if e := o.choice("reasoning_effort", efforts...); e != "" {
		thinks := e != "none" && e != "minimal"
		out = map[string]any{"reasoning_effort": e, "enable_thinking": thinks, "thinking": thinks}
	}
	var own map[string]any
	if o.read("chat_template_kwargs", "an object", &own) {
		if out == nil {
			return own
		}
		maps.Copy(out, own)
	}
	return out
}

// Call returns what the service is asked for. ID, Tenant and Deliver are the caller's
// to set.
func (r *ChatRequest) Call() service.Call {
	c := r.target.call(r.Request)
	talk := r.Chat
	c.Chat = &talk
	return c
}
