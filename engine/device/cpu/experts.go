package cpu

import "github.com/realm-webgpu/realm/engine/device"

// experts is device.Experts. Every row of a step is routed to its experts, a
// slot for each; the slots are then sorted by their experts, so that a weight
// row is decoded once for all rows of X that go through it. A row's experts are
// added up in the order of their numbers.
type experts struct {
	router  block
	used    int
	mixture *mixture
	gated   gated
	mixed   mixed
	pool    *pool
}

// mixture is the scratch memory of a program's Experts operations, which run
// one after another. A slot is one of the experts of a row: row t has the slots
// from t*used to (t+1)*used.
type mixture struct {
	ids    []int32   // [slots] the expert of each
	shares []float32 // [slots] its weight in the sum
	order  []int32   // [slots] slots, sorted by expert
	groups []group   // experts that have slots, by their numbers
	ends   []int32   // [experts] where the slots of each end in order
	hidden []float32 // [slots, n_ff]
}

// group is an expert and the slots that it has.
type group struct {
	expert int
	slots  []int32
}

// mixtureSize is the lengths of a mixture, the largest that any operation needs.
type mixtureSize struct{ slots, experts, hidden int }

func mixtureSizeOf(p *device.Program) mixtureSize {
	var size mixtureSize
	for _, op := range p.Ops {
		if o, ok := op.(*device.Experts); ok {
			slots := p.Rows * o.Used
			ff, _ := o.Gate.Shape()
			size.slots = max(size.slots, slots)
			size.experts = max(size.experts, o.Router.Width)
			size.hidden = max(size.hidden, slots*ff)
		}
	}
	return size
}

func (s mixtureSize) bytes() int64 {
	const group = 32 // bytes of one
	return 12*int64(s.slots) + (4+group)*int64(s.experts) + 4*int64(s.hidden)
}

func (s mixtureSize) mixture() mixture {
	return mixture{
		ids:    make([]int32, s.slots),
		shares: make([]float32, s.slots),
		order:  make([]int32, s.slots),
		groups: make([]group, 0, s.experts),
		ends:   make([]int32, s.experts),
		hidden: make([]float32, s.hidden),
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
	return &experts{
		router: e.block(o.Router), used: o.Used, mixture: &e.mixture, pool: b.pool,
		gated: gated{base: b, mixture: &e.mixture, x: e.block(o.X), used: o.Used, gate: gate, up: up, activation: o.Activation},
		mixed: mixed{base: b, mixture: &e.mixture, out: e.block(o.Out), used: o.Used, down: down},
	}, nil
}

func (k *experts) run(s *step) {
	m, rows := k.mixture, s.rows(k.router.outputs)
	k.route(rows)
	m.sort(rows*k.used, k.router.width)
	k.gated.step, k.mixed.step = s, s
	slots, up, down := rows*k.used, k.gated.up, k.mixed.down
	k.pool.run(&k.gated, len(m.groups)*up.rows, grain(2*up.columns*(1+slots/max(1, len(m.groups)))))
	k.pool.run(&k.mixed, down.rows, grain(down.columns*(len(m.groups)+slots)))
}

// route finds the experts of every row, and their shares.
func (k *experts) route(rows int) {
	for t := range rows {
		logits := k.router.row(t)
		ids, shares := k.mixture.ids[t*k.used:(t+1)*k.used], k.mixture.shares[t*k.used:(t+1)*k.used]
		best(ids, logits)
		for i, id := range ids {
			shares[i] = logits[id]
		}
		weigh(shares)
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
			m.groups = append(m.groups, group{id, m.order[at : at+n]})
		}
		ends[id] = at // it moves to the end as the slots come in
		at += n
	}
	for slot, id := range m.ids[:slots] {
		m.order[ends[id]] = int32(slot)
		ends[id]++
	}
}

// gated is the first half of experts: activation(Gate·X) * (Up·X) of every slot.
// Its items are the rows of the matrices of all groups.
type gated struct {
	base
	mixture    *mixture
	x          block
	used       int
	gate, up   *weights
	activation device.Activation
}

func (k *gated) do(worker, first, last int) {
	lane, ff := &k.lanes[worker], k.up.rows
	row := lane.row[:k.up.columns]
	for item := first; item < last; item++ {
		g, i := k.mixture.groups[item/ff], item%ff
		k.gate.decode(row, g.expert, i, &lane.parts)
		for _, slot := range g.slots {
			k.mixture.hidden[int(slot)*ff+i] = activate(k.activation, dot(k.x.row(int(slot)/k.used), row))
		}
		k.up.decode(row, g.expert, i, &lane.parts)
		for _, slot := range g.slots {
			k.mixture.hidden[int(slot)*ff+i] *= dot(k.x.row(int(slot)/k.used), row)
		}
	}
}

// mixed is the second half of experts: the weighted sum of what they put out.
// Its items are the elements of an output row.
type mixed struct {
	base
	mixture *mixture
	out     block
	used    int
	down    *weights
}

func (k *mixed) do(worker, first, last int) {
	lane, ff, m := &k.lanes[worker], k.down.columns, k.mixture
	row := lane.row[:ff]
	for i := first; i < last; i++ {
		for t := range k.step.rows(k.out.outputs) {
			k.out.data[t*k.out.stride+i] = 0
		}
		for _, g := range m.groups {
			k.down.decode(row, g.expert, i, &lane.parts)
			for _, slot := range g.slots {
				y := dot(m.hidden[int(slot)*ff:(int(slot)+1)*ff], row)
				k.out.data[int(slot)/k.used*k.out.stride+i] += float32(m.shares[slot] * y)
			}
		}
	}
}
