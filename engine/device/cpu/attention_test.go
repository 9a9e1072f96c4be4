package cpu_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/engine/device/cpu"
	"github.com/realm-webgpu/realm/shaders/quant"
)

// angles returns a rope table [positions][dimensions/2][cos, sin].
func angles(positions, dimensions int) []float32 {
	var table []float32
	for p := range positions {
		for i := range dimensions / 2 {
			a := float64(p) * math.Pow(100, -float64(2*i)/float64(dimensions))
			table = append(table, float32(math.Cos(a)), float32(math.Sin(a)))
		}
	}
	return table
}

// attentionCase is a Rope and an Attention over sequences of known rows, and
// their definition.
type attentionCase struct {
	name       string
	rope       device.Rope
	attention  device.Attention
	headCount  int
	kv, dim    int
	dimensions int
	cache      device.CacheType
}

// rotated is the definition of Rope on a head at a position.
func (c *attentionCase) rotated(head []float32, table []float32, position int) []float64 {
	out := make([]float64, len(head))
	for i, x := range head {
		out[i] = float64(x)
	}
	half := c.dimensions / 2
	for i := range half {
		a, b := 2*i, 2*i+1
		if c.rope.Mode == device.RopeNeoX {
			a, b = i, i+half
		}
		cos := float64(table[(position*half+i)*2])
		sin := float64(table[(position*half+i)*2+1])
		out[a] = float64(head[a])*cos - float64(head[b])*sin
		out[b] = float64(head[a])*sin + float64(head[b])*cos
	}
	return out
}

// cached is the definition of what the cache does to a number.
func (c *attentionCase) cached(x float64) float64 {
	if c.cache == device.CacheF32 {
		return x
	}
	return float64(quant.F16ToF32(quant.F32ToF16(quant.ClampF16(float32(x)))))
}

// defined returns the rows of Out for the rows [query | key | value] of a
// sequence from position 0.
func (c *attentionCase) defined(rows [][]float32, table []float32) [][]float64 {
	out := make([][]float64, len(rows))
	q, kv := c.headCount*c.dim, c.kv*c.dim
	for p, row := range rows {
		out[p] = make([]float64, q)
		for h := range c.headCount {
			query := c.rotated(row[h*c.dim:(h+1)*c.dim], table, p)
			g := h * c.kv / c.headCount
			weights, total := make([]float64, len(rows)), 0.0
			for j, other := range rows {
				if j > p && !c.attention.Bidirectional || c.attention.Window > 0 && j <= p-c.attention.Window {
					continue
				}
				score := 0.0
				for i, x := range c.rotated(other[q+g*c.dim:q+(g+1)*c.dim], table, j) {
					score += query[i] * c.cached(x)
				}
				score *= float64(c.attention.Scale)
				if limit := float64(c.attention.SoftCap); limit > 0 {
					score = limit * math.Tanh(score/limit)
				}
				weights[j] = math.Exp(score)
				total += weights[j]
			}
			for j, other := range rows {
				for i, x := range other[q+kv+g*c.dim : q+kv+(g+1)*c.dim] {
					out[p][h*c.dim+i] += weights[j] / total * c.cached(float64(x))
				}
			}
		}
	}
	return out
}

func TestAttention(t *testing.T) {
	const layer, layers = 1, 2
	for _, c := range []attentionCase{
		{name: "causal", headCount: 2, kv: 2, dim: 8, dimensions: 8},
		{name: "f32 cache", headCount: 2, kv: 2, dim: 8, dimensions: 8, cache: device.CacheF32},
		{name: "groups", headCount: 6, kv: 2, dim: 4, dimensions: 4},
		{name: "neox", headCount: 2, kv: 1, dim: 8, dimensions: 8, rope: device.Rope{Mode: device.RopeNeoX}},
		{name: "partial rope", headCount: 2, kv: 2, dim: 12, dimensions: 4},
		{name: "partial neox", headCount: 2, kv: 2, dim: 12, dimensions: 6, rope: device.Rope{Mode: device.RopeNeoX}},
		{name: "no rope", headCount: 2, kv: 2, dim: 8},
		{name: "window of 1", headCount: 2, kv: 2, dim: 8, dimensions: 8, attention: device.Attention{Window: 1}},
		{name: "window of 33", headCount: 2, kv: 2, dim: 8, dimensions: 8, attention: device.Attention{Window: 33}},
		{name: "soft cap", headCount: 2, kv: 2, dim: 8, dimensions: 8, attention: device.Attention{SoftCap: 0.5}},
		{name: "bidirectional", headCount: 2, kv: 2, dim: 8, dimensions: 8, attention: device.Attention{Bidirectional: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, cpu.Options{Workers: 2})
			spec := device.CacheSpec{Layers: layers, HeadCountKV: c.kv, HeadDim: c.dim, Pages: 9, Type: c.cache}
			kv := must(r.NewCache(spec))
			if got := r.Memory().Used[device.KindCache]; got != spec.Bytes() {
				t.Errorf("the cache takes %d bytes, its spec says %d", got, spec.Bytes())
			}
			// Two sequences of 70 and 20 tokens, rows of both in the table.
			q, k := c.headCount*c.dim, c.kv*c.dim
			lengths := []int{70, 20}
			rows := r.normal(lengths[0]+lengths[1], q+2*k)
			rows[3][q+2*k-1] = 1e6 // past float16
			table := angles(lengths[0], c.dimensions)

			p := &device.Program{Name: c.name, Rows: 128, Outputs: 128, Sequences: 2, Pages: 4, Cache: kv}
			x := r.input(p, rows)
			rope, attention := c.rope, c.attention
			rope.Layer, rope.HeadCount, rope.HeadCountKV, rope.HeadDim, rope.Dimensions = layer, c.headCount, c.kv, c.dim, c.dimensions
			rope.Query, rope.Key, rope.Value = x.Slice(0, q), x.Slice(q, k), x.Slice(q+k, k)
			if c.dimensions > 0 {
				rope.Table = r.vector(table)
			}
			attention.Layer, attention.HeadCount, attention.HeadCountKV, attention.HeadDim = layer, c.headCount, c.kv, c.dim
			attention.Scale = 0.7
			attention.Query, attention.Out = rope.Query, p.NewBuffer(q)
			p.Add(&rope, &attention)
			out := output(p, attention.Out)
			e := r.compile(p)

			c.attention.Scale = attention.Scale
			want := append(c.defined(rows[:lengths[0]], table), c.defined(rows[lengths[0]:], table)...)
			tables := [][]int32{{5, 0, 8}, {2}}
			steps := [][2]int{{0, 70}, {70, 90}} // rows of the steps
			if c.attention.Bidirectional {
				steps = [][2]int{{0, 90}}
			}
			for _, s := range steps {
				step := &device.Step{BlockTables: tables, Lengths: []int32{70, 0}}
				for row := s[0]; row < s[1]; row++ {
					sequence, position := 0, row
					if row >= lengths[0] {
						sequence, position = 1, row-lengths[0]
						step.Lengths[1] = int32(position + 1)
					}
					step.Tokens = append(step.Tokens, int32(row))
					step.Positions = append(step.Positions, int32(position))
					step.Sequences = append(step.Sequences, int32(sequence))
				}
				step.Outputs = count(s[1] - s[0])
				r.run(e, step)
				near(t, fmt.Sprintf("rows %v", s), r.read(e, out, s[1]-s[0]), want[s[0]:s[1]], 2e-5)
			}
		})
	}
}

// TestCopyPage forks a sequence in the middle of a page, between steps that
// are in flight.
func TestCopyPage(t *testing.T) {
	r := newRig(t, cpu.Options{})
	m := newTiny(r, 8)
	e := m.compile(8)
	var result device.Result
	r.check(e.Submit(sequenceStep(0, []int32{3, 1, 4, 1, 5}, []int32{0})))
	r.check(m.cache.CopyPage(6, 0))
	r.check(e.Submit(sequenceStep(2, []int32{9, 9, 9}, []int32{0}))) // the copy does not see this
	r.check(e.Wait(&result))
	r.check(e.Wait(&result))
	r.run(e, sequenceStep(5, []int32{2, 6}, []int32{6}))
	forked := r.read(e, m.logits, 2)

	r.run(e, sequenceStep(0, []int32{3, 1, 4, 1, 5, 2, 6}, []int32{1}))
	whole := r.read(e, m.logits, 7)
	same(t, "first row after the fork", forked[0], whole[5])
	same(t, "second row after the fork", forked[1], whole[6])
}
