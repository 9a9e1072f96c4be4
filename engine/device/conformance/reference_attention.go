package conformance

import (
	"fmt"
	"math"
	"slices"

	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/shaders/quant"
)

// store is the reference's side of a cache: keys and values by layer, page and
// slot, as wide as all heads together. What was never written is NaN.
type store struct {
	spec         device.CacheSpec
	keys, values []float64
	chosen       []int32 // by the last step
}

func newStore(spec device.CacheSpec) *store {
	n := spec.Layers * spec.Pages * device.PageTokens * spec.HeadCountKV * spec.HeadDim
	s := &store{spec: spec, keys: make([]float64, n), values: make([]float64, n)}
	for i := range n {
		s.keys[i], s.values[i] = math.NaN(), math.NaN()
	}
	return s
}

// at returns the index of the first element of a token of a layer.
func (s *store) at(layer int, table []int32, position int) int {
	slot := int(table[position/device.PageTokens])*device.PageTokens + position%device.PageTokens
	return (layer*s.spec.Pages*device.PageTokens + slot) * s.spec.HeadCountKV * s.spec.HeadDim
}

// choose notes what the outputs of the last step chose. A nil store, of a program
// without a cache, has no Chosen tokens to serve.
func (s *store) choose(ids []int32) {
	if s != nil {
		s.chosen = slices.Clone(ids)
	}
}

// copyPage copies a page of every layer.
func (s *store) copyPage(dst, src int) {
	n := device.PageTokens * s.spec.HeadCountKV * s.spec.HeadDim
	for layer := range s.spec.Layers {
		to := s.at(layer, []int32{int32(dst)}, 0)
		from := s.at(layer, []int32{int32(src)}, 0)
		copy(s.keys[to:to+n], s.keys[from:from+n])
		copy(s.values[to:to+n], s.values[from:from+n])
	}
}

// put writes a token's key or value. A half is clamped to the finite range; its
// rounding is what boundF16 is for.
func (s *store) put(dst []float64, at int, row []float64) {
	for i, v := range row {
		if s.spec.Type == device.CacheF16 {
			v = max(-quant.MaxF16, min(v, quant.MaxF16))
		}
		dst[at+i] = v
	}
}

func (x *pass) store() (*store, error) {
	if s := x.caches[x.program.Cache]; s != nil {
		return s, nil
	}
	return nil, fmt.Errorf("the cache was not made by this case")
}

func (x *pass) rope(o *device.Rope) error {
	cache, err := x.store()
	if err != nil {
		return err
	}
	table := &tensor{}
	if o.Dimensions > 0 {
		if table, err = x.tensor(o.Table); err != nil {
			return err
		}
	}
	for i, position := range x.step.Positions {
		angles := table.values[int(position)*o.Dimensions:][:o.Dimensions]
		query, key, value := x.row(o.Query, i), x.row(o.Key, i), x.row(o.Value, i)
		for at := 0; at < len(query); at += o.HeadDim {
			rotate(query[at:at+o.Dimensions], angles, o.Mode)
		}
		for at := 0; at < len(key); at += o.HeadDim {
			rotate(key[at:at+o.Dimensions], angles, o.Mode)
		}
		at := cache.at(o.Layer, x.step.BlockTables[x.step.Sequences[i]], int(position))
		cache.put(cache.keys, at, key)
		cache.put(cache.values, at, value)
		for j := range key {
			key[j] = math.NaN() // not defined afterwards
		}
	}
	return nil
}

// rotate turns the pairs of a head by angles [pairs][cos, sin].
func rotate(head []float64, angles []float32, mode device.RopeMode) {
	pairs := len(head) / 2
	for i := range pairs {
		a, b := 2*i, 2*i+1
		if mode == device.RopeNeoX {
			a, b = i, i+pairs
		}
		cos, sin := float64(angles[2*i]), float64(angles[2*i+1])
		head[a], head[b] = head[a]*cos-head[b]*sin, head[a]*sin+head[b]*cos
	}
}

func (x *pass) attention(o *device.Attention) error {
	cache, err := x.store()
	if err != nil {
		return err
	}
	for i, position := range x.step.Positions {
		sequence := x.step.Sequences[i]
		table := x.step.BlockTables[sequence]
		first, end := 0, int(position)+1
		if o.Bidirectional {
			end = int(x.step.Lengths[sequence])
		}
		if o.Window > 0 {
			first = max(0, int(position)-o.Window+1)
		}
		query, out := x.row(o.Query, i), x.row(o.Out, i)
		for h := range o.HeadCount {
			head := h * o.HeadCountKV / o.HeadCount * o.HeadDim
			q := query[h*o.HeadDim : (h+1)*o.HeadDim]
			scores := make([]float64, end-first)
			for j := range scores {
				at := cache.at(o.Layer, table, first+j) + head
				scores[j] = float64(o.Scale) * dot(q, cache.keys[at:at+o.HeadDim])
				if o.SoftCap > 0 {
					scores[j] = float64(o.SoftCap) * math.Tanh(scores[j]/float64(o.SoftCap))
				}
			}
			softmax(scores)
			sum := out[h*o.HeadDim : (h+1)*o.HeadDim]
			clear(sum)
			for j, p := range scores {
				at := cache.at(o.Layer, table, first+j) + head
				for d, v := range cache.values[at : at+o.HeadDim] {
					sum[d] += p * v
				}
			}
		}
	}
	return nil
}

func dot(a, b []float64) float64 {
	sum := 0.0
	for i, v := range a {
		sum += v * b[i]
	}
	return sum
}

// softmax replaces scores by their shares of the sum of exponentials.
func softmax(scores []float64) {
	best, sum := math.Inf(-1), 0.0
	for _, s := range scores {
		best = max(best, s)
	}
	for i, s := range scores {
		scores[i] = math.Exp(s - best)
		sum += scores[i]
	}
	for i := range scores {
		scores[i] /= sum
	}
}
