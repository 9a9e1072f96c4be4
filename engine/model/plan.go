package model

import (
	"fmt"
	"math/bits"

	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/engine/gguf"
	"github.com/realm-webgpu/realm/shaders/quant"
)

// PlanRows is the number of rows of the step that [MemoryPlan] counts the
// activations of, where the context has as many.
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
	Adapter       int64 // a LoRA adapter of rank PlanRank of every matrix that takes one
}

// PlanRank is the rank of the adapter that [MemoryPlan] counts.
const PlanRank = 8

// Total returns the bytes for one sequence of the whole context.
func (p MemoryPlan) Total() int64 { return p.Weights + p.Cache + p.Scratch }

// Plan returns what a file would take on some device, without reading its tensors.
// context is the tokens of a sequence, 0 for the model's own. It fails as [Load]
// does, save for what only a device knows.
func Plan(f *gguf.File, context int, t device.CacheType) (MemoryPlan, error) {
	return planOn(f, context, t, planes{}, PlanRows)
}

// PlanOn is Plan for a device: its largest step in place of PlanRows, and where it is a [device.Sized], weights and cache are what they will
// take there to the byte.
func PlanOn(d device.Device, f *gguf.File, context int, t device.CacheType) (MemoryPlan, error) {
	sizes, ok := d.(device.Sized)
	if !ok {
		sizes = planes{}
	}
	return planOn(f, context, t, sizes, d.Info().MaxRows)
}

func planOn(f *gguf.File, context int, t device.CacheType, sizes device.Sized, rows int) (MemoryPlan, error) {
	m, err := newModel(f, context)
	if err != nil {
		return MemoryPlan{}, fmt.Errorf("model: plan: %w", err)
	}
	rows = min(rows, 1<<bits.Len(uint(m.context-1)))
	pages := (m.context + device.PageTokens - 1) / device.PageTokens
	program, _ := m.Program(nil, Shape{Rows: rows, Outputs: 1, Sequences: 1, Pages: pages})
	return MemoryPlan{
		Context:       m.context,
		File:          m.tensors.fileBytes(),
		Weights:       m.weightBytes(sizes),
		CachePerToken: m.CacheSpec(1, t).Bytes() / device.PageTokens,
		Cache:         sizes.CacheBytes(m.CacheSpec(pages, t)),
		Scratch:       m.scratch(program),
		Adapter:       m.tensors.adapterBytes(PlanRank),
	}, nil
}

// planes are the sizes of a device that keeps no more than what there is: matrices
// in the planes of shaders/quant.
type planes struct{}

func (planes) MatrixBytes(f *quant.Format, rows, columns, experts int) int64 {
	if n, err := f.RowBytes(columns); err == nil && f.Layout.Plain {
		return int64(n) * int64(rows) * int64(max(experts, 1))
	}
	_, words := f.PlaneOffsets(rows*max(experts, 1), columns)
	return 4 * int64(words)
}

func (planes) VectorBytes(elements int) int64         { return 4 * int64(elements) }
func (planes) CacheBytes(spec device.CacheSpec) int64 { return spec.Bytes() }

// weightBytes returns the bytes of all that Load uploads.
func (m *Model) weightBytes(sizes device.Sized) int64 {
	t, total := m.tensors, int64(0)
	for _, x := range t.matrices {
		total += sizes.MatrixBytes(x.tensors[0].Format, x.rows, x.columns, x.experts)
		if x.biased() {
			total += sizes.VectorBytes(x.rows)
		}
	}
	for _, v := range t.vectors {
		total += sizes.VectorBytes(v.tensor.Elements())
	}
	ropes := []*Rope{&m.config.Rope}
	if m.config.SlidingRope != nil {
		ropes = append(ropes, m.config.SlidingRope)
	}
	for _, r := range ropes {
		if n := r.tableBytes(m.context); n > 0 {
			total += sizes.VectorBytes(int(n / 4))
		}
	}
	if m.config.LearnedPositions {
		if f, ok := quant.ByName(learnedFormat); ok {
			total += sizes.MatrixBytes(f, m.context, m.config.EmbeddingLength, 1)
		}
	}
	return total
}

// adapterBytes returns the bytes of a slot of a rank in every bank there can be.
func (t *tensors) adapterBytes(rank int) int64 {
	sites, of := t.sites()
	p := bankPlan{slots: 1, ranks: make([]int, len(sites))}
	for _, at := range of {
		if at.refused == "" {
			p.ranks[at.site] = rank
		}
	}
	return p.bytes(sites)
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
