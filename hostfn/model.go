package hostfn

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/realm-webgpu/realm/engine"
	"github.com/realm-webgpu/realm/engine/chat"
	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/engine/token"
	"github.com/realm-webgpu/realm/hostfn/abi"
)

// openModel is a model that a guest has opened.
type openModel struct{ *Model }

func (openModel) close() {}

// name reads a name of the guest's.
func (c call) name(at, n uint64) (string, abi.Errno) {
	b, e := c.bytes(at, n, maxName)
	if e == abi.OK && !utf8.Valid(b) {
		e = abi.Inval
	}
	return string(b), e
}

// modelOpen implements realm1.model_open(name, n, out).
func (c call) modelOpen(a []uint64) abi.Errno {
	name, e := c.name(a[0], a[1])
	if e != abi.OK {
		return e
	}
	if !inside(c.m, a[2], 4) {
		return abi.Fault
	}
	m, err := c.config.Models.Open(name)
	if err != nil {
		return errnoOf(err)
	}
	return c.addTo(a[2], openModel{m})
}

// modelInfo implements realm1.model_info(model, out, cap).
func (c call) modelInfo(a []uint64) abi.Errno {
	m, e := find[openModel](c.Guest, uint32(a[0]))
	if e != abi.OK {
		return e
	}
	config, t := m.Engine.Config(), m.Engine.Tokenizer()
	info := abi.ModelInfo{
		Vocabulary: uint32(config.VocabularySize), Context: uint32(m.Engine.Context()),
		Embedding: uint32(config.EmbeddingLength), Blocks: uint32(config.BlockCount),
		HeadCount: uint32(config.HeadCount), HeadCountKV: uint32(config.HeadCountKV), HeadDim: uint32(config.HeadDim),
		FeedForward: uint32(config.FeedForwardLength), RopeDimensions: uint32(config.Rope.Dimensions),
		Epsilon: config.Epsilon, AttentionScale: config.AttentionScale,
		BOS: idOf(t.BOS), EOS: idOf(t.EOS),
		Stop: stopTokens(t), Architecture: config.Architecture, Name: m.Name,
	}
	if config.Rope.Mode == device.RopeNeoX {
		info.RopeMode = 1
	}
	for flag, set := range map[uint32]bool{
		abi.ModelChat:    m.Engine.Template() != nil,
		abi.ModelEncoder: config.Encoder,
		abi.ModelDraft:   m.Draft,
		abi.ModelBOS:     len(m.Engine.Encode("", false)) > 0,
	} {
		if set {
			info.Flags |= flag
		}
	}
	return c.head(a[1], a[2], info.Append(c.out[:0]))
}

func idOf(get func() (int32, bool)) int32 {
	if id, ok := get(); ok {
		return id
	}
	return -1
}

// stopTokens returns the tokens that end a text, lowest first.
func stopTokens(t *token.Tokenizer) []int32 {
	var all []int32
	for id := range int32(t.Len()) {
		if t.IsEndOfGeneration(id) {
			all = append(all, id)
		}
	}
	return all
}

// tokenize implements realm1.tokenize(model, s, n, flags, out, cap, count).
func (c call) tokenize(a []uint64) abi.Errno {
	m, e := find[openModel](c.Guest, uint32(a[0]))
	if e != abi.OK {
		return e
	}
	flags := uint32(a[3])
	if flags&^(abi.TokenizeSpecial|abi.TokenizeBOS) != 0 {
		return abi.Inval
	}
	text, e := c.bytes(a[1], a[2], maxText)
	if e != abi.OK {
		return e
	}
	c.ids = m.Engine.Tokenizer().Encode(c.ids[:0], string(text), token.Options{
		AddSpecial: flags&abi.TokenizeBOS != 0, ParseSpecial: flags&abi.TokenizeSpecial != 0,
	})
	return c.giveTokens(a[4], a[5], a[6], c.ids)
}

// giveTokens stores ids, with room for so many.
func (c call) giveTokens(out, room, count uint64, ids []int32) abi.Errno {
	c.Guest.out = c.Guest.out[:0]
	for _, id := range ids {
		c.Guest.out = binary.LittleEndian.AppendUint32(c.Guest.out, uint32(id))
	}
	return c.sized(out, min(room, math.MaxUint32)*4, count, c.Guest.out, 4)
}

// detokenize implements realm1.detokenize(model, tokens, n, out, cap, count).
func (c call) detokenize(a []uint64) abi.Errno {
	m, e := find[openModel](c.Guest, uint32(a[0]))
	if e != abi.OK {
		return e
	}
	if c.Guest.ids, e = c.ints(c.Guest.ids[:0], a[1], a[2], maxTokens); e != abi.OK {
		return e
	}
	t := m.Engine.Tokenizer()
	c.Guest.out = c.Guest.out[:0]
	length := uint64(0)
	for _, id := range c.ids {
		if id < 0 || int(id) >= t.Len() {
			return abi.Inval
		}
		piece := c.piece(t, id)
		if length += uint64(len(piece)); length <= a[4] {
			c.Guest.out = append(c.Guest.out, piece...)
		}
	}
	if e := c.u64(a[5], length); e != abi.OK {
		return e
	}
	if length > a[4] {
		return abi.Toobig
	}
	return c.store(a[3], c.Guest.out)
}

// piece returns what a token adds to a text that goes on.
func (g *Guest) piece(t *token.Tokenizer, id int32) string {
	if g.config.Show != nil && g.config.Show(id) {
		return t.Piece(id)
	}
	if g.one == nil {
		g.one = make([]int32, 1)
	}
	g.one[0] = id
	return t.Decode(g.one, token.DecodeOptions{Continue: true})
}

// chatEncode implements realm1.chat_encode(model, json, n, out, cap, count).
func (c call) chatEncode(a []uint64) abi.Errno {
	m, e := find[openModel](c.Guest, uint32(a[0]))
	if e != abi.OK {
		return e
	}
	text, e := c.bytes(a[1], a[2], maxText)
	if e != abi.OK {
		return e
	}
	request, err := ReadConversation(text)
	if err == nil {
		c.Guest.ids, err = m.Engine.EncodeRequest(request)
	}
	switch {
	case errors.Is(err, engine.ErrTemplate):
		return abi.Noent
	case err != nil:
		c.complain("chat_encode", err)
		return abi.Inval
	}
	return c.giveTokens(a[3], a[4], a[5], c.ids)
}

// complain logs why a call of the guest's failed, and keeps it for the error of
// the request.
func (g *Guest) complain(function string, err error) {
	g.failure, g.failed = fmt.Errorf("%s: %w", function, err), errnoOf(err)
	g.complaints++
	g.config.Log.LogAttrs(g.ctx, levelComplaint, "guest: "+g.failure.Error())
}

// ReadConversation reads {"messages": [...], "tools": [...]} with OpenAI's members
// (https://platform.openai.com/docs/api-reference/chat/create). Of content parts
// it takes text.
func ReadConversation(text []byte) (chat.Request, error) {
	var in struct {
		Messages []struct {
			Role             string
			Content          json.RawMessage
			ReasoningContent string `json:"reasoning_content"`
			Name             string
			ToolCallID       string `json:"tool_call_id"`
			ToolCalls        []struct {
				ID       string
				Function struct{ Name, Arguments string }
			} `json:"tool_calls"`
		}
		Tools []json.RawMessage
		Extra map[string]any `json:"chat_template_kwargs"`
	}
	if err := json.Unmarshal(text, &in); err != nil {
		return chat.Request{}, err
	}
	if len(in.Messages) == 0 {
		return chat.Request{}, errors.New("messages: there are none")
	}
	out := chat.Request{AddGenerationPrompt: true, Extra: in.Extra}
	for i, m := range in.Messages {
		content, err := readContent(m.Content)
		if err != nil {
			return chat.Request{}, fmt.Errorf("messages[%d].content: %w", i, err)
		}
		message := chat.Message{Role: m.Role, Content: content, Reasoning: m.ReasoningContent, Name: m.Name, ToolCallID: m.ToolCallID}
		for _, t := range m.ToolCalls {
			message.ToolCalls = append(message.ToolCalls, chat.ToolCall{ID: t.ID, Name: t.Function.Name, Arguments: t.Function.Arguments})
		}
		out.Messages = append(out.Messages, message)
	}
	for _, t := range in.Tools {
		out.Tools = append(out.Tools, t)
	}
	return out, nil
}

// readContent reads a string, null, or an array of text parts.
func readContent(raw json.RawMessage) (string, error) {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 || string(raw) == "null" {
		return "", nil
	}
	if raw[0] != '[' {
		var s string
		err := json.Unmarshal(raw, &s)
		return s, err
	}
	var parts []struct{ Type, Text string }
	if err := json.Unmarshal(raw, &parts); err != nil {
		return "", err
	}
	var b strings.Builder
	for i, p := range parts {
		if p.Type != "text" {
			return "", fmt.Errorf("part %d: type %q: only text is supported", i, p.Type)
		}
		b.WriteString(p.Text)
	}
	return b.String(), nil
}
