package grammar

import (
	"fmt"
	"maps"
	"slices"
)

// state is a state of the automaton of a rule.
type state struct {
	edges []edge  // on bytes
	empty []int32 // reached without a byte
	calls []call
	final bool // the rule may end here
}

// edge leads to a state on a range of bytes.
type edge struct {
	byteSpan
	to int32
}

// call is a call of a rule, which goes on at a state.
type call struct {
	rule int32 // the first state of the rule
	to   int32
}

// compiler makes states of rules.
type compiler struct {
	states []state
	starts map[string]int32
	names  map[int32]string // of first states
	err    error
}

// compile makes the automaton of rules.
func compile(rules map[string]expression) (*machine, error) {
	c := &compiler{starts: map[string]int32{}, names: map[int32]string{}}
	names := slices.Sorted(maps.Keys(rules))
	if len(names) > MaxRules {
		return nil, fmt.Errorf("grammar: %d rules, at most %d: %w", len(names), MaxRules, ErrLimit)
	}
	for _, name := range names {
		c.starts[name] = c.add()
		c.names[c.starts[name]] = name
	}
	if _, ok := c.starts[root]; !ok {
		return nil, fmt.Errorf("grammar: %w: there is no rule %q", ErrSyntax, root)
	}
	for _, name := range names {
		end := c.expression(rules[name], c.starts[name])
		c.states[end].final = true
		if c.err != nil {
			return nil, fmt.Errorf("grammar: rule %q: %w", name, c.err)
		}
	}
	if err := c.check(names); err != nil {
		return nil, fmt.Errorf("grammar: %w", err)
	}
	states, err := c.closed()
	if err != nil {
		return nil, fmt.Errorf("grammar: %w", err)
	}
	return newMachine(states, c.starts[root]), nil
}

// add makes a state.
func (c *compiler) add() int32 {
	if len(c.states) >= MaxStates {
		if c.err == nil {
			c.err = fmt.Errorf("more than %d states: %w", MaxStates, ErrLimit)
		}
		return 0
	}
	c.states = append(c.states, state{})
	return int32(len(c.states) - 1)
}

// expression adds an expression behind a state, and returns the state where it
// ends.
func (c *compiler) expression(e expression, from int32) int32 {
	if c.err != nil {
		return from
	}
	switch e := e.(type) {
	case literal:
		for i := range len(e) {
			to := c.add()
			c.states[from].edges = append(c.states[from].edges, edge{byteSpan{e[i], e[i]}, to})
			from = to
		}
		return from
	case class:
		return c.class(e, from)
	case sequence:
		for _, part := range e {
			from = c.expression(part, from)
		}
		return from
	case choice:
		end := c.add()
		for _, part := range e {
			start := c.add()
			c.link(from, start)
			c.link(c.expression(part, start), end)
		}
		return end
	case repeat:
		return c.repeat(e, from)
	case automaton:
		return c.automaton(e, from)
	case reference:
		rule, ok := c.starts[string(e)]
		if !ok {
			c.err = fmt.Errorf("rule %q is not defined: %w", string(e), ErrSyntax)
			return from
		}
		to := c.add()
		c.states[from].calls = append(c.states[from].calls, call{rule, to})
		return to
	}
	panic(fmt.Sprintf("grammar: expression %T", e))
}

func (c *compiler) link(from, to int32) {
	c.states[from].empty = append(c.states[from].empty, to)
}

// class adds a character. Encodings that begin alike share their states.
func (c *compiler) class(e class, from int32) int32 {
	end := c.add()
	type prefix struct {
		at int32
		byteSpan
	}
	shared := map[prefix]int32{}
	for _, spans := range encodings(e) {
		at := from
		for i, s := range spans {
			to := end
			if i < len(spans)-1 {
				p := prefix{at, s}
				known, ok := shared[p]
				if !ok {
					known = c.add()
					shared[p] = known
					c.states[at].edges = append(c.states[at].edges, edge{s, known})
				}
				at = known
				continue
			}
			c.states[at].edges = append(c.states[at].edges, edge{s, to})
		}
	}
	return end
}

// repeat adds copies of an expression, and a loop where there is no end.
func (c *compiler) repeat(e repeat, from int32) int32 {
	if e.min > MaxRepeat || e.max > MaxRepeat {
		c.err = fmt.Errorf("%d repetitions, at most %d: %w", max(e.min, e.max), MaxRepeat, ErrLimit)
		return from
	}
	for range e.min {
		from = c.expression(e.of, from)
	}
	end := c.add()
	if e.max < 0 {
		loop := c.add()
		c.link(from, loop)
		c.link(c.expression(e.of, loop), loop)
		c.link(loop, end)
		return end
	}
	for range e.max - e.min {
		c.link(from, end)
		from = c.expression(e.of, from)
		if c.err != nil {
			return from
		}
	}
	c.link(from, end)
	return end
}

// automaton adds the nodes of an automaton, each once, in an order in which most lead to
// later ones: what is found out from the end on is then found in one pass.
func (c *compiler) automaton(e automaton, from int32) int32 {
	before, behind := make([]int32, len(e.nodes)), make([]int32, len(e.nodes))
	for i, n := range e.nodes {
		before[i] = c.add()
		if behind[i] = c.expression(n.on, before[i]); c.err != nil {
			return from
		}
	}
	end := c.add()
	for _, n := range e.start {
		c.link(from, before[n])
	}
	if e.empty {
		c.link(from, end)
	}
	for i, n := range e.nodes {
		for _, next := range n.next {
			c.link(behind[i], before[next])
		}
		if n.ends {
			c.link(behind[i], end)
		}
	}
	return end
}

// reach calls f for a state and all that are reached from it without a byte,
// calls of rules that may be empty among them.
func (c *compiler) reach(from int32, nullable map[int32]bool, f func(int32)) {
	seen := map[int32]bool{from: true}
	for todo := []int32{from}; len(todo) > 0; {
		s := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		f(s)
		next := slices.Clone(c.states[s].empty)
		for _, x := range c.states[s].calls {
			if nullable[x.rule] {
				next = append(next, x.to)
			}
		}
		for _, n := range next {
			if !seen[n] {
				seen[n] = true
				todo = append(todo, n)
			}
		}
	}
}

// check refuses rules that call themselves before they have read anything, and
// rules that can never end.
func (c *compiler) check(names []string) error {
	nullable := map[int32]bool{}
	for changed := true; changed; {
		changed = false
		for _, name := range names {
			start := c.starts[name]
			if nullable[start] {
				continue
			}
			c.reach(start, nullable, func(s int32) { nullable[start] = nullable[start] || c.states[s].final })
			changed = changed || nullable[start]
		}
	}
	left := map[int32][]int32{}
	for _, name := range names {
		start := c.starts[name]
		c.reach(start, nullable, func(s int32) {
			for _, x := range c.states[s].calls {
				left[start] = append(left[start], x.rule)
			}
		})
	}
	if cycle := findCycle(left); cycle >= 0 {
		return fmt.Errorf("rule %q calls itself before it has read anything (left recursion): %w", c.names[cycle], ErrUnsupported)
	}
	return c.productive(names)
}

// findCycle returns a node of a cycle, or -1.
func findCycle(edges map[int32][]int32) int32 {
	const (
		open = 1 + iota
		done
	)
	mark := map[int32]int{}
	type visit struct {
		node int32
		next int
	}
	for _, start := range slices.Sorted(maps.Keys(edges)) {
		if mark[start] != 0 {
			continue
		}
		mark[start] = open
		for path := []visit{{start, 0}}; len(path) > 0; {
			v := &path[len(path)-1]
			if v.next == len(edges[v.node]) {
				mark[v.node] = done
				path = path[:len(path)-1]
				continue
			}
			n := edges[v.node][v.next]
			v.next++
			switch mark[n] {
			case open:
				return n
			case 0:
				mark[n] = open
				path = append(path, visit{n, 0})
			}
		}
	}
	return -1
}

// productive refuses rules that can never end, and cuts what leads into one.
func (c *compiler) productive(names []string) error {
	// ends says from which states the rule's end can be reached, by rules that end.
	ends := make([]bool, len(c.states))
	for changed := true; changed; {
		changed = false
		for i := len(c.states) - 1; i >= 0; i-- {
			if ends[i] {
				continue
			}
			s := &c.states[i]
			ok := s.final
			for _, e := range s.edges {
				ok = ok || ends[e.to]
			}
			for _, to := range s.empty {
				ok = ok || ends[to]
			}
			for _, x := range s.calls {
				ok = ok || ends[x.rule] && ends[x.to]
			}
			ends[i] = ok
			changed = changed || ok
		}
	}
	for _, name := range names {
		if !ends[c.starts[name]] {
			return fmt.Errorf("rule %q matches no text: %w", name, ErrSyntax)
		}
	}
	for i := range c.states {
		s := &c.states[i]
		s.edges = slices.DeleteFunc(s.edges, func(e edge) bool { return !ends[e.to] })
		s.empty = slices.DeleteFunc(s.empty, func(to int32) bool { return !ends[to] })
		s.calls = slices.DeleteFunc(s.calls, func(x call) bool { return !ends[x.rule] || !ends[x.to] })
	}
	return nil
}

// closed returns the states without empty transitions: each has the edges and
// calls of all that it reaches.
func (c *compiler) closed() ([]state, error) {
	total := 0
	out := make([]state, len(c.states))
	seen := make([]int32, len(c.states))
	var todo []int32
	for i := range c.states {
		mark := int32(i + 1)
		todo = append(todo[:0], int32(i))
		seen[i] = mark
		for len(todo) > 0 {
			s := &c.states[todo[len(todo)-1]]
			todo = todo[:len(todo)-1]
			out[i].edges = append(out[i].edges, s.edges...)
			out[i].calls = append(out[i].calls, s.calls...)
			out[i].final = out[i].final || s.final
			for _, to := range s.empty {
				if seen[to] != mark {
					seen[to] = mark
					todo = append(todo, to)
				}
			}
		}
		if total += len(out[i].edges) + len(out[i].calls); total > MaxEdges {
			return nil, fmt.Errorf("more than %d transitions: %w", MaxEdges, ErrLimit)
		}
	}
	return out, nil
}
