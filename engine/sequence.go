package engine

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/realm-webgpu/realm/engine/kv"
)

// Sequence is one text that is read and written. It owns cache pages, which
// Close gives back.
type Sequence struct {
	model *Model

	mu     sync.Mutex // guards busy and closed
	busy   bool
	closed bool

	// Of the call that made it busy:
	tokens  []int32
	read    int // the tokens whose keys and values are in the cache
	table   *kv.Table
	flights [2]flight // one in the air while the next is submitted
	reason  FinishReason
	stats   Stats
}

// NewSequence returns an empty sequence. It fails with ErrClosed.
func (m *Model) NewSequence() (*Sequence, error) {
	if err := m.enter(context.Background()); err != nil {
		return nil, err
	}
	defer m.leave()
	return &Sequence{model: m, table: m.pool.NewTable()}, nil
}

// acquire makes the sequence busy, until release.
func (s *Sequence) acquire() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return fmt.Errorf("engine: sequence: %w", ErrClosed)
	case s.busy:
		return fmt.Errorf("engine: sequence: %w", ErrBusy)
	}
	s.busy = true
	return nil
}

// release ends acquire, and finishes a Close that came meanwhile.
func (s *Sequence) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.busy = false
	if s.closed {
		s.read = 0
	}
	// Pages past what was read are those of a step that looked ahead.
	s.table.Truncate(s.read)
}

// Append adds tokens to be read by the next Generate or Logits. On an error
// (ErrToken, ErrBusy, ErrClosed, or a ContextError where they do not all fit)
// it has added none.
func (s *Sequence) Append(tokens ...int32) error {
	if err := s.acquire(); err != nil {
		return err
	}
	defer s.release()
	for i, id := range tokens {
		if id < 0 || int(id) >= s.model.vocab {
			return fmt.Errorf("engine: append: token %d is %d, the vocabulary has %d: %w", i, id, s.model.vocab, ErrToken)
		}
	}
	if need := len(s.tokens) + len(tokens); need > s.model.context {
		return &ContextError{Need: need, Limit: s.model.context}
	}
	s.tokens = append(s.tokens, tokens...)
	return nil
}

// Tokens returns a copy of the tokens: those appended and those generated, an
// end-of-generation token among them.
func (s *Sequence) Tokens() []int32 { return slices.Clone(s.tokens) }

// Len returns the number of tokens.
func (s *Sequence) Len() int { return len(s.tokens) }

// Truncate drops the tokens from n on. Errors: ErrOption where n is not in 0
// to Len, ErrBusy, ErrClosed.
func (s *Sequence) Truncate(n int) error {
	if err := s.acquire(); err != nil {
		return err
	}
	defer s.release()
	if n < 0 || n > len(s.tokens) {
		return fmt.Errorf("engine: truncate: to %d of %d tokens: %w", n, len(s.tokens), ErrOption)
	}
	s.tokens = s.tokens[:n]
	s.read = min(s.read, n)
	return nil
}

// Fork returns a sequence of the same tokens, which shares the cache pages
// until one of the two writes to them. It may be called inside the sequence's
// own Generate loop. It fails with ErrClosed.
func (s *Sequence) Fork() (*Sequence, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, fmt.Errorf("engine: fork: sequence: %w", ErrClosed)
	}
	fork := &Sequence{model: s.model, tokens: slices.Clone(s.tokens), read: s.read, table: s.table.Fork()}
	fork.table.Truncate(fork.read)
	return fork, nil
}

// Close gives the cache pages back, at the end of the loop where it is called
// inside of one.
func (s *Sequence) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	s.closed = true
	if !s.busy {
		s.table.Release()
	}
}

// FinishReason says why the last text ended.
func (s *Sequence) FinishReason() FinishReason { return s.reason }
