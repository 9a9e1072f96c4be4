package quant

import "math"

// Least-squares search for scales. For any choice of the quants q the scale (and
// the minimum) of least weighted squared error has a closed form; for any scale
// the best quants are found by rounding. So a search tries a row of starting
// scales, takes the closed form for the quants of each, and keeps the best; then
// it goes round between the two until nothing improves.
//
// All of it is float32 with every product rounded by itself, so that machines
// with fused multiply-add find the same scales.

const (
	// tinyPeak is a magnitude under which a group of numbers is taken for
	// zeros: no float16 scale, 2^-24 at least, can tell them from zero.
	tinyPeak = 1e-15
	// scaleSteps starting scales to either side of the obvious one, scaleStep
	// quants of the largest number apart.
	scaleSteps = 9
	scaleStep  = 0.1
	// polishRounds bounds how often a search goes round between scale and quants.
	polishRounds = 8
)

// group is a group of numbers that share a scale, and perhaps a minimum.
type group struct {
	x, w      []float32 // the numbers, and the weights of their squared errors, at most 1
	low, high int       // limits of the quants; low is negative or zero
}

// nearest rounds to the nearest integer from low to high, ties to even.
//
// The sum with 1.5*2^23 has no bits left for a fraction, so that one step of its
// bits is one integer, for |x| < 2^22. Outside, the bits still rise with the sum
// (as an int32, through its sign too), and the limits take hold.
func nearest(x float32, low, high int) int {
	const shift = 3 << 22
	q := int(int32(math.Float32bits(x+shift))) - int(math.Float32bits(shift))
	return max(low, min(q, high))
}

// normalise fills w with the weights of a block's squared errors: importance
// over its largest, or ones where there is no importance.
func normalise(w, importance []float32) {
	largest := float32(0)
	if importance != nil {
		largest = peak(importance)
	}
	for i := range w {
		w[i] = 1
		if largest > 0 {
			w[i] = importance[i] / largest
		}
	}
}

// quantise sets each quant to the integer that stands best for its number under
// a scale and a minimum, plus offset. All stand for zero where the scale is.
func (g *group) quantise(q []int8, scale, minimum float32, offset int) {
	inverse := reciprocal(scale)
	for i, v := range g.x {
		q[i] = int8(nearest(float32((v+minimum)*inverse), g.low, g.high) + offset)
	}
}

// squaredError returns the weighted squared error under a scale and a minimum,
// with the best quants for them.
func (g *group) squaredError(scale, minimum float32) float32 {
	inverse := reciprocal(scale)
	sum := float32(0)
	for i, v := range g.x {
		v += minimum
		q := float32(nearest(float32(v*inverse), g.low, g.high))
		diff := v - float32(scale*q)
		sum += float32(g.w[i] * float32(diff*diff))
	}
	return sum
}

// fitScale returns the scale of least squared error.
func (g *group) fitScale() float32 {
	largest := extreme(g.x)
	if abs(largest) < tinyPeak {
		return 0
	}
	// The largest magnitude belongs about where the quants reach furthest.
	reach := float32(g.low)
	if g.low == 0 {
		reach = float32(g.high)
	}
	best, bestScore := largest/reach, float32(0)
	for step := -scaleSteps; step <= scaleSteps; step++ {
		inverse := (reach + float32(float32(step)*scaleStep)) / largest
		if scale, score := g.improveScale(inverse); score > bestScore {
			best, bestScore = scale, score
		}
	}
	for range polishRounds {
		scale, score := g.improveScale(reciprocal(best))
		if !(score > bestScore) {
			break
		}
		best, bestScore = scale, score
	}
	return best
}

// improveScale rounds to quants under the inverse of a scale and returns the
// best scale for those quants. score is the part of the weighted squares of x
// that they then explain; the squared error is the rest.
func (g *group) improveScale(inverse float32) (scale, score float32) {
	var xq, qq float32
	for i, v := range g.x {
		q := float32(nearest(float32(v*inverse), g.low, g.high))
		wq := float32(g.w[i] * q)
		xq += float32(wq * v)
		qq += float32(wq * q)
	}
	if qq == 0 {
		return 0, 0
	}
	scale = xq / qq
	return scale, float32(scale * xq)
}

// fitAffine returns the scale and the minimum (which is subtracted) of least
// squared error for quants from 0 up. Unless signed, the minimum is not
// negative.
func (g *group) fitAffine(signed bool) (scale, minimum float32) {
	low, high := bounds(g.x)
	if low > 0 && !signed {
		low = 0
	}
	if high-low < tinyPeak {
		return 0, -low
	}
	top := float32(g.high)
	best, bestMin := (high-low)/top, -low
	bestError := g.squaredError(best, bestMin)
	for step := -scaleSteps; step <= scaleSteps; step++ {
		inverse := (top + float32(float32(step)*scaleStep)) / (high - low)
		scale, minimum := g.improveAffine(inverse, -low, signed)
		if e := g.squaredError(scale, minimum); e < bestError {
			best, bestMin, bestError = scale, minimum, e
		}
	}
	for range polishRounds {
		scale, minimum := g.improveAffine(reciprocal(best), bestMin, signed)
		e := g.squaredError(scale, minimum)
		if !(e < bestError) {
			break
		}
		best, bestMin, bestError = scale, minimum, e
	}
	return best, bestMin
}

// improveAffine rounds to quants under the inverse of a scale and a minimum, and
// returns the best of both for those quants.
func (g *group) improveAffine(inverse, minimum float32, signed bool) (bestScale, bestMin float32) {
	var sumW, sumX, sumQ, sumQQ, sumXQ float32
	for i, v := range g.x {
		q := float32(nearest(float32((v+minimum)*inverse), g.low, g.high))
		w := g.w[i]
		wq := float32(w * q)
		sumW += w
		sumX += float32(w * v)
		sumQ += wq
		sumQQ += float32(wq * q)
		sumXQ += float32(wq * v)
	}
	if det := float32(sumW*sumQQ) - float32(sumQ*sumQ); det > 0 {
		bestScale = (float32(sumW*sumXQ) - float32(sumX*sumQ)) / det
		bestMin = (float32(sumQ*sumXQ) - float32(sumQQ*sumX)) / det
		if bestMin >= 0 || signed {
			return bestScale, bestMin
		}
	}
	if sumQQ == 0 {
		return 0, 0
	}
	return sumXQ / sumQQ, 0
}
