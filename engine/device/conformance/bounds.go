package conformance

import "math"

// The bounds. A float32 has a relative error of up to u = 2^-24 for each
// operation; what an operation may show follows from how many of them stand
// between its inputs and a result, and from how exact WGSL says its functions
// are (https://www.w3.org/TR/WGSL/#floating-point-accuracy).
const (
	// boundExact is of copies, and of sums of two: IEEE 754 leaves no choice.
	boundExact = 0
	// boundRounded is of results a few roundings away from the inputs, an
	// inverse square root of 2 units in the last place among them: some (8u)²,
	// with room for flushed subnormals.
	boundRounded = 1e-12
	// boundSum is of sums of up to 1280 products in any order. Errors walk at
	// random, to an NMSE of 1e-13 or so in one chain; where a format's offset
	// is subtracted from the sum at its end, as offset * sum(x), what cancels
	// makes that up to 7e-11. Partial sums do better.
	boundSum = 1e-10
	// boundLong is of sums of up to 4360 products.
	boundLong = 1e-9
	// boundCentred is of rows less their mean, where that is a hundred times
	// their deviation: the roundings of the mean, and of a sum with a residual,
	// count a hundred times as much. A variance taken as a difference of mean
	// squares is off by 1e-7 there.
	boundCentred = 1e-9
	// boundExperts is of gated units between products: three sums, one after the
	// other, and the function between them. Those of the suite are shorter than
	// boundSum's, and what cancels in them is less, to about 1e-12.
	boundExperts = 1e-10
	// boundFunction is of exponentials, tanh and erf: WGSL gives exp 3 + 2|x|
	// units in the last place, tanh no bound of its own, and the usual
	// polynomials of erf are good to 1.5e-7.
	boundFunction = 1e-10
	// boundLogSum is of logarithms of sums of exponentials, whose errors the logarithm
	// makes small.
	boundLogSum = 1e-11
	// boundF16 is of attention over keys and values that were rounded to
	// float16, to the nearest or towards zero: up to 2^-10 for each value
	// (mean square 1.6e-7 where truncated, 4e-8 where not), and through the
	// scores as much again.
	boundF16 = 1e-6
	// boundBlock is of whole blocks in float32 throughout: the sums of some ten
	// products and normalisations in a row.
	boundBlock = 1e-9
	// boundInt8 is of products of inputs that are rounded to signed bytes, 32 with
	// a scale (device.Info.Int8Activations): the largest of 32 normally distributed
	// numbers is some 2.1 deviations, a step 2.1/127 of one, and its variance a
	// twelfth of its square, 2.3e-5; three standard deviations of the largest are
	// twice that.
	boundInt8 = 1e-4
	// boundInt8Block is of whole blocks of such products: some ten, each of which
	// adds to the error of those before it.
	boundInt8Block = 2e-3
)

// rounded returns the bound of a result of products with weights of some formats.
func (l *lab) rounded(bound, int8 float64, formats ...*stock) float64 {
	for _, s := range formats {
		if l.info.Int8Activations && !s.format.Layout.Plain {
			return max(bound, int8)
		}
	}
	return bound
}

// deviation accumulates an NMSE.
type deviation struct{ errors, squares float64 }

func (d *deviation) add(got float32, want float64) {
	e := float64(got) - want
	d.errors += e * e
	d.squares += want * want
}

// nmse returns sum (a-b)² / sum b². Where b is all zeros, a has to be.
func (d *deviation) nmse() float64 {
	switch {
	case d.errors == 0:
		return 0
	case d.squares == 0:
		return math.Inf(1)
	}
	return d.errors / d.squares
}
