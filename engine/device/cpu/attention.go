package cpu

import (
	"math"

	"github.com/realm-webgpu/realm/engine/device"
)

// attention is device.Attention. Its items are pairs of a row and a key head,
// whose keys and values serve all query heads of the group.
type attention struct {
	base
	op         device.Attention
	out, query block
	cache      *cache
}

func (k *attention) run(s *step) {
	k.step = s
	longest := int32(0)
	for _, length := range s.lengths {
		longest = max(longest, length)
	}
	work := 2 * int(longest) * k.op.HeadDim * k.op.HeadCount / k.op.HeadCountKV
	k.pool.run(k, len(s.tokens)*k.op.HeadCountKV, grain(work))
}

func (k *attention) do(worker, first, last int) {
	for item := first; item < last; item++ {
		k.group(&k.lanes[worker], item/k.op.HeadCountKV, item%k.op.HeadCountKV)
	}
}

// group computes the query heads of row t that read a key head.
func (k *attention) group(lane *lane, t, head int) {
	dim, heads := k.op.HeadDim, k.op.HeadCount/k.op.HeadCountKV
	query := k.query.row(t)[head*heads*dim : (head+1)*heads*dim]
	out := k.out.row(t)[head*heads*dim : (head+1)*heads*dim]
	pages := k.step.table(t)
	begin, end := k.span(t)
	n := end - begin

	for i := range n {
		key := k.cache.keys.read(k.at(pages, head, begin+i), lane.row[:dim])
		for h := range heads {
			lane.scores[h*n+i] = k.score(query[h*dim:(h+1)*dim], key)
		}
	}
	for h := range heads {
		weigh(lane.scores[h*n : (h+1)*n])
	}
	sums := lane.sums[:heads*dim]
	clear(sums)
	for i := range n {
		value := k.cache.values.read(k.at(pages, head, begin+i), lane.row[:dim])
		for h := range heads {
			accumulate(sums[h*dim:(h+1)*dim], value, lane.scores[h*n+i])
		}
	}
	for i, sum := range sums {
		out[i] = float32(sum)
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

func (k *attention) at(pages []int32, head, position int) int {
	return k.cache.at(k.op.Layer, int(pages[position/device.PageTokens]), head, position%device.PageTokens)
}

func (k *attention) score(query, key []float32) float32 {
	s := k.op.Scale * dot(query, key)
	if limit := float64(k.op.SoftCap); limit > 0 {
		s = soften(s, limit)
	}
	return s
}

// weigh turns scores into the weights of their softmax.
func weigh(scores []float32) {
	highest := math.Inf(-1)
	for _, s := range scores {
		highest = max(highest, float64(s))
	}
	sum := 0.0
	for _, s := range scores {
		sum += math.Exp(float64(s) - highest)
	}
	for i, s := range scores {
		scores[i] = float32(math.Exp(float64(s)-highest) / sum)
	}
}

func accumulate(sums []float64, value []float32, weight float32) {
	w := float64(weight)
	for i, v := range value[:len(sums)] {
		sums[i] += float64(w * float64(v))
	}
}
