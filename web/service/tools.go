package service

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/realm-webgpu/realm/guest"
)

// Bounds of tools.
const (
	maxTools = 128
	maxCalls = 8 // of an answer that has to call
)

// tool is a function as OpenAI's clients define it.
type tool struct {
	Type     string
	Function struct {
		Name       string
		Parameters json.RawMessage
	}
}

// tools reads the definitions.
func (c *Chat) tools() ([]tool, error) {
	if len(c.Tools) == 0 {
		return nil, nil
	}
	var all []tool
	if err := json.Unmarshal(c.Tools, &all); err != nil {
		return nil, Invalid("tools", "tools: %v", err)
	}
	if len(all) > maxTools {
		return nil, Invalid("tools", "tools: %d of them, at most %d", len(all), maxTools)
	}
	for i, t := range all {
		switch {
		case t.Type != "function":
			return nil, Invalid("tools", "tools[%d].type: %q, only function is supported", i, t.Type)
		case t.Function.Name == "" || len(t.Function.Name) > 64:
			return nil, Invalid("tools", "tools[%d].function.name: %d bytes, want 1 to 64", i, len(t.Function.Name))
		}
	}
	return all, nil
}

// check reports what is wrong with tools and choice.
func (c *Chat) check() error {
	if c == nil {
		return nil
	}
	all, err := c.tools()
	if err != nil {
		return err
	}
	if len(all) == 0 && (c.Choice == ToolRequired || c.Choice == ToolNamed) {
		return Invalid("tool_choice", "tool_choice: there are no tools")
	}
	if c.Choice != ToolNamed {
		return nil
	}
	for _, t := range all {
		if t.Function.Name == c.Function {
			return nil
		}
	}
	return Invalid("tool_choice", "tool_choice: there is no tool %q", c.Function)
}

// offers reports whether the model may call tools.
func (c *Chat) offers() bool { return len(c.Tools) > 0 && c.Choice != ToolNone }

// grammar returns what holds an answer that has to call a tool to it, nil where it
// need not: the arguments of the tool that is named, or a list of calls.
func (c *Chat) grammar() (*guest.Grammar, error) {
	if c.Choice != ToolRequired && c.Choice != ToolNamed {
		return nil, nil
	}
	all, err := c.tools()
	if err != nil {
		return nil, err
	}
	if c.Choice == ToolNamed {
		for _, t := range all {
			if t.Function.Name == c.Function {
				return &guest.Grammar{Kind: "schema", Text: string(t.parameters()), From: "tools"}, nil
			}
		}
	}
	var b strings.Builder
	most := maxCalls
	if c.OneCall {
		most = 1
	}
	fmt.Fprintf(&b, `{"type":"array","minItems":1,"maxItems":%d,"items":{"anyOf":[`, most)
	for i, t := range all {
		if i > 0 {
			b.WriteByte(',')
		}
		name, err := json.Marshal(t.Function.Name)
		if err != nil {
			return nil, err
		}
		parameters, err := moveReferences(t.parameters(), fmt.Sprintf("#/items/anyOf/%d/properties/arguments", i))
		if err != nil {
			return nil, Invalid("tools", "tools[%d].function.parameters: %v", i, err)
		}
		fmt.Fprintf(&b, `{"type":"object","properties":{"name":{"const":%s},"arguments":%s},"required":["name","arguments"],"additionalProperties":false}`, name, parameters)
	}
	b.WriteString(`]}}`)
	return &guest.Grammar{Kind: "schema", Text: b.String(), From: "tools"}, nil
}

// parameters returns the schema of the arguments. A function without one takes none.
func (t *tool) parameters() json.RawMessage {
	if p := bytes.TrimSpace(t.Function.Parameters); len(p) > 0 && string(p) != "null" {
		return p
	}
	return json.RawMessage(`{"type":"object","properties":{},"additionalProperties":false}`)
}

// moveReferences returns a schema as a part of another one, where it stands at a
// pointer: its references to itself begin there. Members keep their order, which is
// that of the arguments.
func moveReferences(schema json.RawMessage, pointer string) ([]byte, error) {
	d := json.NewDecoder(bytes.NewReader(schema))
	d.UseNumber()
	m := mover{d: d, pointer: pointer}
	if err := m.value(false); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is something behind the schema")
	}
	return m.out.Bytes(), nil
}

// mover copies JSON, with other references.
type mover struct {
	d       *json.Decoder
	out     bytes.Buffer
	pointer string
}

// value copies a value; reference says that it is a member $ref's.
func (m *mover) value(reference bool) error {
	t, err := m.d.Token()
	if err != nil {
		return err
	}
	switch t := t.(type) {
	case json.Delim:
		return m.group(t)
	case string:
		if rest, ok := strings.CutPrefix(t, "#"); ok && reference {
			t = m.pointer + rest
		}
		return m.scalar(t)
	default:
		return m.scalar(t)
	}
}

func (m *mover) scalar(v any) error {
	b, err := json.Marshal(v)
	m.out.Write(b)
	return err
}

// group copies an object or array, whose opening has been read.
func (m *mover) group(opening json.Delim) error {
	m.out.WriteRune(rune(opening))
	for first := true; m.d.More(); first = false {
		if !first {
			m.out.WriteByte(',')
		}
		reference := false
		if opening == '{' {
			key, err := m.d.Token()
			if err != nil {
				return err
			}
			if err := m.scalar(key); err != nil {
				return err
			}
			m.out.WriteByte(':')
			reference = key == "$ref"
		}
		if err := m.value(reference); err != nil {
			return err
		}
	}
	closing, err := m.d.Token()
	if err != nil {
		return err
	}
	m.out.WriteRune(rune(closing.(json.Delim)))
	return nil
}
