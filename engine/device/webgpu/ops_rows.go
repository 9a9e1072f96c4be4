package webgpu

import (
	"fmt"

	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/shaders"
)

// elementLanes is the workgroup size of the kernels that take elements one by
// one; it stands in their text.
const elementLanes = 32

// perElement is the grid of a kernel with a thread for each of n elements of
// every row, or output.
func (b *builder) perElement(n uint32, out device.View) grid {
	g := grid{x: (n + elementLanes - 1) / elementLanes, y: axisRows, tile: 1}
	if b.isOutput(out) {
		g.y = axisOutputs
	}
	return g
}

// gatherWeights writes the rows of a table that indices in the step name.
func (b *builder) gatherWeights(to device.View, from device.Weights, indices int, scale float32) error {
	table, err := b.matrix(from)
	if err == nil && table.slice {
		err = fmt.Errorf("a slice stands where a whole matrix must: %w", device.ErrProgram)
	}
	if err != nil {
		return err
	}
	out, offset, stride := b.view(to)
	for _, p := range table.parts {
		params := append(table.params(1), uint32(p.first), uint32(p.rows), offset, stride,
			uint32(indices), stepRows, uint32(table.columns), bits(scale))
		err := b.dispatch("embed", table.format, nil, b.perElement(uint32(table.columns+7)/8, to), params,
			p.buffer.all(), b.e.step.all(), b.chosen.all(), out)
		if err != nil {
			return err
		}
	}
	return nil
}

// norm is an RMSNorm or, centered, a LayerNorm.
type norm struct {
	out, x       device.View
	residual     *device.View
	weight, bias device.Weights
	epsilon      float32
	groups       int
	centered     bool
}

func (b *builder) norm(o norm) error {
	weight, err := b.vector(o.weight)
	if err != nil {
		return err
	}
	x, xOffset, xStride := b.view4(o.x)
	out, outOffset, outStride := b.view4(o.out)
	constants := shaders.Constants{"InPlace": 1, "Residual": 0, "Bias": 0, "Centered": int(flag(o.centered))}
	bindings := []binding{x, weight}
	if b.memory(o.out) != b.memory(o.x) {
		constants["InPlace"] = 0
		bindings = append(bindings, out)
	}
	width := o.x.Width / o.groups
	params := []uint32{uint32(width / 4), uint32(o.groups), xOffset, xStride, outOffset, outStride, 0, 0, bits(float32(width)), bits(o.epsilon)}
	if o.residual != nil {
		if r := b.memory(*o.residual); r == b.memory(o.x) || r == b.memory(o.out) {
			return fmt.Errorf("the residual shares a buffer with what is written: %w", device.ErrUnsupported)
		}
		residual, offset, stride := b.view4(*o.residual)
		constants["Residual"] = 1
		params[6], params[7] = offset, stride
		bindings = append(bindings, residual)
	}
	if o.bias != nil {
		bias, err := b.vector(o.bias)
		if err != nil {
			return err
		}
		constants["Bias"] = 1
		bindings = append(bindings, bias)
	}
	g := grid{x: uint32(o.groups), y: axisRows, tile: 1}
	if b.isOutput(o.x) {
		g.y = axisOutputs
	}
	return b.dispatch("norm", nil, constants, g, params, bindings...)
}

func (b *builder) softCap(o *device.SoftCap) error {
	x, offset, stride := b.view4(o.X)
	width := uint32(o.X.Width+3) / 4
	return b.dispatch("soft_cap", nil, nil, b.perElement(width, o.X), []uint32{width, offset, stride, bits(o.Cap)}, x)
}

func (b *builder) glu(o *device.GLU) error {
	out, outOffset, outStride := b.view4(o.Out)
	gate, gateOffset, gateStride := b.view4(o.Gate)
	if to := b.memory(o.Out); b.memory(o.Gate) == to || o.Up != nil && b.memory(*o.Up) == to {
		return fmt.Errorf("the result shares a buffer with what is read: %w", device.ErrUnsupported)
	}
	width := uint32(o.Out.Width / 4)
	constants := shaders.Constants{"Activation": int(o.Activation), "Up": 0}
	params := []uint32{width, gateOffset, gateStride, 0, 0, outOffset, outStride}
	bindings := []binding{gate, out}
	if o.Up != nil {
		up, offset, stride := b.view4(*o.Up)
		constants["Up"] = 1
		params[3], params[4] = offset, stride
		bindings = append(bindings, up)
	}
	return b.dispatch("glu", nil, constants, b.perElement(width, o.Out), params, bindings...)
}

func (b *builder) add(o *device.Add) error {
	out, outOffset, outStride := b.view4(o.Out)
	xBuffer, xOffset, xStride := b.view4(o.X)
	yBuffer, yOffset, yStride := b.view4(o.Y)
	width := uint32(o.Out.Width / 4)
	constants := shaders.Constants{"XInOut": 1, "YInOut": 1}
	bindings := []binding{out}
	if b.memory(o.X) != b.memory(o.Out) {
		constants["XInOut"] = 0
		bindings = append(bindings, xBuffer)
	}
	if b.memory(o.Y) != b.memory(o.Out) {
		constants["YInOut"] = 0
		bindings = append(bindings, yBuffer)
	}
	return b.dispatch("add", nil, constants, b.perElement(width, o.Out),
		[]uint32{width, xOffset, xStride, yOffset, yStride, outOffset, outStride}, bindings...)
}

func (b *builder) softmax(o *device.Softmax) error {
	x, xOffset, xStride := b.view(o.X)
	out, outOffset, outStride := b.view(o.Out)
	scale := o.Scale
	if scale == 0 {
		scale = 1
	}
	constants := shaders.Constants{"InPlace": 1, "Causal": int(flag(o.Causal))}
	bindings := []binding{x}
	if b.memory(o.X) != b.memory(o.Out) {
		constants["InPlace"] = 0
		bindings = append(bindings, out)
	}
	if o.Causal {
		bindings = append(bindings, b.e.step.all())
	}
	g := grid{x: 1, y: axisRows, tile: 1}
	if b.isOutput(o.X) {
		g.y = axisOutputs
	}
	return b.dispatch("softmax", nil, constants, g,
		[]uint32{uint32(o.X.Width), xOffset, xStride, outOffset, outStride, uint32(b.e.layout.positions), bits(scale)}, bindings...)
}

func (b *builder) gather(o *device.Gather) error {
	if b.memory(o.X) == b.memory(o.Out) {
		return fmt.Errorf("the result shares a buffer with what is read: %w", device.ErrUnsupported)
	}
	x, xOffset, xStride := b.view4(o.X)
	out, outOffset, outStride := b.view4(o.Out)
	width := uint32(o.Out.Width / 4)
	return b.dispatch("gather", nil, nil, b.perElement(width, o.Out),
		[]uint32{width, xOffset, xStride, outOffset, outStride, uint32(b.e.layout.outputs)}, b.e.step.all(), x, out)
}
