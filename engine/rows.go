package engine

import (
	"context"
	"fmt"
	"iter"
	"math/bits"
	"slices"
)

// maxRowsBytes bounds the logits that a step of AllLogits makes, on the device and
// here: those of 128 tokens of a vocabulary of 131,072.
const maxRowsBytes = 64 << 20

// AllLogits reads what was appended and gives the logits [vocab] after each token
// from index from on, which tell the next one, in order. A row is valid until the
// next. Tokens that were read before are read again from there on.
//
// What is wrong comes as the last pair's error: ErrEmpty, ErrEncoder, ErrOption where
// there is no token of that index, ErrBusy, ErrClosed, kv.ErrPages, those of the device, and
// ctx.Err().
func (s *Sequence) AllLogits(ctx context.Context, from int) iter.Seq2[[]float32, error] {
	return func(yield func([]float32, error) bool) {
		if err := s.acquire(); err != nil {
			yield(nil, err)
			return
		}
		defer s.release()
		if err := s.allLogits(ctx, from, yield); err != nil {
			yield(nil, fmt.Errorf("engine: all logits: %w", err))
		}
	}
}

// allLogits is AllLogits, where the error is still to be told.
func (s *Sequence) allLogits(ctx context.Context, from int, yield func([]float32, error) bool) error {
	m, n := s.model, len(s.tokens)
	switch {
	case m.encoder():
		return ErrEncoder
	case n == 0:
		return ErrEmpty
	case from < 0 || from >= n:
		return fmt.Errorf("from %d of %d tokens: %w", from, n, ErrOption)
	}
	s.read = min(s.read, from)
	for s.read < from {
		if err := s.readRows(ctx, min(from, s.read+m.chunk), everything, nil); err != nil {
			return err
		}
	}
	most := min(m.chunk, 1<<(bits.Len(uint(max(1, maxRowsBytes/(4*m.vocab))))-1)) // a whole bucket
	rows := make([]float32, min(most, n-from)*m.vocab)
	for s.read < n {
		to := min(n, s.read+most)
		made := rows[:(to-s.read)*m.vocab]
		if err := s.readRows(ctx, to, everything, made); err != nil {
			return err
		}
		for row := range slices.Chunk(made, m.vocab) {
			if !yield(row, nil) {
				return nil
			}
		}
	}
	return nil
}

// readRows reads the tokens up to index to in one step, and copies the output rows
// of the last of them, as many as rows has room for, to it.
func (s *Sequence) readRows(ctx context.Context, to int, what choice, rows []float32) error {
	m := s.model
	if err := m.enter(ctx); err != nil {
		return err
	}
	defer m.leave()
	width := m.vocab
	if what.hidden {
		width = m.model.Config().EmbeddingLength
	}
	f, outputs := &s.flights[0], len(rows)/width
	if err := s.submit(f, s.read, s.tokens[s.read:to], &chooser{choice: what}, outputs); err != nil {
		return err
	}
	s.read = to
	if outputs == 0 {
		return nil
	}
	if err := m.engine.runner.land(f); err != nil {
		return err
	}
	for i := range outputs {
		if err := f.executable.Read(f.executable.output, i, rows[i*width:(i+1)*width]); err != nil {
			return err
		}
	}
	return nil
}
