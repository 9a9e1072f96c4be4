package quant

import (
	"encoding/binary"
	"errors"
	"math"
	"testing"
)

// FuzzDecode takes any bytes for blocks of each format: a device must see what
// Decode sees, NaN and infinities in scales included.
func FuzzDecode(f *testing.F) {
	f.Fuzz(func(t *testing.T, data []byte, rows uint8) {
		for _, format := range All() {
			size := BlockMax / format.BlockElements * format.BlockBytes
			count := int(rows)%20 + 1
			src := make([]byte, count*size)
			for i := 0; i < len(src) && len(data) > 0; {
				i += copy(src[i:], data)
			}
			want, got := make([]float32, count*BlockMax), make([]float32, count*BlockMax)
			if err := format.Decode(want, src); err != nil {
				t.Fatal(err)
			}
			_, total := format.PlaneOffsets(count, BlockMax)
			words := make([]uint32, total)
			if err := format.Pack(words, src, count, BlockMax); err != nil {
				t.Fatal(err)
			}
			if err := format.Unpack(got, words, count, BlockMax); err != nil {
				t.Fatal(err)
			}
			for i := range want {
				if math.Float32bits(got[i]) != math.Float32bits(want[i]) && (got[i] == got[i] || want[i] == want[i]) {
					t.Fatalf("%s: element %d: packed %v, decoded %v", format.Name, i, got[i], want[i])
				}
			}
		}
	})
}

// FuzzEncode takes any bytes for numbers and for importance: Encode fails with
// one of its errors, or gives a block of finite numbers.
func FuzzEncode(f *testing.F) {
	numbers := func(data []byte) []float32 {
		if len(data) < 4 {
			return nil
		}
		x := make([]float32, BlockMax)
		for i := range x {
			x[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*i%(len(data)-len(data)%4):]))
		}
		return x
	}
	f.Fuzz(func(t *testing.T, data, weights []byte) {
		x := numbers(data)
		if x == nil {
			return
		}
		for _, format := range All() {
			b := make([]byte, BlockMax/format.BlockElements*format.BlockBytes)
			if err := format.Encode(b, x, numbers(weights)); err != nil {
				if !errors.Is(err, ErrNotFinite) && !errors.Is(err, ErrImportance) && !errors.Is(err, ErrRange) {
					t.Fatalf("%s: %v", format.Name, err)
				}
				continue
			}
			y := make([]float32, len(x))
			if err := format.Decode(y, b); err != nil {
				t.Fatal(err)
			}
			for i := range y {
				if !finite(y[i]) {
					t.Fatalf("%s: element %d: %v became %v", format.Name, i, x[i], y[i])
				}
			}
		}
	})
}
