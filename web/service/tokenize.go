package service

import (
	"context"
	"fmt"

	"github.com/realm-webgpu/realm/engine/token"
)

// TokenizeCall asks for the tokens of a text, or of a conversation in the model's
// template.
type TokenizeCall struct {
	Tenant *Tenant
	Model  string
	Text   string
	Chat   *Chat // nil: Text
	// AddSpecial puts what the vocabulary wants before a text, such as BOS, and
	// ParseSpecial reads text such as <|im_end|> as the token.
	AddSpecial, ParseSpecial bool
	WithTexts                bool // the tokens' texts as well
}

// TokenizeResult has the tokens.
type TokenizeResult struct {
	Model   string
	Tokens  []int32
	Texts   []string
	Context int // tokens that the model takes
}

// Tokenize returns the tokens of a text.
func (s *Service) Tokenize(ctx context.Context, c TokenizeCall) (TokenizeResult, error) {
	l, err := s.open(ctx, c.Tenant, c.Model)
	if err != nil {
		return TokenizeResult{}, err
	}
	defer l.release()
	m := l.engine
	r := TokenizeResult{Model: l.name, Context: m.Context()}
	if c.Chat != nil {
		request, err := c.Chat.request()
		if err == nil {
			r.Tokens, err = m.EncodeRequest(request)
		}
		if err != nil {
			return r, &Error{Code: InvalidRequest, Param: "messages", Message: err.Error(), Err: err}
		}
	} else {
		r.Tokens = m.Tokenizer().Encode(nil, c.Text, token.Options{AddSpecial: c.AddSpecial, ParseSpecial: c.ParseSpecial})
	}
	if c.WithTexts {
		for _, id := range r.Tokens {
			r.Texts = append(r.Texts, m.Tokenizer().Piece(id))
		}
	}
	return r, nil
}

// Detokenize returns the text of tokens, control tokens among them.
func (s *Service) Detokenize(ctx context.Context, t *Tenant, model string, tokens []int32) (string, error) {
	l, err := s.open(ctx, t, model)
	if err != nil {
		return "", err
	}
	defer l.release()
	v := l.engine.Tokenizer()
	for i, id := range tokens {
		if id < 0 || int(id) >= v.Len() {
			return "", Invalid("tokens", "tokens[%d]: %d, the vocabulary has %d", i, id, v.Len())
		}
	}
	return v.Decode(tokens, token.DecodeOptions{ShowSpecial: true}), nil
}

// open returns a lease of a model by its name.
func (s *Service) open(ctx context.Context, t *Tenant, name string) (*lease, error) {
	if err := s.Ready(); err != nil {
		return nil, err
	}
	t, err := s.current(t)
	if err != nil {
		return nil, err
	}
	m, _, err := s.models.resolve(t, name, NoAdapter)
	if err != nil {
		return nil, err
	}
	l, err := s.models.acquire(ctx, m, "")
	if err != nil {
		return nil, errorOf(fmt.Errorf("service: open %s: %w", name, err))
	}
	return l, nil
}
