package cpu

import (
	"github.com/realm-webgpu/realm/engine/device"
)

// attention is device.Attention. Its items are pairs of a key head and some rows
// of a sequence, one after the other: their queries read the same pages.
type attention struct {
	base
	op         device.Attention
	out, query block
	cache      *cache
	runs       []rowRun // of the step
}

// rowRun is rows that follow each other in a step and are of one sequence.
type rowRun struct{ first, n int }

// maxQueries bounds the queries of an item, where a row has no more than that.
const maxQueries = 16

// runRows returns how many rows an item of the attention has at most.
func runRows(o *device.Attention) int { return max(1, maxQueries/(o.HeadCount/o.HeadCountKV)) }

func (k *attention) run(s *step) {
	k.step = s
	k.runs = k.runs[:0]
	rows := runRows(&k.op)
	for t, sequence := range s.sequences {
		if n := len(k.runs) - 1; t > 0 && s.sequences[t-1] == sequence && k.runs[n].n < rows {
			k.runs[n].n++
			continue
		}
		k.runs = append(k.runs, rowRun{t, 1})
	}
	longest := int32(0)
	for _, length := range s.lengths {
		longest = max(longest, length)
	}
	work := 2 * int(longest) * k.op.HeadDim * k.op.HeadCount / k.op.HeadCountKV * len(s.tokens) / len(k.runs)
	k.pool.run(k, len(k.runs)*k.op.HeadCountKV, grain(work))
}

func (k *attention) do(worker, first, last int) {
	for item := first; item < last; item++ {
		k.attend(&k.lanes[worker], k.runs[item/k.op.HeadCountKV], item%k.op.HeadCountKV)
	}
}

// attend computes the query heads that read a key head, of all rows of a run.
func (k *attention) attend(lane *lane, rows rowRun, head int) {
	group := k.op.HeadCount / k.op.HeadCountKV
	width := group * k.op.HeadDim
	a := &lane.attention
	a.Begins, a.Ends = a.Begins[:0], a.Ends[:0]
	for i := range rows.n {
		copy(lane.queries[i*width:], k.query.Row(rows.first + i)[head*width:(head+1)*width])
		begin, end := k.span(rows.first + i)
		for range group {
			a.Begins, a.Ends = append(a.Begins, int32(begin)), append(a.Ends, int32(end))
		}
	}
	a.Out, a.Queries, a.Dim = lane.attended, lane.queries, k.op.HeadDim
	at := k.cache.at(k.op.Layer, 0, head)
	a.Half = k.cache.spec.Type == device.CacheF16
	if a.Half {
		a.HalfKeys, a.HalfValues = k.cache.keys.half[at:], k.cache.values.half[at:]
	} else {
		a.Keys, a.Values = k.cache.keys.full[at:], k.cache.values.full[at:]
	}
	a.Pages, a.PageStride = k.step.table(rows.first), k.cache.at(0, 1, 0)
	a.Scale, a.Cap = k.op.Scale, k.op.SoftCap
	a.Scores, a.Stride = lane.scores, len(a.Pages)*device.PageTokens
	a.Page, a.Sums = lane.page, lane.sums
	k.Attend(a)
	for i := range rows.n {
		copy(k.out.Row(rows.first + i)[head*width:(head+1)*width], lane.attended[i*width:])
	}
}

// span returns the positions [begin, end) that row t sees.
func (k *attention) span(t int) (begin, end int) {
	position := int(k.step.positions[t])
	end = position + 1
	if k.op.Bidirectional {
		end = int(k.step.lengths[k.step.sequences[t]])
	}
	if k.op.Window > 0 {
		begin = max(0, position-k.op.Window+1)
	}
	return begin, end
}
