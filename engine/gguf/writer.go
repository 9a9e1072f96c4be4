package gguf

import (
	"encoding/binary"
	"fmt"
	"io"

	"github.com/realm-webgpu/realm/shaders/quant"
)

// Output is a tensor to write.
type Output struct {
	Name   string
	Dims   []int // in elements, the fastest first
	Format *quant.Format

	// Data writes the tensor's bytes, as many as Format and Dims make.
	Data func(w io.Writer) error
}

// From returns a Data that copies r to its end.
func From(r io.Reader) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := io.Copy(w, r)
		return err
	}
}

// Size returns the bytes of the tensor's data. It fails with [ErrMalformed].
func (o *Output) Size() (int64, error) {
	if o.Format == nil {
		return 0, fmt.Errorf("%w: no format", ErrMalformed)
	}
	if len(o.Dims) == 0 || len(o.Dims) > MaxDims {
		return 0, fmt.Errorf("%w: %d dimensions, want 1 to %d", ErrMalformed, len(o.Dims), MaxDims)
	}
	for i, d := range o.Dims {
		if d < 1 {
			return 0, fmt.Errorf("%w: dimension %d is %d", ErrMalformed, i, d)
		}
	}
	if _, err := elements(o.Dims); err != nil {
		return 0, err
	}
	return dataSize(o.Format, o.Dims)
}

// Write writes a GGUF file of version 3. The header, with all offsets, is written
// before the first Data is called, and the Datas are called in order, so that no
// tensor is held in memory. Tensors are aligned as general.alignment in meta
// says, by default to [DefaultAlignment]; the file is padded at the end too.
//
// Write fails with [ErrMalformed], [ErrLimit] or [ErrDuplicate] before it writes
// anything, where Read would refuse the file; with [ErrSize] where a Data writes
// more or less than its tensor has; and with the errors of w and the Datas.
func Write(w io.Writer, meta *Metadata, tensors []Output) error {
	align, err := alignment(meta)
	if err != nil {
		return fmt.Errorf("gguf: write: metadata %q: %w", alignmentKey, err)
	}
	head, sizes, err := encodeHeader(meta, tensors, align)
	if err != nil {
		return fmt.Errorf("gguf: write: %w", err)
	}
	if len(tensors) > 0 {
		head = append(head, make([]byte, padding(int64(len(head)), align))...)
	}
	if _, err := w.Write(head); err != nil {
		return fmt.Errorf("gguf: write: header: %w", err)
	}
	for i, t := range tensors {
		if err := writeData(w, t.Data, sizes[i]); err != nil {
			return fmt.Errorf("gguf: write: tensor %q: %w", t.Name, err)
		}
		if pad := padding(sizes[i], align); pad > 0 {
			if _, err := w.Write(make([]byte, pad)); err != nil {
				return fmt.Errorf("gguf: write: tensor %q: padding: %w", t.Name, err)
			}
		}
	}
	return nil
}

func padding(off, alignment int64) int64 { return alignUp(off, alignment) - off }

func encodeHeader(meta *Metadata, tensors []Output, align int64) (head []byte, sizes []int64, err error) {
	if len(tensors) > MaxTensors || meta.Len() > MaxMetadata {
		return nil, nil, fmt.Errorf("%w: %d tensors and %d metadata pairs, at most %d and %d",
			ErrLimit, len(tensors), meta.Len(), MaxTensors, MaxMetadata)
	}
	le := binary.LittleEndian
	head = append(head, "GGUF"...)
	head = le.AppendUint32(head, 3)
	head = le.AppendUint64(head, uint64(len(tensors)))
	head = le.AppendUint64(head, uint64(meta.Len()))
	for key, v := range meta.All() {
		if head, err = appendName(head, key, MaxKeyBytes); err != nil {
			return nil, nil, fmt.Errorf("metadata %q: key: %w", key, err)
		}
		head = le.AppendUint32(head, uint32(v.typ))
		if head, err = appendValue(head, v, 1); err != nil {
			return nil, nil, fmt.Errorf("metadata %q: %w", key, err)
		}
	}

	names := make(map[string]bool, len(tensors))
	sizes = make([]int64, len(tensors))
	off := int64(0)
	for i, t := range tensors {
		if names[t.Name] {
			return nil, nil, fmt.Errorf("tensor %q: %w", t.Name, ErrDuplicate)
		}
		names[t.Name] = true
		if sizes[i], err = t.Size(); err != nil {
			return nil, nil, fmt.Errorf("tensor %q: %w", t.Name, err)
		}
		if t.Data == nil {
			return nil, nil, fmt.Errorf("tensor %q: %w: no data", t.Name, ErrMalformed)
		}
		if head, err = appendName(head, t.Name, MaxNameBytes); err != nil {
			return nil, nil, fmt.Errorf("tensor %q: name: %w", t.Name, err)
		}
		head = le.AppendUint32(head, uint32(len(t.Dims)))
		for _, d := range t.Dims {
			head = le.AppendUint64(head, uint64(d))
		}
		head = le.AppendUint32(head, t.Format.ID)
		head = le.AppendUint64(head, uint64(off))

		next := off + sizes[i]
		if next < off || next > maxFileBytes {
			return nil, nil, fmt.Errorf("tensor %q: %w: a file of %d bytes at most", t.Name, ErrLimit, int64(maxFileBytes))
		}
		off = alignUp(next, align)
	}
	if len(head) > MaxHeaderBytes {
		return nil, nil, fmt.Errorf("%w: a header of %d bytes, at most %d", ErrLimit, len(head), MaxHeaderBytes)
	}
	return head, sizes, nil
}

// maxFileBytes keeps the sums of offsets inside an int64.
const maxFileBytes = 1 << 62

func appendName(b []byte, name string, limit int) ([]byte, error) {
	if name == "" {
		return nil, fmt.Errorf("%w: empty", ErrMalformed)
	}
	return appendString(b, name, limit)
}

func appendString(b []byte, s string, limit int) ([]byte, error) {
	if len(s) > limit {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrLimit, len(s), limit)
	}
	b = binary.LittleEndian.AppendUint64(b, uint64(len(s)))
	return append(b, s...), nil
}

// appendValue appends a value without its type; an array is at a depth of
// nesting, 1 for the outermost.
func appendValue(b []byte, v Value, depth int) (_ []byte, err error) {
	if v.v == nil {
		return nil, fmt.Errorf("%w: no value", ErrMalformed)
	}
	if v.typ == TypeArray {
		if depth > MaxArrayDepth || v.Len() > MaxArrayElements {
			return nil, fmt.Errorf("%w: an array of %d elements, %d deep, at most %d and %d",
				ErrLimit, v.Len(), depth, MaxArrayElements, MaxArrayDepth)
		}
		b = binary.LittleEndian.AppendUint32(b, uint32(v.elem))
		b = binary.LittleEndian.AppendUint64(b, uint64(v.Len()))
	}
	switch s := v.v.(type) {
	case string:
		return appendString(b, s, MaxStringBytes)
	case []string:
		for i, e := range s {
			if b, err = appendString(b, e, MaxStringBytes); err != nil {
				return nil, fmt.Errorf("element %d: %w", i, err)
			}
		}
		return b, nil
	case []Value:
		for i, e := range s {
			if e.typ != TypeArray {
				return nil, fmt.Errorf("element %d: %w: %v, want an array", i, ErrMalformed, e.typ)
			}
			if b, err = appendValue(b, e, depth+1); err != nil {
				return nil, fmt.Errorf("element %d: %w", i, err)
			}
		}
		return b, nil
	default: // a number, a bool, or a slice of them
		return binary.Append(b, binary.LittleEndian, s)
	}
}

// writeData has data write exactly size bytes to w.
func writeData(w io.Writer, data func(io.Writer) error, size int64) error {
	exact := &exactWriter{w: w, left: size}
	if err := data(exact); err != nil {
		return err
	}
	if exact.left > 0 {
		return fmt.Errorf("%w: %d of %d", ErrSize, size-exact.left, size)
	}
	return nil
}

// exactWriter refuses what is more than the bytes that are left.
type exactWriter struct {
	w    io.Writer
	left int64 // bytes
}

func (e *exactWriter) Write(p []byte) (int, error) {
	if int64(len(p)) > e.left {
		return 0, fmt.Errorf("%w: %d more than the tensor has", ErrSize, int64(len(p))-e.left)
	}
	n, err := e.w.Write(p)
	e.left -= int64(n)
	return n, err
}
