package grammar

import (
	"encoding/binary"
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
	p := &product{all: all, least: least, most: most, into: into, expressions: map[string]expression{}, known: map[meeting]int32{}}
	begin := make([]uint32, len(all))
	for i, r := range all {
		begin[i] = uint32(r.Start)
	}
	var out automaton
	out.start, out.empty = p.follow(begin, 0)
	for n := 0; n < len(p.places); n++ { // which become more
		at := p.places[n]
		behind := make([]uint32, len(all))
		for i, r := range all {
			behind[i] = r.Inst[binary.LittleEndian.Uint32([]byte(at.reads[4*i:]))].Out
		}
		next, ends := p.follow(behind, at.before+1)
		out.nodes = append(out.nodes, vertex{p.expressions[at.reads], next, ends})
		switch {
		case len(p.places) > MaxStates:
			return automaton{}, fmt.Errorf("more than %d states: %w", MaxStates, ErrLimit)
		case p.steps > mostSteps: // links are steps, too
			return automaton{}, fmt.Errorf("more than %d transitions: %w", mostSteps, ErrLimit)
		}
	}
	return out, nil
}

// mostSteps bounds the work of an intersection: instructions that are looked at, and
// pairs of them.
const mostSteps = MaxEdges

// product makes the nodes of an intersection.
type product struct {
	all         []*regex
	least, most int
	into        func(class) expression
	expressions map[string]expression // instructions that read together, and what; nil: nothing
	places      []meeting
	known       map[meeting]int32
	steps       int
}

// meeting is where the programs read the same character.
type meeting struct {
	reads  string // the instruction of each, in four bytes
	before int    // characters, as far as they count
}

// follow returns the nodes that may come next where each program goes on at an
// instruction and some characters were read, and whether the text may end there.
func (p *product) follow(at []uint32, before int) (next []int32, ends bool) {
	reads := make([][]uint32, len(at))
	ends = before >= p.least
	for i, r := range p.all {
		var end bool
		reads[i], end = r.follow(at[i], before == 0, &p.steps)
		ends = ends && end
	}
	if p.most >= 0 && before >= p.most {
		return nil, ends
	}
	// Without a bound to come, more characters make no difference.
	if p.most < 0 {
		before = min(before, max(p.least, 1))
	}
	p.meet(reads, nil, before, &next)
	slices.Sort(next)
	return slices.Compact(next), ends
}

// meet adds the nodes in which the programs that are left read the character that those
// before them do.
func (p *product) meet(left [][]uint32, reads []byte, before int, next *[]int32) {
	if p.steps++; p.steps > mostSteps {
		return
	}
	if len(left) > 0 {
		for _, at := range left[0] {
			p.meet(left[1:], binary.LittleEndian.AppendUint32(reads, at), before, next)
		}
		return
	}
	e, ok := p.expressions[string(reads)]
	if !ok {
		c := p.all[0].reads(binary.LittleEndian.Uint32(reads))
		for i, r := range p.all[1:] {
			c = intersect(c, r.reads(binary.LittleEndian.Uint32(reads[4*(i+1):])))
		}
		if len(c) > 0 {
			e = p.into(c)
		}
		p.expressions[string(reads)] = e
	}
	if e == nil {
		return
	}
	at := meeting{string(reads), before}
	n, ok := p.known[at]
	if !ok {
		n = int32(len(p.places))
		p.known[at] = n
		p.places = append(p.places, at)
	}
	*next = append(*next, n)
}
