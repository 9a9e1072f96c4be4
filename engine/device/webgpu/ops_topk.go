package webgpu

import (
	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/shaders"
)

const (
	// sliceCount is the threads that share a row of logits. The bound that
	// topk_merge finds is the better the more there are.
	sliceCount = 512
	// listRoom is the elements that topk_collect keeps of a row.
	listRoom = 512
)

func (b *builder) topk(o *device.TopK) error {
	b.topK = o
	e, n := b.e, int64(b.program.Outputs)
	e.k = o.K
	e.resultWords = roundUp(4+2*o.K, 4)
	var err error
	if e.results, err = b.own("results", n*int64(e.resultWords)*4, usageStorage); err != nil {
		return err
	}
	slices, err := b.shared(n * sliceCount * 16)
	if err != nil {
		return err
	}
	logits, offset, stride := b.view(o.Logits)
	row := []uint32{uint32(o.Logits.Width), offset, stride}
	perSlice := grid{x: sliceCount / elementLanes, y: axisOutputs, tile: 1}
	err = b.dispatch("topk_slices", nil, shaders.Constants{"SliceCount": sliceCount}, perSlice, row, logits, slices.all())
	if err != nil {
		return err
	}
	perRow := grid{x: 1, y: axisOutputs, tile: 1}
	merge := shaders.Constants{"SliceCount": sliceCount, "K": o.K, "ResultWords": e.resultWords}
	if o.K == 1 {
		return b.dispatch("topk_merge", nil, merge, perRow, row, slices.all(), e.results.all(), b.chosen.all())
	}
	bounds, err := b.shared(n * 8)
	if err != nil {
		return err
	}
	list, err := b.shared(n * listRoom * 8)
	if err != nil {
		return err
	}
	if err := b.dispatch("topk_merge", nil, merge, perRow, row, slices.all(), e.results.all(), b.chosen.all(), bounds.all()); err != nil {
		return err
	}
	if err := b.dispatch("topk_collect", nil, shaders.Constants{"SliceCount": sliceCount, "Room": listRoom}, perSlice, row, logits, bounds.all(), list.all()); err != nil {
		return err
	}
	rank := shaders.Constants{"K": o.K, "Room": listRoom, "ResultWords": e.resultWords}
	return b.dispatch("topk_rank", nil, rank, perRow, row, logits, bounds.all(), list.all(), e.results.all())
}

func (b *builder) sample() error {
	e := b.e
	return b.dispatch("sample", nil, shaders.Constants{"K": e.k, "ResultWords": e.resultWords}, grid{x: 1, y: axisOutputs, tile: 1},
		[]uint32{uint32(b.topK.Logits.Width), uint32(e.layout.samplers)}, e.step.all(), e.results.all(), b.chosen.all())
}
