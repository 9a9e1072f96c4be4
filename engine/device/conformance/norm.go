package conformance

import (
	"fmt"

	"github.com/realm-webgpu/realm/engine/device"
)

func normCases(size Size) []Case {
	return []Case{
		{Name: "rms_norm/width", Op: "rms_norm", run: func(l *lab) { normWidths(l, size) }},
		{Name: "rms_norm/groups", Op: "rms_norm", run: normGroups},
		{Name: "layer_norm/width", Op: "layer_norm", run: func(l *lab) { layerNormWidths(l, size) }},
		{Name: "layer_norm/off_centre", Op: "layer_norm", run: layerNormOffCentre},
	}
}

// scales are the magnitudes of inputs that norms meet, each a step of its own so
// that a large one does not hide a small one. Hidden states are around 1 and a
// few of them reach thousands; the others are where Epsilon rules, and where a
// square is near the end of float32.
var scales = [...]float64{1, 3000, 1e-3, 1e15, 1e-12}

// scaleRows is the number of rows that an input table has of each scale.
const scaleRows = 8

// scaled is an input table of rows of all scales.
func (l *lab) scaled(name string, columns int) device.Weights {
	value := normal(name, 1)
	return l.inputs(scaleRows*len(scales), columns, func(row, column int) float64 {
		return scales[row/scaleRows] * value(row, column)
	})
}

// stepScaled runs a step of n rows of each scale.
func (p *probe) stepScaled(n int) {
	for i := range scales {
		p.step(stepOf(count(scaleRows*i+1, n)...))
	}
}

// widthsOfNorms returns the widths of rows that are normalised: fewer than any
// workgroup, and no multiples of one.
func widthsOfNorms(size Size) []int {
	if size == Small {
		return []int{4, 64, 100, 260, 2048}
	}
	return []int{4, 64, 100, 260, 2048, 1028, maxNormWidth}
}

const maxNormWidth = 4096

// normWidths normalises rows of many widths: with a residual and without, in
// place and apart, of rows and of outputs.
func normWidths(l *lab, size Size) {
	const columns = maxNormWidth + 32
	inputs, residuals := l.scaled("norm", columns), l.scaled("residual", columns)
	for _, rows := range []int{1, 8} {
		r := random("norm weights")
		p := l.probe("norm", rows, nil)
		p.label = func(s *device.Step, row int) string { return fmt.Sprintf("row %d", s.Tokens[row]) }
		x, y := p.embed(inputs), p.embed(residuals)
		for i, width := range widthsOfNorms(size) {
			name := fmt.Sprintf("width %d", width)
			weight := l.noise(r, width)
			in, residual := x.Slice(4*i, width), y.Slice(8, width)

			out := p.NewBuffer(width+8).Slice(4, width)
			p.Add(&device.RMSNorm{Out: out, X: in, Weight: weight, Epsilon: 1e-5})
			p.watch(name, out, boundRounded)

			sum := p.embed(inputs).Slice(4*i, width) // changed by what follows
			out = p.NewBuffer(width)
			p.Add(&device.RMSNorm{Out: out, X: sum, Residual: &residual, Weight: weight, Epsilon: 1e-6})
			p.watch(name+" with residual", out, boundRounded)
			p.watch(name+" with residual, the sum", sum, boundRounded)

			p.Add(&device.RMSNorm{Out: sum, X: sum, Residual: &residual, Weight: weight, Epsilon: 1e-5})
			p.watch(name+" in place, with residual", sum, boundRounded)
			p.Add(&device.RMSNorm{Out: sum, X: sum, Weight: weight, Epsilon: 1e-5})
			p.watch(name+" in place", sum, boundRounded)

			gathered, out := p.gathered(in), p.NewOutput(width)
			p.Add(&device.RMSNorm{Out: out, X: gathered, Weight: weight, Epsilon: 1e-5})
			p.watch(name+" of outputs", out, boundRounded)
		}
		p.compile()
		p.stepScaled(1)
		if rows > 1 {
			p.stepScaled(5)
		}
	}
}

// normGroups normalises the heads of queries and keys.
func normGroups(l *lab) {
	inputs := l.scaled("groups", 1024+8)
	r := random("group weights")
	p := l.probe("groups", 4, nil)
	x := p.embed(inputs)
	for _, g := range []struct{ groups, width int }{{1, 64}, {2, 4}, {3, 20}, {5, 80}, {8, 64}, {8, 128}, {33, 16}} {
		name := fmt.Sprintf("%d groups of %d", g.groups, g.width)
		weight := l.noise(r, g.width)
		in := x.Slice(4, g.groups*g.width)
		out := p.NewBuffer(in.Width)
		p.Add(&device.RMSNorm{Out: out, X: in, Weight: weight, Epsilon: 1e-6, Groups: g.groups})
		p.watch(name, out, boundRounded)
		residual := x.Slice(8, in.Width)
		sum := p.embed(inputs).Slice(0, in.Width)
		p.Add(&device.RMSNorm{Out: sum, X: sum, Residual: &residual, Weight: weight, Epsilon: 1e-6, Groups: g.groups})
		p.watch(name+" in place, with residual", sum, boundRounded)
	}
	p.compile()
	p.stepScaled(3)
}

// layerNormWidths is normWidths for LayerNorm, with a bias and without.
func layerNormWidths(l *lab, size Size) {
	const columns = maxNormWidth + 32
	inputs, residuals := l.scaled("norm", columns), l.scaled("residual", columns)
	for _, rows := range []int{1, 8} {
		r := random("layer norm weights")
		p := l.probe("layer norm", rows, nil)
		p.label = func(s *device.Step, row int) string { return fmt.Sprintf("row %d", s.Tokens[row]) }
		x, y := p.embed(inputs), p.embed(residuals)
		for i, width := range widthsOfNorms(size) {
			name := fmt.Sprintf("width %d", width)
			weight, bias := l.noise(r, width), l.noise(r, width)
			in, residual := x.Slice(4*i, width), y.Slice(8, width)

			out := p.NewBuffer(width+8).Slice(4, width)
			p.Add(&device.LayerNorm{Out: out, X: in, Weight: weight, Epsilon: 1e-5})
			p.watch(name, out, boundRounded)
			out = p.NewBuffer(width)
			p.Add(&device.LayerNorm{Out: out, X: in, Weight: weight, Bias: bias, Epsilon: 1e-5})
			p.watch(name+" with bias", out, boundRounded)

			sum := p.embed(inputs).Slice(4*i, width) // changed by what follows
			out = p.NewBuffer(width)
			p.Add(&device.LayerNorm{Out: out, X: sum, Residual: &residual, Weight: weight, Epsilon: 1e-6})
			p.watch(name+" with residual", out, boundRounded)
			p.watch(name+" with residual, the sum", sum, boundRounded)

			p.Add(&device.LayerNorm{Out: sum, X: sum, Residual: &residual, Weight: weight, Bias: bias, Epsilon: 1e-5})
			p.watch(name+" in place, with residual and bias", sum, boundRounded)
			p.Add(&device.LayerNorm{Out: sum, X: sum, Weight: weight, Epsilon: 1e-5})
			p.watch(name+" in place", sum, boundRounded)

			gathered, out := p.gathered(in), p.NewOutput(width)
			p.Add(&device.LayerNorm{Out: out, X: gathered, Weight: weight, Bias: bias, Epsilon: 1e-5})
			p.watch(name+" of outputs", out, boundRounded)
		}
		p.compile()
		p.stepScaled(1)
		if rows > 1 {
			p.stepScaled(5)
		}
	}
}

// layerNormOffCentre normalises rows that are far from zero for their deviation,
// and a row of zeros, which has none.
func layerNormOffCentre(l *lab) {
	const columns = 1028
	value := normal("off centre", 1)
	inputs := l.inputs(5, columns, func(row, column int) float64 {
		if row == 0 {
			return 0
		}
		return 100*float64(2*(row%2)-1) + value(row, column)
	})
	residuals := l.inputs(5, columns, normal("off centre, residual", 0.1))
	r := random("off centre")
	p := l.probe("off centre", 4, nil)
	x := p.embed(inputs)
	for _, width := range []int{64, 260, 1028} {
		name := fmt.Sprintf("width %d", width)
		weight, bias := l.noise(r, width), l.noise(r, width)
		in := x.Slice(0, width)
		out := p.NewBuffer(width)
		p.Add(&device.LayerNorm{Out: out, X: in, Weight: weight, Epsilon: 1e-5})
		p.watch(name, out, boundCentred)
		sum, residual := p.embed(inputs).Slice(0, width), p.embed(residuals).Slice(0, width)
		out = p.NewBuffer(width)
		p.Add(&device.LayerNorm{Out: out, X: sum, Residual: &residual, Weight: weight, Bias: bias, Epsilon: 1e-5})
		p.watch(name+" with residual and bias", out, boundCentred)
	}
	p.compile()
	p.step(stepOf(4, 0, 3, 2))
	p.step(stepOf(1))
	p.step(stepOf(0))
}
