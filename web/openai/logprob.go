package openai

import (
	"unicode/utf8"

	"github.com/realm-webgpu/realm/guest"
	"github.com/realm-webgpu/realm/web/service"
)

// Logprobs has the log-probabilities of a choice's tokens.
type Logprobs struct {
	Content []TokenLogprob `json:"content"`
	Refusal []TokenLogprob `json:"refusal"` // always null
}

// TokenLogprob is a token that was chosen, and what else might have been.
type TokenLogprob struct {
	TopLogprob
	Top []TopLogprob `json:"top_logprobs"`
}

// TopLogprob is a token and its natural log-probability.
type TopLogprob struct {
	Token   string   `json:"token"`
	Logprob float32  `json:"logprob"`
	Bytes   []uint16 `json:"bytes"`
}

// impossible stands for a probability of 0, as with OpenAI: JSON has no infinity.
const impossible = -9999

func topLogprob(c guest.Candidate) TopLogprob {
	t := TopLogprob{Token: c.Text, Logprob: impossible, Bytes: c.Bytes}
	if c.Logprob != nil && *c.Logprob > impossible {
		t.Logprob = *c.Logprob
	}
	return t
}

// NewLogprobs returns log-probabilities as chat clients read them; nil where there are
// none.
func NewLogprobs(all []service.Logprob) *Logprobs {
	if len(all) == 0 {
		return nil
	}
	l := &Logprobs{Content: make([]TokenLogprob, len(all))}
	for i, p := range all {
		t := TokenLogprob{TopLogprob: topLogprob(p.Candidate), Top: []TopLogprob{}}
		for _, c := range p.Top {
			t.Top = append(t.Top, topLogprob(c))
		}
		l.Content[i] = t
	}
	return l
}

// add puts others behind.
func (l *Logprobs) add(more *Logprobs) *Logprobs {
	if l == nil {
		return more
	}
	if more != nil {
		l.Content = append(l.Content, more.Content...)
	}
	return l
}

// CompletionLogprobs has the log-probabilities of a completion's tokens, side by side.
type CompletionLogprobs struct {
	Tokens        []string             `json:"tokens"`
	TokenLogprobs []float32            `json:"token_logprobs"`
	TopLogprobs   []map[string]float32 `json:"top_logprobs"` // null without top ones
	TextOffset    []int                `json:"text_offset"`  // in characters, of the token in the text
}

// newCompletionLogprobs returns log-probabilities of tokens from an offset on, and the
// offset behind them.
func newCompletionLogprobs(all []service.Logprob, offset int) (*CompletionLogprobs, int) {
	if len(all) == 0 {
		return nil, offset
	}
	l := &CompletionLogprobs{}
	for _, p := range all {
		t := topLogprob(p.Candidate)
		l.Tokens = append(l.Tokens, t.Token)
		l.TokenLogprobs = append(l.TokenLogprobs, t.Logprob)
		l.TextOffset = append(l.TextOffset, offset)
		offset += utf8.RuneCountInString(t.Token)
		if len(p.Top) == 0 {
			continue
		}
		top := make(map[string]float32, len(p.Top)+1)
		top[t.Token] = t.Logprob // the chosen one is always among them
		for _, c := range p.Top {
			t := topLogprob(c)
			top[t.Token] = t.Logprob
		}
		l.TopLogprobs = append(l.TopLogprobs, top)
	}
	return l, offset
}

func (l *CompletionLogprobs) add(more *CompletionLogprobs) *CompletionLogprobs {
	if l == nil {
		return more
	}
	if more != nil {
		l.Tokens = append(l.Tokens, more.Tokens...)
		l.TokenLogprobs = append(l.TokenLogprobs, more.TokenLogprobs...)
		l.TopLogprobs = append(l.TopLogprobs, more.TopLogprobs...)
		l.TextOffset = append(l.TextOffset, more.TextOffset...)
	}
	return l
}
