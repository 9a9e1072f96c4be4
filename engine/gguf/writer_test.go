package gguf

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
)

func TestWriteRefuses(t *testing.T) {
	with := func(key string, v Value) *Metadata {
		m := new(Metadata)
		m.Set(key, v)
		return m
	}
	f32, q8 := format(t, "F32"), format(t, "Q8_0")
	good := func(w io.Writer) error { _, err := w.Write(make([]byte, 4)); return err }
	broken := errors.New("broken pen")
	deep := Array([]uint8{1})
	for range MaxArrayDepth {
		deep = Nested(deep)
	}
	for _, c := range []struct {
		name string
		meta *Metadata
		out  []Output
		want string
		is   error
	}{
		{"empty key", with("", Scalar(true)), nil, `metadata "": key: malformed: empty`, ErrMalformed},
		{"no value", with("k", Value{}), nil, `metadata "k": malformed: no value`, ErrMalformed},
		{"scalar in a nested array", with("k", Nested(Scalar(true))), nil, `metadata "k": element 0: malformed: bool, want an array`, ErrMalformed},
		{"too deep", with("k", deep), nil, `metadata "k": element 0: element 0: element 0: element 0: over the limit: an array of 1 elements, 5 deep, at most 8388608 and 4`, ErrLimit},
		{"alignment", with(alignmentKey, Scalar[uint32](12)), nil, `metadata "general.alignment": malformed: 12, want a power of two from 8 to 1048576`, ErrMalformed},
		{"no format", new(Metadata), []Output{{"a", []int{1}, nil, good}}, `tensor "a": malformed: no format`, ErrMalformed},
		{"no dimensions", new(Metadata), []Output{{"a", nil, f32, good}}, `tensor "a": malformed: 0 dimensions, want 1 to 4`, ErrMalformed},
		{"dimension 0", new(Metadata), []Output{{"a", []int{1, 0}, f32, good}}, `tensor "a": malformed: dimension 1 is 0`, ErrMalformed},
		{"half a block", new(Metadata), []Output{{"a", []int{16}, q8, good}}, `tensor "a": malformed: rows of 16 elements, Q8_0 has blocks of 32`, ErrMalformed},
		{"too large", new(Metadata), []Output{{"a", []int{1 << 60}, f32, good}, {"b", []int{1 << 60}, f32, good}}, `tensor "b": over the limit: a file of 4611686018427387904 bytes at most`, ErrLimit},
		{"long name", new(Metadata), []Output{{strings.Repeat("n", 65), []int{1}, f32, good}}, `tensor "` + strings.Repeat("n", 65) + `": name: over the limit: 65 bytes, at most 64`, ErrLimit},
		{"twice", new(Metadata), []Output{{"a", []int{1}, f32, good}, {"a", []int{1}, f32, good}}, `tensor "a": duplicate`, ErrDuplicate},
		{"no data", new(Metadata), []Output{{"a", []int{1}, f32, nil}}, `tensor "a": malformed: no data`, ErrMalformed},
		{"too little data", new(Metadata), []Output{{"a", []int{2}, f32, good}}, `tensor "a": wrong number of bytes: 4 of 8`, ErrSize},
		{"too much data", new(Metadata), []Output{{"a", []int{1}, f32, From(strings.NewReader("12345"))}}, `tensor "a": wrong number of bytes: 1 more than the tensor has`, ErrSize},
		{"failing data", new(Metadata), []Output{{"a", []int{1}, f32, func(io.Writer) error { return broken }}}, `tensor "a": broken pen`, broken},
	} {
		t.Run(c.name, func(t *testing.T) {
			var b bytes.Buffer
			err := Write(&b, c.meta, c.out)
			if err == nil || err.Error() != "gguf: write: "+c.want || !errors.Is(err, c.is) {
				t.Errorf("error %v, want gguf: write: %s", err, c.want)
			}
			if wrote := b.Len() > 0; wrote != (c.is == ErrSize || c.is == broken) {
				t.Errorf("%d bytes were written", b.Len())
			}
		})
	}
}

// full is a writer with room for so many bytes.
type full struct{ room int }

func (f *full) Write(p []byte) (int, error) {
	n := min(len(p), f.room)
	f.room -= n
	if n < len(p) {
		return n, io.ErrShortWrite
	}
	return n, nil
}

// TestWriteFullDisk ends the room at every byte: in the header, in the data and
// in the padding.
func TestWriteFullDisk(t *testing.T) {
	for room := range small(t) {
		if err := Write(&full{room}, smallMetadata(), smallTensors(t)); !errors.Is(err, io.ErrShortWrite) {
			t.Errorf("room for %d bytes: error %v, want io.ErrShortWrite", room, err)
		}
	}
}
