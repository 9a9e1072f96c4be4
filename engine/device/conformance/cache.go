package conformance

import (
	"fmt"
	"math"
	"slices"
	"sync"

	"github.com/realm-webgpu/realm/engine/device"
)

func cacheCases(Size) []Case {
	var cases []Case
	for _, t := range []device.CacheType{device.CacheF16, device.CacheF32} {
		cases = append(cases, Case{
			Name: "cache/copy_page/" + t.String(), Op: "cache",
			run: func(l *lab) { copyPage(l, t) },
		})
	}
	return append(cases,
		Case{Name: "step/two_in_flight", Op: "step", run: twoInFlight},
		Case{Name: "step/read", Op: "step", run: readRows},
		Case{Name: "step/many_goroutines", Op: "step", run: manyGoroutines},
	)
}

// copyPage forks a sequence in the middle of a page, while a step that writes to
// the page is in flight, and goes on with both.
func copyPage(l *lab, t device.CacheType) {
	const layers, pages = 3, 8
	h := heads{count: 4, kv: 2, dim: 32, cache: t}
	cache := l.cache(device.CacheSpec{Layers: layers, HeadCountKV: h.kv, HeadDim: h.dim, Pages: pages, Type: t})
	inputs := l.inputs(64, h.width(), normal("copy", 1))
	angles := l.angles(h, 3*device.PageTokens)
	p := l.probe("copy", 16, cache)
	p.Sequences, p.Pages = 2, 3
	for layer := range layers {
		rope := p.layer(h, layer, inputs, angles)
		p.Add(&rope)
		a := p.attend(rope)
		p.Add(a)
		p.watch(fmt.Sprintf("layer %d", layer), a.Out, h.bound())
	}
	p.compile()
	b := newBook(pages, 3, 3)
	for at := 0; at < 48; at += 16 {
		p.submit(b.step(run{0, count(at, 16)}))
		if at == 32 && l.err == nil {
			// The second sequence shares the first page, and has a copy of the
			// second, half of which is written by the step just submitted.
			b.tables[1][0] = b.tables[0][0]
			dst, src := int(b.tables[1][1]), int(b.tables[0][1])
			if err := cache.CopyPage(dst, src); err != nil {
				l.fail("copy of page %d to %d: %w", src, dst, err)
			}
			l.ref.caches[cache].copyPage(dst, src)
			b.lengths[1] = b.lengths[0]
		}
		p.wait()
	}
	p.step(b.step(run{0, count(50, 9)}))
	p.step(b.step(run{1, count(5, 7)}))
	p.step(b.step(run{0, count(60, 2)}, run{1, count(20, 9)}))
}

// twoInFlight submits a step on the ids of the one before, which the host has
// not seen, for as many steps as it takes to see the two mixed up.
func twoInFlight(l *lab) {
	const vocabulary = 40
	h := heads{count: 2, kv: 1, dim: 16, cache: device.CacheF32}
	cache := l.cache(device.CacheSpec{Layers: 1, HeadCountKV: 1, HeadDim: h.dim, Pages: 3, Type: h.cache})
	qkv := l.inputs(vocabulary, h.width(), normal("flight", 1))
	next := l.inputs(vocabulary, vocabulary, normal("next", 1)) // what each token is followed by
	p := l.probe("flight", 2, cache)
	p.Sequences, p.Pages = 2, 1
	rope := p.layer(h, 0, qkv, l.angles(h, device.PageTokens))
	p.Add(&rope)
	a := p.attend(rope)
	p.Add(a)
	p.watch("attention", a.Out, h.bound())
	logits := p.NewOutput(vocabulary)
	p.Add(&device.Gather{Out: logits, X: p.embed(next)}, &device.TopK{Logits: logits, K: 4})
	p.watch("logits", logits, boundExact)
	p.compile()
	b := newBook(3, 1, 1)
	p.submit(b.step(run{0, []int32{7}}, run{1, []int32{20}}))
	for i := range 20 {
		first, second := device.Chosen(i%2), device.Chosen(1-i%2)
		p.submit(b.step(run{0, []int32{first}}, run{1, []int32{second}}))
		p.wait()
	}
	p.wait()
}

// readRows reads single rows and parts of them, more than once and in any order,
// after a step and not only its last.
func readRows(l *lab) {
	p := l.probe("read", 4, nil)
	x := p.gathered(p.embed(l.inputs(9, 40, normal("read", 1))))
	y := p.NewOutput(40)
	p.Add(&device.Add{Out: y, X: x, Y: x})
	p.see("x", x, boundExact)
	p.see("twice x", y, boundExact)
	p.compile()
	p.step(stepOf(8, 1, 4))
	for _, row := range []int{2, 0, 2, 1} {
		whole := p.readRow(y, row)
		for _, v := range []device.View{y.Slice(0, 4), y.Slice(12, 8), y.Slice(36, 4), y} {
			if got := p.readRow(v, row); l.err == nil && !slices.Equal(got, whole[v.Offset:v.Offset+v.Width]) {
				l.fail("row %d: columns from %d are %v, but %v in the whole row", row, v.Offset, got, whole[v.Offset:v.Offset+v.Width])
			}
		}
	}
	p.step(stepOf(3))
}

// manyGoroutines uses a device from several goroutines at once, each with
// executables and weights of its own.
func manyGoroutines(l *lab) {
	const goroutines = 4
	labs := make([]*lab, goroutines)
	var group sync.WaitGroup
	for i := range labs {
		labs[i] = newLab(l.ctx, l.dev)
		group.Go(func() {
			m := labs[i]
			defer m.close()
			inputs := m.inputs(16, 64, normal(fmt.Sprintf("goroutine %d", i), math.Pow(10, float64(i))))
			cache := m.choices()
			p := m.probe(fmt.Sprintf("goroutine %d", i), 4, cache)
			p.blind = true
			logits := p.NewOutput(64)
			p.Add(&device.Gather{Out: logits, X: p.embed(inputs)}, &device.TopK{Logits: logits, K: 5})
			p.compile()
			for n := range 10 {
				p.step(stepOf(int32(n), int32(15-n), 3))
			}
		})
	}
	group.Wait()
	for _, m := range labs {
		if m.err != nil {
			l.fail("%w", m.err)
		}
	}
}
