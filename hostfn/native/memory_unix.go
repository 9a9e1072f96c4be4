//go:build unix

package native

import (
	"sync/atomic"

	"github.com/tetratelabs/wazero/experimental"
	"golang.org/x/sys/unix"
)

// allocator gives an instance its memory: the address space of all that it may
// have, of which the pages that are touched take memory. It never moves.
type allocator struct {
	limit    uint64
	refused  bool          // more was asked for than there may be
	reserved *atomic.Int64 // the host's
}

// Allocate implements experimental.MemoryAllocator.
func (a *allocator) Allocate(_, most uint64) experimental.LinearMemory {
	n := min(most, a.limit) &^ (1<<16 - 1)
	m := &mapped{allocator: a}
	if n > 0 {
		b, err := unix.Mmap(-1, 0, int(n), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
		if err != nil {
			a.refused = true
		} else {
			m.all = b
			a.reserved.Add(int64(n))
		}
	}
	return m
}

// mapped is the memory of an instance.
type mapped struct {
	allocator *allocator
	all       []byte
}

// Reallocate implements experimental.LinearMemory.
func (m *mapped) Reallocate(size uint64) []byte {
	if size > uint64(len(m.all)) {
		m.allocator.refused = true
		return nil
	}
	return m.all[:size]
}

// Free implements experimental.LinearMemory.
func (m *mapped) Free() {
	if m.all != nil {
		m.allocator.reserved.Add(-int64(len(m.all)))
		_ = unix.Munmap(m.all) // it was mapped, and whole
		m.all = nil
	}
}
