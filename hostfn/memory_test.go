package hostfn_test

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/realm-webgpu/realm/hostfn/abi"
)

// span is a range of a memory, in bytes.
type span struct{ at, n uint64 }

// linear is a guest's memory without a guest. It knows what was written to it, and
// gives ranges out, each behind a gap that nothing is to write to.
type linear struct {
	bytes  []byte
	writes []span // since they were last looked at
	top    uint64
}

// untouched is what memory is filled with.
const untouched = 0xa5

func newLinear(size int) *linear {
	m := &linear{bytes: make([]byte, size), top: 64}
	for i := range m.bytes {
		m.bytes[i] = untouched
	}
	return m
}

// Size implements hostfn.Memory.
func (m *linear) Size() uint64 { return uint64(len(m.bytes)) }

// Read implements hostfn.Memory.
func (m *linear) Read(offset uint64, p []byte) bool {
	if !m.holds(offset, uint64(len(p))) {
		return false
	}
	copy(p, m.bytes[offset:])
	return true
}

// Write implements hostfn.Memory.
func (m *linear) Write(offset uint64, p []byte) bool {
	if !m.holds(offset, uint64(len(p))) {
		return false
	}
	copy(m.bytes[offset:], p)
	m.writes = append(m.writes, span{offset, uint64(len(p))})
	return true
}

func (m *linear) holds(offset, n uint64) bool {
	return n <= m.Size() && offset <= m.Size()-n
}

// alloc returns a range of n bytes.
func (m *linear) alloc(n int) uint64 {
	const gap = 32
	at := (m.top + gap + 15) &^ 15
	m.top = at + uint64(n)
	if m.top > m.Size() {
		panic(fmt.Sprintf("the memory of a test is too small for %d bytes more", n))
	}
	return at
}

// put returns a range with bytes in it.
func (m *linear) put(p []byte) uint64 {
	at := m.alloc(len(p))
	copy(m.bytes[at:], p)
	return at
}

// text is put for a string; n is its length.
func (m *linear) text(s string) (at, n uint64) { return m.put([]byte(s)), uint64(len(s)) }

// ids is put for tokens; n is how many there are.
func (m *linear) ids(all []int32) (at, n uint64) {
	var p []byte
	for _, id := range all {
		p = binary.LittleEndian.AppendUint32(p, uint32(id))
	}
	return m.put(p), uint64(len(all))
}

// floats is put for numbers.
func (m *linear) floats(all ...float32) uint64 {
	var p []byte
	for _, v := range all {
		p = binary.LittleEndian.AppendUint32(p, math.Float32bits(v))
	}
	return m.put(p)
}

// numbers is put for 64-bit numbers: tickets.
func (m *linear) numbers(all ...uint64) uint64 {
	var p []byte
	for _, v := range all {
		p = binary.LittleEndian.AppendUint64(p, v)
	}
	return m.put(p)
}

func (m *linear) u32(at uint64) uint32  { return binary.LittleEndian.Uint32(m.bytes[at:]) }
func (m *linear) i32(at uint64) int32   { return int32(m.u32(at)) }
func (m *linear) u64(at uint64) uint64  { return binary.LittleEndian.Uint64(m.bytes[at:]) }
func (m *linear) f32(at uint64) float32 { return math.Float32frombits(m.u32(at)) }

// ints reads n tokens.
func (m *linear) ints(at uint64, n int) []int32 {
	all := make([]int32, n)
	for i := range all {
		all[i] = m.i32(at + 4*uint64(i))
	}
	return all
}

// reals reads n numbers.
func (m *linear) reals(at uint64, n int) []float32 {
	all := make([]float32, n)
	for i := range all {
		all[i] = m.f32(at + 4*uint64(i))
	}
	return all
}

// fields are values of a struct of the interface by their names. A size that is not
// among them is the struct's own.
type fields map[string]any

// layout returns a struct of the interface.
func layout(name string) abi.Struct {
	for _, s := range abi.Structs() {
		if s.Name == name {
			return s
		}
	}
	panic("there is no struct " + name)
}

// encode writes structs one behind the other.
func encode(name string, all ...fields) []byte {
	s := layout(name)
	var out []byte
	for _, values := range all {
		b := make([]byte, s.Size())
		binary.LittleEndian.PutUint32(b, uint32(s.Size()))
		left := len(values)
		for _, f := range s.Fields {
			v, ok := values[f.Name]
			if !ok {
				continue
			}
			left--
			if x, ok := v.(float32); ok {
				binary.LittleEndian.PutUint32(b[f.Offset():], math.Float32bits(x))
				continue
			}
			var n uint64
			switch x := v.(type) {
			case int:
				n = uint64(x)
			case uint32:
				n = uint64(x)
			case uint64:
				n = x
			default:
				panic(fmt.Sprintf("%s.%s is a %T", name, f.Name, v))
			}
			if f.Bytes() == 8 {
				binary.LittleEndian.PutUint64(b[f.Offset():], n)
			} else {
				binary.LittleEndian.PutUint32(b[f.Offset():], uint32(n))
			}
		}
		if left > 0 {
			panic(fmt.Sprintf("struct %s lacks a field of %v", name, values))
		}
		out = append(out, b...)
	}
	return out
}

// place returns where a field of a struct is.
func place(name, field string) uint64 {
	for _, f := range layout(name).Fields {
		if f.Name == field {
			return uint64(f.Offset())
		}
	}
	panic("there is no field " + name + "." + field)
}

// get reads a field of a struct, of any width.
func (m *linear) get(name, field string, at uint64) uint64 {
	for _, f := range layout(name).Fields {
		if f.Name == field && f.Bytes() == 8 {
			return m.u64(at + uint64(f.Offset()))
		}
	}
	return uint64(m.u32(at + place(name, field)))
}
