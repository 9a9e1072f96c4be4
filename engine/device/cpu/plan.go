package cpu

import (
	"slices"

	"github.com/realm-webgpu/realm/engine/device"
)

// lifetime is the time, in operations, in which a buffer has to keep what is
// in it.
type lifetime struct {
	buffer      int
	first, last int
	size        int // elements
	offset      int // where the plan puts it
}

// plan places the buffers of a program in one array: two may overlap where
// their lifetimes do not. It returns the offset of each buffer, in elements,
// and the length of the array. Buffers of outputs live to the end, because
// Read asks for them after the step.
func plan(p *device.Program) (offsets []int, total int) {
	lives := lifetimes(p)
	offsets = make([]int, len(p.Buffers))
	var placed []lifetime // by offset
	for _, l := range lives {
		at := 0
		for _, other := range placed {
			if other.last < l.first || l.last < other.first {
				continue
			}
			if at+l.size <= other.offset {
				break
			}
			at = max(at, other.offset+other.size)
		}
		l.offset = at
		offsets[l.buffer] = at
		total = max(total, at+l.size)
		i, _ := slices.BinarySearchFunc(placed, at, func(o lifetime, at int) int { return o.offset - at })
		placed = slices.Insert(placed, i, l)
	}
	return offsets, total
}

// lifetimes returns those of all buffers that are used, in the order in which
// they begin, the largest first.
func lifetimes(p *device.Program) []lifetime {
	lives := make([]lifetime, len(p.Buffers))
	for i, b := range p.Buffers {
		rows := p.Rows
		if b.Outputs {
			rows = p.Outputs
		}
		lives[i] = lifetime{buffer: i, first: -1, size: rows * b.Width}
	}
	for i, op := range p.Ops {
		reads, writes := op.Views()
		for _, v := range slices.Concat(reads, writes) {
			if p.Buffers[v.Buffer].Storage != nil {
				continue // it has a place
			}
			l := &lives[v.Buffer]
			if l.first < 0 {
				l.first = i
			}
			l.last = i
			if p.Buffers[v.Buffer].Outputs {
				l.last = len(p.Ops)
			}
		}
	}
	lives = slices.DeleteFunc(lives, func(l lifetime) bool { return l.first < 0 })
	slices.SortStableFunc(lives, func(a, b lifetime) int {
		if a.first != b.first {
			return a.first - b.first
		}
		return b.size - a.size
	})
	return lives
}
