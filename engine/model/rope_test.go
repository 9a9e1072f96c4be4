package model

import (
	"math"
	"testing"
)

// near fails where two numbers differ by more than the rounding of float64.
func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if math.Abs(got-want) > 1e-12*math.Abs(want) {
		t.Errorf("%s is %v, want %v", what, got, want)
	}
}

func TestRopeFrequencies(t *testing.T) {
	plain := Rope{Dimensions: 128, Base: 10000, Scaling: ScalingNone, Factor: 1}
	linear := Rope{Dimensions: 128, Base: 10000, Scaling: ScalingLinear, Factor: 16}
	yarn := Rope{Dimensions: 128, Base: 10000, Scaling: ScalingYaRN, Factor: 16, OriginalContext: 4096, BetaFast: 32, BetaSlow: 1}
	factors := make([]float32, 64)
	for i := range factors {
		factors[i] = 1 + float32(i)
	}
	base := func(pair int) float64 { return math.Pow(10000, -float64(pair)/64) }
	// Llama 2 stretched 16 times: pair 20 is the last that makes 32 rotations over
	// 4096 tokens (128 ln(4096/64π) / 2 ln 10000 = 20.9), pair 46 the first that
	// makes less than one (45.03). Pair 33 is half way.
	for _, c := range []struct {
		name    string
		rope    Rope
		factors []float32
		pair    int
		want    float64
	}{
		{"plain", plain, nil, 0, 1},
		{"plain", plain, nil, 32, 0.01},
		{"plain, factors", plain, factors, 32, 0.01 / 33},
		{"linear", linear, nil, 32, 0.01 / 16},
		{"linear, factors", linear, factors, 63, base(63) / 16 / 64},
		{"yarn, high", yarn, nil, 0, 1},
		{"yarn, last that is left alone", yarn, nil, 20, base(20)},
		{"yarn, first that is not", yarn, nil, 21, base(21)*25/26 + base(21)/26/16},
		{"yarn, half way", yarn, nil, 33, base(33)/2 + base(33)/2/16},
		{"yarn, first that is stretched", yarn, nil, 46, base(46) / 16},
		{"yarn, low", yarn, nil, 63, base(63) / 16},
		{"yarn, factors", yarn, factors, 33, (base(33)/2 + base(33)/2/16) / 34},
	} {
		near(t, c.name, c.rope.frequencies(c.factors)[c.pair], c.want)
	}
}

func TestRopeMagnitude(t *testing.T) {
	near(t, "plain", (&Rope{Scaling: ScalingNone, Factor: 1, AttentionFactor: 1}).magnitude(), 1)
	near(t, "longrope", (&Rope{Scaling: ScalingLongRoPE, Factor: 1, AttentionFactor: 1.19}).magnitude(), 1.19)
	near(t, "yarn", (&Rope{Scaling: ScalingYaRN, Factor: math.E, AttentionFactor: 1}).magnitude(), 1.1)
	near(t, "yarn that shortens", (&Rope{Scaling: ScalingYaRN, Factor: 0.5, AttentionFactor: 1}).magnitude(), 1)
	near(t, "yarn with a factor", (&Rope{Scaling: ScalingYaRN, Factor: math.E, AttentionFactor: 0.5}).magnitude(), 0.55)
}

func TestRopeTable(t *testing.T) {
	const positions = 100_000
	r := Rope{Dimensions: 6, Base: 1e6, Scaling: ScalingNone, Factor: 1, AttentionFactor: 2}
	table := r.table(positions, nil)
	if int64(4*len(table)) != r.tableBytes(positions) {
		t.Fatalf("%d numbers, but %d bytes are counted", len(table), r.tableBytes(positions))
	}
	for _, p := range []int{0, 1, 31, positions - 1} {
		for i, f := range []float64{1, 0.01, 0.0001} { // 1e6^(-2i/6)
			cos, sin := table[(p*3+i)*2], table[(p*3+i)*2+1]
			// The frequency is a rounded power: far positions show it.
			if a, b := 2*math.Cos(float64(p)*f), 2*math.Sin(float64(p)*f); math.Abs(float64(cos)-a) > 1e-6 || math.Abs(float64(sin)-b) > 1e-6 {
				t.Errorf("position %d, pair %d: %v, %v, want %v, %v", p, i, cos, sin, a, b)
			}
		}
	}
}
