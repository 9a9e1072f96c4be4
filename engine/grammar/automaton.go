package grammar

import (
	"fmt"
	"slices"
)

// automaton is an expression: the texts that a way through its nodes reads.
type automaton struct {
	nodes []vertex
	start []int32 // nodes that may be the first
	empty bool    // nothing is a text of it, too
}

// vertex reads something.
type vertex struct {
	on   expression
	next []int32 // nodes that may follow
	ends bool    // the text may end behind it
}

// intersection is the automaton of the texts that match all of some regular
// expressions and have least to most characters; most < 0: no end. into makes an
// expression of a class: what stands for one of its characters. Errors: ErrLimit.
//
// A node is an instruction of each program that reads the same character, with how
// many characters came before. Programs are not made deterministic: there are no more
// nodes than the product of their lengths, and of most.
func intersection(all []*regex, least, most int, into func(class) expression) (automaton, error) {
	p := &product{all: all, least: least, most: most, into: into, known: map[string]int32{}}
	begin := make([]uint32, len(all))
	for i, r := range all {
		begin[i] = uint32(r.Start)
	}
	var out automaton
	out.start, out.empty = p.follow(begin, 0)
	links := 0
	for n := 0; n < len(p.places); n++ { // which become more
		at := p.places[n]
		behind := make([]uint32, len(all))
		for i, r := range all {
			behind[i] = r.Inst[at.reads[i]].Out
		}
		next, ends := p.follow(behind, at.before+1)
		out.nodes = append(out.nodes, vertex{at.on, next, ends})
		links += len(next)
		switch {
		case len(p.places) > MaxStates:
			return automaton{}, fmt.Errorf("more than %d states: %w", MaxStates, ErrLimit)
		case links > MaxEdges:
			return automaton{}, fmt.Errorf("more than %d transitions: %w", MaxEdges, ErrLimit)
		}
	}
	return out, nil
}

// product makes the nodes of an intersection.
type product struct {
	all         []*regex
	least, most int
	into        func(class) expression
	places      []meeting
	known       map[string]int32 // places by what they are
}

// meeting is where the programs read the same character.
type meeting struct {
	reads  []uint32 // the instruction of each
	before int      // characters, as far as they count
	on     expression
}

// follow returns the nodes that may come next where each program goes on at an
// instruction and some characters were read, and whether the text may end there.
func (p *product) follow(at []uint32, before int) (next []int32, ends bool) {
	reads := make([][]uint32, len(at))
	ends = before >= p.least
	for i, r := range p.all {
		var end bool
		reads[i], end = r.follow(at[i], before == 0)
		ends = ends && end
	}
	if p.most >= 0 && before >= p.most {
		return nil, ends
	}
	// Without a bound to come, more characters make no difference.
	if p.most < 0 {
		before = min(before, max(p.least, 1))
	}
	p.meet(reads, nil, negate(nil), before, &next)
	slices.Sort(next)
	return slices.Compact(next), ends
}

// meet adds the nodes in which the programs that are left read one of some characters.
func (p *product) meet(left [][]uint32, reads []uint32, c class, before int, next *[]int32) {
	if len(c) == 0 {
		return
	}
	if len(left) == 0 {
		key := fmt.Sprint(reads, before)
		n, ok := p.known[key]
		if !ok {
			n = int32(len(p.places))
			p.known[key] = n
			p.places = append(p.places, meeting{slices.Clone(reads), before, p.into(c)})
		}
		*next = append(*next, n)
		return
	}
	r := p.all[len(reads)]
	for _, at := range left[0] {
		p.meet(left[1:], append(reads, at), intersect(c, r.reads(at)), before, next)
	}
}
