package engine

import (
	"errors"
	"fmt"
	"strings"

	"github.com/realm-webgpu/realm/engine/chat"
	"github.com/realm-webgpu/realm/engine/gguf"
	"github.com/realm-webgpu/realm/engine/token"
)

// Encode returns the ids of a text, after BOS where the vocabulary wants it.
// With special, text such as <|im_end|> is read as the token: leave that out
// for text that is not to be trusted.
func (m *Model) Encode(text string, special bool) []int32 {
	return m.tokenizer.Encode(nil, text, token.Options{AddSpecial: true, ParseSpecial: special})
}

// EncodeChat returns the ids of a conversation in the model's template, up to
// where the model answers. Errors: ErrTemplate, and those of
// [chat.Template.Render].
func (m *Model) EncodeChat(messages []chat.Message) ([]int32, error) {
	return m.EncodeRequest(chat.Request{Messages: messages, AddGenerationPrompt: true})
}

// EncodeRequest is EncodeChat with tools, and with all else that a template takes.
func (m *Model) EncodeRequest(r chat.Request) ([]int32, error) {
	if m.template == nil {
		return nil, fmt.Errorf("engine: encode chat: %w", m.noTemplate)
	}
	text, err := m.template.Render(r)
	if err != nil {
		return nil, fmt.Errorf("engine: encode chat: %w", err)
	}
	ids := m.tokenizer.Encode(nil, text, token.Options{ParseSpecial: true})
	if m.template.BeginsWithBOS(text) {
		return ids, nil
	}
	// What the vocabulary puts before a text, without what it may put behind it:
	// the model is to go on.
	bos, found := m.tokenizer.BOS()
	if none := m.Encode("", false); found && len(none) > 0 && none[0] == bos {
		ids = append([]int32{bos}, ids...)
	}
	return ids, nil
}

// setTemplate takes the chat template that the option names, or the file's own. A
// file without one, or with one that cannot be read, has a model all the same, for
// all but chat: noTemplate is why.
func (m *Model) setTemplate(f *gguf.File, option string) (err error) {
	bos, eos := pieceOf(m.tokenizer, m.tokenizer.BOS), pieceOf(m.tokenizer, m.tokenizer.EOS)
	if option == "" {
		m.template, m.noTemplate = chat.Open(f, bos, eos)
		if m.noTemplate != nil && !errors.Is(m.noTemplate, ErrTemplate) {
			m.noTemplate = fmt.Errorf("%w that can be read: %w", ErrTemplate, m.noTemplate)
			m.engine.say(m.noTemplate.Error())
		}
		return nil
	}
	source := option
	if !strings.ContainsAny(option, "{\n") {
		if source, err = chat.Builtin(option); err != nil {
			return err
		}
	}
	m.template, err = chat.NewTemplate(source, bos, eos)
	return err
}

// pieceOf returns the text of a token that a vocabulary may not have.
func pieceOf(t *token.Tokenizer, get func() (int32, bool)) string {
	id, found := get()
	if !found {
		return ""
	}
	return t.Piece(id)
}
