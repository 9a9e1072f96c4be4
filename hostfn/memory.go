package hostfn

import (
	"encoding/binary"

	"github.com/realm-webgpu/realm/hostfn/abi"
)

// Memory is the linear memory of a guest. Ranges are checked whole and never wrap.
type Memory interface {
	// Size returns the bytes of the memory now.
	Size() uint64
	// Read copies len(p) bytes at offset to p. Where they are not all inside, it
	// copies none and returns false.
	Read(offset uint64, p []byte) bool
	// Write copies p to offset. Where it does not all fit, it copies nothing and
	// returns false.
	Write(offset uint64, p []byte) bool
}

// inside reports whether n bytes at offset are in m.
func inside(m Memory, offset, n uint64) bool {
	size := m.Size()
	return n <= size && offset <= size-n
}

// call is a call of a host function: the memory and the guest's working space.
type call struct {
	*Guest
	m Memory
}

// bytes copies n bytes of the guest into working space, which is used again by
// the next call of bytes. n is bounded by limit: Inval, and by the memory: Fault.
func (c call) bytes(offset, n, limit uint64) ([]byte, abi.Errno) {
	if n > limit {
		return nil, abi.Inval
	}
	if !inside(c.m, offset, n) {
		return nil, abi.Fault
	}
	if uint64(cap(c.space)) < n {
		c.space = make([]byte, n)
	}
	b := c.space[:n]
	if !c.m.Read(offset, b) {
		return nil, abi.Fault
	}
	return b, abi.OK
}

// ints copies n token ids of the guest to dst.
func (c call) ints(dst []int32, offset, n, limit uint64) ([]int32, abi.Errno) {
	if n > limit {
		return dst, abi.Inval
	}
	b, e := c.bytes(offset, 4*n, 4*limit)
	if e != abi.OK {
		return dst, e
	}
	for ; len(b) > 0; b = b[4:] {
		dst = append(dst, int32(binary.LittleEndian.Uint32(b)))
	}
	return dst, abi.OK
}

// u32 stores a number.
func (c call) u32(offset uint64, v uint32) abi.Errno {
	binary.LittleEndian.PutUint32(c.number[:], v)
	return c.store(offset, c.number[:4])
}

// u64 stores a number.
func (c call) u64(offset, v uint64) abi.Errno {
	binary.LittleEndian.PutUint64(c.number[:], v)
	return c.store(offset, c.number[:8])
}

// store copies bytes to the guest.
func (c call) store(offset uint64, p []byte) abi.Errno {
	if !c.m.Write(offset, p) {
		return abi.Fault
	}
	return abi.OK
}

// sized stores the length that is needed at count, and the bytes at out where they
// fit into room bytes.
func (c call) sized(out, room, count uint64, p []byte, unit uint64) abi.Errno {
	if e := c.u64(count, uint64(len(p))/unit); e != abi.OK {
		return e
	}
	if uint64(len(p)) > room {
		return abi.Toobig
	}
	return c.store(out, p)
}
