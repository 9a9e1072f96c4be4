package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/realm-webgpu/realm/engine"
	"github.com/realm-webgpu/realm/engine/chat"
)

// conversation is what was said, and the sequence that has read it.
type conversation struct {
	model    *engine.Model
	sequence *engine.Sequence
	messages []chat.Message // a system message, if there is one, comes first
}

func newConversation(m *engine.Model, system string) (*conversation, error) {
	sequence, err := m.NewSequence()
	if err != nil {
		return nil, err
	}
	c := &conversation{model: m, sequence: sequence}
	c.setSystem(system)
	return c, nil
}

func (c *conversation) Close() { c.sequence.Close() }

// system returns the system message, "" for none.
func (c *conversation) system() string {
	if len(c.messages) > 0 && c.messages[0].Role == roleSystem {
		return c.messages[0].Content
	}
	return ""
}

// setSystem replaces the system message; "" takes it away.
func (c *conversation) setSystem(text string) {
	rest := c.messages
	if c.system() != "" {
		rest = rest[1:]
	}
	c.messages = nil
	if text != "" {
		c.messages = append(c.messages, chat.Message{Role: roleSystem, Content: text})
	}
	c.messages = append(c.messages, rest...)
}

// reset forgets all but the system message.
func (c *conversation) reset() {
	system := c.system()
	c.messages = nil
	c.setSystem(system)
}

// ask answers a question and streams the answer to w. After an error the
// conversation is what it was before; save that a part of an answer that the end
// of ctx broke off stays in it.
func (c *conversation) ask(ctx context.Context, w io.Writer, question string, o engine.GenerateOptions) error {
	messages := append(slices.Clip(c.messages), chat.Message{Role: roleUser, Content: question})
	ids, err := c.model.EncodeChat(messages)
	if err != nil {
		return err
	}
	if err := c.read(ids); err != nil {
		return err
	}
	text, err := streamAnswer(ctx, w, c.sequence, o)
	if err == nil || errors.Is(err, context.Canceled) && text != "" {
		c.messages = append(messages, chat.Message{Role: roleAssistant, Content: text})
	}
	return err
}

// read makes the sequence that of ids. What it has in common with what it was is
// not read again.
func (c *conversation) read(ids []int32) error {
	if limit := c.model.Context(); len(ids) >= limit {
		return &engine.ContextError{Need: len(ids) + 1, Limit: limit} // with a token of the answer
	}
	common := 0
	for i, id := range c.sequence.Tokens() {
		if i == len(ids) || ids[i] != id {
			break
		}
		common++
	}
	if err := c.sequence.Truncate(common); err != nil {
		return err
	}
	return c.sequence.Append(ids[common:]...)
}

// The roles of messages.
const (
	roleSystem    = "system"
	roleUser      = "user"
	roleAssistant = "assistant"
)

// savedMessage is a message in a file, as OpenAI's API has it.
type savedMessage struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

// save writes the messages to a file as a JSON array.
func (c *conversation) save(path string) error {
	saved := []savedMessage{}
	for _, m := range c.messages {
		saved = append(saved, savedMessage{m.Role, m.Content})
	}
	return replaceFile(path, func(w io.Writer) error {
		e := json.NewEncoder(w)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		return e.Encode(saved)
	})
}

// load replaces the conversation by that of a file, or leaves it alone and says
// what is wrong with the file.
func (c *conversation) load(ctx context.Context, path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	text, err := readText(ctx, file, path)
	if err != nil {
		return err
	}
	var saved []savedMessage
	if err := json.Unmarshal([]byte(text), &saved); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	var messages []chat.Message
	for i, m := range saved {
		switch {
		case m.Role != roleSystem && m.Role != roleUser && m.Role != roleAssistant:
			return fmt.Errorf("%s: message %d: role %q: want %s, %s or %s", path, i, m.Role, roleSystem, roleUser, roleAssistant)
		case m.Role == roleSystem && i > 0:
			return fmt.Errorf("%s: message %d: only the first may be that of the system", path, i)
		}
		messages = append(messages, chat.Message{Role: m.Role, Content: m.Content})
	}
	c.messages = messages
	return nil
}
