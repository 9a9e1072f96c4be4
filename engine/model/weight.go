package model

import (
	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/engine/gguf"
)

// Weight is a tensor of the file as it is on the device: rows of a matrix, or
// elements of a vector, which others may be stacked with.
type Weight struct {
	Name string // in the file: "blk.0.attn_k.weight"
	// Rows and Columns are n_out and n_in; a vector has one row.
	Rows, Columns int
	Experts       int            // 0: a plain matrix or a vector
	Vector        bool           // float32 on the device, whatever it was in the file
	On            device.Weights // what has it
	First         int            // its first row there, or its first element
}

// Weights returns the tensors of the model that operations can be given, in the
// order of the file's layers. Those that are on the device only as a part of
// something else (factors of rope, learned positions, experts of a file that has
// a tensor for each) are left out.
func (m *Model) Weights() []Weight {
	var all []Weight
	for _, x := range m.tensors.matrices {
		if x.experts > 0 {
			if len(x.tensors) == 1 {
				all = append(all, Weight{Name: x.tensors[0].Name, Rows: x.rows, Columns: x.columns, Experts: x.experts, On: x.weights})
			}
			continue
		}
		first := 0
		for i, t := range x.tensors {
			rows := t.Rows()
			all = append(all, Weight{Name: t.Name, Rows: rows, Columns: x.columns, On: x.weights, First: first})
			if bias := x.biases[i]; bias != nil {
				all = append(all, vectorWeight(bias, x.bias, first))
			}
			first += rows
		}
	}
	for _, v := range m.tensors.vectors {
		all = append(all, vectorWeight(v.tensor, v.weights, 0))
	}
	return all
}

func vectorWeight(t *gguf.Tensor, on device.Weights, first int) Weight {
	return Weight{Name: t.Name, Rows: 1, Columns: int(t.Elements()), Vector: true, On: on, First: first}
}

// Rope returns the Rope of a layer, without its views.
func (m *Model) Rope(layer int) device.Rope {
	c := &m.config
	rope, table := &c.Rope, m.rope
	if c.SlidingRope != nil && c.sliding(layer) {
		rope, table = c.SlidingRope, m.sliding
	}
	return device.Rope{
		Layer: layer, HeadCount: c.HeadCount, HeadCountKV: c.HeadCountKV, HeadDim: c.HeadDim,
		Dimensions: rope.Dimensions, Mode: rope.Mode, Table: table,
	}
}
