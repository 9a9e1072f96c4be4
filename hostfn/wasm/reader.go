package wasm

import (
	"fmt"
	"unicode/utf8"
)

// reader takes a module apart. The first error sticks: what is read after it is
// zero.
type reader struct {
	data    []byte
	at, end int
	section string
	err     error
}

func (r *reader) fail(at int, format string, args ...any) {
	if r.err == nil {
		r.err = &FormatError{r.section, at, fmt.Sprintf(format, args...)}
		r.at = r.end
	}
}

func (r *reader) byte() byte {
	if r.at >= r.end {
		r.fail(r.at, "unexpected end")
		return 0
	}
	b := r.data[r.at]
	r.at++
	return b
}

// bytes returns the next n bytes, which are the module's own.
func (r *reader) bytes(n uint32) []byte {
	if uint64(n) > uint64(r.end-r.at) {
		r.fail(r.at, "unexpected end: %d bytes of %d", r.end-r.at, n)
		return nil
	}
	b := r.data[r.at : r.at+int(n)]
	r.at += int(n)
	return b
}

// unsigned reads a LEB128 of at most bits bits.
func (r *reader) unsigned(bits uint) uint64 {
	var v uint64
	at := r.at
	for shift := uint(0); ; shift += 7 {
		b := r.byte()
		if r.err != nil {
			return 0
		}
		if shift >= bits || shift+7 > bits && b&0x7f>>(bits-shift) != 0 {
			r.fail(at, "integer too large")
			return 0
		}
		v |= uint64(b&0x7f) << shift
		if b < 0x80 {
			return v
		}
		if shift+7 >= bits {
			r.fail(at, "integer representation too long")
			return 0
		}
	}
}

func (r *reader) u32() uint32 { return uint32(r.unsigned(32)) }

func (r *reader) u64() uint64 { return r.unsigned(64) }

// signed reads a signed LEB128 of at most bits bits.
func (r *reader) signed(bits uint) int64 {
	var v int64
	at := r.at
	for shift := uint(0); ; shift += 7 {
		b := r.byte()
		if r.err != nil {
			return 0
		}
		if shift+7 >= bits {
			// The last byte has the sign in all bits that are left over.
			rest := int8(b<<1) >> (bits - shift)
			if b >= 0x80 {
				r.fail(at, "integer representation too long")
				return 0
			}
			if rest != 0 && rest != -1 {
				r.fail(at, "integer too large")
				return 0
			}
		}
		v |= int64(b&0x7f) << shift
		if b < 0x80 {
			if shift+7 < 64 && b&0x40 != 0 {
				v |= -1 << (shift + 7)
			}
			return v
		}
	}
}

// count reads the number of entries of a vector, each of which takes a byte at
// least.
func (r *reader) count(limit int, what string) int {
	at := r.at
	n := r.u32()
	switch {
	case r.err != nil:
		return 0
	case uint64(n) > uint64(limit):
		r.fail(at, "%d %s, at most %d", n, what, limit)
		return 0
	case uint64(n) > uint64(r.end-r.at):
		r.fail(at, "unexpected end: %d %s in %d bytes", n, what, r.end-r.at)
		return 0
	}
	return int(n)
}

func (r *reader) name() string {
	at := r.at
	b := r.bytes(r.u32())
	if !utf8.Valid(b) {
		r.fail(at, "malformed UTF-8 encoding")
		return ""
	}
	return string(b)
}

func (r *reader) valueType() ValueType {
	at := r.at
	t := ValueType(r.byte())
	if !t.valid() {
		r.fail(at, "value type %#x", byte(t))
	}
	return t
}

func (r *reader) reference() ValueType {
	at := r.at
	t := r.valueType()
	if r.err == nil && !t.Reference() {
		r.fail(at, "reference type %#x", byte(t))
	}
	return t
}

// index reads an index that has to be below n.
func (r *reader) index(n int, what string) uint32 {
	at := r.at
	i := r.u32()
	if r.err == nil && uint64(i) >= uint64(n) {
		r.fail(at, "unknown %s %d of %d", what, i, n)
	}
	return i
}

func (r *reader) limits() Limits {
	at := r.at
	flags := r.byte()
	if flags > 7 {
		r.fail(at, "limits flags %#x", flags)
		return Limits{}
	}
	l := Limits{HasMax: flags&1 != 0, Shared: flags&2 != 0, Is64: flags&4 != 0}
	read := func() uint64 {
		if l.Is64 {
			return r.u64()
		}
		return uint64(r.u32())
	}
	l.Min = read()
	if l.HasMax {
		l.Max = read()
	}
	return l
}

// memory reads the limits of a memory, in pages.
func (r *reader) memory() Limits {
	at := r.at
	l := r.limits()
	most := uint64(1) << 16
	if l.Is64 {
		most = 1 << 48
	}
	switch {
	case r.err != nil:
	case l.Shared:
		r.fail(at, "shared memory: threads are not supported")
	case l.Min > most || l.HasMax && l.Max > most:
		r.fail(at, "memory size must be at most %d pages", most)
	case l.HasMax && l.Max < l.Min:
		r.fail(at, "size minimum must not be greater than maximum")
	}
	return l
}

func (r *reader) table() Table {
	t := Table{Type: r.reference()}
	at := r.at
	t.Limits = r.limits()
	switch {
	case r.err != nil:
	case t.Limits.Shared:
		r.fail(at, "shared table")
	case t.Limits.HasMax && t.Limits.Max < t.Limits.Min:
		r.fail(at, "size minimum must not be greater than maximum")
	}
	return t
}

func (r *reader) globalType() GlobalType {
	g := GlobalType{Type: r.valueType()}
	at := r.at
	switch m := r.byte(); m {
	case 0, 1:
		g.Mutable = m == 1
	default:
		r.fail(at, "malformed mutability %#x", m)
	}
	return g
}

// expression reads a constant expression, with its end.
func (r *reader) expression() []byte {
	start := r.at
	c := Code{reader: reader{data: r.data, at: r.at, end: r.end, section: r.section}}
	for c.Next() {
		if !c.Op.constant() {
			r.fail(c.Start, "constant expression required: %s", c.Op)
			return nil
		}
		if c.Op == OpEnd {
			r.at = c.End
			return r.data[start:r.at]
		}
	}
	if c.err != nil {
		r.err, r.at = c.err, r.end
	} else {
		r.fail(start, "unexpected end of a constant expression")
	}
	return nil
}
