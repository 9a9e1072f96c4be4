package webgpu

import (
	"fmt"
	"sync"
	"unsafe"

	"github.com/realm-webgpu/realm/engine/device"
)

// storage is a buffer that the host writes and reads.
type storage struct {
	buffer *buffer
	closed bool // guarded by device.mu

	mu   sync.Mutex // held while what was read is on its way
	back *readback  // nil until the first Read
}

var _ device.Tensors = (*Device)(nil)

// backBytes is the most that is read at a time: staging memory is kept for the
// next Read.
const backBytes = 1 << 20

// NewStorage makes a buffer, which WebGPU fills with zeros.
func (d *Device) NewStorage(kind device.Kind, bytes int64) (device.Storage, error) {
	if bytes < 16 || bytes%16 != 0 || bytes > d.limits.StorageBinding {
		return nil, fmt.Errorf("webgpu: new storage: %d bytes are not a multiple of 16 up to %d, the largest binding: %w", bytes, d.limits.StorageBinding, device.ErrUnsupported)
	}
	b, err := d.newBuffer("storage", kind, bytes, usageStorage)
	if err != nil {
		return nil, err
	}
	return &storage{buffer: b}, nil
}

func (s *storage) Bytes() int64 { return s.buffer.size }

func (s *storage) Write(offset int64, p []byte) error {
	d := s.buffer.device
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := s.check("write", offset, p); err != nil || len(p) == 0 {
		return err
	}
	for at := 0; at < len(p); at += writeBytes {
		if err := d.gpu.write(s.buffer.raw, offset+int64(at), p[at:min(at+writeBytes, len(p))]); err != nil {
			return fmt.Errorf("webgpu: write: %w", err)
		}
		if at > 0 {
			d.gpu.flush()
		}
	}
	d.counters.Written += uint64(len(p))
	return nil
}

func (s *storage) Read(offset int64, p []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for at := 0; at < len(p) || at == 0; at += backBytes {
		if err := s.read(offset+int64(at), p[at:min(at+backBytes, len(p))]); err != nil {
			return err
		}
	}
	return nil
}

// read copies at most backBytes. The device is not locked while it waits.
func (s *storage) read(offset int64, p []byte) error {
	d := s.buffer.device
	words := make([]uint32, len(p)/4)
	d.mu.Lock()
	err := s.check("read", offset, p)
	if err == nil && len(p) > 0 {
		if err = s.stage(int64(len(p))); err == nil {
			d.gpu.startRead(s.buffer.raw, offset, s.back, int64(len(p)))
			d.counters.Submits++
			d.counters.ReadBack += uint64(len(p))
		}
	}
	d.mu.Unlock()
	if err != nil || len(p) == 0 {
		return err
	}
	if err := d.gpu.wait(s.back, words); err != nil {
		return fmt.Errorf("webgpu: read: %w", err)
	}
	copy(p, unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(words))), len(p)))
	return nil
}

// stage makes room for what comes back. s.mu and d.mu are held.
func (s *storage) stage(size int64) error {
	if s.back != nil && s.back.size >= size {
		return nil
	}
	d := s.buffer.device
	grown, err := d.newReadback(size)
	if err != nil {
		return err
	}
	if s.back != nil {
		d.releaseReadback(s.back)
	}
	s.back = grown
	return nil
}

// check reports what cannot be copied to or from. d.mu is held.
func (s *storage) check(operation string, offset int64, p []byte) error {
	d := s.buffer.device
	if err := d.check(); err != nil {
		return err
	}
	if s.closed {
		return fmt.Errorf("webgpu: %s: storage: %w", operation, device.ErrClosed)
	}
	if size := int64(len(p)); offset < 0 || offset%4 != 0 || size%4 != 0 || size > s.buffer.size || offset > s.buffer.size-size {
		return fmt.Errorf("webgpu: %s: %d bytes from %d on, of a storage of %d, in words of 4: %w", operation, size, offset, s.buffer.size, device.ErrStep)
	}
	return nil
}

func (s *storage) Release() {
	s.mu.Lock() // what is on its way arrives first
	defer s.mu.Unlock()
	d := s.buffer.device
	d.mu.Lock()
	closed := s.closed
	s.closed = true
	if s.back != nil {
		d.releaseReadback(s.back)
		s.back = nil
	}
	d.mu.Unlock()
	if !closed {
		s.buffer.release()
	}
}

// hold keeps the memory for an executable, unless it was released.
func (s *storage) hold() bool {
	d := s.buffer.device
	d.mu.Lock()
	defer d.mu.Unlock()
	if !s.closed {
		s.buffer.holds++
	}
	return !s.closed
}

// bindStorages adds the buffers of storages to the slots that the plan made.
func (b *builder) bindStorages() error {
	for i := range b.program.Buffers {
		if b.program.Buffers[i].Storage == nil {
			continue
		}
		s, ok := b.program.Buffers[i].Storage.(*storage)
		if !ok || s.buffer.device != b.device {
			return fmt.Errorf("buffer %d: a storage of another device: %w", i, device.ErrProgram)
		}
		if !s.hold() {
			return fmt.Errorf("buffer %d: storage: %w", i, device.ErrClosed)
		}
		b.e.held = append(b.e.held, s.buffer)
		b.plan.slot[i] = len(b.slots)
		b.slots = append(b.slots, s.buffer)
	}
	return nil
}

// Slice returns rows of a matrix, or elements of a vector, which share the parts.
func (d *Device) Slice(w device.Weights, first, n int) (device.Weights, error) {
	own, ok := w.(*weights)
	if !ok || own.parts[0].buffer.device != d {
		return nil, fmt.Errorf("webgpu: slice: weights of another device: %w", device.ErrProgram)
	}
	size := own.rows
	if own.planes == nil {
		size = own.columns
	}
	if own.experts > 1 || first < 0 || first%4 != 0 || n < 1 || n > size || first > size-n {
		return nil, fmt.Errorf("webgpu: slice: %d from %d on of [%d, %d, %d]: %w", n, first, own.experts, own.rows, own.columns, device.ErrUnsupported)
	}
	slice := &weights{
		format: own.format, rows: n, columns: own.columns, experts: 1, planes: own.planes, tile: own.tile,
		parts: own.parts, slice: true, first: own.first + first,
	}
	if own.planes == nil {
		slice.rows, slice.columns = 1, n
	}
	return slice, nil
}
