package conformance

import (
	"fmt"
	"math"

	"github.com/realm-webgpu/realm/engine/device"
)

func ropeCases(size Size) []Case {
	shapes := []heads{{count: 4, kv: 2, dim: 16}, {count: 3, kv: 1, dim: 80, rotated: 32}, {count: 2, kv: 1, dim: 64, rotated: -1}}
	if size == Full {
		shapes = append(shapes, heads{count: 2, kv: 2, dim: 128, rotated: 126},
			heads{count: 6, kv: 3, dim: 64}, heads{count: 5, kv: 1, dim: 96, rotated: 48})
	}
	var cases []Case
	for i, h := range shapes {
		for mode, name := range [...]string{device.RopeNormal: "normal", device.RopeNeoX: "neox"} {
			for _, t := range []device.CacheType{device.CacheF32, device.CacheF16} {
				if size == Small && i > 0 && t == device.CacheF16 {
					continue // what is stored does not depend on what was turned
				}
				h := h
				h.mode, h.cache = device.RopeMode(mode), t
				cases = append(cases, Case{
					Name: fmt.Sprintf("rope/%s/%d_of_%d/%v", name, h.dimensions(), h.dim, t), Op: "rope",
					run: func(l *lab) { ropeRows(l, h) },
				})
			}
		}
	}
	return cases
}

// heads is the shape of an attention layer.
type heads struct {
	count, kv, dim int
	rotated        int // elements of a head that rope turns; 0: all, -1: none
	mode           device.RopeMode
	cache          device.CacheType
}

func (h heads) dimensions() int {
	switch h.rotated {
	case 0:
		return h.dim
	case -1:
		return 0
	}
	return h.rotated
}

// bound is that of an attention over the cache.
func (h heads) bound() float64 {
	if h.cache == device.CacheF16 {
		return boundF16
	}
	return boundFunction
}

// angles is the rope table of so many positions, with a base of 10000 (Su et al.
// 2021), in float64 up to the rounding of its elements.
func (l *lab) angles(h heads, positions int) device.Weights {
	dimensions := h.dimensions()
	if dimensions == 0 {
		return nil
	}
	values := make([]float32, 0, positions*dimensions)
	for position := range positions {
		for i := range dimensions / 2 {
			angle := float64(position) * math.Pow(10000, -2*float64(i)/float64(dimensions))
			values = append(values, float32(math.Cos(angle)), float32(math.Sin(angle)))
		}
	}
	return l.vector(values)
}

// layer is an embedding of queries, keys and values, and a Rope of it.
func (p *probe) layer(h heads, layer int, inputs, angles device.Weights) device.Rope {
	x := p.embed(inputs)
	q, kv := h.count*h.dim, h.kv*h.dim
	return device.Rope{
		Query: x.Slice(0, q), Key: x.Slice(q, kv), Value: x.Slice(q+kv, kv),
		Layer: layer, HeadCount: h.count, HeadCountKV: h.kv, HeadDim: h.dim,
		Dimensions: h.dimensions(), Mode: h.mode, Table: angles,
	}
}

// attend is the attention of a Rope's queries, with a scale that sets scores
// apart without making one of them all.
func (p *probe) attend(r device.Rope) *device.Attention {
	return &device.Attention{
		Out: p.NewBuffer(r.Query.Width), Query: r.Query, Layer: r.Layer,
		HeadCount: r.HeadCount, HeadCountKV: r.HeadCountKV, HeadDim: r.HeadDim,
		Scale: float32(1 / math.Sqrt(float64(r.HeadDim))),
	}
}

// width is the columns of queries, keys and values together.
func (h heads) width() int { return (h.count + 2*h.kv) * h.dim }

// ropeRows rotates rows at near and far positions. Queries are seen as they are;
// the keys and values of two layers through an attention over the last four.
func ropeRows(l *lab, h heads) {
	const pages = 40
	const window = 4
	cache := l.cache(device.CacheSpec{Layers: 2, HeadCountKV: h.kv, HeadDim: h.dim, Pages: 2 * pages, Type: h.cache})
	inputs := l.inputs(32, h.width(), normal("rope", 1))
	angles := l.angles(h, pages*device.PageTokens)
	p := l.probe("rope", 8, cache)
	p.Sequences, p.Pages = 2, pages
	for layer := range 2 {
		rope := p.layer(h, layer, inputs, angles)
		if layer == 1 { // another use of the same columns
			rope.Key, rope.Value = rope.Value, rope.Key
		}
		attention := p.attend(rope)
		attention.Window = window
		p.Add(&rope)
		p.watch(fmt.Sprintf("queries of layer %d", layer), rope.Query, boundRounded)
		p.Add(attention)
		p.watch(fmt.Sprintf("attention of layer %d", layer), attention.Out, h.bound())
	}
	p.compile()
	b := newBook(2*pages, pages, pages)
	p.step(b.step(run{0, count(0, 3)}))
	p.step(b.step(run{0, count(3, 8)}))
	p.step(b.step(run{0, count(11, 1)}))
	// Begin again near the end of the table: what is before it was never
	// written, so the first rows have no outputs to look at.
	b.lengths[1] = pages*device.PageTokens - 9
	s := b.step(run{1, count(12, 7)}, run{0, count(25, 1)})
	s.Outputs = []int32{7, 3, 6}
	p.step(s)
	p.step(b.step(run{1, count(30, 2)}))
}
