package webgpu

import (
	"fmt"

	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/shaders"
)

// maxPartials bounds the scratch memory of attention, in bytes: a step whose
// rows need more takes them in blocks.
const maxPartials = 32 << 20

// attentionLanes is the workgroup size of the attention kernel.
const attentionLanes = 8

func (b *builder) rope(o *device.Rope) error {
	c := b.e.cache
	query, qOffset, qStride := b.view(o.Query)
	key, kOffset, kStride := b.view(o.Key)
	value, vOffset, vStride := b.view(o.Value)
	// A buffer that is written is bound once, whatever else is in it.
	inputs, joined := []binding{query}, 0
	switch {
	case b.memory(o.Key) == b.memory(o.Query) && b.memory(o.Value) == b.memory(o.Query):
		joined = 1
	case b.memory(o.Key) != b.memory(o.Query) && b.memory(o.Value) != b.memory(o.Query):
		inputs = append(inputs, key, value)
	default:
		return fmt.Errorf("the query shares a buffer with only one of key and value: %w", device.ErrUnsupported)
	}
	l := &b.e.layout
	params := []uint32{uint32(o.HeadCount), uint32(o.HeadCountKV), uint32(o.HeadDim), uint32(o.Dimensions),
		qOffset, qStride, kOffset, kStride, vOffset, vStride,
		uint32(l.positions), uint32(l.sequences), uint32(l.tables), uint32(l.pages), stepRows}
	rotations := b.device.idle.all()
	if o.Table != nil {
		var err error
		if rotations, err = b.vector(o.Table); err != nil {
			return err
		}
	}
	constants := shaders.Constants{"NeoX": int(flag(o.Mode == device.RopeNeoX)), "CacheF32": int(flag(c.spec.Type == device.CacheF32)), "Joined": joined}
	pairs := uint32((o.HeadCount + 2*o.HeadCountKV) * o.HeadDim / 2)
	bindings := append([]binding{b.e.step.all(), rotations, c.keys[o.Layer].all(), c.values[o.Layer].all()}, inputs...)
	return b.dispatch("rope", nil, constants, b.perElement(pairs, o.Query), params, bindings...)
}

func (b *builder) attention(o *device.Attention) error {
	if b.memory(o.Out) == b.memory(o.Query) {
		return fmt.Errorf("the result shares a buffer with the query: %w", device.ErrUnsupported)
	}
	c, l := b.e.cache, &b.e.layout
	perRow := o.HeadCount * b.program.Pages * (o.HeadDim/4 + 1) * 16
	block := min(b.program.Rows, max(maxPartials/perRow, 1))
	partials, err := b.layerScratch(0, int64(block*perRow))
	if err != nil {
		return err
	}
	query, qOffset, qStride := b.view4(o.Query)
	out, outOffset, outStride := b.view4(o.Out)
	constants := shaders.Constants{"HeadDim": o.HeadDim, "CacheF32": int(flag(c.spec.Type == device.CacheF32)), "Lanes": attentionLanes}
	for row0 := 0; row0 < b.program.Rows; row0 += block {
		rows := grid{y: axisRows, tile: 1, row0: uint32(row0), count: uint32(block)}
		pages := rows
		pages.perChunk, pages.lanes = uint32(o.HeadCount), attentionLanes
		err := b.dispatch("attention", nil, constants, pages, []uint32{
			uint32(o.HeadCount), uint32(o.HeadCountKV), qOffset, qStride,
			uint32(l.positions), uint32(l.sequences), uint32(l.lengths), uint32(l.tables), uint32(l.pages), stepRows,
			uint32(b.program.Pages), stepChunks, uint32(o.Window), flag(o.Bidirectional), uint32(row0), bits(o.Scale), bits(o.SoftCap)},
			b.e.step.all(), query, c.keys[o.Layer].all(), c.values[o.Layer].all(), partials.all())
		if err != nil {
			return err
		}
		rows.x = (uint32(o.HeadCount*o.HeadDim/4) + elementLanes - 1) / elementLanes
		err = b.dispatch("attention_combine", nil, shaders.Constants{"HeadDim": o.HeadDim}, rows, []uint32{
			uint32(o.HeadCount), outOffset, outStride, uint32(l.positions), uint32(l.sequences), uint32(l.lengths), stepRows,
			uint32(b.program.Pages), uint32(o.Window), flag(o.Bidirectional), uint32(row0)},
			b.e.step.all(), partials.all(), out)
		if err != nil {
			return err
		}
	}
	return nil
}
