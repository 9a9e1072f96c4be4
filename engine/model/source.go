package model

import (
	"fmt"
	"io"

	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/engine/gguf"
)

// sources returns what a matrix is read from.
func (x *matrix) sources() ([]device.Source, error) {
	var list []device.Source
	var pieces joined
	for _, t := range x.tensors {
		r, err := t.Reader()
		if err != nil {
			return nil, err
		}
		pieces = append(pieces, r)
		list = append(list, device.Source{Rows: t.Rows(), Reader: source{r, t}})
	}
	if x.experts == 0 {
		return list, nil
	}
	if len(list) > 1 { // a tensor for each expert
		list = []device.Source{{Reader: pieces}}
	}
	list[0].Rows = x.rows
	return list, nil
}

// source reads a tensor, or shows its bytes to a device that can use them where
// they are.
type source struct {
	*io.SectionReader
	tensor *gguf.Tensor
}

// Slice returns the n bytes at off of the tensor.
func (s source) Slice(off, n int64) ([]byte, error) {
	data, err := s.tensor.Bytes()
	if err != nil {
		return nil, err
	}
	if off < 0 || n < 0 || off > int64(len(data)) || n > int64(len(data))-off {
		return nil, fmt.Errorf("tensor %q: %d bytes at byte %d of %d: %w", s.tensor.Name, n, off, len(data), io.ErrUnexpectedEOF)
	}
	return data[off : off+n : off+n], nil
}

// joined reads pieces of one size as if they were one.
type joined []*io.SectionReader

// ReadAt implements [io.ReaderAt].
func (j joined) ReadAt(p []byte, off int64) (int, error) {
	size, n := j[0].Size(), 0
	for n < len(p) {
		at := off + int64(n)
		if at < 0 || at >= size*int64(len(j)) {
			return n, io.EOF
		}
		want := min(int64(len(p)-n), size-at%size)
		read, err := j[at/size].ReadAt(p[n:n+int(want)], at%size)
		if n += read; int64(read) < want {
			return n, err
		}
	}
	return n, nil
}
