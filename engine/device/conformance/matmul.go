package conformance

import (
	"fmt"
	"math/rand/v2"

	"github.com/realm-webgpu/realm/engine/device"
)

func matmulCases(size Size) []Case {
	var cases []Case
	for _, s := range stocks() {
		cases = append(cases, Case{
			Name: "matmul/" + s.format.Name, Op: "matmul", Format: s.format.Name,
			run: func(l *lab) { matmulFormat(l, s, size) },
		})
	}
	return append(cases, Case{Name: "matmul/split", Op: "matmul", run: matmulSplit})
}

// bucket is a program size and the numbers of rows that its steps have.
type bucket struct {
	rows  int
	steps []int
}

// buckets returns the program sizes that are tried: those in which mat-vec,
// small batches and mat-mat take turns, with steps that fill them or do not.
func buckets(size Size) []bucket {
	if size == Small {
		return []bucket{{1, []int{1}}, {4, []int{3}}, {16, []int{9}}}
	}
	return []bucket{
		{1, []int{1}}, {2, []int{2, 1}}, {4, []int{3, 4}}, {8, []int{5, 6, 7, 8}},
		{16, []int{9}}, {32, []int{17}}, {64, []int{33, 1}},
	}
}

// product is a matrix product of the case, over columns of the input from an
// offset on.
type product struct {
	offset       int
	weight, bias device.Weights
	bound        float64
	parts        []named // what its rows are, measured by name
}

// named is a range of the rows of a matrix.
type named struct {
	name string
	rows int
}

// products returns matrices of awkward shapes, with their input at offsets of
// their own: fewer rows than any tile, rows that are no multiple of 4, one unit
// of columns and many, and sources of all magnitudes.
func products(l *lab, s *stock, r *rand.Rand, size Size) []product {
	unit := s.unit()
	if unit == 4 {
		unit = 20 // of plain formats: no multiple of 32 anywhere
	}
	many := 17 * unit // 544 of the blocks of 32, which no 64 divides
	if unit == segment {
		many = 5 * unit
	}
	stacked := l.upload("stacked", s.format,
		s.part(l, r, 13, many, plain), s.part(l, r, 9, many, large), s.part(l, r, 10, many, tiny),
		s.part(l, r, 3, many, zero), s.part(l, r, 34, many, plain))
	all := []product{
		{weight: s.matrix(l, r, 5, unit), bias: l.noise(r, 5), parts: []named{{"narrow", 5}}},
		{offset: 8, weight: s.matrix(l, r, 1, 3*unit), parts: []named{{"narrow", 1}}},
		{offset: 4, weight: s.matrix(l, r, 23, 3*unit), bias: l.noise(r, 23), parts: []named{{"narrow", 23}}},
		{offset: 16, weight: s.matrix(l, r, 64, 2*unit), parts: []named{{"aligned", 64}}},
		{offset: 12, weight: stacked, parts: []named{
			{"stacked", 13}, {"stacked, large", 9}, {"stacked, tiny", 10}, {"stacked, zero", 3}, {"stacked", 34},
		}},
	}
	for i := range all {
		all[i].bound = l.rounded(boundSum, boundInt8, s)
	}
	if size == Full { // the widths of models, and a little more
		columns := 16*segment + max(segment, unit)/unit*unit
		all = append(all, product{weight: s.matrix(l, r, 12, columns), bound: l.rounded(boundLong, boundInt8, s), parts: []named{{"long", 12}}})
	}
	return all
}

// matmulFormat computes all products in every bucket, of rows of the step and,
// for one of them, of outputs. A row must come out the same in all of them.
func matmulFormat(l *lab, s *stock, size Size) {
	r := random("matmul " + s.format.Name)
	all := products(l, s, r, size)
	columns := 0
	for _, m := range all {
		if l.err == nil {
			_, n := m.weight.Shape()
			columns = max(columns, m.offset+n)
		}
	}
	const tokens = 64
	value := normal("matmul", 1)
	x := l.inputs(tokens, columns+4, func(row, column int) float64 {
		if row == 5 {
			return 0 // a row of zeros beside others
		}
		return value(row, column)
	})
	for _, b := range buckets(size) {
		p := l.probe("products", b.rows, nil)
		p.label = func(s *device.Step, row int) string { return fmt.Sprintf("token %d", s.Tokens[row]) }
		matmulProgram(p, x, all)
		for _, n := range b.steps {
			p.step(stepOf(count(2, n)...))
		}
	}
}

func matmulProgram(p *probe, inputs device.Weights, all []product) {
	in := p.embed(inputs)
	for _, m := range all {
		if p.err != nil {
			return
		}
		n, k := m.weight.Shape()
		x := in.Slice(m.offset, k)
		out, at := p.gathered(p.matmul(x, m.weight, m.bias)), 0
		for _, part := range m.parts {
			p.see(part.name, out.Slice(at, part.rows), m.bound)
			at += part.rows
		}
		if n == 64 { // once more between other columns, and of outputs
			wide := p.NewBuffer(8+n+4).Slice(8, n)
			p.Add(&device.MatMul{Out: wide, X: x, Weight: m.weight})
			p.watch("strided", wide, m.bound)
			gathered := p.NewOutput(k)
			p.Add(&device.Gather{Out: gathered, X: x})
			p.watch("of outputs", p.matmul(gathered, m.weight, nil), m.bound)
		}
	}
	p.compile()
}

// splitLimit is the largest binding that a matrix is made to pass: above it, the
// suite would spend its time on memory.
const splitLimit = 1 << 20

// matmulSplit uploads matrices that take more than two bindings, and reads them
// both as matrices and as tables.
func matmulSplit(l *lab) {
	if l.info.MaxBinding > splitLimit {
		l.skip("bindings reach %d bytes: to see matrices split, open the device with a limit of %d or less", l.info.MaxBinding, splitLimit)
		return
	}
	for _, s := range stocks() {
		size, err := s.format.RowBytes(segment)
		if err != nil {
			l.fail("%w", err)
			return
		}
		n := int(2*l.info.MaxBinding)/size + 100
		w := s.matrix(l, random("split "+s.format.Name), n, segment)
		p := l.probe("split "+s.format.Name, 4, nil)
		x := p.embed(w)
		p.watch("table", x, boundRounded)
		p.watch("product", p.matmul(x, w, nil), l.rounded(boundSum, boundInt8, s))
		p.compile()
		p.step(stepOf(0))
		p.step(stepOf(int32(n-1), int32(n/2), 1))
		l.close()
	}
}
