package webgpu

import (
	"fmt"

	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/shaders"
)

// experts routes each row, multiplies it with the matrices of its experts, and
// adds up the results: [T * Used] columns, each with a matrix of its own.
func (b *builder) experts(o *device.Experts) error {
	gate, err := b.expertMatrices(o.Gate)
	if err != nil {
		return err
	}
	up, err := b.expertMatrices(o.Up)
	if err != nil {
		return err
	}
	down, err := b.expertMatrices(o.Down)
	if err != nil {
		return err
	}
	rows, y := b.program.Rows, axisRows
	if b.isOutput(o.X) {
		rows, y = b.program.Outputs, axisOutputs
	}
	columns := int64(rows * o.Used)
	hidden := int64(vectorsOf(gate.rows)) * 4
	width := int64(vectorsOf(down.rows)) * 4
	var scratch [5]*buffer
	for i, size := range []int64{columns * 8, columns * hidden * 4, columns * hidden * 4, columns * hidden * 4, columns * width * 4} {
		if scratch[i], err = b.layerScratch(i, size); err != nil {
			return err
		}
	}
	routes, gated, upped, joined, parts := scratch[0].all(), scratch[1].all(), scratch[2].all(), scratch[3].all(), scratch[4].all()

	router, routerOffset, routerStride := b.view(o.Router)
	used := shaders.Constants{"Used": o.Used}
	err = b.dispatch("route", nil, used, grid{x: 1, y: y, tile: 1}, []uint32{uint32(gate.experts), routerOffset, routerStride}, router, routes)
	if err != nil {
		return err
	}
	x, xOffset, xStride := b.view4(o.X)
	if err := b.expertProduct(gate, o.Used, y, x, xOffset, xStride, uint32(o.Used), gated, uint32(hidden/4), routes); err != nil {
		return err
	}
	if err := b.expertProduct(up, o.Used, y, x, xOffset, xStride, uint32(o.Used), upped, uint32(hidden/4), routes); err != nil {
		return err
	}
	n := uint32(hidden / 4)
	g := grid{x: (n + elementLanes - 1) / elementLanes, y: y, tile: 1, times: uint32(o.Used)}
	err = b.dispatch("glu", nil, shaders.Constants{"Activation": int(o.Activation), "Up": 1}, g, []uint32{n, 0, n, 0, n, 0, n}, gated, joined, upped)
	if err != nil {
		return err
	}
	if err := b.expertProduct(down, o.Used, y, joined, 0, n, 1, parts, uint32(width/4), routes); err != nil {
		return err
	}
	out, outOffset, outStride := b.view4(o.Out)
	return b.dispatch("expert_sum", nil, used, b.perElement(uint32(o.Out.Width/4), o.Out),
		[]uint32{uint32(o.Out.Width / 4), uint32(width / 4), outOffset, outStride}, routes, parts, out)
}

// expertProduct multiplies columns with the matrix of the expert of each; share
// of them in a row read the same row of x.
func (b *builder) expertProduct(w *weights, used int, y axis, x binding, xOffset, xStride, share uint32, out binding, outStride uint32, routes binding) error {
	tile := b.device.tuning.Tiles[0]
	constants := shaders.Constants{"Vectors": tile.Vectors, "Columns": 1, "Lanes": tile.Lanes, "Slices": b.device.tuning.Slices, "Bias": 0, "Bounded": 0, "Experts": 1, "Adapted": 0}
	for _, p := range w.parts {
		g := rowGrid(p.rows, tile, y, 1)
		g.times = uint32(used)
		params := append(w.params(4), uint32(vectorsOf(p.rows)), xOffset, xStride, 0, outStride, 0, uint32(w.columns/4), 0, 0,
			uint32(p.expert), uint32(p.count), uint32(w.words(w.rows)/4), share)
		if err := b.dispatch("matmul", w.format, constants, g, params, p.buffer.all(), x, out, routes); err != nil {
			return err
		}
	}
	return nil
}

// expertMatrices returns the parts of matrices of this device.
func (b *builder) expertMatrices(w device.Weights) (*weights, error) {
	own, err := b.weights(w)
	if err == nil && own.planes == nil {
		return nil, fmt.Errorf("a vector stands where experts must: %w", device.ErrProgram)
	}
	return own, err
}

// narrowScratch is the scratch of products with banks, behind that of experts.
const narrowScratch = 5

// layerScratch returns memory that one operation needs for itself, the same for
// each of the program's: they come one after the other.
func (b *builder) layerScratch(i int, size int64) (*buffer, error) {
	for len(b.inner) <= i {
		b.inner = append(b.inner, nil)
	}
	if b.inner[i] == nil || b.inner[i].size < size {
		var err error
		if b.inner[i], err = b.shared(size); err != nil {
			return nil, err
		}
	}
	return b.inner[i], nil
}
