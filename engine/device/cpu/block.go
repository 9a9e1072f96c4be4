package cpu

import "github.com/realm-webgpu/realm/engine/device"

// block is a view in its place: rows of width elements, stride apart.
type block struct {
	data          []float32
	stride, width int
	outputs       bool // a row for each output
}

// row returns row i [width].
func (b *block) row(i int) []float32 {
	at := i * b.stride
	return b.data[at : at+b.width : at+b.width]
}

// addTo adds row i to x. The zero block has no rows, and adds nothing.
func (b *block) addTo(x []float32, i int) {
	if b.data == nil {
		return
	}
	for j, v := range b.row(i) {
		x[j] += v
	}
}

// block returns the place of a view that Check found good.
func (e *executable) block(v device.View) block {
	b := e.program.Buffers[v.Buffer]
	rows := e.program.Rows
	if b.Outputs {
		rows = e.program.Outputs
	}
	if s, ok := b.Storage.(*storage); ok {
		return block{data: s.values[b.Offset+v.Offset:], stride: b.Width, width: v.Width, outputs: b.Outputs}
	}
	start := e.offsets[v.Buffer]
	return block{
		data:    e.scratch[start+v.Offset : start+rows*b.Width],
		stride:  b.Width,
		width:   v.Width,
		outputs: b.Outputs,
	}
}

// dot returns x·w [a multiple of 4 elements]: every fourth product is added up
// by itself, then the four sums in pairs. Products are rounded before they are
// added; the conversion keeps compilers from fusing the two.
func dot(x, w []float32) float32 {
	var a, b, c, d float32
	for i := 3; i < len(x) && i < len(w); i += 4 {
		a += float32(x[i-3] * w[i-3])
		b += float32(x[i-2] * w[i-2])
		c += float32(x[i-1] * w[i-1])
		d += float32(x[i] * w[i])
	}
	return (a + b) + (c + d)
}

// grain returns how many items to hand out together, so that a hand-out is
// worth its price: some tens of microseconds.
func grain(workPerItem int) int {
	const work = 1 << 15 // multiplications
	return max(1, work/max(1, workPerItem))
}
