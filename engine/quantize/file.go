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

// SetFormat sets the metadata that says that all matrices of a file have a format.
func SetFormat(m *gguf.Metadata, f *quant.Format) { setMix(m, Pure(f)) }

func setMix(m *gguf.Metadata, mix Mix) {
	m.Set(fileTypeKey, gguf.Scalar(mix.fileType))
	m.Set(versionKey, gguf.Scalar(uint32(version)))
}

// setImportance records what the importance was measured with, as llama.cpp does.
func setImportance(m *gguf.Metadata, i *Importance) {
	m.Set("quantize.imatrix.file", gguf.Scalar(i.File))
	m.Set("quantize.imatrix.entries_count", gguf.Scalar(uint32(i.Len())))
	if i.Dataset != "" {
		m.Set("quantize.imatrix.dataset", gguf.Scalar(i.Dataset))
	}
	if i.Chunks > 0 {
		m.Set("quantize.imatrix.chunks_count", gguf.Scalar(uint32(i.Chunks)))
	}
}

// Write writes f to w as one GGUF file with its tensors as the plan says, which
// [Plan] made with the same options.
// progress, which may be nil, is told the bytes of f's tensors that are read and
// those there are. It fails with ctx's error when ctx ends, with what
// [Encode] and [gguf.Write] fail with, naming the tensor, and with read errors.
func Write(ctx context.Context, w io.Writer, f *gguf.File, o Options, plan []Conversion, progress func(done, total int64)) error {
	meta := f.Clone()
	setMix(meta, o.Mix)
	if o.Importance != nil {
		setImportance(meta, o.Importance)
	}
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
	return encode(ctx, w, c.Format, c.Tensor.Elements(), decoded(r, c.Tensor.Format), c.weighing())
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
