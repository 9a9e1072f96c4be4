package webgpu

import (
	"fmt"

	"github.com/realm-webgpu/realm/engine/device"
)

// buffer is accounted device memory.
type buffer struct {
	device *Device
	raw    rawBuffer
	size   int64
	kind   device.Kind
	holds  int // those who must release it; guarded by device.mu
}

// bufferBytes returns what a buffer of so many bytes takes.
func bufferBytes(size int64) int64 { return max((size+15)&^15, 16) }

// newBuffer takes memory from the account and then from the driver.
func (d *Device) newBuffer(name string, kind device.Kind, size int64, u usage) (*buffer, error) {
	size = bufferBytes(size)
	if size > d.limits.Buffer {
		return nil, fmt.Errorf("webgpu: %s: %d bytes, a buffer of this adapter has at most %d: %w", name, size, d.limits.Buffer, device.ErrUnsupported)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.check(); err != nil {
		return nil, err
	}
	if err := d.fits(kind, name, size); err != nil {
		return nil, err
	}
	raw, err := d.gpu.newBuffer(name, size, u)
	if err != nil {
		return nil, fmt.Errorf("webgpu: %s: %w: %v", name, device.ErrMemory, err)
	}
	d.account.Used[kind] += size
	return &buffer{d, raw, size, kind, 1}, nil
}

// fits checks a need against the budget, before what is made of many buffers is
// begun. d.mu is held.
func (d *Device) fits(kind device.Kind, name string, need int64) error {
	if used := d.account.Total(); d.account.Budget > 0 && need > d.account.Budget-used {
		return &device.MemoryError{Kind: kind, Name: name, Need: need, Used: used, Budget: d.account.Budget}
	}
	return nil
}

// hold adds one who must release the buffer.
func (b *buffer) hold() {
	b.device.mu.Lock()
	defer b.device.mu.Unlock()
	b.holds++
}

// release gives the memory back when the last holder does; the driver keeps it
// until the steps in flight are done. It is harmless on nil.
func (b *buffer) release() {
	if b == nil {
		return
	}
	d := b.device
	d.mu.Lock()
	defer d.mu.Unlock()
	if b.holds--; b.holds == 0 && !d.closed {
		d.account.Used[b.kind] -= b.size
		b.raw.release()
	}
}

// all binds the whole buffer.
func (b *buffer) all() binding { return binding{b.raw, 0, b.size} }

// newReadback takes accounted memory for what comes back to the host. d.mu is
// held, as it is for releaseReadback.
func (d *Device) newReadback(size int64) (*readback, error) {
	if err := d.fits(device.KindScratch, "read-back", size); err != nil {
		return nil, err
	}
	r, err := d.gpu.newReadback(size)
	if err != nil {
		return nil, fmt.Errorf("webgpu: read-back: %w: %v", device.ErrMemory, err)
	}
	d.account.Used[device.KindScratch] += size
	return r, nil
}

func (d *Device) releaseReadback(r *readback) {
	if !d.closed {
		d.account.Used[device.KindScratch] -= r.size
		r.release()
	}
}
