package quant

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The goldens are what GGML's reference quantiser makes of 8 rows of 512
// numbers (zeros, small, large, all positive, all negative, outliers, plain):
// NAME.bin the bytes, NAME.f32 the values that they stand for.
const goldenColumns = 512

func golden(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "goldens", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func goldenFloats(t testing.TB, name string) []float32 {
	t.Helper()
	b := golden(t, name)
	x := make([]float32, len(b)/4)
	decodeF32(x, b)
	return x
}

// goldenName returns the name that a format's goldens are filed under.
func goldenName(f *Format) string {
	return strings.ToLower(f.Name[:len(f.Name)-1]) + f.Name[len(f.Name)-1:]
}

// quantised returns the formats that are not plain.
func quantised() []*Format {
	var formats []*Format
	for _, f := range All() {
		if !f.Layout.Plain {
			formats = append(formats, f)
		}
	}
	return formats
}

func rms(x, y []float32) float64 {
	total := 0.0
	for i := range x {
		diff := float64(x[i]) - float64(y[i])
		total += diff * diff
	}
	return math.Sqrt(total / float64(len(x)))
}

func TestDecodeGolden(t *testing.T) {
	for _, f := range quantised() {
		t.Run(f.Name, func(t *testing.T) {
			want := goldenFloats(t, goldenName(f)+".f32")
			got := make([]float32, len(want))
			if err := f.Decode(got, golden(t, goldenName(f)+".bin")); err != nil {
				t.Fatal(err)
			}
			for i := range want {
				if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
					t.Fatalf("element %d: got %v, want %v", i, got[i], want[i])
				}
			}
		})
	}
}

func TestEncodeGolden(t *testing.T) {
	source := goldenFloats(t, "source.f32")
	for _, f := range quantised() {
		t.Run(f.Name, func(t *testing.T) {
			want := golden(t, goldenName(f)+".bin")
			got := make([]byte, len(want))
			if err := f.Encode(got, source, nil); err != nil {
				t.Fatal(err)
			}
			if !f.Layout.SubScales {
				if i := firstDifference(got, want); i >= 0 {
					t.Fatalf("byte %d (block %d, byte %d of it): got %#x, want %#x", i, i/f.BlockBytes, i%f.BlockBytes, got[i], want[i])
				}
				return
			}
			// The search is our own: not the same bytes, but no larger error.
			reference := goldenFloats(t, goldenName(f)+".f32")
			decoded := make([]float32, len(source))
			if err := f.Decode(decoded, got); err != nil {
				t.Fatal(err)
			}
			for row := 0; row < len(source); row += goldenColumns {
				x := source[row : row+goldenColumns]
				ours, theirs := rms(x, decoded[row:row+goldenColumns]), rms(x, reference[row:row+goldenColumns])
				t.Logf("row %d: %.5g of %.5g, %.4f", row/goldenColumns, ours, theirs, ours/theirs)
				if ours > theirs*1.02 {
					t.Errorf("row %d: root-mean-square error %g, the reference's is %g", row/goldenColumns, ours, theirs)
				}
			}
		})
	}
}

func firstDifference(a, b []byte) int {
	if bytes.Equal(a, b) {
		return -1
	}
	for i := range a {
		if a[i] != b[i] {
			return i
		}
	}
	return len(a)
}
