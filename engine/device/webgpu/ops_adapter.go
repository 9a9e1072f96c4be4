package webgpu

import (
	"fmt"

	"github.com/realm-webgpu/realm/engine/device"
)

func (b *builder) adapterDown(o *device.AdapterDown) error {
	down, err := b.bank(o.Bank.Down)
	if err != nil {
		return err
	}
	if b.memory(o.X) == b.memory(o.Out) {
		return fmt.Errorf("the result shares a buffer with its input: %w", device.ErrUnsupported)
	}
	x, xOffset, xStride := b.view4(o.X)
	out, outOffset, outStride := b.view(o.Out)
	g := grid{x: uint32(o.Bank.Width()+15) / 16, y: axisRows, tile: 1}
	adapters := b.e.layout.adapters
	if b.isOutput(o.Out) {
		g.y, adapters = axisOutputs, b.e.layout.outputAdapters
	}
	return b.dispatch("adapter_down", nil, nil, g, []uint32{
		uint32(o.Bank.Columns / 4), uint32(o.Bank.Width()), xOffset, xStride, outOffset, outStride, uint32(adapters),
	}, down.all(), x, b.e.step.all(), out)
}

func (b *builder) adapterUp(o *device.AdapterUp) error {
	up, err := b.bank(o.Bank.Up)
	if err != nil {
		return err
	}
	if b.memory(o.X) == b.memory(o.Out) {
		return fmt.Errorf("the result shares a buffer with its input: %w", device.ErrUnsupported)
	}
	x, xOffset, xStride := b.view(o.X)
	out, outOffset, outStride := b.view4(o.Out)
	width := uint32(o.Out.Width / 4)
	// Parts that are not there begin behind the last.
	ends, at := [device.MaxBankParts]uint32{width, width, width}, uint32(0)
	for i, rows := range o.Bank.Parts {
		at += uint32(rows / 4)
		ends[i] = at
	}
	adapters, scales := b.e.layout.adapters, b.e.layout.scales
	if b.isOutput(o.Out) {
		adapters, scales = b.e.layout.outputAdapters, b.e.layout.outputScales
	}
	return b.dispatch("adapter_up", nil, nil, b.perElement(width, o.Out), []uint32{
		width, uint32(o.Bank.Rank), xOffset, xStride, outOffset, outStride, uint32(adapters), uint32(scales), ends[0], ends[1],
	}, up.all(), x, b.e.step.all(), out)
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
