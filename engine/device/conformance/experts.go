package conformance

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/realm-webgpu/realm/engine/device"
)

func expertsCases(size Size) []Case {
	var cases []Case
	add := func(name string, s *stock, run func(l *lab)) {
		c := Case{Name: "experts/" + name, Op: "experts", run: run}
		if s != nil {
			c.Format = s.format.Name
		}
		cases = append(cases, c)
	}
	formats := sized(size)
	some := kinds(formats)
	for _, s := range formats {
		add(s.format.Name, s, func(l *lab) { expertsFormats(l, [3]*stock{s, s, s}, size) })
	}
	for i := range formats {
		// Gate, up and down have blocks of three sizes, or of two.
		var mixed [3]*stock
		for j := range mixed {
			mixed[j] = formats[(i+j*len(formats)/3)%len(formats)]
		}
		name := fmt.Sprintf("%s_%s_%s", mixed[0].format.Name, mixed[1].format.Name, mixed[2].format.Name)
		add(name, nil, func(l *lab) { expertsFormats(l, mixed, size) })
	}
	for _, n := range []struct{ used, experts int }{{1, 4}, {2, 8}, {8, 60}, {8, 128}, {2, 5}, {16, 17}, {1, 1}} {
		add(fmt.Sprintf("%d_of_%d", n.used, n.experts), nil, func(l *lab) { expertsRouted(l, some[0], n.used, n.experts) })
	}
	for _, s := range some {
		add("alone/"+s.format.Name, s, func(l *lab) { expertsAlone(l, s) })
		if s.unit() > 4 && s.unit() < segment && size == Full {
			add("wide/"+s.format.Name, s, func(l *lab) { expertsWide(l, s) })
		}
	}
	add("split", nil, func(l *lab) { expertsSplit(l, some) })
	return cases
}

// mixture is the matrices of an Experts operation.
type mixture struct {
	bound          float64
	embd, ff       int
	gate, up, down device.Weights
}

// newMixture makes an expert of each magnitude in the list, with gate, up and
// down of the given formats. The rows of gate and down come from two sources.
func newMixture(l *lab, r *rand.Rand, formats [3]*stock, experts []magnitude, embd, ff int) *mixture {
	upload := func(name string, s *stock, columns int, rows ...int) device.Weights {
		var parts []part
		for _, n := range rows {
			all := part{columns: columns}
			for _, m := range experts {
				p := s.part(l, r, n, columns, m)
				all.rows += p.rows
				all.bytes, all.values = append(all.bytes, p.bytes...), append(all.values, p.values...)
			}
			parts = append(parts, all)
		}
		return l.uploadExperts(name, s.format, len(experts), parts...)
	}
	return &mixture{
		bound: l.rounded(boundExperts, 4*boundInt8, formats[:]...), embd: embd, ff: ff,
		gate: upload("gate", formats[0], embd, 13, ff-13),
		up:   upload("up", formats[1], embd, ff),
		down: upload("down", formats[2], ff, embd-9, 9),
	}
}

// mix returns an Experts operation of the mixture.
func (m *mixture) mix(out, x, router device.View, used int, a device.Activation) *device.Experts {
	return &device.Experts{Out: out, X: x, Router: router, Gate: m.gate, Up: m.up, Down: m.down, Used: used, Activation: a}
}

// width returns a width that rows of these formats can have: no multiple of 64,
// if there is one.
func width(formats ...*stock) int {
	unit := 0
	for _, s := range formats {
		unit = max(unit, s.unit())
	}
	switch unit {
	case 4:
		return 100
	case segment:
		return segment
	}
	return 3 * unit
}

// expertsFormats computes rows that go to experts with weights of all
// magnitudes, in every bucket, of rows of the step and of outputs. A row must
// come out the same in all of them.
func expertsFormats(l *lab, formats [3]*stock, size Size) {
	r := random("experts " + formats[0].format.Name)
	experts := []magnitude{plain, plain, large, plain, tiny, plain, zero, plain}
	m := newMixture(l, r, formats, experts, width(formats[0], formats[1]), width(formats[2]))
	// Tokens from special on go to the experts that are not plain, others to
	// two that are.
	const tokens, special = 64, 48
	var odd []int
	for e, magnitude := range experts {
		if magnitude != plain {
			odd = append(odd, e)
		}
	}
	routers := l.inputs(tokens, len(experts), func(row, e int) float64 {
		switch {
		case row >= special && row < special+len(odd) && odd[row-special] == e:
			return 8
		case experts[e] != plain:
			return -8
		}
		return r.NormFloat64()
	})
	value := normal("experts", 1)
	inputs := l.inputs(tokens, m.embd+12, func(row, column int) float64 {
		if row == 5 {
			return 0 // a row of zeros beside others
		}
		return value(row, column)
	})
	for _, b := range buckets(size) {
		p := l.probe("experts", b.rows, nil)
		p.label = func(s *device.Step, row int) string { return fmt.Sprintf("token %d", s.Tokens[row]) }
		x, router := p.embed(inputs).Slice(8, m.embd), p.embed(routers)
		one := p.NewBuffer(m.embd)
		p.Add(m.mix(one, x, router, 1, device.SiLU))
		p.watch("one", one, m.bound)
		two := p.NewBuffer(8+m.embd+4).Slice(8, m.embd)
		p.Add(m.mix(two, x, router, 2, device.GELUTanh))
		p.watch("two, strided", two, m.bound)
		out := p.NewOutput(m.embd)
		p.Add(m.mix(out, p.gathered(x), p.gathered(router), 2, device.GELU))
		p.watch("two, of outputs", out, m.bound)
		p.compile()
		for _, n := range b.steps {
			p.step(stepOf(count(2, n)...))
		}
		for i := range odd { // by themselves: a tiny row is lost in a sum with others
			p.step(stepOf(int32(special + i)))
		}
		if b.rows >= len(odd) {
			p.step(stepOf(count(special, len(odd))...))
		}
	}
}

// routerRows are the rows of logits that experts are chosen by, by name.
var routerRows = [...]struct {
	name  string
	logit func(r *rand.Rand, e, experts int) float64
}{
	{"normal", func(r *rand.Rand, _, _ int) float64 { return r.NormFloat64() }},
	{"ties", func(r *rand.Rand, _, _ int) float64 { return float64(r.IntN(3)) / 2 }},
	{"equal", func(*rand.Rand, int, int) float64 { return -1.5 }},
	{"two levels", func(_ *rand.Rand, e, _ int) float64 { return float64(e % 2) }},
	{"rising", func(_ *rand.Rand, e, n int) float64 { return 3 * float64(e) / float64(n) }},
	{"falling", func(_ *rand.Rand, e, n int) float64 { return -3 * float64(e) / float64(n) }},
	{"negative", func(r *rand.Rand, _, _ int) float64 { return -20 - r.ExpFloat64() }},
	// All but one share vanish, also where exp(logit) itself is no float32.
	{"far apart", func(_ *rand.Rand, e, n int) float64 { return 1000 * float64((7*e+3)%n) }},
	{"zeros of both signs", func(_ *rand.Rand, e, _ int) float64 { return math.Copysign(0, float64(e%2)-0.5) }},
}

// expertsRouted chooses among that many experts, which need not be a multiple of
// 4. What follows the end of a row of logits is higher than all of it.
func expertsRouted(l *lab, s *stock, used, experts int) {
	const each = 3 // rows of logits of each name
	r := random("routed")
	m := newMixture(l, r, [3]*stock{s, s, s}, make([]magnitude, experts), 36, 20)
	padded := (experts + 3) &^ 3
	routers := l.inputs(each*len(routerRows), padded, func(row, e int) float64 {
		if e >= experts {
			return 1e6
		}
		return routerRows[row/each].logit(r, e, experts)
	})
	inputs := l.inputs(each*len(routerRows), m.embd, normal("routed", 1))
	for _, rows := range []int{1, 4, 32} {
		p := l.probe("routed", rows, nil)
		p.label = func(s *device.Step, row int) string {
			return fmt.Sprintf("%s, row %d", routerRows[s.Tokens[row]/each].name, s.Tokens[row])
		}
		router := p.NewBuffer(experts)
		p.Add(&device.Embed{Out: device.View{Buffer: router.Buffer, Width: padded}, Table: routers})
		out := p.NewBuffer(m.embd)
		p.Add(m.mix(out, p.embed(inputs), router, used, device.SiLU))
		p.watch("routed", out, m.bound)
		p.compile()
		all := count(0, each*len(routerRows))
		for tokens := range slices.Chunk(all, min(rows, len(all))) {
			p.step(stepOf(tokens...))
		}
	}
}

// expertsAlone computes rows by themselves and beside 1 to 32 others, in any
// order, which go to other experts or all to the same.
func expertsAlone(l *lab, s *stock) {
	const tokens, experts, used = 40, 6, 2
	r := random("alone " + s.format.Name)
	m := newMixture(l, r, [3]*stock{s, s, s}, make([]magnitude, experts), width(s), width(s))
	routers := l.inputs(tokens, 8, func(int, int) float64 { return r.NormFloat64() })
	inputs := l.inputs(tokens, m.embd, normal("alone", 1))
	programs := map[int]*probe{}
	for _, rows := range []int{1, 2, 4, 8, 16, 64} {
		p := l.probe("alone", rows, nil)
		p.label = func(s *device.Step, row int) string { return fmt.Sprintf("token %d", s.Tokens[row]) }
		out := p.NewBuffer(m.embd)
		// Of eight logits, six are those of experts, but the last two follow.
		p.Add(m.mix(out, p.embed(inputs), p.routed(routers, experts), used, device.SiLU))
		p.watch("experts", out, m.bound)
		p.compile()
		programs[rows] = p
	}
	for token := range int32(33) {
		programs[1].step(stepOf(token))
	}
	for _, n := range []int{2, 3, 4, 5, 6, 7, 8, 9, 33} {
		rows := 2
		for rows < n {
			rows *= 2
		}
		p := programs[rows]
		some := count(33-n, n)
		p.step(stepOf(some...))
		slices.Reverse(some)
		p.step(stepOf(some...))
		p.step(stepOf(slices.Repeat([]int32{int32(n) % 33}, n)...))
	}
	programs[64].step(stepOf(7))
}

// routed adds an embedding of logits of experts to a buffer that they end.
func (p *probe) routed(table device.Weights, experts int) device.View {
	v := p.embed(table)
	v.Width = experts
	return v
}

// expertsWide has sums of many products, and rows of many tiles.
func expertsWide(l *lab, s *stock) {
	const experts, tokens = 4, 32
	r := random("wide " + s.format.Name)
	m := newMixture(l, r, [3]*stock{s, s, s}, make([]magnitude, experts), 17*s.unit(), 25*s.unit())
	routers := l.inputs(tokens, experts, func(int, int) float64 { return r.NormFloat64() })
	inputs := l.inputs(tokens, m.embd, normal("wide", 1))
	for _, rows := range []int{1, 16} {
		p := l.probe("wide", rows, nil)
		p.label = func(s *device.Step, row int) string { return fmt.Sprintf("token %d", s.Tokens[row]) }
		out := p.NewBuffer(m.embd)
		p.Add(m.mix(out, p.embed(inputs), p.embed(routers), 2, device.SiLU))
		p.watch("experts", out, m.bound)
		p.compile()
		p.step(stepOf(count(3, min(rows, 9))...))
	}
}

// expertsSplit uploads experts that together take more than two bindings.
func expertsSplit(l *lab, some []*stock) {
	if l.info.MaxBinding > splitLimit {
		l.skip("bindings reach %d bytes: to see experts split, open the device with a limit of %d or less", l.info.MaxBinding, splitLimit)
		return
	}
	for _, s := range some {
		const quarters = 9 // of a binding, an expert each
		embd := width(s)
		row, err := s.format.RowBytes(embd)
		if err != nil {
			l.fail("%w", err)
			return
		}
		unit := max(s.unit(), 20)
		ff := max(1, int(l.info.MaxBinding)/4/row/unit) * unit
		m := newMixture(l, random("split experts "+s.format.Name), [3]*stock{s, s, s}, make([]magnitude, quarters), embd, ff)
		p := l.probe("split "+s.format.Name, 8, nil)
		// Token e goes to expert e, and a little to the one after it.
		routers := l.inputs(quarters, 12, func(row, e int) float64 { return -float64((e - row + quarters) % quarters) })
		out := p.NewBuffer(embd)
		p.Add(m.mix(out, p.embed(l.inputs(quarters, embd, normal("split", 1))), p.routed(routers, quarters), 2, device.SiLU))
		p.watch("experts", out, m.bound)
		p.compile()
		p.step(stepOf(quarters - 1))
		p.step(stepOf(count(0, 8)...))
		p.step(stepOf(8, 3, 0))
		l.close()
	}
}
