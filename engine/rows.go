package engine

import (
	"context"
	"fmt"
	"io"
	"iter"
)

// AllLogits reads what was appended and gives the logits [vocab] after each token
// from index from on, which tell the next one, in order. A row is valid until the
// next. Tokens that were read before are read again from there on.
//
// What is wrong comes as the last pair's error: ErrEmpty, ErrEncoder, ErrOption where
// there is no token of that index, ErrBusy, ErrClosed, kv.ErrPages, those of the device, and
// ctx.Err().
func (s *Sequence) AllLogits(ctx context.Context, from int) iter.Seq2[[]float32, error] {
	return func(yield func([]float32, error) bool) {
		run := s.model.engine.Start(ctx, Request{Sequence: s, Logits: true, Each: true, From: from})[0]
		defer run.Cancel()
		for {
			o, err := run.Next(ctx)
			if err == io.EOF {
				return
			}
			if err != nil {
				yield(nil, fmt.Errorf("engine: all logits: %w", err))
				return
			}
			if !yield(o.Logits, nil) {
				return
			}
		}
	}
}
