package conformance

import (
	"fmt"
	"math"

	"github.com/realm-webgpu/realm/engine/device"
)

func elementwiseCases(Size) []Case {
	return []Case{
		{Name: "glu", Op: "glu", run: gatedUnits},
		{Name: "soft_cap", Op: "soft_cap", run: softCaps},
		{Name: "softmax", Op: "softmax", run: softmaxes},
		{Name: "add", Op: "add", run: sums},
		{Name: "gather", Op: "gather", run: gathers},
	}
}

// gatedUnits tries every activation, gated and alone, on gates where it bends,
// where exp and tanh leave float32, and around zero.
func gatedUnits(l *lab) {
	const columns = 2*172 + 8
	gates := [...]func(v float64) float64{
		func(v float64) float64 { return 2 * v },
		func(v float64) float64 { return 100 * v },
		func(v float64) float64 { return 1e4 * v }, // whose cube is 1e12
		func(v float64) float64 { return 1e-5 * v },
		func(v float64) float64 { return 0 },
	}
	value := normal("glu", 1)
	inputs := l.inputs(4*len(gates), columns, func(row, column int) float64 { return gates[row/4](value(row, column)) })
	ups := l.inputs(4*len(gates), columns, normal("up", 1))
	for _, rows := range []int{1, 4} {
		p := l.probe("glu", rows, nil)
		x, y := p.embed(inputs), p.embed(ups)
		for _, a := range []device.Activation{device.SiLU, device.GELUTanh, device.GELU} {
			for _, width := range []int{4, 172} {
				name := fmt.Sprintf("activation %d width %d", a, width)
				up := y.Slice(8, width)
				gate := x.Slice(width, width)
				out := p.NewBuffer(width+4).Slice(4, width)
				p.Add(&device.GLU{Out: out, Gate: gate, Up: &up, Activation: a})
				p.watch(name+" gated", out, boundFunction)
				out = p.NewBuffer(width)
				p.Add(&device.GLU{Out: out, Gate: gate, Activation: a})
				p.watch(name, out, boundFunction)
				gathered := p.gathered(up)
				out = p.NewOutput(width)
				p.Add(&device.GLU{Out: out, Gate: p.gathered(gate), Up: &gathered, Activation: a})
				p.watch(name+" of outputs", out, boundFunction)
			}
		}
		p.compile()
		for i := range gates {
			p.step(stepOf(count(4*i, rows)...))
		}
	}
}

// softCaps caps rows, parts of rows, and outputs that are no multiple of 4:
// elements below the cap, about it, and so far above it that exp leaves float32.
// Small elements stand beside large ones, because WGSL's tanh is exact to a part
// of the cap, not of the element; so do zeros.
func softCaps(l *lab) {
	const columns = 2 * 172
	scales := [...]float64{1, 30, 0.01, 1e4, 0}
	value := normal("soft cap", 1)
	inputs := l.inputs(8, columns, func(row, column int) float64 {
		return scales[column%len(scales)] * value(row, column)
	})
	for _, rows := range []int{1, 4} {
		p := l.probe("soft cap", rows, nil)
		p.label = func(s *device.Step, row int) string { return fmt.Sprintf("row %d", s.Tokens[row]) }
		for _, limit := range []float32{30, 0.5} {
			name := fmt.Sprintf("cap %v", limit)
			all := p.embed(inputs)
			p.Add(&device.SoftCap{X: all, Cap: limit})
			p.watch(name, all, boundFunction)
			part := p.embed(inputs)
			p.Add(&device.SoftCap{X: part.Slice(8, 172), Cap: limit})
			p.watch(name+" in the middle", part.Slice(8, 172), boundFunction)
			p.watch(name+" before it", part.Slice(0, 8), boundExact)
			p.watch(name+" behind it", part.Slice(180, 164), boundExact)
			for _, width := range []int{7, 61, 172} {
				padded := (width + 3) &^ 3
				logits := p.NewOutput(width)
				p.Add(
					&device.Gather{Out: device.View{Buffer: logits.Buffer, Width: padded}, X: p.embed(inputs).Slice(0, padded)},
					&device.SoftCap{X: logits, Cap: limit},
				)
				p.watch(fmt.Sprintf("%s of %d outputs", name, width), logits, boundFunction)
			}
		}
		p.compile()
		p.step(stepOf(3))
		if rows > 1 {
			p.step(stepOf(7, 3, 5))
		}
	}
}

// softmaxes takes the softmax of rows and of outputs, of widths that are no
// multiple of 4 and longer than a workgroup, in place and apart, up to a
// position and whole: numbers about one, so far apart that one takes all, all
// the same, and some that are impossible.
func softmaxes(l *lab) {
	const columns = 1004
	kinds := [...]func(v float64, column int) float64{
		func(v float64, _ int) float64 { return v },
		func(v float64, _ int) float64 { return 50 * v },
		func(float64, int) float64 { return -3 },
		func(v float64, column int) float64 {
			if column%3 == 1 {
				return math.Inf(-1)
			}
			return 4*v - 200
		},
	}
	value := normal("softmax", 1)
	inputs := l.inputs(len(kinds), columns, func(row, column int) float64 { return kinds[row](value(row, column), column) })
	for _, rows := range []int{1, 4} {
		p := l.probe("softmax", rows, nil)
		p.label = func(s *device.Step, row int) string {
			return fmt.Sprintf("row %d at %d", s.Tokens[row], s.Positions[row])
		}
		x := p.embed(inputs)
		for _, width := range []int{4, 61, 172, columns} {
			padded := (width + 3) &^ 3
			name := fmt.Sprintf("width %d", width)
			out := p.NewBuffer(width)
			in := p.embed(inputs) // whose rows are longer
			p.Add(&device.Softmax{Out: device.View{Buffer: out.Buffer, Width: padded}, X: x.Slice(columns-padded, padded), Scale: 0.125})
			p.watch(name, device.View{Buffer: out.Buffer, Width: padded}, boundFunction)
			p.Add(&device.Softmax{Out: in.Slice(0, padded), X: in.Slice(0, padded), Causal: true})
			p.watch(name+" in place, causal", in.Slice(0, padded), boundFunction)
			if padded < columns {
				p.watch(name+" behind it", in.Slice(padded, columns-padded), boundExact)
			}
			logits := p.NewOutput(width)
			p.Add(&device.Gather{Out: device.View{Buffer: logits.Buffer, Width: padded}, X: x.Slice(0, padded)})
			p.Add(&device.Softmax{Out: logits, X: logits, Scale: 2})
			p.watch(name+" of outputs", logits, boundFunction)
		}
		p.compile()
		for first := 0; first < len(kinds); first += rows {
			s := stepOf(count(first, rows)...)
			for i := range s.Positions {
				s.Positions[i] = int32([]int{0, 5, 99, 2000}[(first+i)%4])
			}
			p.step(s)
		}
	}
}

// sums adds views, in place of either and apart.
func sums(l *lab) {
	const columns = 300
	a, b := l.inputs(8, columns, normal("a", 1)), l.inputs(8, columns, normal("b", 1))
	p := l.probe("add", 4, nil)
	x, y := p.embed(a), p.embed(b)
	for _, width := range []int{4, 100, 256} {
		name := fmt.Sprintf("width %d", width)
		v, w := x.Slice(4, width), y.Slice(12, width)
		out := p.NewBuffer(width+4).Slice(4, width)
		p.Add(&device.Add{Out: out, X: v, Y: w})
		p.watch(name, out, boundRounded)
		inX, inY := p.embed(a).Slice(8, width), p.embed(a).Slice(16, width)
		p.Add(&device.Add{Out: inX, X: inX, Y: w}, &device.Add{Out: inY, X: v, Y: inY})
		p.watch(name+" in X", inX, boundRounded)
		p.watch(name+" in Y", inY, boundRounded)
		p.Add(&device.Add{Out: inX, X: inX, Y: inX})
		p.watch(name+" doubled", inX, boundRounded)
		out = p.NewOutput(width)
		p.Add(&device.Add{Out: out, X: p.gathered(v), Y: p.gathered(w)})
		p.watch(name+" of outputs", out, boundRounded)
	}
	p.compile()
	p.step(stepOf(3))
	p.step(stepOf(7, 0, 5))
}

// gathers asks for some rows of a step: none, one, the last, all, in another
// order, and one of them twice.
func gathers(l *lab) {
	p := l.probe("gather", 8, nil)
	x := p.embed(l.inputs(64, 72, normal("gather", 1)))
	p.watch("rows", x, boundExact)
	p.watch("columns", x.Slice(8, 60), boundExact)
	p.compile()
	for _, outputs := range [][]int32{{0, 1, 2, 3, 4, 5, 6}, {}, {6}, {4, 1, 6, 0}, {3, 3, 5}, {0}} {
		s := stepOf(9, 8, 7, 6, 63, 62, 1)
		s.Outputs = outputs
		p.step(s)
	}
}
