package engine

import (
	"context"
	"fmt"

	"github.com/realm-webgpu/realm/engine/batch"
)

// Sequence is one text that is read and written. It owns cache pages, which
// Close gives back.
type Sequence struct {
	model *Model
	core  *batch.Sequence

	// Of the loop that holds it:
	writing *Run // of Generate, while it runs
	given   int  // tokens of that
	reason  FinishReason
	stats   Stats
}

// NewSequence returns an empty sequence of the default tenant. It fails with
// ErrClosed.
func (m *Model) NewSequence() (*Sequence, error) { return m.newSequence(nil) }

func (m *Model) newSequence(t *batch.Tenant) (*Sequence, error) {
	core, err := m.core.NewSequence(t)
	if err != nil {
		return nil, err
	}
	return &Sequence{model: m, core: core}, nil
}

// Append adds tokens to be read by the next Run, Generate or Logits. On an error
// (ErrToken, ErrBusy, ErrClosed, or a ContextError where they do not all fit)
// it has added none.
func (s *Sequence) Append(tokens ...int32) error { return s.core.Append(tokens...) }

// Tokens returns a copy of the tokens: those appended and those generated, an
// end-of-generation token among them. Of a Run that writes, these are the tokens
// that were taken from it.
func (s *Sequence) Tokens() []int32 { return s.core.Tokens() }

// Len returns the number of tokens.
func (s *Sequence) Len() int { return s.core.Len() }

// Cached returns how many of the tokens need not be read again.
func (s *Sequence) Cached() int { return s.core.Cached() }

// Pages returns how many cache pages the sequence has, those that it shares with
// others among them.
func (s *Sequence) Pages() int { return s.core.Pages() }

// NoPrefix keeps the sequence out of the index of known prefixes: nothing is taken
// from there, and nothing is left to it. It is for a sequence without tokens.
func (s *Sequence) NoPrefix() { s.core.NoPrefix() }

// Busy reports whether a Run or a Generate has the sequence.
func (s *Sequence) Busy() bool { return s.core.Busy() }

// Model returns the model of the sequence.
func (s *Sequence) Model() *Model { return s.model }

// Truncate drops the tokens from n on. Errors: ErrOption where n is not in 0
// to Len, ErrBusy, ErrClosed.
func (s *Sequence) Truncate(n int) error { return s.core.Truncate(n) }

// Fork returns a sequence of the same tokens, which shares the cache pages
// until one of the two writes to them. It may be called while a Run writes, and
// inside the sequence's own Generate loop. It fails with ErrClosed.
func (s *Sequence) Fork() (*Sequence, error) {
	core, err := s.core.Fork()
	if err != nil {
		return nil, err
	}
	return &Sequence{model: s.model, core: core}, nil
}

// Close gives the cache pages back and ends a Run of the sequence; at the end of
// the Generate loop where it is called inside of one.
func (s *Sequence) Close() { s.core.Close() }

// FinishReason says why the text of the last Generate ended.
func (s *Sequence) FinishReason() FinishReason { return s.reason }

// Stats returns the measurements of the last Generate, while it runs too.
func (s *Sequence) Stats() Stats {
	if s.writing == nil {
		return s.stats
	}
	stats := s.writing.Stats()
	stats.GeneratedTokens = s.given
	return stats
}

// Logits reads what was appended and returns the logits [vocab] after the last
// token. Errors: ErrEmpty, ErrEncoder, ErrBusy, ErrClosed, kv.ErrPages, those of the
// device, and ctx.Err(), after which the call can be made again and goes on
// from where it was.
func (s *Sequence) Logits(ctx context.Context) ([]float32, error) {
	run := s.model.engine.Start(ctx, Request{Sequence: s, Logits: true})[0]
	o, err := run.Next(ctx)
	if err != nil {
		run.Cancel()
		return nil, fmt.Errorf("engine: logits: %w", err)
	}
	return o.Logits, nil
}
