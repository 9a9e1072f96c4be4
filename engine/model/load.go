package model

import (
	"context"
	"fmt"
	"io"
	"math"

	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/engine/gguf"
)

// Options are the choices of [Load].
type Options struct {
	// Context is the largest number of tokens of a sequence; 0: context_length.
	Context int
	// Progress, if not nil, is told how many bytes of the file's tensors are on the
	// device, of how many: once for every matrix and vector, from Load's goroutine.
	Progress func(done, total int64)
}

// Model is a model whose weights are on a device. It may be used from many
// goroutines.
type Model struct {
	config  Config
	context int // tokens
	tensors *tensors
	// Rope tables; sliding is rope where sliding layers have no rope of their own.
	rope, sliding device.Weights
	owned         []device.Weights
}

// Load uploads a model. The file must stay open until Release and the end of the
// steps in flight: a device may use its bytes in place.
//
// Its errors wrap [ErrArchitecture], [ErrMetadata], [ErrTensor], [ErrUnsupported]
// or [ErrContext], or are those of the file, of ctx and of the device. Nothing is
// kept on the device then.
func Load(ctx context.Context, f *gguf.File, d device.Device, o Options) (*Model, error) {
	m, err := newModel(f, o.Context)
	if err != nil {
		return nil, fmt.Errorf("model: load: %w", err)
	}
	if err := m.upload(ctx, d, o.Progress); err != nil {
		m.Release()
		return nil, fmt.Errorf("model: load: %w", err)
	}
	return m, nil
}

// newModel returns a model with nothing on a device.
func newModel(f *gguf.File, context int) (*Model, error) {
	c, err := readConfig(f)
	if err != nil {
		return nil, err
	}
	m := &Model{config: *c}
	if m.context, err = c.context(context); err != nil {
		return nil, err
	}
	m.tensors, err = resolve(f, c)
	return m, err
}

// Config returns what the model is. It may not be changed.
func (m *Model) Config() *Config { return &m.config }

// Context returns the largest number of tokens of a sequence.
func (m *Model) Context() int { return m.context }

// CacheSpec is that of the model's Config.
func (m *Model) CacheSpec(pages int, t device.CacheType) device.CacheSpec {
	return m.config.CacheSpec(pages, t)
}

// Release gives back the device memory of the weights, after the steps in flight.
func (m *Model) Release() {
	for _, w := range m.owned {
		w.Release()
	}
	m.owned = nil
}

// own keeps what was uploaded, for Release.
func (m *Model) own(w device.Weights, err error) (device.Weights, error) {
	if err != nil {
		return nil, err
	}
	m.owned = append(m.owned, w)
	return w, nil
}

func (m *Model) upload(ctx context.Context, d device.Device, progress func(done, total int64)) error {
	if err := m.uploadRopes(d); err != nil {
		return err
	}
	t := m.tensors
	done, total := int64(0), t.fileBytes()
	report := func(n int64) {
		done += n
		if progress != nil {
			progress(done, total)
		}
	}
	for _, x := range t.matrices {
		if err := m.uploadMatrix(ctx, d, x); err != nil {
			return err
		}
		report(x.fileBytes())
	}
	for _, v := range t.vectors {
		err := ctx.Err()
		if err == nil {
			v.weights, err = m.uploadVector(d, v.tensor)
		}
		if err != nil {
			return err
		}
		report(v.tensor.Size)
	}
	return nil
}

// fileBytes returns the bytes in the file of all that is uploaded.
func (t *tensors) fileBytes() int64 {
	total := int64(0)
	for _, x := range t.matrices {
		total += x.fileBytes()
	}
	for _, v := range t.vectors {
		total += v.tensor.Size
	}
	return total
}

// fileBytes returns the bytes in the file of a matrix and its biases.
func (x *matrix) fileBytes() int64 {
	n := int64(0)
	for i, t := range x.tensors {
		n += t.Size
		if bias := x.biases[i]; bias != nil {
			n += bias.Size
		}
	}
	return n
}

func (m *Model) uploadMatrix(ctx context.Context, d device.Device, x *matrix) (err error) {
	upload := device.Matrix{Name: x.name(), Format: x.tensors[0].Format, Columns: x.columns, Kind: device.KindWeights}
	for _, t := range x.tensors {
		r, err := t.Reader()
		if err != nil {
			return err
		}
		upload.Sources = append(upload.Sources, device.Source{Rows: t.Rows(), Reader: source{r, t}})
	}
	if x.weights, err = m.own(d.Upload(ctx, upload)); err != nil || !x.biased() {
		return err
	}
	bias := make([]float32, 0, x.rows)
	for i, t := range x.biases {
		if t == nil {
			bias = append(bias, make([]float32, x.tensors[i].Rows())...)
			continue
		}
		values, err := floats(t)
		if err != nil {
			return err
		}
		bias = append(bias, values...)
	}
	if x.bias, err = m.own(d.UploadVector(bias)); err != nil {
		return fmt.Errorf("biases of %s: %w", x.name(), err)
	}
	return nil
}

// biased reports whether any tensor of the matrix has a bias.
func (x *matrix) biased() bool {
	for _, t := range x.biases {
		if t != nil {
			return true
		}
	}
	return false
}

func (m *Model) uploadVector(d device.Device, t *gguf.Tensor) (device.Weights, error) {
	values, err := floats(t)
	if err != nil {
		return nil, err
	}
	w, err := m.own(d.UploadVector(values))
	if err != nil {
		return nil, fmt.Errorf("tensor %q: %w", t.Name, err)
	}
	return w, nil
}

// uploadRopes makes the rope tables of the context.
func (m *Model) uploadRopes(d device.Device) error {
	factors, err := m.factors()
	if err != nil {
		return err
	}
	if m.rope, err = m.uploadRope(d, &m.config.Rope, factors); err != nil {
		return err
	}
	m.sliding = m.rope
	if m.config.SlidingRope != nil {
		m.sliding, err = m.uploadRope(d, m.config.SlidingRope, nil)
	}
	return err
}

func (m *Model) uploadRope(d device.Device, r *Rope, factors []float32) (device.Weights, error) {
	// The context may be no more than a claim of the file.
	need, memory := r.tableBytes(m.context), d.Memory()
	if used := memory.Total(); memory.Budget > 0 && need > memory.Budget-used {
		return nil, &device.MemoryError{Kind: device.KindWeights, Name: "rope table", Need: need, Used: used, Budget: memory.Budget}
	}
	w, err := m.own(d.UploadVector(r.table(m.context, factors)))
	if err != nil {
		return nil, fmt.Errorf("rope table: %w", err)
	}
	return w, nil
}

// factors returns what divides the rope frequencies [Dimensions/2], or nil.
func (m *Model) factors() ([]float32, error) {
	t := m.tensors.ropeFactors
	if m.tensors.longFactors != nil {
		t = m.tensors.shortFactors
		if m.context > m.config.Rope.OriginalContext {
			t = m.tensors.longFactors
		}
	}
	if t == nil {
		return nil, nil
	}
	factors, err := floats(t)
	if err != nil {
		return nil, err
	}
	for i, f := range factors {
		if !(f > 0) || math.IsInf(float64(f), 1) {
			return nil, fmt.Errorf("tensor %q: %w: factor %d is %v", t.Name, ErrTensor, i, f)
		}
	}
	return factors, nil
}

// floats decodes a tensor.
func floats(t *gguf.Tensor) ([]float32, error) {
	data, err := t.Bytes()
	if err != nil {
		return nil, err
	}
	values := make([]float32, t.Elements())
	if err := t.Format.Decode(values, data); err != nil {
		return nil, fmt.Errorf("tensor %q: %w", t.Name, err)
	}
	return values, nil
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
