package conformance

import (
	"math/rand/v2"
	"testing"

	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/shaders/quant"
)

// TestStock holds that weights are what their magnitude says: block scales of
// tiny ones are float16 subnormals and not all zero, those of large ones are
// not. Those of plain ones may be: Q6_K's are, in trained models too.
func TestStock(t *testing.T) {
	for _, s := range stocks() {
		if s.fill(); s.err != nil {
			t.Fatalf("%s: %v", s.format.Name, s.err)
		}
		for m := range magnitudes {
			nonzero := false
			for i, p := range s.pieces[m] {
				if got := s.subnormal(p); m != plain && got != (m == tiny || m == zero) {
					t.Errorf("%s: %v piece %d: subnormal is %v", s.format.Name, m, i, got)
				}
				for _, v := range p.values {
					nonzero = nonzero || v != 0
				}
			}
			if nonzero != (m != zero) {
				t.Errorf("%s: %v pieces: nonzero is %v", s.format.Name, m, nonzero)
			}
		}
	}
}

// TestChiSquare draws from a distribution, and from one that is a little off.
func TestChiSquare(t *testing.T) {
	shares := []float64{0.5, 0.3, 0.15, 0.05}
	for _, c := range []struct {
		name   string
		actual []float64
		fits   bool
	}{
		{"the same", shares, true},
		{"a little off", []float64{0.44, 0.36, 0.15, 0.05}, false},
		{"never the last", []float64{0.5, 0.3, 0.2, 0}, false},
		{"something else", []float64{0.5, 0.3, 0.1, 0.05, 0.05}, false},
	} {
		r := rand.New(rand.NewPCG(1, 2))
		seen := map[int32]int{}
		for range 4000 {
			u, id := r.Float64(), int32(0)
			for u > c.actual[id] && int(id) < len(c.actual)-1 {
				u -= c.actual[id]
				id++
			}
			seen[id]++
		}
		chi, limit := chiSquare(draw{ids: []int32{0, 1, 2, 3}, shares: shares}, seen)
		if (chi <= limit) != c.fits {
			t.Errorf("%s: chi² is %.1f, the limit %.1f", c.name, chi, limit)
		}
	}
}

// TestDraw holds the filters against rows worked out by hand.
func TestDraw(t *testing.T) {
	// Probabilities 8, 4, 2, 1, 1 of 16, in another order of ids.
	logits := []float32{0, 2.0794415, 0, 0.6931472, 1.3862944}
	for _, c := range []struct {
		name    string
		sampler device.Sampler
		ids     []int32
	}{
		{"nothing", device.Sampler{Temperature: 1}, []int32{1, 4, 3, 0, 2}},
		{"greedy", device.Sampler{TopP: 1}, []int32{1}},
		{"top_k", device.Sampler{Temperature: 1, TopK: 4}, []int32{1, 4, 3, 0}},
		{"top_p", device.Sampler{Temperature: 9, TopP: 0.7}, []int32{1, 4}},
		{"top_p of what top_k leaves", device.Sampler{Temperature: 1, TopK: 2, TopP: 0.66}, []int32{1}},
		{"min_p", device.Sampler{Temperature: 0.1, MinP: 0.24}, []int32{1, 4, 3}},
	} {
		d := newDraw(logits, c.sampler)
		if len(d.ids) != len(c.ids) {
			t.Errorf("%s: keeps %v, want %v", c.name, d.ids, c.ids)
			continue
		}
		for i, id := range c.ids {
			if d.ids[i] != id {
				t.Errorf("%s: keeps %v, want %v", c.name, d.ids, c.ids)
			}
		}
	}
}

// TestReferenceClamps holds that a half cache keeps what a half can hold.
func TestReferenceClamps(t *testing.T) {
	s := newStore(device.CacheSpec{Layers: 1, HeadCountKV: 1, HeadDim: 4, Pages: 1, Type: device.CacheF16})
	s.put(s.values, 4, []float64{1e6, -1e6, 3, -65504})
	for i, want := range []float64{quant.MaxF16, -quant.MaxF16, 3, -quant.MaxF16} {
		if got := s.values[4+i]; got != want {
			t.Errorf("element %d is %v, want %v", i, got, want)
		}
	}
}
