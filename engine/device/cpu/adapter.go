package cpu

import (
	"fmt"

	"github.com/realm-webgpu/realm/engine/device"
)

// adapterDown is device.AdapterDown. Its items are rows.
type adapterDown struct {
	base
	out, x block
	bank   *device.Bank
	down   *storage
}

func (k *adapterDown) run(s *step) {
	k.step = s
	k.pool.run(k, s.rows(k.out.outputs), grain(k.bank.Width()*k.bank.Columns))
}

func (k *adapterDown) do(_, first, last int) {
	width, columns := k.bank.Width(), k.bank.Columns
	for t := first; t < last; t++ {
		out := k.out.Row(t)
		if slot := k.step.adapter(t, k.out.outputs); slot >= 0 {
			k.Down(out, k.x.Row(t), k.down.values[slot*columns*width:][:columns*width])
		} else {
			clear(out)
		}
	}
}

// adapterUp is device.AdapterUp. Its items are rows.
type adapterUp struct {
	base
	out, x block
	bank   *device.Bank
	up     *storage
}

func (k *adapterUp) run(s *step) {
	k.step = s
	k.pool.run(k, s.rows(k.out.outputs), grain(k.bank.Rank*k.out.Width))
}

func (k *adapterUp) do(_, first, last int) {
	rank, width := k.bank.Rank, k.out.Width
	for t := first; t < last; t++ {
		slot := k.step.adapter(t, k.out.outputs)
		if slot < 0 {
			continue
		}
		scale := k.step.scale(t, k.out.outputs)
		out, x := k.out.Row(t), k.x.Row(t)
		up := k.up.values[slot*rank*width:][:rank*width]
		at := 0
		for part, rows := range k.bank.Parts {
			k.Up(out[at:at+rows], up[at:], width, x[part*rank:][:rank], scale)
			at += rows
		}
	}
}

// bank keeps a storage of adapters for the executable.
func (e *executable) bank(of device.Storage) (*storage, error) {
	s, ok := of.(*storage)
	if !ok || s.device != e.device {
		return nil, fmt.Errorf("a bank of another device: %w", device.ErrProgram)
	}
	if s.closed.Load() {
		return nil, fmt.Errorf("bank: %w", device.ErrClosed)
	}
	s.holds.Add(1)
	e.held = append(e.held, s)
	return s, nil
}

// adapter returns the slot of a row, or of an output; negative: none.
func (s *step) adapter(row int, outputs bool) int {
	if outputs {
		row = int(s.outputs[row])
	}
	return int(s.adapters[row])
}

func (s *step) scale(row int, outputs bool) float32 {
	if outputs {
		row = int(s.outputs[row])
	}
	return s.scales[row]
}
