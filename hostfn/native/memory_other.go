//go:build !unix

package native

import (
	"sync/atomic"

	"github.com/tetratelabs/wazero/experimental"
)

// allocator gives an instance its memory, which grows by being copied.
type allocator struct {
	limit    uint64
	refused  bool          // more was asked for than there may be
	reserved *atomic.Int64 // the host's
}

// Allocate implements experimental.MemoryAllocator.
func (a *allocator) Allocate(_, most uint64) experimental.LinearMemory {
	return &grown{a, make([]byte, 0), min(most, a.limit)}
}

// grown is the memory of an instance.
type grown struct {
	allocator *allocator
	all       []byte
	most      uint64
}

// Reallocate implements experimental.LinearMemory.
func (g *grown) Reallocate(size uint64) []byte {
	if size > g.most {
		g.allocator.refused = true
		return nil
	}
	if size > uint64(cap(g.all)) {
		g.allocator.reserved.Add(int64(size) - int64(cap(g.all)))
		g.all = append(make([]byte, 0, size), g.all...) // of that capacity
	}
	g.all = g.all[:size]
	return g.all
}

// Free implements experimental.LinearMemory.
func (g *grown) Free() {
	g.allocator.reserved.Add(-int64(cap(g.all)))
	g.all = nil
}
