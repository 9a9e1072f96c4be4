package quant

import "math"

// The ways to find the parts of a block of the simple formats. Without
// importance they are those of GGML's reference quantiser and give its bytes;
// https://github.com/ggml-org/ggml, quantize_row_*_ref, defines them. With
// importance they search as the super-blocks do (search.go).

// fitPeak is for quants about an Offset with one scale: the number of largest
// magnitude becomes the lowest quant, which reaches one step further than the
// highest.
func fitPeak(f *Format, p *Parts, x, importance []float32) {
	offset := f.Layout.Offset
	if importance != nil {
		var w [BlockMax]float32
		normalise(w[:len(x)], importance)
		g := group{x: x, w: w[:len(x)], low: -offset, high: offset - 1}
		p.D = roundF16(g.fitScale())
		g.quantise(p.Quants[:], p.D, 0, offset)
		return
	}
	p.D = extreme(x) / float32(-offset)
	inverse := reciprocal(p.D)
	for i, v := range x {
		// Never negative, so that truncation rounds half up.
		q := int(float32(v*inverse) + (float32(offset) + 0.5))
		p.Quants[i] = int8(min(q, 2*offset-1))
	}
}

// fitRange is for quants with a scale and a minimum: the smallest number becomes
// quant 0 and the largest the highest quant.
func fitRange(f *Format, p *Parts, x, importance []float32) {
	top := f.Layout.top()
	if importance != nil {
		var w [BlockMax]float32
		normalise(w[:len(x)], importance)
		g := group{x: x, w: w[:len(x)], high: top}
		scale, minimum := g.fitAffine(true)
		p.D, p.M = roundF16(scale), roundF16(minimum)
		g.quantise(p.Quants[:], p.D, p.M, 0)
		return
	}
	low, high := bounds(x)
	p.D, p.M = (high-low)/float32(top), -low
	inverse := reciprocal(p.D)
	for i, v := range x {
		q := int(float32((v-low)*inverse) + 0.5)
		p.Quants[i] = int8(min(q, top))
	}
}

// fitBytes is for signed bytes with one float16 scale: the largest magnitude
// becomes 127, and halves are rounded away from zero.
func fitBytes(f *Format, p *Parts, x, _ []float32) {
	p.D = peak(x) / 127
	inverse := reciprocal(p.D)
	for i, v := range x {
		// In float64, where the sum is exact: 0.49999997 must not become 1.
		scaled := float64(float32(v * inverse))
		p.Quants[i] = int8(int(scaled + math.Copysign(0.5, scaled)))
	}
}

// fitBytesEven is for signed bytes with one float32 scale: the number of
// largest magnitude becomes -127, and halves are rounded to even.
func fitBytesEven(f *Format, p *Parts, x, _ []float32) {
	p.D = 0
	inverse := float32(0)
	if largest := extreme(x); abs(largest) > 127/math.MaxFloat32 {
		inverse = -127 / largest
		p.D = 1 / inverse
	}
	for i, v := range x {
		p.Quants[i] = int8(nearest(float32(v*inverse), -127, 127))
	}
}

// reciprocal returns 1/x, or zero where that is not finite: the numbers of such
// a block are too small to be told from zero.
func reciprocal(x float32) float32 {
	if r := 1 / x; finite(r) {
		return r
	}
	return 0
}

// extreme returns the first of the numbers of largest magnitude.
func extreme(x []float32) float32 {
	largest := float32(0)
	for _, v := range x {
		if abs(v) > abs(largest) {
			largest = v
		}
	}
	return largest
}

// bounds returns the smallest and the largest of the numbers.
func bounds(x []float32) (low, high float32) {
	low, high = x[0], x[0]
	for _, v := range x[1:] {
		if v < low {
			low = v
		}
		if v > high {
			high = v
		}
	}
	return low, high
}
