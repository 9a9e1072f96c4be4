package chat

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/realm-webgpu/realm/engine/chat/jinja"
)

// Message is one turn of a conversation.
type Message struct {
	Role    string // system, user, assistant or tool
	Content string
	// Reasoning is what an assistant thought before it answered, where that is kept apart.
	Reasoning string
	// ToolCalls are the calls that an assistant wants made.
	ToolCalls []ToolCall
	// ToolCallID is of a tool's message: the call that it answers.
	ToolCallID string
	// Name is of a tool's message: the function that was called.
	Name string
}

// ToolCall is a call of a function.
type ToolCall struct {
	ID, Name string
	// Arguments is a JSON object. What is none is given to the template as the text that it is.
	Arguments string
}

// value is the message as a template sees it.
func (m Message) value() (any, error) {
	d := jinja.NewDict()
	d.Set("role", m.Role)
	d.Set("content", m.Content)
	for _, field := range [...]struct{ name, value string }{
		{"reasoning_content", m.Reasoning}, {"tool_call_id", m.ToolCallID}, {"name", m.Name},
	} {
		if field.value != "" {
			d.Set(field.name, field.value)
		}
	}
	if len(m.ToolCalls) == 0 {
		return d, nil
	}
	calls := []any{}
	for i, c := range m.ToolCalls {
		function := jinja.NewDict()
		function.Set("name", c.Name)
		function.Set("arguments", c.Arguments)
		if strings.HasPrefix(strings.TrimSpace(c.Arguments), "{") {
			arguments, err := jinja.FromJSON([]byte(c.Arguments))
			if err != nil {
				return nil, fmt.Errorf("arguments of tool call %d: %w", i, err)
			}
			function.Set("arguments", arguments)
		}
		call := jinja.NewDict()
		if c.ID != "" {
			call.Set("id", c.ID)
		}
		call.Set("type", "function")
		call.Set("function", function)
		calls = append(calls, call)
	}
	d.Set("tool_calls", calls)
	return d, nil
}

// toValue makes a value for templates of anything that becomes JSON.
func toValue(v any) (any, error) {
	text, ok := v.(json.RawMessage)
	if !ok {
		var err error
		if text, err = json.Marshal(v); err != nil {
			return nil, err
		}
	}
	return jinja.FromJSON(text)
}
