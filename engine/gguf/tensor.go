package gguf

import (
	"fmt"
	"io"
	"math"
	"math/bits"

	"github.com/realm-webgpu/realm/shaders/quant"
)

// Tensor is a tensor of a file. Its fields may not be changed.
type Tensor struct {
	Name   string
	Dims   []int         // 1 to 4, in elements, the fastest first: Dims[0] is the row length n_in
	TypeID uint32        // GGML type id
	Format *quant.Format // nil where shaders/quant does not have the type: see Open
	Shard  int           // the file of a split that holds it, from 0
	Offset int64         // of the data, in bytes from the start of that file
	Size   int64         // of the data, in bytes; 0 where Format is nil

	src Source
}

// TypeName returns the GGML name of the tensor's type, such as "Q4_K", or
// "type 99" for one that GGML did not have either.
func (t *Tensor) TypeName() string {
	if t.Format != nil {
		return t.Format.Name
	}
	if name, ok := foreignTypes()[t.TypeID]; ok {
		return name
	}
	return fmt.Sprintf("type %d", t.TypeID)
}

// foreignTypes names the GGML types that have no row in shaders/quant
// (enum ggml_type of ggml.h); those that GGML itself dropped are told apart from
// those to come.
func foreignTypes() map[uint32]string {
	return map[uint32]string{
		4: "Q4_2 (removed)", 5: "Q4_3 (removed)",
		16: "IQ2_XXS", 17: "IQ2_XS", 18: "IQ3_XXS", 19: "IQ1_S", 20: "IQ4_NL",
		21: "IQ3_S", 22: "IQ2_S", 23: "IQ4_XS", 29: "IQ1_M",
		24: "I8", 25: "I16", 26: "I32", 27: "I64", 28: "F64",
		31: "Q4_0_4_4 (removed)", 32: "Q4_0_4_8 (removed)", 33: "Q4_0_8_8 (removed)",
		34: "TQ1_0", 35: "TQ2_0",
		36: "IQ4_NL_4_4 (removed)", 37: "IQ4_NL_4_8 (removed)", 38: "IQ4_NL_8_8 (removed)",
		39: "MXFP4", 40: "NVFP4", 41: "Q1_0", 42: "Q2_0",
	}
}

// Elements returns the product of the dimensions.
func (t *Tensor) Elements() int { return t.Dims[0] * t.Rows() }

// Rows returns the product of all dimensions but the first.
func (t *Tensor) Rows() int {
	rows := 1
	for _, d := range t.Dims[1:] {
		rows *= d
	}
	return rows
}

// Reader returns the tensor's data, of Size bytes. It fails with [ErrFormat]
// where the type of the tensor is not known.
func (t *Tensor) Reader() (*io.SectionReader, error) {
	if err := t.known(); err != nil {
		return nil, err
	}
	return io.NewSectionReader(t.src, t.Offset, t.Size), nil
}

// Bytes returns the tensor's data: a view of the source where it is a [Slicer],
// as the files of [Open] are outside WebAssembly, else a copy that is read anew.
// A view may not be modified, nor used after the file is closed, and touching it
// is a fault if another program truncates the file. Bytes fails with [ErrFormat]
// where the type of the tensor is not known.
func (t *Tensor) Bytes() ([]byte, error) {
	if err := t.known(); err != nil {
		return nil, err
	}
	if s, ok := t.src.(Slicer); ok {
		b, err := s.Slice(t.Offset, t.Size)
		if err != nil {
			return nil, fmt.Errorf("gguf: tensor %q: %w", t.Name, err)
		}
		return b, nil
	}
	b := make([]byte, t.Size)
	if n, err := t.src.ReadAt(b, t.Offset); n < len(b) {
		return nil, fmt.Errorf("gguf: tensor %q: %w", t.Name, readError(err))
	}
	return b, nil
}

// CopyTo writes the tensor's data to w. It is the Data of an [Output] that copies
// the tensor from file to file. It fails as Reader does.
func (t *Tensor) CopyTo(w io.Writer) error {
	r, err := t.Reader()
	if err != nil {
		return err
	}
	n, err := io.Copy(w, r)
	if err == nil && n < t.Size {
		err = readError(io.EOF)
	}
	if err != nil {
		return fmt.Errorf("gguf: tensor %q: copy: %w", t.Name, err)
	}
	return nil
}

func (t *Tensor) known() error {
	if t.Format != nil {
		return nil
	}
	return fmt.Errorf("gguf: tensor %q: %w: %s (GGML type %d)", t.Name, ErrFormat, t.TypeName(), t.TypeID)
}

// elements returns the product of the dimensions, each from 1 up. It fails with
// ErrMalformed where an int does not hold it.
func elements(dims []int) (int, error) {
	product := uint64(1)
	for _, d := range dims {
		high, low := bits.Mul64(product, uint64(d))
		if high != 0 || low > math.MaxInt {
			return 0, fmt.Errorf("%w: dimensions %v: too many elements", ErrMalformed, dims)
		}
		product = low
	}
	return int(product), nil
}

// dataSize returns the bytes of a tensor's data. Its elements must be countable.
func dataSize(format *quant.Format, dims []int) (int64, error) {
	if dims[0]%format.BlockElements != 0 {
		return 0, fmt.Errorf("%w: rows of %d elements, %s has blocks of %d",
			ErrMalformed, dims[0], format.Name, format.BlockElements)
	}
	row, err := format.RowBytes(dims[0])
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	rows, err := elements(dims[1:])
	if err != nil {
		return 0, err
	}
	high, low := bits.Mul64(uint64(row), uint64(rows))
	if high != 0 || low > math.MaxInt64 {
		return 0, fmt.Errorf("%w: dimensions %v: too many bytes of %s", ErrMalformed, dims, format.Name)
	}
	return int64(low), nil
}
