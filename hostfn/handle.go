package hostfn

import (
	"github.com/realm-webgpu/realm/hostfn/abi"
)

// handles are what a guest has open. Numbers are never given out again.
type handles struct {
	open map[uint32]handle
	last uint32
}

// handle is something that is open.
type handle interface {
	// close gives it back; what is in use, when it is not any more.
	close()
}

// add opens a handle.
func (g *Guest) add(h handle) (uint32, abi.Errno) {
	if g.handleCount() >= g.limits.Handles || g.handles.last == ^uint32(0) {
		return 0, abi.Quota
	}
	if g.handles.open == nil {
		g.handles.open = map[uint32]handle{}
	}
	g.handles.last++
	g.handles.open[g.handles.last] = h
	return g.handles.last, abi.OK
}

// handleCount returns how many handles count for the limit: those of sequences too
// that are closed and wait for the end of a step.
func (g *Guest) handleCount() int { return len(g.handles.open) + len(g.leaving) }

// addTo opens a handle and stores its number for the guest. What cannot be told of
// is given back.
func (c call) addTo(out uint64, h handle) abi.Errno {
	if !inside(c.m, out, 4) {
		h.close()
		return abi.Fault
	}
	n, e := c.add(h)
	if e != abi.OK {
		h.close()
		return e
	}
	return c.u32(out, n)
}

// find returns an open handle of a kind.
func find[T handle](g *Guest, n uint32) (T, abi.Errno) {
	h, ok := g.handles.open[n].(T)
	if !ok {
		return h, abi.Badf
	}
	return h, abi.OK
}

// remove closes a handle.
func (g *Guest) remove(n uint32) abi.Errno {
	h, ok := g.handles.open[n]
	if !ok {
		return abi.Badf
	}
	delete(g.handles.open, n)
	h.close()
	return abi.OK
}

func (h *handles) close() {
	for n, x := range h.open {
		delete(h.open, n)
		x.close()
	}
}
