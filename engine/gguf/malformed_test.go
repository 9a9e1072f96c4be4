package gguf

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
)

// raw builds files that Write would refuse.
type raw []byte

func rawFile(tensors, pairs uint64) raw {
	return raw("GGUF").u32(3).u64(tensors).u64(pairs)
}

func (r raw) u8(v ...byte) raw { return append(r, v...) }
func (r raw) u32(v uint32) raw { return binary.LittleEndian.AppendUint32(r, v) }
func (r raw) u64(v uint64) raw { return binary.LittleEndian.AppendUint64(r, v) }
func (r raw) str(s string) raw { return append(r.u64(uint64(len(s))), s...) }
func (r raw) zeros(n int) raw  { return append(r, make([]byte, n)...) }
func (r raw) align(n int) raw  { return r.zeros((n - len(r)%n) % n) }
func (r raw) dims(d ...uint64) raw {
	r = r.u32(uint32(len(d)))
	for _, n := range d {
		r = r.u64(n)
	}
	return r
}

// info is a tensor info; the name is 1 byte in most tests, so that its fields
// are at 0 (name), 9 (dimensions), ... from its start.
func (r raw) info(name string, typ uint32, offset uint64, dims ...uint64) raw {
	return r.str(name).dims(dims...).u32(typ).u64(offset)
}

// malformed is files that Read must refuse, with what it must say.
func malformed() []struct {
	name string
	file raw
	want string
	is   error
} {
	const huge = 1 << 60
	key := func(t Type) raw { return rawFile(0, 1).str("k").u32(uint32(t)) } // a value would be at 37
	array := func(elem Type, n uint64) raw { return key(TypeArray).u32(uint32(elem)).u64(n) }
	deep := key(TypeArray)
	for range MaxArrayDepth {
		deep = deep.u32(uint32(TypeArray)).u64(1)
	}
	deep = deep.u32(uint32(TypeUint8)).u64(0)
	return []struct {
		name string
		file raw
		want string
		is   error
	}{
		{"empty", nil, `magic at byte 0: not a GGUF file: file ends too early: needs 4 bytes, has 0`, ErrMagic},
		{"other magic", raw("ggjt").zeros(40), `magic at byte 0: not a GGUF file: starts with "ggjt"`, ErrMagic},
		{"magic of the other end", raw("FUGG").zeros(40), `magic at byte 0: big-endian GGUF file: convert it to little-endian`, ErrBigEndian},
		{"big-endian", raw("GGUF").u8(0, 0, 0, 3).zeros(40), `version at byte 4: big-endian GGUF file: convert it to little-endian`, ErrBigEndian},
		{"no version", raw("GGUF").u8(3, 0), `version at byte 4: file ends too early: needs 4 bytes, has 2`, ErrTruncated},
		{"version 0", raw("GGUF").u32(0).zeros(40), `version at byte 4: unsupported GGUF version: 0, want 2 or 3`, ErrVersion},
		{"version 1", raw("GGUF").u32(1).zeros(40), `version at byte 4: unsupported GGUF version: 1, want 2 or 3`, ErrVersion},
		{"version 4", raw("GGUF").u32(4).zeros(40), `version at byte 4: unsupported GGUF version: 4, want 2 or 3`, ErrVersion},

		{"huge tensor count", rawFile(huge, 0), `number of tensors at byte 8: over the limit: 1152921504606846976, at most 262144`, ErrLimit},
		{"tensor count past the end", rawFile(3, 0), `number of tensors at byte 8: file ends too early: needs 99 bytes, has 8`, ErrTruncated},
		{"huge pair count", rawFile(0, huge), `number of metadata pairs at byte 16: over the limit: 1152921504606846976, at most 65536`, ErrLimit},
		{"pair count past the end", rawFile(0, 2).zeros(27), `number of metadata pairs at byte 16: file ends too early: needs 28 bytes, has 27`, ErrTruncated},

		{"huge key", rawFile(0, 1).u64(huge).zeros(11), `metadata 0 key at byte 24: over the limit: 1152921504606846976, at most 65535`, ErrLimit},
		{"key past the end", rawFile(0, 1).u64(12).zeros(11), `metadata 0 key at byte 24: file ends too early: needs 12 bytes, has 11`, ErrTruncated},
		{"empty key", rawFile(0, 1).str("").zeros(11), `metadata 0 key at byte 24: malformed: empty`, ErrMalformed},
		{"duplicate key", rawFile(0, 2).str("k").u32(0).u8(1).str("k").u32(0).u8(1), `metadata 1 key at byte 38: duplicate: "k"`, ErrDuplicate},
		{"unknown value type", key(13).zeros(8), `metadata "k" type at byte 33: malformed: there is no value type 13`, ErrMalformed},
		{"bool of 2", key(TypeBool).u8(2), `metadata "k" value at byte 37: malformed: a bool of 2, want 0 or 1`, ErrMalformed},
		{"u64 cut off", key(TypeUint64).zeros(7), `metadata "k" value at byte 37: file ends too early: needs 8 bytes, has 7`, ErrTruncated},
		{"huge string", key(TypeString).u64(huge), `metadata "k" value at byte 37: over the limit: 1152921504606846976, at most 16777216`, ErrLimit},
		{"string past the end", key(TypeString).u64(1 << 20), `metadata "k" value at byte 37: file ends too early: needs 1048576 bytes, has 0`, ErrTruncated},
		{"unknown element type", array(99, 0), `metadata "k" value at byte 37: type of the elements: malformed: there is no value type 99`, ErrMalformed},
		{"huge array", array(TypeUint8, huge), `metadata "k" value at byte 41: number of elements: over the limit: 1152921504606846976, at most 8388608`, ErrLimit},
		{"array past the end", array(TypeFloat64, 3).zeros(23), `metadata "k" value at byte 41: number of elements: file ends too early: needs 24 bytes, has 23`, ErrTruncated},
		{"strings past the end", array(TypeString, 1<<20), `metadata "k" value at byte 41: number of elements: file ends too early: needs 8388608 bytes, has 0`, ErrTruncated},
		{"second string past the end", array(TypeString, 2).str("x").u64(2).u8('y'), `metadata "k" value at byte 58: element 1: file ends too early: needs 2 bytes, has 1`, ErrTruncated},
		{"bool of 255 in an array", array(TypeBool, 3).u8(0, 1, 255), `metadata "k" value at byte 51: malformed: a bool of 255, want 0 or 1`, ErrMalformed},
		{"array too deep", deep, `metadata "k" value at byte 85: element 0: element 0: element 0: element 0: over the limit: arrays nested 5 deep, at most 4`, ErrLimit},
		{"huge nested array", array(TypeArray, 1).u32(uint32(TypeUint32)).u64(huge), `metadata "k" value at byte 53: element 0: number of elements: over the limit: 1152921504606846976, at most 8388608`, ErrLimit},

		{"alignment 0", rawFile(0, 1).str(alignmentKey).u32(4).u32(0), `metadata "general.alignment" value at byte 53: malformed: 0, want a power of two from 8 to 1048576`, ErrMalformed},
		{"alignment 24", rawFile(0, 1).str(alignmentKey).u32(4).u32(24), `metadata "general.alignment" value at byte 53: malformed: 24, want a power of two from 8 to 1048576`, ErrMalformed},
		{"alignment 2^31", rawFile(0, 1).str(alignmentKey).u32(4).u32(1 << 31), `metadata "general.alignment" value at byte 53: malformed: 2147483648, want a power of two from 8 to 1048576`, ErrMalformed},
		{"alignment of text", rawFile(0, 1).str(alignmentKey).u32(8).str("32"), `metadata "general.alignment" value at byte 53: wrong type: string, want an integer`, ErrType},

		{"name too long", rawFile(1, 0).info(strings.Repeat("n", 65), 0, 0, 1), `tensor 0 name at byte 24: over the limit: 65, at most 64`, ErrLimit},
		{"empty name", rawFile(1, 0).info("", 0, 0, 1, 1), `tensor 0 name at byte 24: malformed: empty`, ErrMalformed},
		{"duplicate tensor", rawFile(2, 0).info("a", 0, 0, 1).info("a", 0, 0, 1), `tensor 1 name at byte 57: duplicate: "a"`, ErrDuplicate},
		{"no dimensions", rawFile(1, 0).info("a", 0, 0).zeros(8), `tensor "a" dimensions at byte 33: malformed: 0 of them, want 1 to 4`, ErrMalformed},
		{"5 dimensions", rawFile(1, 0).info("a", 0, 0, 1, 1, 1, 1, 1), `tensor "a" dimensions at byte 33: malformed: 5 of them, want 1 to 4`, ErrMalformed},
		{"dimension 0", rawFile(1, 0).info("a", 0, 0, 4, 0), `tensor "a" dimensions at byte 45: malformed: dimension 1 is 0`, ErrMalformed},
		{"dimension 2^63", rawFile(1, 0).info("a", 0, 0, 1<<63), `tensor "a" dimensions at byte 37: malformed: dimension 0 is 9223372036854775808`, ErrMalformed},
		{"elements overflow", rawFile(1, 0).info("a", 99, 0, 1<<32, 1<<31), `tensor "a" dimensions at byte 33: malformed: dimensions [4294967296 2147483648]: too many elements`, ErrMalformed},
		{"elements overflow to 0", rawFile(1, 0).info("a", 99, 0, 1<<32, 1<<32), `tensor "a" dimensions at byte 33: malformed: dimensions [4294967296 4294967296]: too many elements`, ErrMalformed},
		{"bytes overflow", rawFile(1, 0).info("a", 0, 0, 1<<31, 1<<31), `tensor "a" dimensions at byte 33: malformed: dimensions [2147483648 2147483648]: too many bytes of F32`, ErrMalformed},
		{"row of half a block", rawFile(1, 0).info("a", 8, 0, 48), `tensor "a" dimensions at byte 33: malformed: rows of 48 elements, Q8_0 has blocks of 32`, ErrMalformed},
		{"infos cut off", rawFile(1, 0).info("a", 0, 0, 1, 1)[:64], `tensor "a" offset at byte 57: file ends too early: needs 8 bytes, has 7`, ErrTruncated},
		{"offset not aligned", rawFile(1, 0).info("a", 0, 16, 1).zeros(64), `tensor "a" offset at byte 49: malformed: 16 is not a multiple of the alignment of 32 bytes`, ErrMalformed},
		{"offset past the end", rawFile(1, 0).info("a", 0, 1<<63, 1).align(32).zeros(4), `tensor "a" offset at byte 49: file ends too early: 4 bytes at 9223372036854775808 of a data section of 4`, ErrTruncated},
		{"data past the end", rawFile(1, 0).info("a", 0, 0, 2).align(32).zeros(7), `tensor "a" offset at byte 49: file ends too early: 8 bytes at 0 of a data section of 7`, ErrTruncated},
		{"data inside of other data", rawFile(2, 0).info("a", 0, 0, 16).info("b", 0, 32, 1).align(32).zeros(128), `tensor "b" offset at byte 82: malformed: 32 is inside of tensor "a"`, ErrMalformed},
		{"the same data twice", rawFile(2, 0).info("a", 0, 32, 1).info("b", 0, 32, 1).align(32).zeros(128), `tensor "b" offset at byte 82: malformed: 32 is inside of tensor "a"`, ErrMalformed},
		{"data inside of data that began long before", rawFile(3, 0).info("c", 0, 64, 1).info("b", 23, 32, 256).info("a", 0, 0, 32).align(32).zeros(128), `tensor "c" offset at byte 49: malformed: 64 is inside of tensor "a"`, ErrMalformed},
		{"a bad type behind a long key", rawFile(0, 1).str(strings.Repeat("k", 1000)).u32(13), `metadata "` + strings.Repeat("k", 100) + `" type at byte 1032: malformed: there is no value type 13`, ErrMalformed},
		{"no data section", rawFile(1, 0).info("a", 0, 0, 2), `tensor "a" offset at byte 49: file ends too early: 8 bytes at 0 of a data section of 0`, ErrTruncated},
		{"foreign type past the end", rawFile(1, 0).info("a", 23, 64, 256).align(32).zeros(32), `tensor "a" offset at byte 49: file ends too early: 0 bytes at 64 of a data section of 32`, ErrTruncated},
	}
}

func TestReadMalformed(t *testing.T) {
	for _, c := range malformed() {
		t.Run(c.name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			f, err := Read(bytes.NewReader(c.file))
			runtime.ReadMemStats(&after)
			if err == nil {
				t.Fatalf("read %v, want an error", f)
			}
			if got := err.Error(); got != "gguf: read: "+c.want {
				t.Errorf("error\n%s, want\ngguf: read: %s", got, c.want)
			}
			if !errors.Is(err, c.is) {
				t.Errorf("%v is not %v", err, c.is)
			}
			if fe := new(FormatError); !errors.As(err, &fe) {
				t.Errorf("%v is not a FormatError", err)
			}
			if n := after.TotalAlloc - before.TotalAlloc; n > 256<<10 {
				t.Errorf("%d bytes were allocated for a file of %d", n, len(c.file))
			}
		})
	}
}

// TestReadAllocation: what is allocated for a file that is packed with many small
// things stays in proportion to its bytes.
func TestReadAllocation(t *testing.T) {
	const n = 20_000
	repeat := func(r, each raw) raw { return append(r, bytes.Repeat(each, n)...) }
	array := func(elem Type) raw {
		return rawFile(0, 1).str("k").u32(uint32(TypeArray)).u32(uint32(elem)).u64(n)
	}
	nested := func(elem Type, n uint64) raw { return raw{}.u32(uint32(elem)).u64(n) }
	pairs := rawFile(0, n)
	infos := rawFile(n, 0)
	for i := range n {
		pairs = pairs.str(fmt.Sprintf("%05d", i)).u32(uint32(TypeUint8)).u8(1)
		infos = infos.info(fmt.Sprintf("%05d", i), 0, uint64(32*i), 1)
	}
	for _, c := range []struct {
		name string
		file raw
	}{
		{"empty strings", repeat(array(TypeString), raw{}.str(""))},
		{"short strings", repeat(array(TypeString), raw{}.str("ab"))},
		{"empty arrays", repeat(array(TypeArray), nested(TypeArray, 0))},
		{"arrays of a string", repeat(array(TypeArray), nested(TypeString, 1).str("a"))},
		{"arrays of a bool", repeat(array(TypeArray), nested(TypeBool, 1).u8(1))},
		{"pairs", pairs},
		{"infos", infos.align(32).zeros(32 * n)},
	} {
		t.Run(c.name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			if _, err := Read(bytes.NewReader(c.file)); err != nil {
				t.Fatal(err)
			}
			runtime.ReadMemStats(&after)
			allocated := after.TotalAlloc - before.TotalAlloc
			if limit := uint64(20*len(c.file) + 256<<10); allocated > limit {
				t.Errorf("%d bytes were allocated for a file of %d, want %d at most", allocated, len(c.file), limit)
			}
			t.Logf("%.1f bytes allocated a byte", float64(allocated)/float64(len(c.file)))
		})
	}
}

// TestReadTruncated cuts a good file everywhere.
func TestReadTruncated(t *testing.T) {
	b := small(t)
	const needed = 372 // the padding at the end may be missing
	for n := range len(b) {
		_, err := Read(bytes.NewReader(b[:n]))
		if n >= needed && err != nil {
			t.Errorf("%d bytes: %v", n, err)
		}
		if n < needed && !errors.Is(err, ErrTruncated) {
			t.Errorf("%d bytes: error %v, want ErrTruncated", n, err)
		}
	}
}

// failing is a source whose reads end, or fail, before its size.
type failing struct {
	*bytes.Reader
	size int64
	err  error
}

func (f failing) Size() int64 { return f.size }

func (f failing) ReadAt(p []byte, off int64) (int, error) {
	n, err := f.Reader.ReadAt(p, off)
	if err == io.EOF {
		err = f.err
	}
	return n, err
}

func TestReadFailingSource(t *testing.T) {
	b := small(t)
	broken := errors.New("broken cable")
	for _, c := range []struct {
		err  error
		is   error
		want string
	}{
		{broken, broken, `gguf: read: metadata "t" value at byte 138: element 1: read: broken cable`},
		{io.EOF, ErrTruncated, `gguf: read: metadata "t" value at byte 138: element 1: file ends too early: it shrank while it was read`},
	} {
		_, err := Read(failing{bytes.NewReader(b[:140]), int64(len(b)), c.err})
		if !errors.Is(err, c.is) || err.Error() != c.want {
			t.Errorf("error %v, want %s", err, c.want)
		}
	}
}

func TestReadHeaderLimit(t *testing.T) {
	// Arrays whose bytes are all there, as far as the size says, but which would
	// make the header larger than any.
	const arrays, bytesEach = 20, MaxArrayElements
	file := rawFile(0, arrays)
	src := &sparse{size: arrays * (bytesEach + 64)}
	off := int64(0)
	for i := range arrays {
		file = file.str(fmt.Sprintf("k%02d", i)).u32(uint32(TypeArray)).u32(uint32(TypeUint8)).u64(bytesEach)
		src.parts = append(src.parts, part{off, file})
		off += int64(len(file)) + bytesEach
		file = nil
	}
	_, err := Read(src)
	want := `gguf: read: metadata "k15" value at byte 125829568: number of elements: over the limit: a header of 134217728 bytes at most`
	if !errors.Is(err, ErrLimit) || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

// sparse is a source of zeros with a few parts in it.
type sparse struct {
	size  int64
	parts []part
}

type part struct {
	off   int64
	bytes []byte
}

func (s *sparse) Size() int64 { return s.size }

func (s *sparse) ReadAt(p []byte, off int64) (int, error) {
	n := int(min(int64(len(p)), s.size-off))
	clear(p[:n])
	for _, part := range s.parts {
		if from := part.off - off; from < int64(n) && from+int64(len(part.bytes)) > 0 {
			copy(p[max(0, from):n], part.bytes[max(0, -from):])
		}
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}
