package cpu

import (
	"encoding/binary"
	"fmt"
	"math"
	"sync/atomic"

	"github.com/realm-webgpu/realm/engine/device"
)

// storage is numbers that the host writes and reads.
type storage struct {
	device *Device
	kind   device.Kind
	bytes  int64
	values []float32
	closed atomic.Bool
	holds  atomic.Int32 // of the host until Release, and of each executable
}

var _ device.Tensors = (*Device)(nil)

// NewStorage implements [device.Tensors].
func (d *Device) NewStorage(kind device.Kind, bytes int64) (device.Storage, error) {
	if err := d.open("new storage"); err != nil {
		return nil, err
	}
	if bytes < 16 || bytes%16 != 0 || bytes > math.MaxInt32*4 {
		return nil, fmt.Errorf("cpu: new storage: %d bytes are not a multiple of 16 up to %d: %w", bytes, int64(math.MaxInt32)*4, device.ErrUnsupported)
	}
	if err := d.take(kind, "storage", bytes); err != nil {
		return nil, fmt.Errorf("cpu: new storage: %w", err)
	}
	s := &storage{device: d, kind: kind, bytes: bytes, values: make([]float32, bytes/4)}
	s.holds.Store(1)
	return s, nil
}

// Bytes implements [device.Storage].
func (s *storage) Bytes() int64 { return s.bytes }

// Write implements [device.Storage].
func (s *storage) Write(offset int64, p []byte) error {
	d := s.device
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := s.check("write", offset, p); err != nil {
		return err
	}
	values := make([]float32, len(p)/4)
	for i := range values {
		values[i] = math.Float32frombits(binary.LittleEndian.Uint32(p[4*i:]))
	}
	to := s.values[offset/4:]
	d.queue.after(action(func() { copy(to, values) }))
	d.count.written.Add(uint64(len(p)))
	return nil
}

// Read implements [device.Storage].
func (s *storage) Read(offset int64, p []byte) error {
	d := s.device
	d.mu.Lock()
	err := s.check("read", offset, p)
	done := make(barrier)
	read := false
	if err == nil {
		from := s.values[offset/4:][:len(p)/4]
		d.queue.after(&reading{from: from, to: p, read: &read, done: done})
	}
	d.mu.Unlock()
	if err != nil {
		return err
	}
	<-done
	if !read {
		return fmt.Errorf("cpu: read: device: %w", device.ErrClosed)
	}
	d.count.readBack.Add(uint64(len(p)))
	return nil
}

// reading is Read's turn on the device.
type reading struct {
	from []float32
	to   []byte
	read *bool
	done barrier
}

func (r *reading) run() {
	for i, v := range r.from {
		binary.LittleEndian.PutUint32(r.to[4*i:], math.Float32bits(v))
	}
	*r.read = true
}

func (r *reading) tell() { r.done.tell() }

func (r *reading) drop() { r.done.drop() }

// check reports what cannot be copied to or from. The caller holds d.mu.
func (s *storage) check(operation string, offset int64, p []byte) error {
	if err := s.device.usable(operation); err != nil {
		return err
	}
	if s.closed.Load() {
		return fmt.Errorf("cpu: %s: storage: %w", operation, device.ErrClosed)
	}
	if size := int64(len(p)); offset < 0 || offset%4 != 0 || size%4 != 0 || size > s.bytes || offset > s.bytes-size {
		return fmt.Errorf("cpu: %s: %d bytes from %d on, of a storage of %d, in words of 4: %w", operation, size, offset, s.bytes, device.ErrStep)
	}
	return nil
}

// Release implements [device.Storage].
func (s *storage) Release() {
	if !s.closed.Swap(true) {
		s.device.release(s.drop)
	}
}

// drop ends a hold, behind the steps in flight.
func (s *storage) drop() {
	if s.holds.Add(-1) == 0 {
		s.values = nil
		s.device.memory.give(s.kind, s.bytes)
	}
}

// hold keeps the storages of a program's buffers until unhold.
func (e *executable) hold() error {
	d := e.device
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := range e.program.Buffers {
		b := &e.program.Buffers[i]
		if b.Storage == nil {
			continue
		}
		s, ok := b.Storage.(*storage)
		if !ok || s.device != d {
			return fmt.Errorf("buffer %d: a storage of another device: %w", i, device.ErrProgram)
		}
		if s.closed.Load() {
			return fmt.Errorf("buffer %d: storage: %w", i, device.ErrClosed)
		}
		s.holds.Add(1)
		e.held = append(e.held, s)
	}
	return nil
}

func (e *executable) unhold() {
	for _, s := range e.held {
		s.drop()
	}
	e.held = nil
}
