package quantize

import (
	"context"
	"fmt"
	"io"

	"github.com/realm-webgpu/realm/engine/gguf"
	"github.com/realm-webgpu/realm/shaders/quant"
)

// The metadata that says what a file's matrices are.
const (
	fileTypeKey = "general.file_type"            // u32, llama.cpp's enum llama_ftype
	versionKey  = "general.quantization_version" // u32, of the formats' bytes
)

// version is the version of the formats in shaders/quant (GGML_QNT_VERSION of ggml.h).
const version = 2

// fileTypes has the number of a format in enum llama_ftype of llama.h; a K
// format has that of its "small" mix, which is the one with nearly all matrices
// in it. A format that llama.cpp makes no files of is fileTypeUnnamed.
func fileTypes() map[string]uint32 {
	return map[string]uint32{
		"F32": 0, "F16": 1, "BF16": 32,
		"Q4_0": 2, "Q4_1": 3, "Q5_0": 8, "Q5_1": 9, "Q8_0": 7,
		"Q2_K": 10, "Q3_K": 11, "Q4_K": 14, "Q5_K": 16, "Q6_K": 18,
	}
}

// fileTypeUnnamed is llama.cpp's LLAMA_FTYPE_GUESSED: look at the tensors.
const fileTypeUnnamed = 1024

// SetFormat sets the metadata that says what format a file's matrices have.
func SetFormat(m *gguf.Metadata, f *quant.Format) {
	number, ok := fileTypes()[f.Name]
	if !ok {
		number = fileTypeUnnamed
	}
	m.Set(fileTypeKey, gguf.Scalar(number))
	m.Set(versionKey, gguf.Scalar(uint32(version)))
}

// Write writes f to w as one GGUF file with its tensors as the plan says.
// progress, which may be nil, is told the bytes of f's tensors that are read and
// those there are. It fails with ctx's error when ctx ends, with what
// [Encode] and [gguf.Write] fail with, naming the tensor, and with read errors.
func Write(ctx context.Context, w io.Writer, f *gguf.File, to *quant.Format, plan []Conversion, progress func(done, total int64)) error {
	meta := f.Clone()
	SetFormat(meta, to)
	for _, key := range []string{"split.no", "split.count", "split.tensors.count"} {
		meta.Delete(key)
	}
	var before, total int64
	for _, c := range plan {
		total += c.Tensor.Size
	}
	outputs := make([]gguf.Output, len(plan))
	for i, c := range plan {
		outputs[i] = gguf.Output{Name: c.Tensor.Name, Dims: c.Tensor.Dims, Format: c.Format}
		size, err := outputs[i].Size()
		if err != nil {
			return fmt.Errorf("quantize: tensor %q: %w", c.Tensor.Name, err)
		}
		start := before
		outputs[i].Data = func(w io.Writer) error {
			return c.write(ctx, &meter{w: w, size: size, written: func(part float64) error {
				if progress != nil {
					progress(start+int64(part*float64(c.Tensor.Size)), total)
				}
				return ctx.Err()
			}})
		}
		before += c.Tensor.Size
	}
	return gguf.Write(w, meta, outputs)
}

// write writes the tensor's data in its new format.
func (c *Conversion) write(ctx context.Context, w io.Writer) error {
	if c.Format.ID == c.Tensor.Format.ID {
		return c.Tensor.CopyTo(w)
	}
	r, err := c.Tensor.Reader()
	if err != nil {
		return err
	}
	return Encode(ctx, w, c.Format, c.Tensor.Elements(), decoded(r, c.Tensor.Format))
}

// decoded gives the weights that r has in a format.
func decoded(r io.ReaderAt, f *quant.Format) Weights {
	return func(dst []float32, at int) error {
		skip, err := f.RowBytes(at)
		if err != nil {
			return err
		}
		size, err := f.RowBytes(len(dst))
		if err != nil {
			return err
		}
		b := make([]byte, size)
		if n, err := r.ReadAt(b, int64(skip)); n < size {
			return fmt.Errorf("quantize: read: %w", err)
		}
		return f.Decode(dst, b)
	}
}

// meter tells written, after every write, which part of size bytes is done, and
// stops where it returns an error.
type meter struct {
	w          io.Writer
	done, size int64
	written    func(part float64) error
}

func (m *meter) Write(p []byte) (int, error) {
	n, err := m.w.Write(p)
	m.done += int64(n)
	if err == nil {
		err = m.written(float64(m.done) / float64(m.size))
	}
	return n, err
}
