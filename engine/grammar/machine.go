package grammar

import (
	"fmt"
	"slices"
	"sync"
)

// stack is a stack of states: the one on top reads next, those below wait for the
// rules above them to end. It does not change.
type stack struct {
	state int32
	depth int32
	hash  uint64
	below *stack
}

// place is a set of stacks. It does not change, save for what it remembers.
type place struct {
	stacks []*stack // each reads a byte next
	done   bool     // the bottom was reached: all rules may have ended
	hash   uint64
	next   map[byte]*place // where bytes lead; nil: nowhere
	single *[256]*place    // the same, once many were asked for
	known  [4]uint64       // bytes of single that are known
	mask   *maskEntry      // of the vocabulary it was last asked for
}

// machine is a compiled grammar. Matchers of it share what it finds out.
type machine struct {
	states []state
	start  int32

	mu     sync.Mutex
	places map[uint64]*place
	bases  map[*Vocabulary]map[int32]*base
	front  *place   // where a text begins
	dead   *place   // no stack is left
	masked []*place // whose masks are kept, the oldest at oldest
	oldest int
}

// maxMasks is how many masks are kept: each takes a bit for each token.
const maxMasks = 256

// keep notes the mask of a place, and drops the oldest one where there are too many.
func (m *machine) keep(p *place, e *maskEntry) {
	if p.mask == nil {
		if len(m.masked) < maxMasks {
			m.masked = append(m.masked, p)
		} else {
			m.masked[m.oldest].mask = nil
			m.masked[m.oldest] = p
			m.oldest = (m.oldest + 1) % maxMasks
		}
	}
	p.mask = e
}

// maxPlaces is how many places are found again; with more, finding begins anew.
const maxPlaces = 1 << 14

func newMachine(states []state, start int32) *machine {
	return &machine{states: states, start: start, places: map[uint64]*place{}, bases: map[*Vocabulary]map[int32]*base{}, dead: &place{}}
}

// push returns a stack with one more state.
func push(s int32, below *stack) *stack {
	x := &stack{state: s, below: below, depth: 1, hash: mix(uint64(s) + 1)}
	if below != nil {
		x.depth = below.depth + 1
		x.hash = mix(x.hash ^ below.hash*0x9e3779b97f4a7c15)
	}
	return x
}

// mix is the finaliser of SplitMix64 (Steele et al., OOPSLA 2014).
func mix(x uint64) uint64 {
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}

// gather collects the stacks of a place.
type gather struct {
	*machine
	seen map[uint64]bool
	all  []*stack
	done bool
}

// add adds a stack, and those that it stands for: a state that calls a rule waits
// below the rule's first state, and one that may end gives way to what is below.
func (g *gather) add(s *stack) error {
	for todo := []*stack{s}; len(todo) > 0; {
		s := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if s == nil {
			g.done = true
			continue
		}
		if g.seen[s.hash] {
			continue
		}
		if len(g.seen) >= MaxStacks {
			return fmt.Errorf("grammar: more than %d ways to read the text: %w", MaxStacks, ErrLimit)
		}
		if s.depth > MaxDepth {
			return fmt.Errorf("grammar: rules %d deep: %w", s.depth, ErrLimit)
		}
		g.seen[s.hash] = true
		x := &g.states[s.state]
		if len(x.edges) > 0 {
			g.all = append(g.all, s)
		}
		if x.final {
			todo = append(todo, s.below)
		}
		for _, c := range x.calls {
			below := s.below
			// A state that can but end need not wait.
			if to := &g.states[c.to]; !to.final || len(to.edges) > 0 || len(to.calls) > 0 {
				below = push(c.to, s.below)
			}
			todo = append(todo, push(c.rule, below))
		}
	}
	return nil
}

// intern returns the place of the stacks that were gathered. The caller holds the
// lock.
func (g *gather) intern() *place {
	if len(g.all) == 0 && !g.done {
		return g.dead
	}
	slices.SortFunc(g.all, func(a, b *stack) int {
		switch {
		case a.hash < b.hash:
			return -1
		case a.hash > b.hash:
			return 1
		}
		return 0
	})
	hash := uint64(1)
	if g.done {
		hash = 2
	}
	for _, s := range g.all {
		hash = mix(hash ^ s.hash)
	}
	if p, ok := g.places[hash]; ok {
		return p
	}
	if len(g.places) >= maxPlaces {
		clear(g.places)
	}
	p := &place{stacks: g.all, done: g.done, hash: hash}
	g.places[hash] = p
	return p
}

func (m *machine) gather() *gather { return &gather{machine: m, seen: map[uint64]bool{}} }

// at returns the place of one stack; nil is the bottom. The caller holds the lock.
func (m *machine) at(s *stack) (*place, error) {
	g := m.gather()
	if err := g.add(s); err != nil {
		return nil, err
	}
	return g.intern(), nil
}

// begin returns where a text begins. The caller holds the lock.
func (m *machine) begin() (*place, error) {
	if m.front == nil {
		p, err := m.at(push(m.start, nil))
		if err != nil {
			return nil, err
		}
		m.front = p
	}
	return m.front, nil
}

// step returns where a byte leads; dead: nowhere. The caller holds the lock.
func (m *machine) step(p *place, b byte) (*place, error) {
	if p.single != nil {
		if p.known[b>>6]&(1<<(b&63)) != 0 {
			return p.single[b], nil
		}
	} else if q, ok := p.next[b]; ok {
		return q, nil
	}
	g := m.gather()
	for _, s := range p.stacks {
		for _, e := range m.states[s.state].edges {
			if e.lo <= b && b <= e.hi {
				if err := g.add(push(e.to, s.below)); err != nil {
					return nil, err
				}
			}
		}
	}
	q := g.intern()
	p.remember(b, q)
	return q, nil
}

// remember notes where a byte leads.
func (p *place) remember(b byte, q *place) {
	const many = 24
	switch {
	case p.single != nil:
	case len(p.next) < many:
		if p.next == nil {
			p.next = map[byte]*place{}
		}
		p.next[b] = q
		return
	default:
		p.single = new([256]*place)
		for b, q := range p.next {
			p.single[b] = q
			p.known[b>>6] |= 1 << (b & 63)
		}
		p.next = nil
	}
	p.single[b] = q
	p.known[b>>6] |= 1 << (b & 63)
}

// empty reports whether nothing leads on, and the text is not at its end.
func (p *place) empty() bool { return len(p.stacks) == 0 && !p.done }
