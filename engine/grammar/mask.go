package grammar

import "github.com/realm-webgpu/realm/engine/sample"

// base is what a state on top of a stack decides by itself.
type base struct {
	mask sample.Mask
	// exits are nodes of the trie, with children, where the rule may have ended:
	// what is below the state decides about the children.
	exits []int32
}

// maskEntry is a mask that was made.
type maskEntry struct {
	vocabulary *Vocabulary
	mask       sample.Mask
}

// walker walks over the trie and the automaton together.
type walker struct {
	*machine
	*Vocabulary
	places []*place // by depth
}

// walk walks over the nodes from first to last, the children of a node of a depth,
// from a place on. accept is told of each node whose bytes can be read, and where
// they lead.
func (w *walker) walk(first, last int32, from *place, depth int32, accept func(n int32, p *place)) error {
	for int(depth) >= len(w.places) {
		w.places = append(w.places, nil)
	}
	w.places[depth] = from
	for i := first; i < last; {
		n := &w.nodes[i]
		for int(n.depth) >= len(w.places) {
			w.places = append(w.places, nil)
		}
		p, err := w.step(w.places[n.depth-1], n.byte)
		if err != nil {
			return err
		}
		if p.empty() {
			i = n.after
			continue
		}
		w.places[n.depth] = p
		accept(i, p)
		if len(p.stacks) == 0 {
			i = n.after // the end: nothing can follow
			continue
		}
		i++
	}
	return nil
}

// allow sets the tokens of a node.
func (v *Vocabulary) allow(mask sample.Mask, n int32) {
	for _, t := range v.tokens[v.nodes[n].first:v.nodes[n].last] {
		mask.Allow(t)
	}
}

// base returns what a state decides. The caller holds the lock.
func (m *machine) base(v *Vocabulary, s int32) (*base, error) {
	bases := m.bases[v]
	if bases == nil {
		bases = map[int32]*base{}
		m.bases[v] = bases
	}
	if b, ok := bases[s]; ok {
		return b, nil
	}
	p, err := m.at(push(s, nil))
	if err != nil {
		return nil, err
	}
	// The state itself: what it may give way to is another stack of the place.
	only := &place{}
	for _, x := range p.stacks {
		if x.state == s && x.below == nil {
			only.stacks = append(only.stacks, x)
		}
	}
	b := &base{mask: sample.NewMask(v.size)}
	w := &walker{machine: m, Vocabulary: v}
	err = w.walk(0, int32(len(v.nodes)), only, 0, func(n int32, p *place) {
		v.allow(b.mask, n)
		if p.done && v.nodes[n].after > n+1 {
			b.exits = append(b.exits, n)
		}
	})
	if err != nil {
		return nil, err
	}
	const maxBases = 512
	if len(bases) >= maxBases {
		clear(bases)
	}
	bases[s] = b
	return b, nil
}

// maskOf returns the tokens that may come next. The caller holds the lock.
func (m *machine) maskOf(v *Vocabulary, p *place) (sample.Mask, error) {
	if p.mask != nil && p.mask.vocabulary == v {
		return p.mask.mask, nil
	}
	mask := sample.NewMask(v.size)
	if p.done {
		for _, t := range v.ends {
			mask.Allow(t)
		}
	}
	w := &walker{machine: m, Vocabulary: v}
	for _, s := range p.stacks {
		b, err := m.base(v, s.state)
		if err != nil {
			return nil, err
		}
		for i, word := range b.mask {
			mask[i] |= word
		}
		if s.below == nil || len(b.exits) == 0 {
			continue
		}
		below, err := m.at(s.below)
		if err != nil {
			return nil, err
		}
		for _, n := range b.exits {
			x := &v.nodes[n]
			if err := w.walk(n+1, x.after, below, x.depth, func(n int32, _ *place) { v.allow(mask, n) }); err != nil {
				return nil, err
			}
		}
	}
	m.keep(p, &maskEntry{v, mask})
	return mask, nil
}
