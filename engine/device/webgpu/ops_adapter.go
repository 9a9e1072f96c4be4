package webgpu

import (
	"fmt"

	"github.com/realm-webgpu/realm/engine/device"
)

// adapted is what a product with a bank takes beside its own.
type adapted struct {
	bindings []binding // B, and A · x of each row
	params   []uint32  // behind those of the product, save the first row
}

// adapterDown computes A · x of the rows of a product with a bank, and returns what the
// product needs to add B times that, in the dispatch that it takes anyway.
func (b *builder) adapterDown(o *device.MatMul) (a adapted, err error) {
	bank := o.Bank
	down, err := b.bank(bank.Down)
	if err != nil {
		return a, err
	}
	up, err := b.bank(bank.Up)
	if err != nil {
		return a, err
	}
	g, rows := grid{x: uint32(bank.Width()+15) / 16, y: axisRows, tile: 1}, b.program.Rows
	adapters, scales := b.e.layout.adapters, b.e.layout.scales
	if b.isOutput(o.Out) {
		g.y, rows = axisOutputs, b.program.Outputs
		adapters, scales = b.e.layout.outputAdapters, b.e.layout.outputScales
	}
	narrow, err := b.layerScratch(narrowScratch, 4*int64(rows*bank.Width()))
	if err != nil {
		return a, err
	}
	x, xOffset, xStride := b.view4(o.X)
	if err := b.dispatch("adapter_down", nil, nil, g, []uint32{
		uint32(bank.Columns / 4), uint32(bank.Width()), xOffset, xStride, uint32(adapters),
	}, down.all(), x, b.e.step.all(), narrow.all()); err != nil {
		return a, err
	}
	// Parts that are not there begin behind the last.
	width, at := uint32(bank.Rows()/4), uint32(0)
	begins := [device.MaxBankParts]uint32{0, width, width}
	for i, n := range bank.Parts[:len(bank.Parts)-1] {
		at += uint32(n / 4)
		begins[i+1] = at
	}
	return adapted{
		bindings: []binding{up.all(), narrow.all()},
		params: []uint32{
			uint32(adapters), uint32(scales), uint32(bank.Rank), uint32(bank.Width()), width, begins[1], begins[2],
		},
	}, nil
}

// bank keeps a storage of adapters for the executable.
func (b *builder) bank(of device.Storage) (*buffer, error) {
	s, ok := of.(*storage)
	if !ok || s.buffer.device != b.device {
		return nil, fmt.Errorf("a bank of another device: %w", device.ErrProgram)
	}
	if !s.hold() {
		return nil, fmt.Errorf("bank: %w", device.ErrClosed)
	}
	b.e.held = append(b.e.held, s.buffer)
	return s.buffer, nil
}
