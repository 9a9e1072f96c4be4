package engine

import (
	"context"
	"fmt"
	"io"
	"iter"

	"github.com/realm-webgpu/realm/engine/sample"
)

// GenerateOptions say how a text is written and when it ends. The zero value
// takes the most probable token every time, until the model ends its text or
// the context is full.
type GenerateOptions struct {
	// Sampling says how tokens are chosen. The position of its random numbers is
	// the index of the token in the sequence.
	Sampling sample.Spec
	// PenalizePrompt makes penalties count the tokens that were there before, as
	// llama.cpp does; without, they count the tokens of this text alone, as
	// OpenAI and vLLM do.
	PenalizePrompt bool
	// MaxTokens ends the text after so many tokens. 0: no limit.
	MaxTokens int
	// Stop ends the text before the first of these strings, which is not given
	// out. The tokens that it came in stay in the sequence.
	Stop []string
	// IgnoreEOS goes on past end-of-generation tokens.
	IgnoreEOS bool
	// Logprobs is how many of the most probable tokens Token.Top has: 0 to 64.
	Logprobs int
	// Draft makes the engine draft tokens ahead. The text is the same as without.
	Draft DraftOptions
}

// Token is a token that was chosen.
type Token struct {
	ID int32
	// Text is the text that this token completes: whole characters that cannot
	// be part of a stop string any more. It is "" where that has to wait for
	// the next token; the last token brings all that is left.
	Text string
	// Logprob is the token's natural log-probability in the model's own
	// distribution: temperature 1, before biases, penalties and filters.
	Logprob float32
	// Top has the most probable tokens, best first, of that distribution. It is
	// valid until the next token.
	Top []sample.Logprob
}

// Generate reads what was appended and writes on, a token at a time, the
// end-of-generation token among them. Leaving the loop early, an error or a
// cancelled ctx leave the sequence with the tokens that the loop was given,
// ready to go on. What is wrong comes as the last pair's error: ErrEmpty,
// ErrEncoder, ErrBusy, ErrClosed, ErrOption, a ContextError where not even one token fits,
// kv.ErrPages, those of package sample and of the device, and ctx.Err().
func (s *Sequence) Generate(ctx context.Context, o GenerateOptions) iter.Seq2[Token, error] {
	return func(yield func(Token, error) bool) {
		if err := s.core.Hold(); err != nil {
			yield(Token{}, err)
			return
		}
		defer s.core.Release()
		if err := s.generate(ctx, &o, yield); err != nil {
			yield(Token{}, fmt.Errorf("engine: generate: %w", err))
		}
	}
}

// generate is Generate, where the error is still to be told.
func (s *Sequence) generate(ctx context.Context, o *GenerateOptions, yield func(Token, error) bool) error {
	s.reason, s.stats, s.writing = "", Stats{}, nil
	w, err := s.newWriter(ctx, o)
	if err != nil {
		return err
	}
	// What the run has beyond what the loop was given is no part of the text.
	defer w.end()
	for {
		t, err := w.next(ctx)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if !yield(t, nil) || s.reason != "" {
			return nil
		}
	}
}
