package conformance

import (
	"fmt"

	"github.com/realm-webgpu/realm/engine/device"
)

func attentionCases(size Size) []Case {
	var cases []Case
	for i, h := range []heads{
		{count: 4, kv: 4, dim: 16, cache: device.CacheF16},
		{count: 8, kv: 2, dim: 32, cache: device.CacheF32, mode: device.RopeNeoX},
		{count: 7, kv: 1, dim: 64, cache: device.CacheF16, mode: device.RopeNeoX},
		{count: 4, kv: 2, dim: 80, cache: device.CacheF32},
		{count: 6, kv: 2, dim: 96, cache: device.CacheF16},
		{count: 8, kv: 1, dim: 128, cache: device.CacheF32, mode: device.RopeNeoX},
		{count: 2, kv: 2, dim: 64, cache: device.CacheF32},
		{count: 16, kv: 4, dim: 128, cache: device.CacheF16},
	} {
		cases = append(cases, Case{
			Name: fmt.Sprintf("attention/%d_of_%d/dim_%d/%v", h.count, h.kv, h.dim, h.cache), Op: "attention",
			run: func(l *lab) { attentionMix(l, h, i, size) },
		})
	}
	return append(cases,
		Case{Name: "attention/clamp", Op: "attention", run: attentionClamp},
		Case{Name: "attention/peak", Op: "attention", run: attentionPeak},
	)
}

// mask is a way in which an attention differs from the plain one.
type mask struct {
	name  string
	apply func(*device.Attention)
}

var masks = [...]mask{
	{"plain", func(*device.Attention) {}},
	{"window", func(a *device.Attention) { a.Window = 40 }},
	{"softcap", func(a *device.Attention) { a.SoftCap = 1.5 }},
	{"bidirectional", func(a *device.Attention) { a.Bidirectional = true }},
	{"all", func(a *device.Attention) { a.Window, a.SoftCap, a.Bidirectional = 33, 2, true }},
	{"window of one", func(a *device.Attention) { a.Window = 1 }},
}

// attentionMix computes decode rows of sequences of many lengths and the rows of
// a prompt in one step, with tables in no order, over keys and values that steps
// before and the step itself have written. A row that is computed once more,
// alone, must come out the same.
func attentionMix(l *lab, h heads, index int, size Size) {
	const (
		tokens = 96 // rows of the tables of inputs
		layers = 2
		most   = 24 // pages of a sequence
		prompt = 61 // tokens of the last sequence before the prompt goes on
	)
	lengths := []int32{1, 31, 32, 33, 100, prompt}
	chosen := []mask{masks[0], masks[1+index%(len(masks)-1)]}
	if size == Full {
		lengths = []int32{1, 31, 32, 33, 100, 700, prompt}
		chosen = masks[:]
	}
	var each []int
	pages := 4 // of no sequence
	for _, n := range lengths {
		each = append(each, (int(n)+16)/device.PageTokens+1)
		pages += each[len(each)-1]
	}
	cache := l.cache(device.CacheSpec{Layers: layers, HeadCountKV: h.kv, HeadDim: h.dim, Pages: pages, Type: h.cache})
	angles := l.angles(h, most*device.PageTokens)
	var inputs [layers]device.Weights
	for i := range inputs {
		inputs[i] = l.inputs(tokens, h.width(), normal(fmt.Sprintf("attention %d", i), 1))
	}
	program := func(rows int, masked []mask) *probe {
		p := l.probe("attention", rows, cache)
		p.Sequences, p.Pages = len(each), most
		var ropes [layers]device.Rope
		for i := range ropes {
			ropes[i] = p.layer(h, i, inputs[i], angles)
			p.Add(&ropes[i])
		}
		for i, m := range masked {
			a := p.attend(ropes[i%layers])
			m.apply(a)
			p.Add(a)
			p.watch(m.name, a.Out, h.bound())
		}
		p.compile()
		return p
	}

	// Fill the cache up to the last token of every sequence.
	b := newBook(pages, each...)
	fill := program(min(64, l.info.MaxRows), nil)
	next := func(sequence, n int) run { // the next n tokens, which follow from their positions
		r := run{sequence: sequence}
		for i := range int32(n) {
			r.tokens = append(r.tokens, (37*(b.lengths[sequence]+i)+11*int32(sequence))%tokens)
		}
		return r
	}
	for sequence, n := range lengths {
		for b.lengths[sequence] < n-1 && l.err == nil {
			s := b.step(next(sequence, min(fill.Rows, int(n-1-b.lengths[sequence]))))
			s.Outputs = nil
			fill.step(s)
		}
	}

	mixed, alone := program(16, chosen), program(1, chosen)
	for _, p := range []*probe{mixed, alone} {
		p.label = func(s *device.Step, row int) string {
			return fmt.Sprintf("sequence %d at %d", s.Sequences[row], s.Positions[row])
		}
	}
	last := len(lengths) - 1
	var runs []run
	for sequence := range last {
		runs = append(runs, next(sequence, 1))
	}
	mixed.step(b.step(append(runs, next(last, 7))...))
	for _, sequence := range []int{3, 0, last, last - 1} {
		b.lengths[sequence]--
		alone.step(b.step(next(sequence, 1)))
	}
	// On, in another order, some by one row and some by more.
	mixed.step(b.step(next(last, 1), next(2, 3), next(0, 1), next(last-1, 2)))
	alone.step(b.step(next(1, 1)))
}

// attentionClamp stores values past the range of float16.
func attentionClamp(l *lab) {
	h := heads{count: 2, kv: 1, dim: 32, rotated: -1, cache: device.CacheF16}
	value := normal("clamp", 1)
	inputs := l.inputs(8, h.width(), func(row, column int) float64 {
		if column < (h.count+h.kv)*h.dim {
			return value(row, column)
		}
		return 1e5 * value(row, column)
	})
	attentionSmall(l, h, inputs, 1, boundF16)
}

// attentionPeak has scores so far apart that one key takes all, and so large
// that their exponentials leave float32.
func attentionPeak(l *lab) {
	h := heads{count: 4, kv: 2, dim: 64, cache: device.CacheF32}
	// A score of s has an error of s*u, and so has the share it gives.
	attentionSmall(l, h, l.inputs(8, h.width(), normal("peak", 1)), 40, 100*boundFunction)
}

// attentionSmall is one short sequence, with scores scaled up.
func attentionSmall(l *lab, h heads, inputs device.Weights, scale float32, bound float64) {
	cache := l.cache(device.CacheSpec{Layers: 1, HeadCountKV: h.kv, HeadDim: h.dim, Pages: 2, Type: h.cache})
	p := l.probe("attention", 8, cache)
	p.Pages = 2
	rope := p.layer(h, 0, inputs, l.angles(h, 64))
	p.Add(&rope)
	a := p.attend(rope)
	a.Scale *= scale
	p.Add(a)
	p.watch("attention", a.Out, bound)
	p.compile()
	b := newBook(2, 2)
	for range 5 {
		p.step(b.step(run{0, count(0, 8)}))
	}
}
