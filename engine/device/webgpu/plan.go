package webgpu

import (
	"fmt"

	"github.com/realm-webgpu/realm/engine/device"
)

// plan places the virtual buffers of a program in slots of memory: buffers
// that are never alive at the same time share one. Buffers of outputs keep
// theirs, for Read.
type plan struct {
	slot  []int   // of each virtual buffer; -1: never used
	bytes []int64 // of each slot
}

// planBuffers assigns slots first come, first served, the smallest that fits.
// rows and outputs are the rows that buffers have, tiles included.
func planBuffers(p *device.Program, rows, outputs int) plan {
	size := func(b device.BufferID) int64 {
		n := rows
		if p.Buffers[b].Outputs {
			n = outputs
		}
		return int64(p.Buffers[b].Width) * int64(n) * 4
	}
	first, last := make([]int, len(p.Buffers)), make([]int, len(p.Buffers))
	for i := range first {
		first[i] = -1
	}
	for i, op := range p.Ops {
		reads, writes := op.Views()
		for _, v := range append(reads, writes...) {
			if p.Buffers[v.Buffer].Storage != nil {
				continue // it has a place
			}
			if first[v.Buffer] < 0 {
				first[v.Buffer] = i
			}
			last[v.Buffer] = i
			if p.Buffers[v.Buffer].Outputs {
				last[v.Buffer] = len(p.Ops)
			}
		}
	}
	pl := plan{slot: make([]int, len(p.Buffers))}
	for b := range pl.slot {
		pl.slot[b] = -1
	}
	var free []int
	for i := range p.Ops {
		for b := range p.Buffers {
			if first[b] != i {
				continue
			}
			// The smallest free slot that is large enough, else the largest, grown.
			need, best := size(device.BufferID(b)), -1
			for j, s := range free {
				if best < 0 || pl.bytes[free[best]] < need && pl.bytes[s] > pl.bytes[free[best]] || pl.bytes[s] >= need && pl.bytes[s] < pl.bytes[free[best]] {
					best = j
				}
			}
			if best < 0 {
				pl.slot[b] = len(pl.bytes)
				pl.bytes = append(pl.bytes, need)
				continue
			}
			s := free[best]
			free = append(free[:best], free[best+1:]...)
			pl.slot[b] = s
			pl.bytes[s] = max(pl.bytes[s], need)
		}
		for b := range p.Buffers {
			if first[b] >= 0 && last[b] == i {
				free = append(free, pl.slot[b])
			}
		}
	}
	return pl
}

// scratchSlot returns the memory of slot i with at least size bytes. Programs
// of a device run one after the other, so all of them share the slots; one
// that is too small is replaced, and the programs that hold it keep it.
func (d *Device) scratchSlot(i int, size int64) (*buffer, error) {
	if size > d.limits.StorageBinding {
		return nil, fmt.Errorf("webgpu: activations: %d bytes, the largest binding is %d: %w", size, d.limits.StorageBinding, device.ErrUnsupported)
	}
	d.mu.Lock()
	for len(d.scratch) <= i {
		d.scratch = append(d.scratch, nil)
	}
	b := d.scratch[i]
	d.mu.Unlock()
	if b != nil && b.size >= size {
		b.hold()
		return b, nil
	}
	grown, err := d.newBuffer("activations", device.KindScratch, size, usageStorage)
	if err != nil {
		return nil, err
	}
	grown.hold() // once for the slot, once for the program
	d.mu.Lock()
	d.scratch[i] = grown
	d.mu.Unlock()
	b.release()
	return grown, nil
}
