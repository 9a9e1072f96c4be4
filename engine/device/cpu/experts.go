package cpu

import (
	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/engine/device/cpu/simd"
)

// experts is device.Experts. Every row of a step is routed to its experts, a
// slot for each; the slots are then sorted by their experts, so that a weight is
// read once for all rows of X that go through it. A row's experts are added up in
// the order of their numbers.
type experts struct {
	base
	router         block
	used           int
	mixture        *mixture
	collect        collect
	gate, up, down grouped
	activation     device.Activation
	mix            mix
}

// mixture is the scratch memory of a program's Experts operations, which run
// one after another. A slot is one of the experts of a row: row t has the slots
// from t*used to (t+1)*used. What is computed of them is in the order of order.
type mixture struct {
	ids    []int32   // [slots] the expert of each
	shares []float32 // [slots] its weight in the sum
	order  []int32   // [slots] slots, sorted by expert
	places []int32   // [slots] where each is in order
	groups []group   // experts that have slots, by their numbers
	ends   []int32   // [experts] where the slots of each end in order
	input  []float32 // [slots, n_embd], and then what the experts put out
	gate   []float32 // [slots, n_ff], and then the hidden state
	up     []float32 // [slots, n_ff]
}

// group is an expert and where in order its slots are.
type group struct{ expert, first, last int }

// mixtureSize is the lengths of a mixture, the largest that any operation needs.
type mixtureSize struct{ slots, experts, input, hidden int }

func mixtureSizeOf(p *device.Program) mixtureSize {
	var size mixtureSize
	for _, op := range p.Ops {
		if o, ok := op.(*device.Experts); ok {
			slots := p.Rows * o.Used
			ff, _ := o.Gate.Shape()
			size.slots = max(size.slots, slots)
			size.experts = max(size.experts, o.Router.Width)
			size.input = max(size.input, slots*o.X.Width)
			size.hidden = max(size.hidden, slots*ff)
		}
	}
	return size
}

func (s mixtureSize) bytes() int64 {
	const group = 24 // bytes of one
	return 16*int64(s.slots) + (4+group)*int64(s.experts) + 4*int64(s.input+2*s.hidden)
}

func (s mixtureSize) mixture() mixture {
	return mixture{
		ids:    make([]int32, s.slots),
		shares: make([]float32, s.slots),
		order:  make([]int32, s.slots),
		places: make([]int32, s.slots),
		groups: make([]group, 0, s.experts),
		ends:   make([]int32, s.experts),
		input:  make([]float32, s.input),
		gate:   make([]float32, s.hidden),
		up:     make([]float32, s.hidden),
	}
}

// newExperts makes the kernel of an operation that Check found good.
func (e *executable) newExperts(b base, o *device.Experts) (kernel, error) {
	gate, err := e.matrix("Gate", o.Gate)
	if err != nil {
		return nil, err
	}
	up, err := e.matrix("Up", o.Up)
	if err != nil {
		return nil, err
	}
	down, err := e.matrix("Down", o.Down)
	if err != nil {
		return nil, err
	}
	m, embd, ff := &e.mixture, o.X.Width, gate.rows
	input := simd.Rows{Data: m.input, Stride: embd, Width: embd}
	hidden := simd.Rows{Data: m.gate, Stride: ff, Width: ff}
	grouped := func(w *weights, x, out simd.Rows) grouped {
		return grouped{base: b, mixture: m, weight: w, x: e.operand(block{Rows: x}), out: out}
	}
	return &experts{
		base: b, router: e.block(o.Router), used: o.Used, mixture: m, activation: o.Activation,
		collect: collect{mixture: m, x: e.block(o.X), to: input, used: o.Used},
		gate:    grouped(gate, input, hidden),
		up:      grouped(up, input, simd.Rows{Data: m.up, Stride: ff, Width: ff}),
		down:    grouped(down, hidden, input),
		mix:     mix{base: b, mixture: m, out: e.block(o.Out), from: input, used: o.Used},
	}, nil
}

func (k *experts) run(s *step) {
	m, rows := k.mixture, s.rows(k.router.outputs)
	slots := rows * k.used
	k.route(rows)
	m.sort(slots, k.router.Width)
	k.pool.run(&k.collect, slots, grain(k.collect.x.Width))
	k.gate.run(slots, true)
	k.up.run(slots, k.gate.weight.packed() != k.up.weight.packed())
	k.pool.run(k, slots, grain(gluWork*k.gate.out.Width))
	k.down.run(slots, true)
	k.pool.run(&k.mix, rows, grain(k.used*k.mix.out.Width))
}

// do applies the activation to slots.
func (k *experts) do(_, first, last int) {
	k.GLU(k.activation, k.gate.out, k.gate.out, k.up.out, first, last)
}

// route finds the experts of every row, and their shares.
func (k *experts) route(rows int) {
	for t := range rows {
		logits := k.router.Row(t)
		ids, shares := k.mixture.ids[t*k.used:(t+1)*k.used], k.mixture.shares[t*k.used:(t+1)*k.used]
		best(k.arithmetic, ids, logits)
		for i, id := range ids {
			shares[i] = logits[id]
		}
		k.Softmax(shares)
	}
}

// sort groups slots by their experts, in the order of the rows.
func (m *mixture) sort(slots, experts int) {
	ends := m.ends[:experts]
	clear(ends)
	for _, id := range m.ids[:slots] {
		ends[id]++
	}
	m.groups = m.groups[:0]
	at := int32(0)
	for id, n := range ends {
		if n > 0 {
			m.groups = append(m.groups, group{id, int(at), int(at + n)})
		}
		ends[id] = at // it moves to the end as the slots come in
		at += n
	}
	for slot, id := range m.ids[:slots] {
		m.order[ends[id]], m.places[slot] = int32(slot), ends[id]
		ends[id]++
	}
}

// collect copies the rows of X to the places of their slots.
type collect struct {
	mixture *mixture
	x       block
	to      simd.Rows
	used    int
}

func (k *collect) do(_, first, last int) {
	for i := first; i < last; i++ {
		copy(k.to.Row(i), k.x.Row(int(k.mixture.order[i])/k.used))
	}
}

// grouped is a product of slots with the weights of their experts. Its items are
// those of the weights of all groups.
type grouped struct {
	base
	mixture *mixture
	weight  *weights
	x       operand
	out     simd.Rows
}

// run computes all slots. Their activations are there already unless fresh.
func (k *grouped) run(slots int, fresh bool) {
	if fresh && k.weight.packed() {
		k.x.round(k.pool, slots)
	}
	groups, items := len(k.mixture.groups), k.weight.items()
	work := k.weight.rows / items * k.weight.columns * max(1, slots/max(1, groups))
	k.pool.run(k, groups*items, share(groups*items, work, k.pool.size))
}

func (k *grouped) do(worker, first, last int) {
	items := k.weight.items()
	for first < last {
		g, from := k.mixture.groups[first/items], first%items
		to := min(items, from+last-first)
		k.weight.multiply(&k.lanes[worker], g.expert, from, to, &k.x, g.first, g.last, k.out, nil)
		first += to - from
	}
}

// mix is the weighted sum of what a row's experts put out. Its items are rows.
type mix struct {
	base
	mixture *mixture
	out     block
	from    simd.Rows
	used    int
}

func (k *mix) do(_, first, last int) {
	for t := first; t < last; t++ {
		out := k.out.Row(t)
		clear(out)
		// Places rise with the numbers of the experts.
		places := k.mixture.places[t*k.used : (t+1)*k.used]
		shares := k.mixture.shares[t*k.used : (t+1)*k.used]
		for done := int32(-1); ; {
			next := -1
			for i, place := range places {
				if place > done && (next < 0 || place < places[next]) {
					next = i
				}
			}
			if next < 0 {
				break
			}
			k.ScaleAdd(out, k.from.Row(int(places[next])), shares[next])
			done = places[next]
		}
	}
}
