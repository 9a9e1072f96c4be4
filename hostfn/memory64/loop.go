package memory64

import (
	"slices"

	"github.com/realm-webgpu/realm/hostfn/wasm"
)

// mostKept is how many facts a loop takes over, at most: the last ones.
const mostKept = 64

// loops says where the loops of a function end, and where its locals are written. What
// is known of a local before a loop holds in it, too, where nothing there writes it.
type loops struct {
	ends   []int   // of each loop, in the order of the text
	writes [][]int // of each local, ascending
	next   int     // the loop that begins next
	open   []int   // the loops around a place, -1 for another block
	depth  int     // the most blocks in one another, with the function
}

// scan walks over a function.
func (l *loops) scan(body *wasm.Body, locals int) {
	l.ends, l.open, l.next, l.depth = l.ends[:0], l.open[:0], 0, 0
	l.writes = slices.Grow(l.writes[:0], locals)[:locals]
	for i := range l.writes {
		l.writes[i] = l.writes[i][:0]
	}
	for c := wasm.NewCode(body); c.Next(); {
		l.depth = max(l.depth, c.Depth)
		switch c.Op {
		case wasm.OpLoop:
			l.open = append(l.open, len(l.ends))
			l.ends = append(l.ends, len(body.Code))
		case wasm.OpBlock, wasm.OpIf:
			l.open = append(l.open, -1)
		case wasm.OpEnd:
			if n := len(l.open); n > 0 {
				if i := l.open[n-1]; i >= 0 {
					l.ends[i] = c.Start
				}
				l.open = l.open[:n-1]
			}
		case wasm.OpLocalSet, wasm.OpLocalTee:
			l.writes[c.A] = append(l.writes[c.A], c.Start)
		}
	}
}

// written reports whether a local is written between two places of the text.
func (l *loops) written(local, from, to int) bool {
	i, _ := slices.BinarySearch(l.writes[local], from)
	return i < len(l.writes[local]) && l.writes[local][i] < to
}

// enter begins a loop at a place of the text: of the facts before it those hold whose
// locals it does not write.
func (f *function) enter(at int) {
	end := f.loops.ends[f.loops.next]
	f.loops.next++
	k := &f.known
	before := f.frames[len(f.frames)-1]
	k.floor = before.floor
	var kept []fact
	for i := before.facts - 1; i >= max(before.floor, before.facts-mostKept); i-- {
		if x := k.facts[i]; k.last[x.local] == i && k.version[x.local] == x.version && !f.loops.written(x.local, at, end) {
			kept = append(kept, x)
		}
	}
	k.floor = before.facts
	for _, x := range kept {
		k.learn(x.local, x.version, x.span, x.copied)
	}
}
