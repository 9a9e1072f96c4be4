package engine

import (
	"context"
	"fmt"
)

// prefill reads the tokens that have not been read, in chunks of the largest
// bucket, and returns the flight that brings what is chosen after the last of
// them. Where all have been read, the last one is read again for that. What was
// read stays so on an error.
func (s *Sequence) prefill(ctx context.Context, c *chooser) (*flight, error) {
	n := len(s.tokens)
	if n == 0 {
		return nil, ErrEmpty
	}
	s.read = min(s.read, n-1)
	var f *flight
	for s.read < n {
		to := min(n, s.read+s.model.chunk)
		if err := s.model.enter(ctx); err != nil {
			return nil, err
		}
		f = s.spare(f)
		outputs := 0
		if to == n {
			outputs = 1
		}
		err := s.submit(f, s.read, s.tokens[s.read:to], c, outputs)
		s.model.leave()
		if err != nil {
			return nil, err
		}
		s.read = to
	}
	return f, nil
}

// spare returns the flight that is not f.
func (s *Sequence) spare(f *flight) *flight {
	if f == &s.flights[0] {
		return &s.flights[1]
	}
	return &s.flights[0]
}

// submit starts the step that reads tokens at positions from from on, makes the
// logits after the last few of them, and chooses what comes after the last. The
// caller has the turn.
func (s *Sequence) submit(f *flight, from int, tokens []int32, c *chooser, outputs int) error {
	m := s.model
	key := programKey{rows: bucket(len(tokens))}
	if outputs > 0 {
		key.outputs, key.choice = bucket(outputs), c.choice
	}
	x, err := m.program(key)
	if err != nil {
		return err
	}
	to := from + len(tokens)
	if err := s.table.Write(from, to); err != nil {
		return err
	}
	m.step.set(tokens, from, s.table.Pages()[:pagesOf(to)])
	if outputs > 0 {
		m.step.want(outputs, c, to)
	}
	return m.engine.runner.submit(f, x, &m.step.Step)
}

// logits copies the row of logits [vocab] that f's token was chosen from. Where
// another step has overwritten it, the last token is read again. The caller has
// the turn, and f is not in the air.
func (s *Sequence) logits(f *flight, c *chooser, row []float32) error {
	r := s.model.engine.runner
	if r.last != f {
		last := len(s.tokens) - 1
		if err := s.submit(f, last, s.tokens[last:], c, 1); err != nil {
			return err
		}
		if err := r.land(f); err != nil {
			return err
		}
	}
	return f.executable.Read(f.executable.output, 0, row)
}

// Logits reads what was appended and returns the logits [vocab] after the last
// token. Errors: ErrEmpty, ErrEncoder, ErrBusy, ErrClosed, kv.ErrPages, those of the
// device, and ctx.Err(), after which the call can be made again and goes on
// from where it was.
func (s *Sequence) Logits(ctx context.Context) ([]float32, error) {
	if err := s.acquire(); err != nil {
		return nil, err
	}
	defer s.release()
	row, err := s.lastLogits(ctx)
	if err != nil {
		return nil, fmt.Errorf("engine: logits: %w", err)
	}
	return row, nil
}

func (s *Sequence) lastLogits(ctx context.Context) ([]float32, error) {
	if s.model.encoder() {
		return nil, ErrEncoder
	}
	c := &chooser{choice: best}
	f, err := s.prefill(ctx, c)
	if err != nil {
		return nil, err
	}
	if err := s.model.enter(ctx); err != nil {
		return nil, err
	}
	defer s.model.leave()
	if err := s.model.engine.runner.land(f); err != nil {
		return nil, err
	}
	row := make([]float32, s.model.vocab)
	return row, s.logits(f, c, row)
}
