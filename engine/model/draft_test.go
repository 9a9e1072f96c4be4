package model_test

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/realm-webgpu/realm/engine/gguf"
	"github.com/realm-webgpu/realm/shaders/quant"
)

const llamaFile = "testdata/llama.gguf"

// draft is a file that is being changed.
type draft struct {
	t       testing.TB
	meta    *gguf.Metadata
	tensors []gguf.Output
}

func newDraft(t testing.TB, path string) *draft {
	t.Helper()
	f := open(t, path)
	d := &draft{t: t, meta: f.Clone()}
	for _, x := range f.Tensors {
		d.tensors = append(d.tensors, gguf.Output{Name: x.Name, Dims: slices.Clone(x.Dims), Format: x.Format, Data: x.CopyTo})
	}
	return d
}

// bytes returns the file.
func (d *draft) bytes() []byte {
	d.t.Helper()
	var b bytes.Buffer
	if err := gguf.Write(&b, d.meta, d.tensors); err != nil {
		d.t.Fatal(err)
	}
	return b.Bytes()
}

func (d *draft) file() *gguf.File {
	d.t.Helper()
	f, err := gguf.Read(bytes.NewReader(d.bytes()))
	if err != nil {
		d.t.Fatal(err)
	}
	return f
}

// renamed returns the metadata of a llama as that of another architecture.
func renamed(m *gguf.Metadata, arch string) *gguf.Metadata {
	out := new(gguf.Metadata)
	for key, v := range m.All() {
		if rest, ok := strings.CutPrefix(key, "llama."); ok {
			key = arch + "." + rest
		}
		out.Set(key, v)
	}
	out.Set("general.architecture", gguf.Scalar(arch))
	return out
}

// sized returns the metadata of a llama as that of another architecture, with what
// some have to say besides.
func sized(m *gguf.Metadata, arch string) *gguf.Metadata {
	out := renamed(m, arch)
	out.Set(arch+".attention.layer_norm_epsilon", gguf.Scalar[float32](1e-5))
	if strings.HasSuffix(arch, "moe") {
		out.Set(arch+".expert_count", gguf.Scalar[uint32](8))
		out.Set(arch+".expert_used_count", gguf.Scalar[uint32](2))
	}
	return out
}

// tensor returns a tensor of the file.
func (d *draft) tensor(name string) *gguf.Output {
	d.t.Helper()
	for i := range d.tensors {
		if d.tensors[i].Name == name {
			return &d.tensors[i]
		}
	}
	d.t.Fatalf("no tensor %q", name)
	return nil
}

func (d *draft) drop(name string) {
	d.t.Helper()
	d.tensor(name)
	d.tensors = slices.DeleteFunc(d.tensors, func(o gguf.Output) bool { return o.Name == name })
}

// reshape gives a tensor other dimensions, and zeros for data.
func (d *draft) reshape(name string, dims ...int) {
	d.t.Helper()
	o := d.tensor(name)
	o.Dims = dims
	size, err := o.Size()
	if err != nil {
		d.t.Fatal(err)
	}
	o.Data = contents(make([]byte, size))
}

// add appends a float32 tensor.
func (d *draft) add(name string, values []float32, dims ...int) {
	d.tensors = append(d.tensors, gguf.Output{Name: name, Dims: dims, Format: format(d.t, "F32"), Data: d.encoded(format(d.t, "F32"), values)})
}

// values returns a tensor's values.
func (d *draft) values(name string) []float32 {
	d.t.Helper()
	o := d.tensor(name)
	var b bytes.Buffer
	if err := o.Data(&b); err != nil {
		d.t.Fatal(err)
	}
	n := 1
	for _, d := range o.Dims {
		n *= d
	}
	values := make([]float32, n)
	if err := o.Format.Decode(values, b.Bytes()); err != nil {
		d.t.Fatal(err)
	}
	return values
}

// convert changes the format of a tensor.
func (d *draft) convert(name, to string) {
	d.t.Helper()
	values := d.values(name)
	o := d.tensor(name)
	o.Format = format(d.t, to)
	o.Data = d.encoded(o.Format, values)
}

func (d *draft) encoded(f *quant.Format, values []float32) func(io.Writer) error {
	d.t.Helper()
	size, err := f.RowBytes(len(values))
	if err != nil {
		d.t.Fatal(err)
	}
	b := make([]byte, size)
	if err := f.Encode(b, values, nil); err != nil {
		d.t.Fatal(err)
	}
	return contents(b)
}

// contents returns the Data of bytes, which may be written more than once.
func contents(b []byte) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := w.Write(b)
		return err
	}
}

func format(t testing.TB, name string) *quant.Format {
	t.Helper()
	f, ok := quant.ByName(name)
	if !ok {
		t.Fatalf("shaders/quant has no %s", name)
	}
	return f
}
