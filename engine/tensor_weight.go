package engine

import (
	"fmt"

	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/engine/model"
)

// WeightInfo describes a tensor of a model that operations can be given.
type WeightInfo struct {
	Name   string // in the GGUF file: "blk.0.attn_q.weight"
	Format string // on the device: "Q8_0"; vectors are "F32"
	// Shape is [n_out, n_in] of a matrix, [n] of a vector, [experts, n_out, n_in]
	// of a mixture of experts, which no operation takes yet.
	Shape []int
}

// Weights lists the tensors of a model.
func (m *Model) Weights() []WeightInfo {
	m.engine.loading.RLock()
	defer m.engine.loading.RUnlock()
	var all []WeightInfo
	for _, w := range m.model.Weights() {
		info := WeightInfo{Name: w.Name, Format: w.On.Format().Name, Shape: []int{w.Rows, w.Columns}}
		switch {
		case w.Vector:
			info.Shape = []int{w.Columns}
		case w.Experts > 0:
			info.Shape = []int{w.Experts, w.Rows, w.Columns}
		}
		all = append(all, info)
	}
	return all
}

// Weight is a tensor of a model, to compute with and not to read. It takes no
// memory, and lives as long as the model.
type Weight struct {
	id     uint64 // the same for the same tensor
	model  *Model
	device device.Device // that it is on
	model.Weight
	slice device.Weights // the tensor alone: On, or a part of it
}

// Weight returns a tensor by its name in the GGUF file. An output matrix that is
// tied to the embedding goes by the embedding's name, token_embd.weight. Errors:
// ErrNoWeight; device.ErrUnsupported for experts.
func (m *Model) Weight(name string) (*Weight, error) {
	m.engine.loading.RLock()
	defer m.engine.loading.RUnlock()
	on := m.engine.current()
	for i, w := range m.model.Weights() {
		if w.Name != name {
			continue
		}
		if w.Experts > 0 {
			return nil, fmt.Errorf("engine: weight %q of %d experts: %w", name, w.Experts, device.ErrUnsupported)
		}
		slice := w.On
		rows, columns := w.On.Shape()
		if w.First > 0 || w.Rows != rows || w.Columns != columns {
			t, ok := on.(device.Tensors)
			if !ok {
				return nil, fmt.Errorf("engine: weight %q: %w", name, device.ErrUnsupported)
			}
			n := w.Rows
			if w.Vector {
				n = w.Columns
			}
			var err error
			if slice, err = t.Slice(w.On, w.First, n); err != nil {
				return nil, fmt.Errorf("engine: weight %q: %w", name, err)
			}
		}
		return &Weight{id: m.id<<32 | uint64(i+1), model: m, device: on, Weight: w, slice: slice}, nil
	}
	return nil, fmt.Errorf("engine: weight %q: %w", name, ErrNoWeight)
}
