package cpu

import (
	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/engine/device/cpu/simd"
	"github.com/realm-webgpu/realm/shaders/quant"
)

// lane is the scratch memory of one worker.
type lane struct {
	parts          quant.Parts
	row            []float32 // a weight row
	half           []uint16  // the keys of a token
	queries        []float32 // of an item of attention: [queries, head_dim]
	attended       []float32 // likewise
	scores         []float32 // [queries][tokens of a sequence]
	page           []float32 // [head_dim, tokens of a page], in plain Go
	sums           []float64 // [queries, head_dim], in plain Go
	attention      simd.Attention
	multiplication simd.Multiplication
}

// laneSize is the lengths of a lane, the largest that any operation needs.
type laneSize struct{ row, half, queries, scores, page, runs int }

func laneSizeOf(p *device.Program) laneSize {
	var size laneSize
	for _, op := range p.Ops {
		switch o := op.(type) {
		case *device.MatMul:
			size.row = max(size.row, o.X.Width)
		case *device.Experts:
			ff, _ := o.Gate.Shape()
			size.row = max(size.row, o.X.Width, ff)
		case *device.Rope:
			size.half = max(size.half, o.HeadCountKV*o.HeadDim)
		case *device.Attention:
			queries := min(runRows(o), p.Rows) * (o.HeadCount / o.HeadCountKV)
			size.runs = max(size.runs, queries)
			size.queries = max(size.queries, queries*o.HeadDim)
			size.scores = max(size.scores, queries*p.Pages*device.PageTokens)
			size.page = max(size.page, o.HeadDim*device.PageTokens)
		}
	}
	return size
}

func (s laneSize) bytes() int64 {
	return 4*int64(s.row+2*s.queries+s.scores+s.page+2*s.runs) + 2*int64(s.half) + 8*int64(s.queries)
}

func (s laneSize) lane() lane {
	return lane{
		row:      make([]float32, s.row),
		half:     make([]uint16, s.half),
		queries:  make([]float32, s.queries),
		attended: make([]float32, s.queries),
		scores:   make([]float32, s.scores),
		page:     make([]float32, s.page),
		sums:     make([]float64, s.queries),
		attention: simd.Attention{
			Begins: make([]int32, 0, s.runs),
			Ends:   make([]int32, 0, s.runs),
		},
	}
}

// activationsOf returns the most elements that the products of a program round.
func activationsOf(p *device.Program) int {
	most := 0
	for _, op := range p.Ops {
		switch o := op.(type) {
		case *device.MatMul:
			if !o.Weight.Format().Layout.Plain {
				most = max(most, p.Rows*o.X.Width)
			}
		case *device.Experts:
			ff, _ := o.Gate.Shape()
			most = max(most, p.Rows*o.Used*max(o.X.Width, ff))
		}
	}
	return most
}
