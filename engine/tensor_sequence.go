package engine

import (
	"fmt"
	"slices"
	"sync"

	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/engine/kv"
)

// TensorSequence is keys and values that operations write, layer by layer, into
// pages of a model's cache. Every layer has a length of its own: attention sees
// what this sequence wrote, or what was there when it was made, and never what
// others left in a page.
type TensorSequence struct {
	model  *Model
	device device.Device // that the keys and values are on
	pages  *kv.Table

	mu      sync.Mutex // guards what follows
	closed  bool
	busy    int   // lists that use it and are not done
	written []int // [layers] tokens
}

// NewTensorSequence returns an empty sequence. It fails with ErrClosed.
func (m *Model) NewTensorSequence() (*TensorSequence, error) {
	if err := m.core.Usable(); err != nil {
		return nil, err
	}
	return m.tensorSequence(m.engine.current(), m.pool.NewTable(), 0), nil
}

// Tensors returns the keys and values of the tokens that were read so far as a
// sequence for operations. The two share pages until one of them writes, and go
// their own ways from here. Errors: ErrBusy, ErrClosed.
func (s *Sequence) Tensors() (*TensorSequence, error) {
	on := s.model.engine.current() // before the table is looked at: one of later is empty
	table, read, err := s.core.ForkTable()
	if err != nil {
		return nil, fmt.Errorf("engine: tensors: %w", err)
	}
	return s.model.tensorSequence(on, table, read), nil
}

// tensorSequence returns the sequence of a table in which all layers have so many
// tokens.
func (m *Model) tensorSequence(on device.Device, table *kv.Table, tokens int) *TensorSequence {
	return &TensorSequence{model: m, device: on, pages: table, written: slices.Repeat([]int{tokens}, m.model.Config().BlockCount)}
}

// Len returns the tokens that every layer has.
func (s *TensorSequence) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Min(s.written)
}

// Truncate drops the tokens from n on. Errors: ErrOption where n is negative,
// ErrBusy while a list uses the sequence, ErrClosed.
func (s *TensorSequence) Truncate(n int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n < 0 {
		return fmt.Errorf("engine: truncate: to %d tokens: %w", n, ErrOption)
	}
	if err := s.free("truncate"); err != nil {
		return err
	}
	s.cut(n)
	return nil
}

// Pages returns how many cache pages the sequence has, those that it shares with
// others among them.
func (s *TensorSequence) Pages() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.pages.Pages())
}

// Fork returns a sequence of the same tokens, which shares the pages until one of
// the two writes to them. Tokens that not every layer has are dropped. Errors:
// ErrBusy while a list uses the sequence, ErrClosed.
func (s *TensorSequence) Fork() (*TensorSequence, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.free("fork"); err != nil {
		return nil, err
	}
	// What is behind would be lost to the one that writes first.
	n := slices.Min(s.written)
	s.cut(n)
	return s.model.tensorSequence(s.device, s.pages.Fork(), n), nil
}

// cut drops the tokens from n on. The caller holds s.mu.
func (s *TensorSequence) cut(n int) {
	s.pages.Truncate(n)
	for i := range s.written {
		s.written[i] = min(s.written[i], n)
	}
}

// prepare makes what the operations of a step write the sequence's own, and checks
// that what they read is there. Their keys and values count as written then.
func (s *TensorSequence) prepare(ops []TensorOp) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range ops {
		o := &ops[i]
		from, to := o.Position, o.Position+o.Rows
		switch have := 0; o.Kind {
		case TensorRope:
			if have = s.written[o.Layer]; from > have {
				return fmt.Errorf("engine: tensor rope: position %d of layer %d, which has %d tokens: %w", from, o.Layer, have, ErrTensor)
			}
			if shared := slices.Min(s.written); from < shared {
				// All layers lose what is behind a token that is written again, as what
				// they have there came of it.
				s.cut(from)
			}
			if err := s.pages.Write(from, to); err != nil {
				return fmt.Errorf("engine: tensor rope: %w", err)
			}
			s.written[o.Layer] = to
		case TensorAttention:
			if have = s.written[o.Layer]; to > have {
				return fmt.Errorf("engine: tensor attention: positions up to %d of layer %d, which has %d tokens: %w", to, o.Layer, have, ErrTensor)
			}
		}
	}
	return nil
}

// free reports a sequence that cannot be changed now. The caller holds s.mu.
func (s *TensorSequence) free(operation string) error {
	switch {
	case s.closed:
		return fmt.Errorf("engine: %s: sequence: %w", operation, ErrClosed)
	case s.busy > 0:
		return fmt.Errorf("engine: %s: sequence: %w", operation, ErrBusy)
	}
	return nil
}

// Close gives the pages back, after the lists that use them.
func (s *TensorSequence) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	s.closed = true
	if s.busy == 0 {
		s.pages.Release()
	}
}

// acquire keeps the pages until release.
func (s *TensorSequence) acquire() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	s.busy++
	return nil
}

func (s *TensorSequence) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.busy--; s.busy == 0 && s.closed {
		s.pages.Release()
	}
}
