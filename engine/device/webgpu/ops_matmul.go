package webgpu

import (
	"fmt"
	"maps"

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
	if b.memory(o.X) == b.memory(o.Out) {
		return fmt.Errorf("the product shares a buffer with its input: %w", device.ErrUnsupported)
	}
	rows, y := b.program.Rows, axisRows
	if b.isOutput(o.Out) {
		rows, y = b.program.Outputs, axisOutputs
	}
	tile, columns := b.device.tuning.tile(rows)
	if w.first/4%tile.Vectors != 0 {
		tile.Vectors = 1 // those of a thread must be in one tile of rows
	}
	x, xOffset, xStride := b.view4(o.X)
	out, outOffset, outStride := b.view4(o.Out)
	constants := shaders.Constants{"Vectors": tile.Vectors, "Columns": columns, "Lanes": tile.Lanes, "Slices": b.device.tuning.Slices, "Bias": 0, "Bounded": 0, "Experts": 0, "Adapted": 0}
	var bias []binding
	biasOffset := uint32(0)
	if o.Bias != nil {
		vector, err := b.vectorPart(o.Bias)
		if err != nil {
			return err
		}
		constants["Bias"] = 1
		bias, biasOffset = []binding{vector.parts[0].buffer.all()}, uint32(vector.first/4)
	}
	count := stepRows
	if y == axisOutputs {
		count = stepOutputs
	}
	var step []binding
	if columns > 1 && b.program.Buffers[o.Out.Buffer].Storage != nil {
		constants["Bounded"] = 1
		step = []binding{b.e.step.all()}
	}
	var change adapted
	if o.Bank != nil {
		if change, err = b.adapterDown(o); err != nil {
			return err
		}
		constants["Adapted"] = len(o.Bank.Parts)
		step = append([]binding{b.e.step.all()}, change.bindings...)
	}
	if compilesAside && columns == 1 {
		b.widest(w.format, constants)
	}
	for _, p := range w.parts {
		// The rows of the part that are of the matrix, which may be a slice.
		first, last := max(p.first, w.first), min(p.first+p.rows, w.first+w.rows)
		if first >= last {
			continue
		}
		g, at := rowGrid(last-first, tile, y, columns), uint32(first-w.first)/4
		params := append(w.params(4), uint32(vectorsOf(last-first)), xOffset, xStride, outOffset+at, outStride, biasOffset+at, uint32(w.columns/4), uint32(first-p.first)/4, uint32(count))
		if o.Bank != nil {
			params = append(append(params, at), change.params...)
		}
		bindings := append(append([]binding{p.buffer.all(), x, out}, bias...), step...)
		if err := b.dispatch("matmul", w.format, constants, g, params, bindings...); err != nil {
			return err
		}
	}
	return nil
}

// widest begins to compile the variant of a product that prompts want, beside that
// for one row: a prompt is what comes first. An error is kept for who dispatches it.
func (b *builder) widest(f *quant.Format, constants shaders.Constants) {
	t := &b.device.tuning
	tile, columns := t.tile(t.MaxRows)
	wide := maps.Clone(constants)
	wide["Vectors"], wide["Lanes"], wide["Columns"] = tile.Vectors, tile.Lanes, columns
	_, _ = b.device.kernel("matmul", f, wide)
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
