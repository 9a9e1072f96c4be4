package openai

import (
	"encoding/json"
	"fmt"
	"strings"
)

// message is one of a conversation as the service takes it: OpenAI's members, with
// contents that are text.
type message struct {
	Role       string     `json:"role"`
	Content    string     `json:"content"`
	Reasoning  string     `json:"reasoning_content,omitempty"`
	Name       string     `json:"name,omitempty"`
	ToolCalls  []ToolCall `json:"tool_calls,omitempty"`
	ToolCallID string     `json:"tool_call_id,omitempty"`
}

// ToolCall is a call of a function.
type ToolCall struct {
	ID       string       `json:"id"`
	Type     string       `json:"type"`
	Function FunctionCall `json:"function"`
}

// FunctionCall names a function and has its arguments, which are JSON as a string.
type FunctionCall struct {
	Name      string `json:"name"`
	Arguments string `json:"arguments"`
}

// messages reads a conversation.
func messages(o *object, l Limits) []message {
	var all []message
	if n := o.objects("messages", l.Messages, func(m *object) { all = append(all, readMessage(m, all, l)) }); n == 0 {
		o.fail("messages", "there are none")
	}
	return all
}

// readMessage reads a message. Clients send back what they were sent, so that members
// of answers are accepted, too.
func readMessage(o *object, before []message, l Limits) message {
	most := int(l.Body)
	m := message{Name: o.text("name", l.Name)}
	role := o.choice("role", "system", "developer", "user", "assistant", "tool", "function")
	if role == "" {
		o.fail("role", "is missing")
	}
	m.Role = role
	m.Content = content(o, "content")
	switch role {
	case "developer":
		m.Role = "system" // OpenAI's newer name for it; templates know the older one
	case "assistant":
		assistant(o, &m, before, most)
	case "tool":
		if m.ToolCallID = o.text("tool_call_id", most); m.ToolCallID == "" {
			o.fail("tool_call_id", "is missing")
		}
	case "function":
		m.Role = "tool"
		m.ToolCallID = lastCall(before, m.Name)
	}
	o.accept("cache_control")
	o.finish()
	return m
}

// assistant reads what only an assistant's message has.
func assistant(o *object, m *message, before []message, most int) {
	for _, name := range []string{"reasoning_content", "reasoning"} {
		if s := o.text(name, most); m.Reasoning == "" {
			m.Reasoning = s
		}
	}
	if s := o.text("refusal", most); m.Content == "" {
		m.Content = s
	}
	o.refuse("audio")
	o.accept("annotations")
	o.objects("tool_calls", 128, func(c *object) {
		call := ToolCall{ID: c.text("id", most), Type: "function"}
		c.choice("type", "function")
		c.accept("index")
		if f := c.object("function"); f != nil {
			call.Function = functionCall(f, most)
			c.adopt(f)
		} else {
			c.fail("function", "is missing")
		}
		c.finish()
		m.ToolCalls = append(m.ToolCalls, call)
	})
	if f := o.object("function_call"); f != nil {
		m.ToolCalls = append(m.ToolCalls, ToolCall{ID: fmt.Sprintf("call_%d", len(before)), Type: "function", Function: functionCall(f, most)})
		o.adopt(f)
	}
}

func functionCall(o *object, most int) FunctionCall {
	f := FunctionCall{Name: o.text("name", most), Arguments: o.text("arguments", most)}
	if f.Name == "" {
		o.fail("name", "is missing")
	}
	if f.Arguments != "" && !json.Valid([]byte(f.Arguments)) && strings.HasPrefix(strings.TrimSpace(f.Arguments), "{") {
		o.fail("arguments", "they are not JSON")
	}
	o.finish()
	return f
}

// lastCall returns the id of the last call of a function: results of the legacy kind
// name the function, and not the call.
func lastCall(before []message, name string) string {
	for i := len(before) - 1; i >= 0; i-- {
		for _, c := range before[i].ToolCalls {
			if c.Function.Name == name {
				return c.ID
			}
		}
	}
	return ""
}

// content reads a string, or an array of parts that are text.
func content(o *object, name string) string {
	raw := o.members[name]
	if len(raw) == 0 || raw[0] != '[' {
		var s string
		o.read(name, "a string or an array of parts", &s)
		return s
	}
	var b strings.Builder
	o.objects(name, 1<<16, func(p *object) {
		switch kind := p.text("type", 64); kind {
		case "text", "input_text", "output_text", "reasoning_text", "summary_text":
			if !p.has("text") {
				p.fail("text", "is missing")
			}
			b.WriteString(p.text("text", len(raw)))
			p.accept("annotations", "logprobs", "cache_control", "prompt_cache_breakpoint")
		case "refusal":
			b.WriteString(p.text("refusal", len(raw)))
		case "":
			p.fail("type", "is missing")
		default:
			p.fail("type", "%q is not supported: the models of this server read text", clip(kind))
		}
		p.finish()
	})
	return b.String()
}
