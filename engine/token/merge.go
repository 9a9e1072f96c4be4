package token

import "slices"

// symbol is a stretch text[start:end] of what is being tokenized, linked to its neighbours.
type symbol struct {
	start, end int
	prev, next int   // indices, -1 at the ends
	id         int32 // its token, or none
}

// candidate is a pair of neighbours that a token covers. The cheapest is merged first, and of
// equals the leftmost.
type candidate struct {
	cost        float64
	left, right int // indices of the symbols
	size        int // bytes of both: a candidate whose symbols have changed since is stale
	id          int32
}

func (c candidate) before(d candidate) bool {
	return c.cost < d.cost || c.cost == d.cost && c.left < d.left
}

// merger merges the symbols of a word pair by pair, in O(n log n) for n symbols. Its buffers are
// used again from word to word.
type merger struct {
	symbols []symbol
	heap    []candidate
}

// reset forgets the last word and makes room for one of n symbols.
func (m *merger) reset(n int) {
	m.symbols = slices.Grow(m.symbols[:0], n)
	m.heap = slices.Grow(m.heap[:0], n)
}

// add appends the symbol text[start:end].
func (m *merger) add(start, end int, id int32) {
	i := len(m.symbols)
	if i > 0 {
		m.symbols[i-1].next = i
	}
	m.symbols = append(m.symbols, symbol{start: start, end: end, prev: i - 1, next: -1, id: id})
}

// run merges until no pair of neighbours has a token, then calls emit with what is left, in order.
// pair gives the token that two neighbours make and what it costs.
func (m *merger) run(pair func(left, right *symbol) (id int32, cost float64, ok bool), emit func(*symbol)) {
	propose := func(left, right int) {
		if left < 0 || right < 0 {
			return
		}
		l, r := &m.symbols[left], &m.symbols[right]
		if id, cost, ok := pair(l, r); ok {
			m.push(candidate{cost: cost, left: left, right: right, size: r.end - l.start, id: id})
		}
	}
	for i := 1; i < len(m.symbols); i++ {
		propose(i-1, i)
	}
	for len(m.heap) > 0 {
		c := m.pop()
		l, r := &m.symbols[c.left], &m.symbols[c.right]
		// A symbol merged away is empty, and one that grew makes the pair longer.
		if l.start == l.end || r.start == r.end || l.end-l.start+r.end-r.start != c.size {
			continue
		}
		l.end, l.id, l.next = r.end, c.id, r.next
		r.start = r.end
		if r.next >= 0 {
			m.symbols[r.next].prev = c.left
		}
		propose(l.prev, c.left)
		propose(c.left, l.next)
	}
	if len(m.symbols) == 0 {
		return
	}
	for i := 0; i >= 0; i = m.symbols[i].next {
		emit(&m.symbols[i])
	}
}

// push adds a candidate to the heap, and pop takes the first from it.
func (m *merger) push(c candidate) {
	m.heap = append(m.heap, c)
	i := len(m.heap) - 1
	for i > 0 {
		parent := (i - 1) / 2
		if !c.before(m.heap[parent]) {
			break
		}
		m.heap[i] = m.heap[parent]
		i = parent
	}
	m.heap[i] = c
}

func (m *merger) pop() candidate {
	last := len(m.heap) - 1
	first, c := m.heap[0], m.heap[last]
	h := m.heap[:last]
	m.heap = h
	if last == 0 {
		return first
	}
	i := 0
	for {
		child := 2*i + 1
		if child+1 < last && h[child+1].before(h[child]) {
			child++
		}
		if child >= last || !h[child].before(c) {
			break
		}
		h[i] = h[child]
		i = child
	}
	h[i] = c
	return first
}
