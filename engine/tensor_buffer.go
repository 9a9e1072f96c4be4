package engine

import (
	"fmt"

	"github.com/realm-webgpu/realm/engine/device"
)

// Dtype is the type of a buffer's elements, of 4 bytes each.
type Dtype int

// The types of elements. Operations compute with DtypeF32; buffers of DtypeI32
// keep what the caller writes there.
const (
	DtypeF32 Dtype = iota // IEEE 754 binary32
	DtypeI32              // two's complement
)

// Buffer is memory of the device. It may be used from many goroutines.
type Buffer struct {
	tensors *Tensors
	id      uint32
	dtype   Dtype
	storage device.Storage
	closed  bool // guarded by tensors.mu
}

// NewBuffer takes a buffer of bytes, a multiple of 16, all zero. Errors:
// ErrTensor for another size or type, ErrTensorLimit, ErrClosed, those of the
// device: device.ErrMemory, device.ErrUnsupported for more than a binding covers.
func (t *Tensors) NewBuffer(bytes int64, dtype Dtype) (*Buffer, error) {
	if bytes < 16 || bytes%16 != 0 || dtype != DtypeF32 && dtype != DtypeI32 {
		return nil, fmt.Errorf("engine: new buffer: %d bytes of type %d: %w", bytes, dtype, ErrTensor)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return nil, fmt.Errorf("engine: new buffer: %w", ErrClosed)
	}
	if len(t.buffers) >= t.limits.Buffers {
		return nil, fmt.Errorf("engine: new buffer: %d buffers: %w", t.limits.Buffers, ErrTensorLimit)
	}
	if bytes > t.limits.Bytes-t.bytes {
		return nil, fmt.Errorf("engine: new buffer: %d bytes, %d of %d are taken: %w", bytes, t.bytes, t.limits.Bytes, ErrTensorLimit)
	}
	s, err := t.device.NewStorage(device.KindScratch, bytes)
	if err != nil {
		return nil, fmt.Errorf("engine: new buffer: %w", err)
	}
	t.nextID++
	b := &Buffer{tensors: t, id: t.nextID, dtype: dtype, storage: s}
	t.buffers[b] = struct{}{}
	t.bytes += bytes
	return b, nil
}

// Bytes returns the size.
func (b *Buffer) Bytes() int64 { return b.storage.Bytes() }

// Dtype returns the type of the elements.
func (b *Buffer) Dtype() Dtype { return b.dtype }

// elements returns how many there are.
func (b *Buffer) elements() int64 { return b.storage.Bytes() / 4 }

// Write copies p, little-endian, to an offset in bytes, after the lists that were
// started before and before those that follow. It does not wait for them: p may
// be changed once it returns. Offsets and lengths are multiples of 4. Errors:
// ErrTensor for what is not in the buffer, ErrTensorLimit for too much that waits,
// ErrClosed, those of the device.
func (b *Buffer) Write(offset int64, p []byte) error {
	t := b.tensors
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := b.check("write", offset, p); err != nil || len(p) == 0 {
		return err
	}
	if t.idle() {
		if err := b.storage.Write(offset, p); err != nil {
			return fmt.Errorf("engine: write: %w", err)
		}
		return nil
	}
	size := int64(len(p))
	if size > t.limits.Bytes-t.bytes {
		return fmt.Errorf("engine: write: %d bytes that wait, %d of %d are taken: %w", size, t.bytes, t.limits.Bytes, ErrTensorLimit)
	}
	t.bytes += size
	later := append([]byte(nil), p...)
	t.order(func() {
		// What may fail here is the device, of which every later call tells.
		_ = b.storage.Write(offset, later)
		t.mu.Lock()
		t.bytes -= size
		t.mu.Unlock()
	})
	return nil
}

// Read copies from an offset in bytes to p what the lists that were started leave
// there, and waits for them. Its errors are those of Write.
func (b *Buffer) Read(offset int64, p []byte) error {
	t := b.tensors
	t.mu.Lock()
	if err := b.check("read", offset, p); err != nil || len(p) == 0 {
		t.mu.Unlock()
		return err
	}
	var err error
	done := t.order(func() { err = b.storage.Read(offset, p) })
	t.mu.Unlock()
	if <-done; err != nil {
		return fmt.Errorf("engine: read: %w", err)
	}
	return nil
}

// check reports what is not in the buffer. The caller holds tensors.mu.
func (b *Buffer) check(operation string, offset int64, p []byte) error {
	if b.closed || b.tensors.closed {
		return fmt.Errorf("engine: %s: buffer: %w", operation, ErrClosed)
	}
	if n := int64(len(p)); offset < 0 || offset%4 != 0 || n%4 != 0 || n > b.Bytes() || offset > b.Bytes()-n {
		return fmt.Errorf("engine: %s: %d bytes from %d on, of a buffer of %d, in words of 4: %w", operation, n, offset, b.Bytes(), ErrTensor)
	}
	return nil
}

// Release gives the buffer back after the lists that were started.
func (b *Buffer) Release() {
	t := b.tensors
	t.mu.Lock()
	defer t.mu.Unlock()
	if b.closed || t.closed {
		return
	}
	b.closed = true
	delete(t.buffers, b)
	free := func() {
		t.programs.forget(b)
		b.storage.Release()
	}
	if t.idle() {
		free()
		t.bytes -= b.Bytes()
		return
	}
	t.order(func() {
		free()
		t.mu.Lock()
		t.bytes -= b.Bytes()
		t.mu.Unlock()
	})
}
