package conformance

import (
	"fmt"
	"math"

	"github.com/realm-webgpu/realm/engine/device"
)

func invarianceCases(size Size) []Case {
	var cases []Case
	for _, s := range stocks() {
		cases = append(cases, Case{
			Name: "invariance/" + s.format.Name, Op: "block", Format: s.format.Name,
			run: func(l *lab) { invarianceOf(l, s, device.CacheF32, size) },
		})
	}
	for _, s := range stocks() {
		if s.format.Name == "F16" { // the weights do not matter to the cache
			cases = append(cases, Case{
				Name: "invariance/cache_f16", Op: "block", Format: s.format.Name,
				run: func(l *lab) { invarianceOf(l, s, device.CacheF16, size) },
			})
		}
	}
	return cases
}

// network is a tiny model of the Llama family with two layers: what the second
// stores depends on what the first has attended to, and so on how a prompt was
// cut, if anything does.
type network struct {
	heads
	bound                float64
	embd, ff, vocabulary int
	table, output, norm  device.Weights
	angles               device.Weights
	layers               []networkLayer
}

type networkLayer struct {
	attentionNorm, queryNorm, ffNorm device.Weights
	qkv, qkvBias, o, gateUp, down    device.Weights
}

// newNetwork makes a network whose matrices are all of one format.
func newNetwork(l *lab, s *stock, t device.CacheType, contextLength int) *network {
	r := random("network " + s.format.Name)
	n := &network{heads: heads{count: 8, kv: 2, dim: 32, mode: device.RopeNeoX, cache: t}, embd: segment, ff: 2 * segment, vocabulary: 61}
	n.bound = boundBlock
	if t == device.CacheF16 {
		n.bound = 10 * boundF16 // two layers of it, through products and norms
	}
	n.bound = l.rounded(n.bound, boundInt8Block, s)
	n.table = s.matrix(l, r, n.vocabulary, n.embd)
	n.output = s.matrix(l, r, n.vocabulary, n.embd)
	n.norm = l.noise(r, n.embd)
	n.angles = l.angles(n.heads, contextLength)
	q, kv := n.count*n.dim, n.kv*n.dim
	for range 2 {
		n.layers = append(n.layers, networkLayer{
			attentionNorm: l.noise(r, n.embd), queryNorm: l.noise(r, n.dim), ffNorm: l.noise(r, n.embd),
			qkv: l.upload("qkv", s.format,
				s.part(l, r, q, n.embd, plain), s.part(l, r, kv, n.embd, plain), s.part(l, r, kv, n.embd, plain)),
			qkvBias: l.noise(r, q+2*kv),
			o:       s.matrix(l, r, n.embd, q),
			gateUp: l.upload("gate and up", s.format,
				s.part(l, r, n.ff, n.embd, plain), s.part(l, r, n.ff, n.embd, plain)),
			down: s.matrix(l, r, n.embd, n.ff),
		})
	}
	return n
}

// program is the forward pass of the network over a bucket of rows.
func (n *network) program(l *lab, rows, sequences, pages int, cache device.Cache) *probe {
	p := l.probe("network", rows, cache)
	p.Sequences, p.Pages = sequences, pages
	p.label = func(s *device.Step, row int) string {
		return fmt.Sprintf("sequence %d at %d", s.Sequences[row], s.Positions[row])
	}
	if l.err != nil {
		return p
	}
	x := p.embed(n.table)
	h := p.NewBuffer(n.embd)
	var residual *device.View
	for i, w := range n.layers {
		p.Add(&device.RMSNorm{Out: h, X: x, Residual: residual, Weight: w.attentionNorm, Epsilon: 1e-5})
		qkv := p.matmul(h, w.qkv, w.qkvBias)
		q, kv := n.count*n.dim, n.kv*n.dim
		query := qkv.Slice(0, q)
		attended := p.NewBuffer(q)
		p.Add(
			&device.RMSNorm{Out: query, X: query, Weight: w.queryNorm, Epsilon: 1e-6, Groups: n.count},
			&device.Rope{
				Query: query, Key: qkv.Slice(q, kv), Value: qkv.Slice(q+kv, kv),
				Layer: i, HeadCount: n.count, HeadCountKV: n.kv, HeadDim: n.dim,
				Dimensions: n.dim, Mode: n.mode, Table: n.angles,
			},
			&device.Attention{
				Out: attended, Query: query,
				Layer: i, HeadCount: n.count, HeadCountKV: n.kv, HeadDim: n.dim,
				Scale: float32(1 / math.Sqrt(float64(n.dim))),
			},
		)
		o := p.matmul(attended, w.o, nil)
		p.Add(&device.RMSNorm{Out: h, X: x, Residual: &o, Weight: w.ffNorm, Epsilon: 1e-5})
		gateUp := p.matmul(h, w.gateUp, nil)
		up, gated := gateUp.Slice(n.ff, n.ff), p.NewBuffer(n.ff)
		p.Add(&device.GLU{Out: gated, Gate: gateUp.Slice(0, n.ff), Up: &up, Activation: device.SiLU})
		down := p.matmul(gated, w.down, nil)
		residual = &down
	}
	p.Add(&device.RMSNorm{Out: h, X: x, Residual: residual, Weight: n.norm, Epsilon: 1e-5})
	last := p.NewOutput(n.embd)
	p.Add(&device.Gather{Out: last, X: h})
	logits := p.matmul(last, n.output, nil)
	p.Add(&device.TopK{Logits: logits, K: 8})
	p.watch("logits", logits, n.bound)
	p.compile()
	return p
}

// invarianceOf computes a text token by token, in chunks, at once, and beside
// other texts, and wants the same logits to the bit each time.
func invarianceOf(l *lab, s *stock, t device.CacheType, size Size) {
	const pages, sequences = 3, 9
	length, chunks, bucketRows := 40, []int{1, 7, 3, 16, 13}, []int{1, 2, 4, 8, 16, 64}
	if size == Small {
		length, chunks, bucketRows = 12, []int{5, 1, 6}, []int{1, 8, 16}
	}
	n := newNetwork(l, s, t, pages*device.PageTokens)
	cache := l.cache(device.CacheSpec{Layers: len(n.layers), HeadCountKV: n.kv, HeadDim: n.dim, Pages: pages * sequences, Type: t})
	programs := map[int]*probe{}
	for _, rows := range bucketRows {
		programs[rows] = n.program(l, rows, sequences, pages, cache)
	}
	fitting := func(rows int) *probe { // the smallest bucket that takes them
		for _, b := range bucketRows {
			if b >= rows {
				return programs[b]
			}
		}
		return nil
	}
	each := make([]int, sequences)
	for i := range each {
		each[i] = pages
	}
	b := newBook(pages*sequences, each...)
	text := func(sequence, at, rows int) run {
		r := run{sequence: sequence}
		for i := range rows {
			r.tokens = append(r.tokens, int32((17*(at+i)+23*sequence+(at+i)*(at+i))%n.vocabulary))
		}
		return r
	}
	advance := func(sequence, rows int) run { return text(sequence, int(b.lengths[sequence]), rows) }

	// Token by token.
	for range length {
		programs[1].step(b.step(advance(0, 1)))
	}
	// In chunks.
	b.lengths[0] = 0
	for _, rows := range chunks {
		fitting(rows).step(b.step(advance(0, rows)))
	}
	// At once, and beside another prompt.
	b.lengths[0] = 0
	if size == Full {
		programs[64].step(b.step(advance(0, length), advance(1, 19)))
	} else {
		programs[16].step(b.step(advance(1, 4), advance(0, length)))
	}
	// Decoded beside ever more others, of which some had a prompt before.
	for others := 1; others < sequences; others++ {
		p := fitting(others + 1)
		b.lengths[0] = int32(length - 1)
		runs := []run{}
		for sequence := range others + 1 {
			runs = append(runs, advance((sequence+others)%(others+1), 1))
		}
		p.step(b.step(runs...))
	}
}
