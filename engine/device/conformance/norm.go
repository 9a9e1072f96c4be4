package conformance

import (
	"fmt"

	"github.com/realm-webgpu/realm/engine/device"
)

func normCases(size Size) []Case {
	return []Case{
		{Name: "rms_norm/width", Op: "rms_norm", run: func(l *lab) { normWidths(l, size) }},
		{Name: "rms_norm/groups", Op: "rms_norm", run: normGroups},
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

// normWidths normalises rows of many widths: with a residual and without, in
// place and apart, of rows and of outputs.
func normWidths(l *lab, size Size) {
	widths := []int{4, 64, 100, 260, 2048}
	if size == Full {
		widths = append(widths, 1028, 4096)
	}
	const columns = 4096 + 32
	inputs, residuals := l.scaled("norm", columns), l.scaled("residual", columns)
	for _, rows := range []int{1, 8} {
		r := random("norm weights")
		p := l.probe("norm", rows, nil)
		p.label = func(s *device.Step, row int) string { return fmt.Sprintf("row %d", s.Tokens[row]) }
		x, y := p.embed(inputs), p.embed(residuals)
		for i, width := range widths {
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
