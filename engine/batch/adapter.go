package batch

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"

	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/engine/kv"
	"github.com/realm-webgpu/realm/engine/model"
)

// InstallBanks calls f while nothing is in flight and no program has banks of
// adapters. Programs are made with the banks that f returns, from the next step
// on, also where it returns an error with them. It is the install function of the
// model's [model.Adapters]. Errors: those of f, ErrClosed, what ended the device,
// and ctx.Err() where f was not called.
func (m *Model) InstallBanks(ctx context.Context, f func() (*model.Banks, error)) error {
	s := m.scheduler
	return s.Exclusive(ctx, func() error {
		s.mu.Lock()
		err := m.usable()
		for key, x := range m.programs {
			if key.adapts && err == nil {
				x.Release()
				delete(m.programs, key)
			}
		}
		s.mu.Unlock()
		if err != nil {
			return err
		}
		banks, err := f()
		s.mu.Lock()
		m.banks = banks
		s.mu.Unlock()
		return err
	})
}

// UseAdapter has the sequence read and written with an adapter, whose change is
// multiplied by scale, and holds the adapter until the sequence is dropped. Forks
// have it too. It is for a sequence without tokens: keys and values depend on it.
// With nil it goes without. Errors: ErrOption for a sequence with tokens and for a
// scale that is not finite; ErrAdapter for an adapter that nobody holds; ErrBusy,
// ErrClosed.
func (q *Sequence) UseAdapter(a *model.Slot, scale float32) error {
	q.lock()
	defer q.unlock()
	if err := q.free(); err != nil {
		return err
	}
	if len(q.tokens) > 0 {
		return fmt.Errorf("engine: use adapter: the sequence has %d tokens, and they were read without it: %w", len(q.tokens), ErrOption)
	}
	if x := float64(scale); math.IsNaN(x) || math.IsInf(x, 0) {
		return fmt.Errorf("engine: use adapter: scale %v: %w", scale, ErrOption)
	}
	if a != nil && !a.Hold() {
		return fmt.Errorf("engine: use adapter: %w", ErrAdapter)
	}
	q.releaseAdapter()
	if a != nil {
		q.adapter, q.scale = a, scale
	}
	q.cut(0)
	q.setRoot()
	return nil
}

// Adapter returns the adapter of the sequence, nil where it has none.
func (q *Sequence) Adapter() (a *model.Slot, scale float32) {
	q.lock()
	defer q.unlock()
	return q.adapter, q.scale
}

// adapted returns what a row of the sequence has in a step.
func (q *Sequence) adapted() (slot int32, scale float32) {
	if q.adapter == nil {
		return device.NoAdapter, 0
	}
	return q.adapter.Index(), q.scale
}

// releaseAdapter gives the adapter back.
func (q *Sequence) releaseAdapter() {
	if q.adapter != nil {
		q.adapter.Release()
		q.adapter, q.scale = nil, 0
	}
}

// setRoot sets the key before the first page: of all that keys and values depend on
// besides tokens, and of whose they are.
func (q *Sequence) setRoot() {
	salt := binary.LittleEndian.AppendUint64(nil, q.tenant.number)
	if q.adapter != nil {
		hash := q.adapter.Hash()
		salt = append(salt, hash[:]...)
		salt = binary.LittleEndian.AppendUint32(salt, math.Float32bits(q.scale))
	}
	q.root = kv.NewKey(salt)
}
