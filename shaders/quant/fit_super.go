package quant

// fitSuper is for super-blocks with 8-bit scales: signed ones for quants about
// an Offset, unsigned ones beside unsigned minimums for quants from 0 up. First
// it finds the best scale (and minimum) for every Sub elements by themselves,
// then D (and M) that stand best for these, and last, with D and M as they will
// be stored, each 8-bit scale (and minimum) anew: the nearest is not always the
// one of least error.
func fitSuper(f *Format, p *Parts, x, importance []float32) {
	l := &f.Layout
	scaleLow, scaleHigh, minHigh := -1<<(f.scaleBits-1), 1<<(f.scaleBits-1)-1, 0
	if l.Min {
		scaleLow, scaleHigh, minHigh = 0, 1<<f.scaleBits-1, 1<<f.scaleBits-1
	}
	var w [BlockMax]float32
	normalise(w[:], importance)
	groups := BlockMax / l.Sub
	sub := func(s int) group {
		from, to := s*l.Sub, (s+1)*l.Sub
		return group{x: x[from:to], w: w[from:to], low: -l.Offset, high: l.top() - l.Offset}
	}

	var scales, mins, weights [16]float32
	for s := range groups {
		g := sub(s)
		if l.Min {
			scales[s], mins[s] = g.fitAffine(false)
		} else {
			scales[s] = g.fitScale()
		}
		for _, v := range g.w {
			weights[s] += v
		}
		weights[s] /= float32(l.Sub)
	}
	ofScales := group{x: scales[:groups], w: weights[:groups], low: scaleLow, high: scaleHigh}
	ofMins := group{x: mins[:groups], w: weights[:groups], high: minHigh}
	p.D, p.M = roundF16(ofScales.fitScale()), 0
	if l.Min {
		p.M = roundF16(ofMins.fitScale())
	}

	inverseD, inverseM := reciprocal(p.D), reciprocal(p.M)
	for s := range groups {
		g := sub(s)
		scale := nearest(float32(scales[s]*inverseD), scaleLow, scaleHigh)
		minimum := nearest(float32(mins[s]*inverseM), 0, minHigh)
		bestError := float32(-1)
		for _, i := range [...]int{0, -1, 1} {
			for _, j := range [...]int{0, -1, 1} {
				i, j := scale+i, minimum+j
				if i < scaleLow || i > scaleHigh || j < 0 || j > minHigh {
					continue
				}
				e := g.squaredError(float32(p.D*float32(i)), float32(p.M*float32(j)))
				if bestError < 0 || e < bestError {
					p.Scales[s], p.Mins[s], bestError = int8(i), uint8(j), e
				}
			}
		}
		d, m := l.Scale(p, s)
		g.quantise(p.Quants[s*l.Sub:], d, m, l.Offset)
	}
}

// roundF16 returns the value that x has as a float16.
func roundF16(x float32) float32 { return F16ToF32(F32ToF16(x)) }
