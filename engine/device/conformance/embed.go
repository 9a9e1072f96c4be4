package conformance

import (
	"github.com/realm-webgpu/realm/engine/device"
)

func embedCases(size Size) []Case {
	var cases []Case
	for _, s := range stocks() {
		cases = append(cases, Case{
			Name: "embed/" + s.format.Name, Op: "embed", Format: s.format.Name,
			run: func(l *lab) { embedFormat(l, s) },
		})
	}
	for _, s := range sized(size) {
		cases = append(cases, Case{
			Name: "embed_position/" + s.format.Name, Op: "embed_position", Format: s.format.Name,
			run: func(l *lab) { embedPositions(l, s) },
		})
	}
	return append(cases,
		Case{Name: "embed/chosen", Op: "embed", run: embedChosen},
		Case{Name: "embed/vocabulary", Op: "embed", run: func(l *lab) { embedVocabulary(l, size) }},
	)
}

// embedFormat gathers rows out of order and more than once, from tables that are
// one unit wide and several, into a buffer and into the middle of one.
func embedFormat(l *lab, s *stock) {
	const each = 11 // rows of each magnitude
	table := func(columns int) device.Weights {
		r := random("embed " + s.format.Name)
		var parts []part
		for m := range magnitudes {
			parts = append(parts, s.part(l, r, each, columns, m))
		}
		return l.upload("table", s.format, parts...)
	}
	narrow, wide := s.unit(), 3*s.unit()
	if s.unit() == 4 {
		wide = 260 // of a plain format: nine units, the last of them not full
	}
	p := l.probe("embed", 8, nil)
	p.watch("one unit", p.embed(table(narrow)), boundRounded)
	middle := p.NewBuffer(4+wide+8).Slice(4, wide)
	p.Add(&device.Embed{Out: middle, Table: table(wide), Scale: 22.627417})
	p.watch("scaled", middle, boundRounded)
	p.compile()
	for m := range magnitudes {
		base := int32(m) * each
		p.step(stepOf(base+10, base, base+3, base+3, base+9, base, base+1))
	}
	p.step(stepOf(10))
}

// embedPositions gathers the rows of positions, out of order and more than once,
// into a buffer and into the middle of one, whatever the tokens are; a position
// past the table is not taken.
func embedPositions(l *lab, s *stock) {
	const positions = 70
	columns := s.unit()
	if columns == 4 {
		columns = 260
	}
	r := random("positions " + s.format.Name)
	p := l.probe("positions", 8, nil)
	x := p.embed(l.inputs(9, columns, normal("tokens", 1)))
	for _, m := range []magnitude{plain, tiny} {
		table := l.upload("table of positions", s.format, s.part(l, r, positions, columns, m))
		out, middle := p.NewBuffer(columns), p.NewBuffer(4+columns+8).Slice(4, columns)
		p.Add(&device.EmbedPosition{Out: out, Table: table}, &device.EmbedPosition{Out: middle, Table: table})
		p.watch(m.String(), out, boundRounded)
		p.watch(m.String()+" in the middle", middle, boundRounded)
		if m == plain {
			p.Add(&device.Add{Out: x, X: x, Y: out})
			p.watch("added to the tokens", x, boundRounded)
		}
	}
	p.compile()
	at := func(tokens []int32, positions ...int32) *device.Step {
		s := stepOf(tokens...)
		s.Positions = positions
		return s
	}
	p.step(at([]int32{8, 0, 3, 3, 1, 2}, 69, 0, 33, 12, 33, 1))
	p.step(at([]int32{5}, 68))
	p.step(at([]int32{0, 1, 2, 3, 4, 5, 6, 7}, 7, 6, 5, 4, 3, 2, 1, 0))
	if l.err == nil {
		l.expect("submit of a position past the table", p.exec.Submit(at([]int32{0, 1}, 0, positions)), device.ErrStep)
	}
}

// embedChosen feeds the ids that a step chose to the next, in another order,
// beside plain tokens, within a bucket and from one bucket to another.
func embedChosen(l *lab) {
	const vocabulary = 48
	cache := l.choices()
	table := l.inputs(vocabulary, vocabulary, normal("chosen", 1))
	var buckets []*probe
	for _, rows := range []int{4, 1} {
		p := l.probe("chosen", rows, cache)
		x := p.embed(table)
		logits := p.NewOutput(vocabulary)
		p.Add(&device.Gather{Out: logits, X: x}, &device.TopK{Logits: logits, K: 1})
		p.watch("logits", logits, boundExact)
		p.compile()
		buckets = append(buckets, p)
	}
	four, one := buckets[0], buckets[1]
	four.step(stepOf(40, 3, 17, 28))
	four.step(stepOf(device.Chosen(2), device.Chosen(0), 5, device.Chosen(2)))
	four.step(stepOf(device.Chosen(3), device.Chosen(1)))
	one.step(stepOf(device.Chosen(1)))
	one.step(stepOf(device.Chosen(0)))
	four.step(stepOf(7, device.Chosen(0), device.Chosen(0)))
}

// embedVocabulary reaches the first and the last row of a long table.
func embedVocabulary(l *lab, size Size) {
	last := int32(32000)
	if size == Full {
		last = 151935
	}
	table := l.inputs(int(last)+1, 4, func(row, column int) float64 { return float64(row)/1024 + float64(column) })
	p := l.probe("vocabulary", 4, nil)
	p.watch("rows", p.embed(table), boundExact)
	p.compile()
	p.step(stepOf(last, 0, last-1, last/2))
}
