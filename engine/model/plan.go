package model

import (
	"fmt"

	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/engine/gguf"
)

// PlanRows is the number of rows of the step that [MemoryPlan] counts the
// activations of.
const PlanRows = 256

// MemoryPlan is what a model takes on a device, in bytes. A device that keeps
// weights in another layout than planes, or shares scratch memory otherwise,
// takes somewhat more or less.
type MemoryPlan struct {
	Context       int   // tokens
	File          int64 // tensors as in the file
	Weights       int64 // the same in planes (shaders/quant), and the positions of the context
	CachePerToken int64 // keys and values of a token
	Cache         int64 // of the context, in whole pages
	Scratch       int64 // activations of a step of PlanRows rows and one output: an estimate
}

// Total returns the bytes for one sequence of the whole context.
func (p MemoryPlan) Total() int64 { return p.Weights + p.Cache + p.Scratch }

// Plan returns what a file would take, without reading its tensors. context is the
// tokens of a sequence, 0 for the model's own. It fails as [Load] does, save for
// what only a device knows.
func Plan(f *gguf.File, context int, t device.CacheType) (MemoryPlan, error) {
	m, err := newModel(f, context)
	if err != nil {
		return MemoryPlan{}, fmt.Errorf("model: plan: %w", err)
	}
	pages := (m.context + device.PageTokens - 1) / device.PageTokens
	page := m.CacheSpec(1, t)
	program, _ := m.Program(nil, Shape{Rows: PlanRows, Outputs: 1, Sequences: 1, Pages: pages})
	return MemoryPlan{
		Context:       m.context,
		File:          m.tensors.fileBytes(),
		Weights:       m.tensors.deviceBytes() + m.positionBytes(),
		CachePerToken: page.Bytes() / device.PageTokens,
		Cache:         m.CacheSpec(pages, t).Bytes(),
		Scratch:       m.scratch(program),
	}, nil
}

// deviceBytes returns the bytes of the tensors in planes.
func (t *tensors) deviceBytes() int64 {
	const word, float = 4, 4
	total := int64(0)
	for _, x := range t.matrices {
		_, words := x.tensors[0].Format.PlaneOffsets(x.rows*max(x.experts, 1), x.columns)
		total += word * int64(words)
		if x.biased() {
			total += float * int64(x.rows)
		}
	}
	for _, v := range t.vectors {
		total += float * int64(v.tensor.Elements())
	}
	return total
}

// positionBytes returns the bytes of the tables of positions, rotated or learned.
func (m *Model) positionBytes() int64 {
	n := m.config.Rope.tableBytes(m.context)
	if m.config.LearnedPositions {
		n += 4 * int64(m.context) * int64(m.config.EmbeddingLength)
	}
	if sliding := m.config.SlidingRope; sliding != nil {
		n += sliding.tableBytes(m.context)
	}
	return n
}

// scratch returns the most bytes that the buffers of a program need at a time, and
// what its experts need besides: for each that is used the gate, the rest, their
// product and what is added up.
func (m *Model) scratch(p *device.Program) int64 {
	first, last := make([]int, len(p.Buffers)), make([]int, len(p.Buffers))
	for i := range first {
		first[i] = len(p.Ops)
	}
	for i, op := range p.Ops {
		reads, writes := op.Views()
		for _, v := range append(reads, writes...) {
			first[v.Buffer] = min(first[v.Buffer], i)
			last[v.Buffer] = i
		}
	}
	rows := func(b device.Buffer) int64 {
		if b.Outputs {
			return int64(p.Outputs)
		}
		return int64(p.Rows)
	}
	most := int64(0)
	for i, op := range p.Ops {
		live := int64(0)
		for b, buffer := range p.Buffers {
			if first[b] <= i && i <= last[b] {
				live += 4 * rows(buffer) * int64(buffer.Width)
			}
		}
		if o, ok := op.(*device.Experts); ok {
			live += 4 * rows(p.Buffers[o.Out.Buffer]) * int64(o.Used) * int64(3*m.config.FeedForwardLength+m.config.EmbeddingLength)
		}
		most = max(most, live)
	}
	return most
}
