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
	"github.com/realm-webgpu/realm/guest"
)

// conversation is what was said.
type conversation struct {
	session  *session
	adapter  *adapterFlag
	messages []guest.Message // a system message, if there is one, comes first
	last     *reply          // to the last question
}

func newConversation(s *session, system string, a *adapterFlag) *conversation {
	c := &conversation{session: s, adapter: a}
	c.setSystem(system)
	return c
}

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
		c.messages = append(c.messages, guest.Message{Role: roleSystem, Content: text})
	}
	c.messages = append(c.messages, rest...)
}

// reset forgets all but the system message.
func (c *conversation) reset() {
	system := c.system()
	c.messages = nil
	c.setSystem(system)
}

// ask has a question answered, and streams the answer to w. After an error the
// conversation is what it was before; save that a part of an answer that the end
// of ctx broke off stays in it.
func (c *conversation) ask(ctx context.Context, w io.Writer, question string, o engine.GenerateOptions) error {
	request := newRequest(o)
	c.adapter.put(&request)
	request.Messages = append(slices.Clip(c.messages), guest.Message{Role: roleUser, Content: question})
	a, err := c.session.ask(ctx, w, request)
	if a == nil {
		return err
	}
	if err == nil || errors.Is(err, context.Canceled) && a.text != "" {
		c.messages = append(request.Messages, guest.Message{Role: roleAssistant, Content: a.text})
	}
	c.last = a
	return err
}

// The roles of messages.
const (
	roleSystem    = "system"
	roleUser      = "user"
	roleAssistant = "assistant"
)

// save writes the messages to a file as a JSON array, as OpenAI's API has them.
func (c *conversation) save(path string) error {
	saved := c.messages
	if saved == nil {
		saved = []guest.Message{} // an array, and not null
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
	var saved []guest.Message
	if err := json.Unmarshal([]byte(text), &saved); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	for i, m := range saved {
		switch {
		case m.Role != roleSystem && m.Role != roleUser && m.Role != roleAssistant:
			return fmt.Errorf("%s: message %d: role %q: want %s, %s or %s", path, i, m.Role, roleSystem, roleUser, roleAssistant)
		case m.Role == roleSystem && i > 0:
			return fmt.Errorf("%s: message %d: only the first may be that of the system", path, i)
		}
	}
	c.messages = saved
	return nil
}
