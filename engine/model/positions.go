package model

import (
	"bytes"
	"context"
	"fmt"
	"math"

	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/shaders/quant"
)

// learnedFormat is that of learned positions on the device.
const learnedFormat = "F32"

// uploadPositions adds the first token type to every position of the context.
func (m *Model) uploadPositions(ctx context.Context, d device.Device, p *positions) error {
	values, err := floats(p.table)
	if err != nil {
		return err
	}
	columns := m.config.EmbeddingLength
	values = values[:m.context*columns]
	if p.types != nil {
		types, err := floats(p.types)
		if err != nil {
			return err
		}
		for i := range values {
			values[i] += types[i%columns]
		}
	}
	format, ok := quant.ByName(learnedFormat)
	if !ok {
		return fmt.Errorf("tensor %q: %w: no format %s", p.table.Name, ErrUnsupported, learnedFormat)
	}
	data := make([]byte, 4*len(values))
	if err := format.Encode(data, values, nil); err != nil {
		return fmt.Errorf("tensor %q: %w", p.table.Name, err)
	}
	p.weights, err = m.own(d.Upload(ctx, device.Matrix{
		Name: p.table.Name, Format: format, Columns: columns, Kind: device.KindWeights,
		Sources: []device.Source{{Rows: m.context, Reader: bytes.NewReader(data)}},
	}))
	return err
}

// uploadRopes makes the rope tables of the context, if positions are rotated.
func (m *Model) uploadRopes(d device.Device) error {
	if m.config.Rope.Dimensions == 0 {
		return nil
	}
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
