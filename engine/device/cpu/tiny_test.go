package cpu_test

import "github.com/realm-webgpu/realm/engine/device"

// tiny is a model of two layers with random weights.
type tiny struct {
	*rig
	cache      device.Cache
	embedding  device.Weights
	table      device.Weights
	norm, head device.Weights
	layers     []tinyLayer
	sampled    bool        // programs end with Sample
	logits     device.View // of all programs
}

type tinyLayer struct{ norm, qkv, out, gateUp, down, bias device.Weights }

// The shape of tiny.
const (
	tinyVocab   = 50 // not a multiple of 4
	tinyEmbed   = 256
	tinyHeads   = 4
	tinyKV      = 2
	tinyDim     = 64
	tinyFF      = 256
	tinyContext = 4 * device.PageTokens
	tinyBest    = 8 // K of TopK
)

func newTiny(r *rig, pages int) *tiny {
	weight := func(name string, rows, columns int) device.Weights {
		x := r.normal(rows, columns)
		for _, row := range x {
			for i := range row {
				row[i] *= 0.1
			}
		}
		w, _ := r.matrix(format(name), x)
		return w
	}
	vector := func(n int) device.Weights { return r.vector(r.normal(1, n)[0]) }
	m := &tiny{
		rig:       r,
		cache:     must(r.NewCache(device.CacheSpec{Layers: 2, HeadCountKV: tinyKV, HeadDim: tinyDim, Pages: pages})),
		embedding: weight("Q6_K", tinyVocab, tinyEmbed),
		table:     r.vector(angles(tinyContext, tinyDim)),
		norm:      vector(tinyEmbed),
		head:      weight("Q6_K", tinyVocab, tinyEmbed),
	}
	for range 2 {
		m.layers = append(m.layers, tinyLayer{
			norm:   vector(tinyEmbed),
			qkv:    weight("Q4_K", (tinyHeads+2*tinyKV)*tinyDim, tinyEmbed),
			bias:   vector((tinyHeads + 2*tinyKV) * tinyDim),
			out:    weight("Q8_0", tinyEmbed, tinyHeads*tinyDim),
			gateUp: weight("Q3_K", 2*tinyFF, tinyEmbed),
			down:   weight("F16", tinyEmbed, tinyFF),
		})
	}
	return m
}

// compile builds the program of a bucket.
func (m *tiny) compile(rows int) device.Executable {
	p := &device.Program{Name: "tiny", Rows: rows, Outputs: rows, Sequences: 4, Pages: tinyContext / device.PageTokens, Cache: m.cache}
	x := p.NewBuffer(tinyEmbed)
	p.Add(&device.Embed{Out: x, Table: m.embedding})
	var residual *device.View
	norm := func(x device.View, newBuffer func(int) device.View, w device.Weights) device.View {
		out := newBuffer(tinyEmbed)
		p.Add(&device.RMSNorm{Out: out, X: x, Residual: residual, Weight: w, Epsilon: 1e-5})
		return out
	}
	matMul := func(x device.View, w, bias device.Weights) device.View {
		rows, _ := w.Shape()
		out := p.NewBuffer(rows)
		p.Add(&device.MatMul{Out: out, X: x, Weight: w, Bias: bias})
		return out
	}
	for i, l := range m.layers {
		qkv := matMul(norm(x, p.NewBuffer, l.norm), l.qkv, l.bias)
		query := qkv.Slice(0, tinyHeads*tinyDim)
		mixed := p.NewBuffer(query.Width)
		p.Add(&device.Rope{
			Query: query, Key: qkv.Slice(query.Width, tinyKV*tinyDim), Value: qkv.Slice(query.Width+tinyKV*tinyDim, tinyKV*tinyDim),
			Layer: i, HeadCount: tinyHeads, HeadCountKV: tinyKV, HeadDim: tinyDim, Dimensions: tinyDim, Table: m.table,
		}, &device.Attention{
			Out: mixed, Query: query,
			Layer: i, HeadCount: tinyHeads, HeadCountKV: tinyKV, HeadDim: tinyDim, Scale: 0.125,
		})
		attended := matMul(mixed, l.out, nil)
		residual = &attended
		gateUp := matMul(norm(x, p.NewBuffer, l.norm), l.gateUp, nil)
		gated, up := p.NewBuffer(tinyFF), gateUp.Slice(tinyFF, tinyFF)
		p.Add(&device.GLU{Out: gated, Gate: gateUp.Slice(0, tinyFF), Up: &up})
		fed := matMul(gated, l.down, nil)
		residual = &fed
	}
	last, rest := p.NewOutput(tinyEmbed), p.NewOutput(tinyEmbed)
	p.Add(&device.Gather{Out: last, X: x}, &device.Gather{Out: rest, X: *residual})
	residual = &rest
	m.logits = p.NewOutput(tinyVocab)
	p.Add(&device.MatMul{Out: m.logits, X: norm(last, p.NewOutput, m.norm), Weight: m.head},
		&device.TopK{Logits: m.logits, K: tinyBest})
	if m.sampled {
		p.Add(&device.Sample{})
	}
	return m.rig.compile(p)
}

// sequenceStep is a step of some tokens of one sequence, all of them outputs.
func sequenceStep(position int, tokens, pages []int32) *device.Step {
	n := len(tokens)
	s := &device.Step{
		Tokens:      tokens,
		Positions:   make([]int32, n),
		Sequences:   make([]int32, n),
		BlockTables: [][]int32{pages},
		Lengths:     []int32{int32(position + n)},
		Outputs:     count(n),
	}
	for i := range s.Positions {
		s.Positions[i] = int32(position + i)
	}
	return s
}
