package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/realm-webgpu/realm/engine"
	"github.com/realm-webgpu/realm/engine/chat"
	"github.com/realm-webgpu/realm/guest"
)

// maxTextBytes bounds what is read as text, or as the ids of one. A context of a
// million tokens takes about a quarter of it.
const maxTextBytes = 16 << 20

// readPrompt finds the prompt: the argument, the file, or what is piped in. A
// line end behind the last line of the latter two is not part of a question, but
// it is of a raw text. A prompt that is missing, or has nothing in it but space,
// is a usage error.
func readPrompt(c *cobra.Command, args []string, path string, raw bool) (string, error) {
	usage := func(text string) error { return &usageError{c.CommandPath(), errors.New(text)} }
	var prompt string
	var typed bool // an argument ends where it ends
	var err error
	switch {
	case len(args) > 0 && path != "":
		return "", usage("two prompts: an argument and -f")
	case path == "-", len(args) > 0 && args[0] == "-", len(args) == 0 && path == "" && !isTerminal(c.InOrStdin()):
		prompt, err = readText(c.Context(), c.InOrStdin(), "standard input")
	case path != "":
		var file *os.File
		if file, err = os.Open(path); err == nil {
			defer file.Close()
			prompt, err = readText(c.Context(), file, path)
		}
	case len(args) > 0:
		prompt, typed = args[0], true
	default:
		return "", usage("no prompt: give it in quotes, with -f FILE, or pipe it in")
	}
	if err != nil {
		return "", fmt.Errorf("prompt: %w", err)
	}
	if !raw && !typed {
		prompt = strings.TrimSuffix(strings.TrimSuffix(prompt, "\n"), "\r")
	}
	if strings.TrimSpace(prompt) == "" {
		return "", usage("the prompt is empty")
	}
	return prompt, nil
}

// readText reads a text to its end. A read that waits, for a person or another
// program, is left alone when ctx ends.
func readText(ctx context.Context, r io.Reader, name string) (string, error) {
	type result struct {
		text []byte
		err  error
	}
	done := make(chan result, 1)
	go func() {
		text, err := io.ReadAll(io.LimitReader(r, maxTextBytes+1))
		done <- result{text, err}
	}()
	select {
	case <-ctx.Done():
		return "", ctx.Err()
	case read := <-done:
		switch {
		case read.err != nil:
			return "", read.err
		case len(read.text) > maxTextBytes:
			return "", fmt.Errorf("%s: over %d MiB", name, maxTextBytes>>20)
		}
		return string(read.text), nil
	}
}

// promptFlags say how a prompt becomes tokens.
type promptFlags struct {
	system string
	raw    bool
}

// put makes a request of a prompt: as a question in the model's template, or raw as
// text to be gone on with. In both, what looks like a control token is: the prompt
// is the user's own.
func (p *promptFlags) put(r *guest.Request, m *engine.Model, prompt string) error {
	if p.raw {
		r.Prompt, r.Special = prompt, true
		return nil
	}
	if m.Template() == nil {
		return fmt.Errorf("%w: give one with --template, or go without with --raw", chat.ErrNoTemplate)
	}
	if p.system != "" {
		r.Messages = append(r.Messages, guest.Message{Role: roleSystem, Content: p.system})
	}
	r.Messages = append(r.Messages, guest.Message{Role: roleUser, Content: prompt})
	return nil
}

// encode returns the ids that a guest would have of a prompt.
func (p *promptFlags) encode(m *engine.Model, prompt string) ([]int32, error) {
	var r guest.Request
	if err := p.put(&r, m, prompt); err != nil {
		return nil, err
	}
	if p.raw {
		return m.Encode(prompt, true), nil
	}
	var messages []chat.Message
	for _, message := range r.Messages {
		messages = append(messages, chat.Message{Role: message.Role, Content: message.Content})
	}
	return m.EncodeChat(messages)
}
