package quant

import "encoding/binary"

// Blocks pack narrow fields into bytes, and the work on them goes eight bytes
// at a time in a uint64, byte 0 lowest.

// each repeats a byte in all eight bytes of a word.
func each(b uint64) uint64 { return b * 0x0101010101010101 }

// load8 returns eight quants as the bytes of a word. The compiler makes one
// load of it.
func load8(q []int8) uint64 {
	_ = q[7]
	return uint64(uint8(q[0])) | uint64(uint8(q[1]))<<8 | uint64(uint8(q[2]))<<16 | uint64(uint8(q[3]))<<24 |
		uint64(uint8(q[4]))<<32 | uint64(uint8(q[5]))<<40 | uint64(uint8(q[6]))<<48 | uint64(uint8(q[7]))<<56
}

// store8 sets eight quants to the bytes of a word. The compiler makes one store
// of it.
func store8(q []int8, v uint64) {
	_ = q[7]
	q[0], q[1], q[2], q[3] = int8(v), int8(v>>8), int8(v>>16), int8(v>>24)
	q[4], q[5], q[6], q[7] = int8(v>>32), int8(v>>40), int8(v>>48), int8(v>>56)
}

// spread takes apart bytes that hold 8/bits fields each. GGML strides fields:
// the lowest field of every byte of b comes first, then the next field of every
// byte. Field values land in q shifted left, beside the bits already there if
// add, so that a further plane of bits can be laid on top. len(b) is a multiple
// of 8.
func spread(q []int8, b []byte, bits, shift uint, add bool) {
	mask := each(1<<bits - 1)
	for field := uint(0); field < 8; field += bits {
		for i := 0; i < len(b); i += 8 {
			v := binary.LittleEndian.Uint64(b[i:]) >> field & mask << shift
			if add {
				v |= load8(q[i:])
			}
			store8(q[i:], v)
		}
		q = q[len(b):]
	}
}

// gather is the inverse of spread: it fills b with the bits of the quants from
// bit shift up.
func gather(b []byte, q []int8, bits, shift uint) {
	mask := each(1<<bits - 1)
	clear(b)
	for field := uint(0); field < 8; field += bits {
		for i := 0; i < len(b); i += 8 {
			v := load8(q[i:]) >> shift & mask << field
			binary.LittleEndian.PutUint64(b[i:], binary.LittleEndian.Uint64(b[i:])|v)
		}
		q = q[len(b):]
	}
}

// squeeze moves the low bits of each of the eight bytes of v together, byte 0
// lowest. The upper bits of the bytes are zero, and bits is 1, 2 or 4.
func squeeze(v uint64, bits int) uint64 {
	// Each step halves the number of fields, and doubles their width.
	switch bits {
	case 1:
		v |= v >> 7
		v &= 0x0003000300030003
		v |= v >> 14
		v &= 0x0000000f0000000f
		return (v | v>>28) & 0xff
	case 2:
		v |= v >> 6
		v &= 0x000f000f000f000f
		v |= v >> 12
		v &= 0x000000ff000000ff
		return (v | v>>24) & 0xffff
	default:
		v |= v >> 4
		v &= 0x00ff00ff00ff00ff
		v |= v >> 8
		v &= 0x0000ffff0000ffff
		return (v | v>>16) & 0xffffffff
	}
}

// getF16 reads a little-endian float16.
func getF16(b []byte) float32 { return F16ToF32(binary.LittleEndian.Uint16(b)) }

// putF16 writes x as a little-endian float16.
func putF16(b []byte, x float32) { binary.LittleEndian.PutUint16(b, F32ToF16(x)) }
