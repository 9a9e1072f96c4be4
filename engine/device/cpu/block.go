package cpu

import (
	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/engine/device/cpu/simd"
)

// block is a view in its place.
type block struct {
	simd.Rows
	outputs bool // a row for each output
}

// block returns the place of a view that Check found good.
func (e *executable) block(v device.View) block {
	b := e.program.Buffers[v.Buffer]
	rows := e.program.Rows
	if b.Outputs {
		rows = e.program.Outputs
	}
	if s, ok := b.Storage.(*storage); ok {
		return block{simd.Rows{Data: s.values[b.Offset+v.Offset:], Stride: b.Width, Width: v.Width}, b.Outputs}
	}
	start := e.offsets[v.Buffer]
	return block{simd.Rows{Data: e.scratch[start+v.Offset : start+rows*b.Width], Stride: b.Width, Width: v.Width}, b.Outputs}
}

// grain returns how many items to hand out together, so that a hand-out is
// worth its price: some tens of microseconds.
func grain(workPerItem int) int {
	const work = 1 << 15 // multiplications
	return max(1, work/max(1, workPerItem))
}
