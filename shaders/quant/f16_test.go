package quant

import (
	"math"
	"math/rand/v2"
	"testing"
)

// exactF16 is the value of a float16 by its definition, in float64.
func exactF16(h uint16) float64 {
	sign := 1.0
	if h&0x8000 != 0 {
		sign = -1
	}
	exponent, mantissa := int(h>>10&0x1f), float64(h&0x3ff)
	switch exponent {
	case 0:
		return sign * math.Ldexp(mantissa, -24)
	case 0x1f:
		if mantissa != 0 {
			return math.NaN()
		}
		return math.Inf(int(sign))
	}
	return sign * math.Ldexp(1+mantissa/1024, exponent-15)
}

func TestF16Values(t *testing.T) {
	for h := range 1 << 16 {
		h := uint16(h)
		got, want := F16ToF32(h), exactF16(h)
		if math.IsNaN(want) {
			if back := F32ToF16(got); !math.IsNaN(float64(got)) || back != h|0x200 {
				t.Fatalf("%#04x: NaN became %v and %#04x", h, got, back)
			}
			continue
		}
		if float64(got) != want || math.Signbit(float64(got)) != (h>>15 == 1) {
			t.Fatalf("F16ToF32(%#04x) = %v, want %v", h, got, want)
		}
		if back := F32ToF16(got); back != h {
			t.Fatalf("F32ToF16(%v) = %#04x, want %#04x", got, back, h)
		}
	}
}

// TestF16Rounding tries, between every two neighbours, the middle and the
// float32 numbers next to it.
func TestF16Rounding(t *testing.T) {
	for h := range uint16(0x7c00) {
		low := exactF16(h)
		high := exactF16(h + 1)
		if h == 0x7bff {
			high = 65536 // where the next number would be
		}
		middle := float32((low + high) / 2) // exact: it has one bit more
		for sign, bit := range map[float32]uint16{1: 0, -1: 0x8000} {
			down := F32ToF16(sign * math.Nextafter32(middle, 0))
			tie := F32ToF16(sign * middle)
			up := F32ToF16(sign * math.Nextafter32(middle, math.MaxFloat32))
			if even := (h + 1) &^ 1; down != h|bit || tie != even|bit || up != (h+1)|bit {
				t.Fatalf("about %v: %#04x, %#04x, %#04x after %#04x", sign*middle, down, tie, up, h)
			}
		}
	}
}

func TestF16Extremes(t *testing.T) {
	inf := float32(math.Inf(1))
	for _, c := range []struct {
		x    float32
		want uint16
	}{
		{inf, 0x7c00}, {-inf, 0xfc00}, {math.MaxFloat32, 0x7c00}, {-1e6, 0xfc00},
		{math.SmallestNonzeroFloat32, 0}, {0x1p-25, 0}, {0x1.000002p-25, 1},
		{float32(math.Copysign(0, -1)), 0x8000},
	} {
		if got := F32ToF16(c.x); got != c.want {
			t.Errorf("F32ToF16(%v) = %#04x, want %#04x", c.x, got, c.want)
		}
	}
	for _, c := range [][2]float32{{1e6, MaxF16}, {-inf, -MaxF16}, {3, 3}, {-MaxF16, -MaxF16}} {
		if got := ClampF16(c[0]); got != c[1] {
			t.Errorf("ClampF16(%v) = %v, want %v", c[0], got, c[1])
		}
	}
	if got := ClampF16(float32(math.NaN())); got == got {
		t.Errorf("ClampF16(NaN) = %v", got)
	}
}

func TestBF16(t *testing.T) {
	for h := range 1 << 16 {
		h := uint16(h)
		x := BF16ToF32(h)
		want := h
		if x != x {
			want |= 0x40
		}
		if got := F32ToBF16(x); got != want {
			t.Fatalf("%#04x came back as %#04x", h, got)
		}
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 1 << 16 {
		x := math.Float32frombits(random.Uint32() &^ 0x40000000) // below 2, away from the overflow
		got := float64(BF16ToF32(F32ToBF16(x)))
		low := BF16ToF32(uint16(math.Float32bits(x) >> 16))
		high := BF16ToF32(uint16(math.Float32bits(x)>>16) + 1)
		best := math.Min(math.Abs(float64(x)-float64(low)), math.Abs(float64(x)-float64(high)))
		if math.Abs(got-float64(x)) != best {
			t.Fatalf("%v became %v, between %v and %v", x, got, low, high)
		}
	}
	for _, c := range []struct {
		bits uint32
		want uint16
	}{{0x3f808000, 0x3f80}, {0x3f818000, 0x3f82}, {0x7f7fffff, 0x7f80}, {0x7f800001, 0x7fc0}} {
		if got := F32ToBF16(math.Float32frombits(c.bits)); got != c.want {
			t.Errorf("F32ToBF16(bits %#x) = %#04x, want %#04x", c.bits, got, c.want)
		}
	}
}
