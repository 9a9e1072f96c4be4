package openai

import (
	"encoding/json"

	"github.com/realm-webgpu/realm/web/service"
)

// TokenizeRequest is a request for the tokens of a text, or of a conversation in the
// model's template, as vLLM has it.
type TokenizeRequest struct {
	Model      string
	Text       string
	Chat       *service.Chat // nil: Text
	AddSpecial bool          // such as BOS, before a text
	WithTexts  bool
}

// ParseTokenize reads a request of POST /tokenize.
func ParseTokenize(data []byte, l Limits) (*TokenizeRequest, error) {
	o, err := readBody(data, l)
	if err != nil {
		return nil, err
	}
	r := &TokenizeRequest{Model: o.text("model", l.Name), AddSpecial: o.flag("add_special_tokens", true), WithTexts: o.flag("return_token_strs", false)}
	switch {
	case o.has("messages"):
		r.Chat = &service.Chat{Messages: marshal(messages(o, l))}
		readTools(o, l, r.Chat)
		r.Chat.Template = template(o)
		if !o.flag("add_generation_prompt", true) {
			o.fail("add_generation_prompt", "has to be true: conversations end with the beginning of an answer here")
		}
	case o.has("prompt"):
		o.read("prompt", "a string", &r.Text)
	default:
		o.fail("prompt", "is missing, and so is messages")
	}
	if err := o.end(); err != nil {
		return nil, err
	}
	return r, nil
}

// TokenizeResponse has the tokens.
type TokenizeResponse struct {
	Count       int      `json:"count"`
	MaxModelLen int      `json:"max_model_len"`
	Tokens      []int32  `json:"tokens"`
	TokenStrs   []string `json:"token_strs"` // null unless asked for
}

// DetokenizeRequest is a request for the text of tokens.
type DetokenizeRequest struct {
	Model  string
	Tokens []int32
}

// ParseDetokenize reads a request of POST /detokenize.
func ParseDetokenize(data []byte, l Limits) (*DetokenizeRequest, error) {
	o, err := readBody(data, l)
	if err != nil {
		return nil, err
	}
	r := &DetokenizeRequest{Model: o.text("model", l.Name), Tokens: []int32{}}
	if !o.has("tokens") {
		o.fail("tokens", "is missing")
	}
	o.read("tokens", "an array of token ids", &r.Tokens)
	if len(r.Tokens) > l.Tokens {
		o.fail("tokens", "%d ids, at most %d", len(r.Tokens), l.Tokens)
	}
	if err := o.end(); err != nil {
		return nil, err
	}
	return r, nil
}

// DetokenizeResponse has the text.
type DetokenizeResponse struct {
	Prompt string `json:"prompt"`
}

// AdapterRequest loads or unloads an adapter, as vLLM has it.
type AdapterRequest struct {
	Name  string // lora_name
	Path  string // lora_path, under the configured folder
	Model string // model, or base_model_name; "" for the default
}

// ParseAdapter reads a request of POST /v1/load_lora_adapter, or of
// /v1/unload_lora_adapter, which has no path.
func ParseAdapter(data []byte, l Limits, path bool) (*AdapterRequest, error) {
	o, err := readBody(data, l)
	if err != nil {
		return nil, err
	}
	r := &AdapterRequest{Name: o.text("lora_name", l.Name), Model: o.text("base_model_name", l.Name)}
	if m := o.text("model", l.Name); m != "" {
		r.Model = m
	}
	if r.Name == "" {
		o.fail("lora_name", "is missing")
	}
	if r.Path = o.text("lora_path", 4096); path && r.Path == "" {
		o.fail("lora_path", "is missing")
	}
	// vLLM's ids are numbers of its own, and replacing is unloading first here.
	o.accept("lora_int_id")
	if o.flag("load_inplace", false) {
		o.fail("load_inplace", "is not supported: unload the adapter first")
	}
	if err := o.end(); err != nil {
		return nil, err
	}
	return r, nil
}

// Ticket is what a page connects with.
type Ticket struct {
	Ticket  string `json:"ticket"`
	Expires int64  `json:"expires_at"` // seconds since 1970
}

// Marshal is json.Marshal without the escaping of <, > and &, which clients do not
// need and people do not like to read.
func Marshal(v any) ([]byte, error) {
	var b buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return b[:len(b)-1], nil
}

// buffer is a Writer to bytes.
type buffer []byte

func (b *buffer) Write(p []byte) (int, error) {
	*b = append(*b, p...)
	return len(p), nil
}
