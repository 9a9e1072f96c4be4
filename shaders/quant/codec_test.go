package quant

import (
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

// roundTrip encodes x and returns what its bytes stand for.
func roundTrip(t testing.TB, f *Format, x, importance []float32) []float32 {
	t.Helper()
	size, err := f.RowBytes(len(x))
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, size)
	if err := f.Encode(b, x, importance); err != nil {
		t.Fatal(err)
	}
	decoded := make([]float32, len(x))
	if err := f.Decode(decoded, b); err != nil {
		t.Fatal(err)
	}
	return decoded
}

func normal(seed uint64, n int, sigma float64) []float32 {
	random := rand.New(rand.NewPCG(seed, 0))
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(random.NormFloat64() * sigma)
	}
	return x
}

func TestErrorBound(t *testing.T) {
	zeros := make([]float32, 1<<15)
	for _, sigma := range []float64{0.01, 0.02, 1, 1000} {
		x := normal(1, len(zeros), sigma)
		for _, f := range All() {
			got := rms(x, roundTrip(t, f, x, nil)) / rms(x, zeros)
			if bound := float64(f.ErrorBound); got > bound || got < bound*0.8 {
				t.Errorf("%s, standard deviation %v: error %.5f, bound %.5f: it should be a little over", f.Name, sigma, got, bound)
			}
		}
	}
}

// TestImportance weighs some columns far more than others: the weighted error
// must come out smaller than without the weights.
func TestImportance(t *testing.T) {
	const columns, rows = 512, 8
	x := normal(2, columns*rows, 0.02)
	importance := make([]float32, columns)
	for i := range importance {
		importance[i] = 1
		if i%7 == 0 {
			importance[i] = 500
		}
	}
	weighted := func(y []float32) float64 {
		total := 0.0
		for i := range x {
			diff := float64(x[i]) - float64(y[i])
			total += float64(importance[i%columns]) * diff * diff
		}
		return total
	}
	for _, f := range quantised() {
		without, with := weighted(roundTrip(t, f, x, nil)), weighted(roundTrip(t, f, x, importance))
		if signedBytes := f.Layout.Bits[0] == 8; signedBytes && with != without || !signedBytes && with > 0.95*without {
			t.Errorf("%s: weighted error %g with importance, %g without", f.Name, with, without)
		}
	}
}

// TestImportanceAbsent gives columns without any importance: they must be
// encoded as well as if there were none, not thrown away.
func TestImportanceAbsent(t *testing.T) {
	x := normal(3, 512, 0.02)
	zeros := make([]float32, len(x))
	for _, f := range All() {
		if got := rms(x, roundTrip(t, f, x, zeros)) / rms(x, zeros); got > 1.1*float64(f.ErrorBound) {
			t.Errorf("%s: error %.5f, bound %.5f", f.Name, got, f.ErrorBound)
		}
	}
}

// TestEncodeExtremes encodes blocks at the ends of float32. The error is bound
// by what the format's scale can tell apart, or Encode says that it cannot.
func TestEncodeExtremes(t *testing.T) {
	fill := func(values ...float32) []float32 {
		x := make([]float32, BlockMax)
		for i := range x {
			x[i] = values[i%len(values)]
		}
		return x
	}
	outlier := fill(0)
	outlier[37] = 1000
	blocks := map[string][]float32{
		"zeros":            fill(0),
		"negative zeros":   fill(float32(math.Copysign(0, -1))),
		"constant":         fill(0.75),
		"negative":         fill(-0.75),
		"subnormal":        fill(1e-42, -3e-43),
		"tiny":             fill(1e-30, -3e-31),
		"below float16":    fill(1e-9, -2e-9, 0),
		"float16 least":    fill(0x1p-24, -0x1p-22),
		"outlier":          outlier,
		"large":            fill(30000, -20000),
		"past float16":     fill(1e5, -9e4, 1),
		"past its scales":  fill(1e8, -1e8, 1),
		"largest":          fill(math.MaxFloat32, -math.MaxFloat32),
		"one of each":      fill(1e-40, 1e-20, 1, 1e3, -1e-10),
		"largest, one way": fill(math.MaxFloat32, 0),
	}
	importances := map[string][]float32{
		"":              nil,
		", least first": fill(0, 1e-30, 1e-3, 1, 1e30),
		", flat":        fill(math.MaxFloat32),
	}
	for _, f := range All() {
		for name, x := range blocks {
			for weighting, importance := range importances {
				b := make([]byte, BlockMax/f.BlockElements*f.BlockBytes)
				err := f.Encode(b, x, importance)
				if errors.Is(err, ErrRange) {
					if peak(x) < safePeak {
						t.Errorf("%s, %s%s: %v", f.Name, name, weighting, err)
					}
					continue
				}
				if err != nil {
					t.Errorf("%s, %s%s: %v", f.Name, name, weighting, err)
					continue
				}
				y := make([]float32, len(x))
				if err := f.Decode(y, b); err != nil {
					t.Fatal(err)
				}
				for i := range x {
					// At worst half of the range of a three-bit or wider quant, or
					// of a two-bit one, beside the steps of a float16 subnormal.
					if limit := 1.01*float64(peak(x)) + 0x1p-17; importance == nil && math.Abs(float64(y[i])-float64(x[i])) > limit || !finite(y[i]) {
						t.Errorf("%s, %s%s: element %d: %v became %v", f.Name, name, weighting, i, x[i], y[i])
						break
					}
				}
			}
		}
	}
}

func TestEncodeRefuses(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(-1))
	with := func(at int, v float32) []float32 {
		x := make([]float32, 2*BlockMax)
		x[at] = v
		return x
	}
	for _, f := range All() {
		b := make([]byte, 2*BlockMax/f.BlockElements*f.BlockBytes)
		for _, c := range []struct {
			name          string
			dst           []byte
			x, importance []float32
			want          error
			says          string
		}{
			{"NaN", b, with(300, nan), nil, ErrNotFinite, "element 300"},
			{"infinity", b, with(0, inf), nil, ErrNotFinite, "element 0"},
			{"short dst", b[1:], with(0, 0), nil, ErrLength, ""},
			{"long dst", append(b, 0), with(0, 0), nil, ErrLength, ""},
			{"no columns", b, with(0, 0), []float32{}, ErrLength, ""},
			{"other columns", b, with(0, 0), make([]float32, 3*BlockMax), ErrLength, ""},
			{"negative importance", b, with(0, 0), with(17, -1), ErrImportance, "column 17"},
			{"importance NaN", b, with(0, 0), with(1, nan), ErrImportance, "column 1"},
			{"importance infinite", b, with(0, 0), with(1, -inf), ErrImportance, "column 1"},
		} {
			err := f.Encode(c.dst, c.x, c.importance)
			if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%s, %s: %v", f.Name, c.name, err)
			}
		}
		if f.BlockElements > 1 {
			if err := f.Encode(b, make([]float32, f.BlockElements+1), nil); !errors.Is(err, ErrLength) {
				t.Errorf("%s, part of a block: %v", f.Name, err)
			}
		}
		if err := f.Decode(make([]float32, BlockMax), b[1:]); !errors.Is(err, ErrLength) {
			t.Errorf("%s: decode of other bytes: %v", f.Name, err)
		}
	}
}

// TestRangeNamesBlock holds one number in the second block that float16 scales
// cannot reach.
func TestRangeNamesBlock(t *testing.T) {
	x := make([]float32, 2*BlockMax)
	x[BlockMax+3] = 1e10
	for _, f := range All() {
		b := make([]byte, 2*BlockMax/f.BlockElements*f.BlockBytes)
		err := f.Encode(b, x, nil)
		if f.Name == "F32" || f.Name == "BF16" || f.Name == "Q8_K" { // scales of float32's range
			if err != nil {
				t.Errorf("%s: %v", f.Name, err)
			}
			continue
		}
		want := "element 256"
		if f.Layout.Plain {
			want = "element 259"
		}
		if !errors.Is(err, ErrRange) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", f.Name, err)
		}
	}
}

// TestAllocations holds work to a fixed number of allocations a call, however
// many blocks it has.
func TestAllocations(t *testing.T) {
	for _, f := range All() {
		const rows, n = 40, 512
		x := normal(4, rows*n, 1)
		src := randomRows(t, f, rows, n)
		words := packed(t, f, src, rows, n)
		for name, c := range map[string]struct {
			limit float64
			run   func() error
		}{
			"Decode": {1, func() error { return f.Decode(x, src) }},
			"Encode": {1, func() error { return f.Encode(src, x, nil) }},
			"Pack":   {16, func() error { return f.Pack(words, src, rows, n) }},
		} {
			got := testing.AllocsPerRun(3, func() {
				if err := c.run(); err != nil {
					t.Fatal(err)
				}
			})
			if got > c.limit {
				t.Errorf("%s %s: %v allocations", f.Name, name, got)
			}
		}
	}
}
