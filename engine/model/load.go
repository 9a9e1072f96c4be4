package model

import (
	"context"
	"fmt"
	"io"

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
	bytes         int64 // of all that is owned
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
	for _, w := range m.owned {
		m.bytes += w.Bytes()
	}
	return m, nil
}

// Restore uploads the model onto another device, in place of one that was lost and
// closed. Nothing else may use the model meanwhile. Its errors are those of Load, and
// leave a model that can be restored again, or released.
func (m *Model) Restore(ctx context.Context, d device.Device) error {
	m.owned = nil // it went with the device
	if err := m.upload(ctx, d, nil); err != nil {
		m.Release()
		return fmt.Errorf("model: restore: %w", err)
	}
	return nil
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

// Bytes returns the device memory of the weights.
func (m *Model) Bytes() int64 { return m.bytes }

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
	if p := t.positions; p != nil {
		if err := m.uploadPositions(ctx, d, p); err != nil {
			return err
		}
		report(p.fileBytes())
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
	if t.positions != nil {
		total += t.positions.fileBytes()
	}
	return total
}

// fileBytes returns the bytes in the file of the tables.
func (p *positions) fileBytes() int64 {
	if p.types == nil {
		return p.table.Size
	}
	return p.table.Size + p.types.Size
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
	upload := device.Matrix{Name: x.name(), Format: x.tensors[0].Format, Columns: x.columns, Experts: x.experts, Kind: device.KindWeights}
	if upload.Sources, err = x.sources(); err != nil {
		return err
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

// floats decodes a tensor. Its few bytes are read, not mapped: a file that another program
// makes shorter is then an error, and no pages around them become resident.
func floats(t *gguf.Tensor) ([]float32, error) {
	r, err := t.Reader()
	if err != nil {
		return nil, err
	}
	data := make([]byte, t.Size)
	if _, err := io.ReadFull(r, data); err != nil {
		return nil, fmt.Errorf("tensor %q: %w", t.Name, err)
	}
	values := make([]float32, t.Elements())
	if err := t.Format.Decode(values, data); err != nil {
		return nil, fmt.Errorf("tensor %q: %w", t.Name, err)
	}
	return values, nil
}
