package chat

import (
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/realm-webgpu/realm/engine/chat/jinja"
)

// Keys of the templates in a GGUF header.
const (
	keyTemplate        = "tokenizer.chat_template"
	keyToolUseTemplate = "tokenizer.chat_template.tool_use"
)

// Metadata is the part of a GGUF header that templates are read from; a *gguf.File is one.
type Metadata interface {
	Has(key string) bool
	String(key string) (string, error)
}

// Template writes conversations for one model. It does not change and may be used by many
// goroutines.
type Template struct {
	plain    *jinja.Template
	toolUse  *jinja.Template // for requests with tools; nil where plain is for those too
	format   Format
	bos, eos string
}

// NewTemplate reads a template. bos and eos are the texts of the model's tokens that begin and end
// a text, "" where it has none.
func NewTemplate(source, bos, eos string) (*Template, error) {
	plain, err := jinja.Parse(source)
	if err != nil {
		return nil, fmt.Errorf("chat: read template: %w", err)
	}
	return &Template{plain: plain, format: DetectFormat(source), bos: bos, eos: eos}, nil
}

// Open reads a model's own template, and its template for requests with tools if it has another for
// those. The error is ErrNoTemplate where there is none.
func Open(md Metadata, bos, eos string) (*Template, error) {
	if !md.Has(keyTemplate) {
		return nil, fmt.Errorf("chat: open template: %w", ErrNoTemplate)
	}
	source, err := md.String(keyTemplate)
	if err != nil {
		return nil, fmt.Errorf("chat: open template: %w", err)
	}
	t, err := NewTemplate(source, bos, eos)
	if err != nil || !md.Has(keyToolUseTemplate) {
		return t, err
	}
	if source, err = md.String(keyToolUseTemplate); err != nil {
		return nil, fmt.Errorf("chat: open template: %w", err)
	}
	if t.toolUse, err = jinja.Parse(source); err != nil {
		return nil, fmt.Errorf("chat: read template for tools: %w", err)
	}
	if f := DetectFormat(source); f != FormatPlain {
		t.format = f
	}
	return t, nil
}

// Format says how the template's model marks reasoning and calls in its answers.
func (t *Template) Format() Format { return t.format }

// Request is what a template is given.
type Request struct {
	Messages []Message
	// Tools are the functions that the model may call, each as JSON or something that becomes JSON:
	// {"type": "function", "function": {"name": ..., "description": ..., "parameters": ...}}.
	// Of json.RawMessage the order of keys is kept.
	Tools []any
	// AddGenerationPrompt ends the text with the beginning of an answer.
	AddGenerationPrompt bool
	// Now is the time that strftime_now tells; the zero value stands for the present.
	Now time.Time
	// Extra are further variables by name, such as enable_thinking.
	Extra map[string]any
}

// Render writes a conversation. A template that takes more than 2,097,152 steps, makes more than
// 64 MiB of values or writes more than 16 MiB is stopped with ErrLimit, and one that refuses the
// conversation gives a *RaisedError.
func (t *Template) Render(request Request) (string, error) {
	variables, err := t.variables(request)
	if err != nil {
		return "", fmt.Errorf("chat: render: %w", err)
	}
	template := t.plain
	if len(request.Tools) > 0 && t.toolUse != nil {
		template = t.toolUse
	}
	text, err := template.Render(variables, jinja.DefaultLimits())
	if err != nil {
		return "", fmt.Errorf("chat: render: %w", err)
	}
	return text, nil
}

// BeginsWithBOS reports whether the template wrote the model's first token itself. Such a text is
// to be encoded without adding special tokens.
func (t *Template) BeginsWithBOS(text string) bool {
	return t.bos != "" && strings.HasPrefix(text, t.bos)
}

// variables are what the template sees.
func (t *Template) variables(request Request) (map[string]any, error) {
	now := request.Now
	if now.IsZero() {
		now = time.Now()
	}
	variables := make(map[string]any)
	for name, value := range request.Extra {
		var err error
		if variables[name], err = toValue(value); err != nil {
			return nil, fmt.Errorf("variable %q: %w", name, err)
		}
	}
	messages := []any{}
	for i, m := range request.Messages {
		value, err := m.value()
		if err != nil {
			return nil, fmt.Errorf("message %d: %w", i, err)
		}
		messages = append(messages, value)
	}
	var tools any // none, rather than an empty list
	if len(request.Tools) > 0 {
		list := []any{}
		for i, tool := range request.Tools {
			value, err := toValue(tool)
			if err != nil {
				return nil, fmt.Errorf("tool %d: %w", i, err)
			}
			list = append(list, value)
		}
		tools = list
	}
	maps.Copy(variables, map[string]any{
		"messages":              messages,
		"tools":                 tools,
		"documents":             nil,
		"add_generation_prompt": request.AddGenerationPrompt,
		"bos_token":             t.bos,
		"eos_token":             t.eos,
		"strftime_now":          clock(now),
	})
	return variables, nil
}
