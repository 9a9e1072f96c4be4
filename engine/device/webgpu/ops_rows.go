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

func (b *builder) embed(o *device.Embed) error {
	table, err := b.matrix(o.Table)
	if err != nil {
		return err
	}
	scale := o.Scale
	if scale == 0 {
		scale = 1
	}
	out, offset, stride := b.view(o.Out)
	for _, p := range table.parts {
		params := append(table.params(p, 1), uint32(p.first), uint32(p.rows), offset, stride,
			uint32(b.e.layout.tokens), stepRows, uint32(table.columns), bits(scale))
		err := b.dispatch("embed", table.format, nil, b.perElement(uint32(table.columns+7)/8, o.Out), params,
			p.buffer.all(), b.e.step.all(), b.chosen.all(), out)
		if err != nil {
			return err
		}
	}
	return nil
}

func (b *builder) rmsNorm(o *device.RMSNorm) error {
	weight, err := b.vector(o.Weight)
	if err != nil {
		return err
	}
	groups := max(o.Groups, 1)
	x, xOffset, xStride := b.view4(o.X)
	out, outOffset, outStride := b.view4(o.Out)
	constants := shaders.Constants{"InPlace": 0, "Residual": 0}
	bindings := []binding{x, weight}
	if o.Out.Buffer == o.X.Buffer {
		constants["InPlace"] = 1
	} else {
		bindings = append(bindings, out)
	}
	params := []uint32{uint32(o.X.Width / groups / 4), uint32(groups), xOffset, xStride, outOffset, outStride, 0, 0,
		bits(float32(o.X.Width / groups)), bits(o.Epsilon)}
	if o.Residual != nil {
		if o.Residual.Buffer == o.X.Buffer || o.Residual.Buffer == o.Out.Buffer {
			return fmt.Errorf("the residual shares a buffer with what is written: %w", device.ErrUnsupported)
		}
		residual, offset, stride := b.view4(*o.Residual)
		constants["Residual"] = 1
		params[6], params[7] = offset, stride
		bindings = append(bindings, residual)
	}
	g := grid{x: uint32(groups), y: axisRows, tile: 1}
	if b.isOutput(o.X) {
		g.y = axisOutputs
	}
	return b.dispatch("rms_norm", nil, constants, g, params, bindings...)
}

func (b *builder) glu(o *device.GLU) error {
	out, outOffset, outStride := b.view4(o.Out)
	gate, gateOffset, gateStride := b.view4(o.Gate)
	if o.Gate.Buffer == o.Out.Buffer || o.Up != nil && o.Up.Buffer == o.Out.Buffer {
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
	if o.X.Buffer != o.Out.Buffer {
		constants["XInOut"] = 0
		bindings = append(bindings, xBuffer)
	}
	if o.Y.Buffer != o.Out.Buffer {
		constants["YInOut"] = 0
		bindings = append(bindings, yBuffer)
	}
	return b.dispatch("add", nil, constants, b.perElement(width, o.Out),
		[]uint32{width, xOffset, xStride, yOffset, yStride, outOffset, outStride}, bindings...)
}

func (b *builder) gather(o *device.Gather) error {
	x, xOffset, xStride := b.view4(o.X)
	out, outOffset, outStride := b.view4(o.Out)
	width := uint32(o.Out.Width / 4)
	return b.dispatch("gather", nil, nil, b.perElement(width, o.Out),
		[]uint32{width, xOffset, xStride, outOffset, outStride, uint32(b.e.layout.outputs)}, b.e.step.all(), x, out)
}
