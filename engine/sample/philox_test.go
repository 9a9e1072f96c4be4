package sample

import (
	"math"
	"testing"
)

// The published answers of Philox4x32-10: kat_vectors of Random123 1.14.0,
// https://github.com/DEShawResearch/random123.
func TestPhiloxKnownAnswers(t *testing.T) {
	const ff = 0xffffffff
	for _, c := range []struct {
		counter [4]uint32
		key     [2]uint32
		want    [4]uint32
	}{
		{
			[4]uint32{}, [2]uint32{},
			[4]uint32{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8},
		},
		{
			[4]uint32{ff, ff, ff, ff}, [2]uint32{ff, ff},
			[4]uint32{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd},
		},
		{ // the digits of pi
			[4]uint32{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, [2]uint32{0xa4093822, 0x299f31d0},
			[4]uint32{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1},
		},
	} {
		if got := Philox(c.counter, c.key); got != c.want {
			t.Errorf("Philox(%x, %x) = %x, want %x", c.counter, c.key, got, c.want)
		}
	}
}

// The documented product of 16-bit halves is the high word, for the two
// constants that a shader multiplies by and whatever the counter.
func TestPhiloxHighWordFromHalves(t *testing.T) {
	high := func(a, b uint32) uint32 {
		ah, al, bh, bl := a>>16, a&0xffff, b>>16, b&0xffff
		t := ah*bl + al*bl>>16
		t2 := al*bh + t&0xffff
		return ah*bh + t>>16 + t2>>16
	}
	check := func(a, b uint32) {
		if got, want := high(a, b), uint32(uint64(a)*uint64(b)>>32); got != want {
			t.Fatalf("high(%#x, %#x) = %#x, want %#x", a, b, got, want)
		}
	}
	for _, m := range []uint32{philoxM0, philoxM1, 0xffffffff} {
		for _, b := range []uint32{0, 1, 0xffff, 0x10000, 0xffff0000, 0xfffffffe, 0xffffffff} {
			check(m, b)
		}
		for i := range uint32(2000) {
			check(m, Philox([4]uint32{i}, [2]uint32{})[0])
		}
	}
}

func TestUniform(t *testing.T) {
	// The words of the counter and the key, low first, and the upper 24 bits of
	// the first word of the answer.
	seed, position := uint64(0x299f31d0a4093822), uint64(0x85a308d3243f6a88)
	word := Philox([4]uint32{0x243f6a88, 0x85a308d3, 0, 0}, [2]uint32{0xa4093822, 0x299f31d0})[0]
	if got, want := Uniform(seed, position), float32(word>>8)/(1<<24); got != want {
		t.Errorf("Uniform(%#x, %#x) = %g, want %g", seed, position, got, want)
	}
	if got, want := Uniform(0, 0), float32(0x6627e8)/(1<<24); got != want {
		t.Errorf("Uniform(0, 0) = %g, want %g", got, want)
	}

	const n = 1 << 16
	var bins [16]float64
	for i := range uint64(n) {
		u := Uniform(7, i)
		if !(u >= 0 && u < 1) {
			t.Fatalf("Uniform(7, %d) = %g is not in [0, 1)", i, u)
		}
		if scaled := float64(u) * (1 << 24); scaled != math.Trunc(scaled) {
			t.Fatalf("Uniform(7, %d) = %g is not a multiple of 2^-24", i, u)
		}
		bins[int(u*16)]++
	}
	even := make([]float64, 16)
	for i := range even {
		even[i] = 1.0 / 16
	}
	if x, limit := chiSquare(bins[:], even, n); x > limit {
		t.Errorf("chi-square of 16 bins is %.1f, over %.1f", x, limit)
	}
}

// chiSquare returns the statistic of counts against the probabilities that they
// should have, and the limit that it passes once in 10,000 (Wilson and Hilferty's
// approximation).
func chiSquare(counts, probability []float64, n float64) (x, limit float64) {
	free := -1.0
	for i, p := range probability {
		if p > 0 {
			x += (counts[i] - n*p) * (counts[i] - n*p) / (n * p)
			free++
		} else if counts[i] > 0 {
			x = math.Inf(1)
		}
	}
	const z = 3.719 // of the normal distribution
	c := 2 / (9 * free)
	return x, free * math.Pow(1-c+z*math.Sqrt(c), 3)
}
