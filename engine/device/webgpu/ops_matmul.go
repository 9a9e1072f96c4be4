package webgpu

import (
	"fmt"

	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/shaders"
	"github.com/realm-webgpu/realm/shaders/quant"
)

// params are the weight_params of the kernels that read w, for threads that own
// vectors of `rows` adjacent rows.
func (w *weights) params(rows int) []uint32 {
	params := make([]uint32, 8)
	params[0] = uint32(w.tile / rows)
	for i, at := range w.planes {
		params[1+i] = uint32(at / rows)
	}
	params[7] = uint32((w.columns + quant.Unit - 1) / quant.Unit)
	return params
}

func (b *builder) matMul(o *device.MatMul) error {
	w, err := b.matrix(o.Weight)
	if err != nil {
		return err
	}
	if o.X.Buffer == o.Out.Buffer {
		return fmt.Errorf("the product shares a buffer with its input: %w", device.ErrUnsupported)
	}
	rows, y := b.program.Rows, axisRows
	if b.isOutput(o.Out) {
		rows, y = b.program.Outputs, axisOutputs
	}
	tile, columns := b.device.tuning.tile(rows)
	x, xOffset, xStride := b.view4(o.X)
	out, outOffset, outStride := b.view4(o.Out)
	constants := shaders.Constants{"Vectors": tile.Vectors, "Columns": columns, "Lanes": tile.Lanes, "Slices": b.device.tuning.Slices, "Bias": 0, "Experts": 0}
	var bias []binding
	if o.Bias != nil {
		vector, err := b.vector(o.Bias)
		if err != nil {
			return err
		}
		constants["Bias"] = 1
		bias = []binding{vector}
	}
	for _, p := range w.parts {
		g := rowGrid(p.rows, tile, y, columns)
		params := append(w.params(4), uint32(vectorsOf(p.rows)), xOffset, xStride, outOffset+uint32(p.first/4), outStride, uint32(p.first/4), uint32(w.columns/4))
		bindings := append([]binding{p.buffer.all(), x, out}, bias...)
		if err := b.dispatch("matmul", w.format, constants, g, params, bindings...); err != nil {
			return err
		}
	}
	return nil
}

// vectorsOf is how many vectors of four rows there are.
func vectorsOf(rows int) int { return (rows + 3) / 4 }

// rowGrid is the grid of a product: workgroups over the rows of a part in x and
// z, for a dimension of a grid has at most 65535, and tiles of columns in y.
func rowGrid(rows int, tile Tile, y axis, columns int) grid {
	const most = 32768 // as in matmul.wgsl
	owned := tile.Vectors * tile.Lanes
	groups := (vectorsOf(rows) + owned - 1) / owned
	return grid{x: uint32(min(groups, most)), z: uint32((groups + most - 1) / most), y: y, tile: uint32(columns)}
}
