package quant

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// randomRows returns bytes of a matrix [rows, n] that Encode made of normally
// distributed weights.
func randomRows(t testing.TB, f *Format, rows, n int) []byte {
	t.Helper()
	random := rand.New(rand.NewPCG(uint64(f.ID), uint64(rows*n)))
	x := make([]float32, rows*n)
	for i := range x {
		x[i] = float32(random.NormFloat64() * 0.02)
	}
	size, err := f.RowBytes(len(x))
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, size)
	if err := f.Encode(b, x, nil); err != nil {
		t.Fatal(err)
	}
	return b
}

func packed(t testing.TB, f *Format, src []byte, rows, n int) []uint32 {
	t.Helper()
	_, total := f.PlaneOffsets(rows, n)
	words := make([]uint32, total)
	for i := range words {
		words[i] = 0xdeadbeef // every word must be written
	}
	if err := f.Pack(words, src, rows, n); err != nil {
		t.Fatal(err)
	}
	return words
}

func TestPackUnpack(t *testing.T) {
	for _, f := range All() {
		columns := []int{256, 512, 768}
		if !f.Layout.Super {
			columns = append(columns, 32, 64, 96, 288)
		}
		if f.Layout.Plain {
			columns = append(columns, 1, 7, 31, 33, 63)
		}
		for _, n := range columns {
			for _, rows := range []int{1, 8, 13, 16, 17, 40} {
				t.Run(fmt.Sprintf("%s/%dx%d", f.Name, rows, n), func(t *testing.T) {
					src := randomRows(t, f, rows, n)
					want, got := make([]float32, rows*n), make([]float32, rows*n)
					if err := f.Decode(want, src); err != nil {
						t.Fatal(err)
					}
					words := packed(t, f, src, rows, n)
					if err := f.Unpack(got, words, rows, n); err != nil {
						t.Fatal(err)
					}
					for i := range want {
						if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
							t.Fatalf("row %d, column %d: got %v, want %v", i/n, i%n, got[i], want[i])
						}
					}
				})
			}
		}
	}
}

// TestPackRows packs a matrix in chunks, in an odd order, and wants the words
// of Pack; the padding rows among them must be zero.
func TestPackRows(t *testing.T) {
	const rows, n = 37, 512
	for _, f := range All() {
		t.Run(f.Name, func(t *testing.T) {
			src := randomRows(t, f, rows, n)
			whole := packed(t, f, src, rows, n)
			size := len(src) / rows
			chunked := make([]uint32, len(whole))
			for i := range chunked {
				chunked[i] = 0xdeadbeef
			}
			for _, chunk := range [][2]int{{20, 37}, {0, 3}, {3, 20}} {
				if err := f.PackRows(chunked, src[chunk[0]*size:chunk[1]*size], chunk[0], rows, n); err != nil {
					t.Fatal(err)
				}
			}
			if !slices.Equal(chunked, whole) {
				t.Error("chunks give other words than the whole matrix")
			}
			for i, w := range whole {
				if row := i % PadRows(rows); row >= rows && w != 0 {
					t.Fatalf("word %d of padding row %d is %#x, not zero", i/PadRows(rows), row, w)
				}
			}
		})
	}
}

// TestPackedWords writes out the words of small matrices with one row, whose
// words are therefore [RowAlign] apart.
func TestPackedWords(t *testing.T) {
	values := func(from, step, period int) (q [BlockMax]int8) {
		for i := range q {
			q[i] = int8(from + step*(i%period))
		}
		return q
	}
	for _, c := range []struct {
		format string
		parts  []Parts
		want   []uint32
	}{
		{"Q4_0", []Parts{{Quants: values(0, 1, 16), D: 1}, {Quants: values(15, -1, 16), D: 2}}, []uint32{
			0x76543210, 0xfedcba98, 0x76543210, 0xfedcba98, // unit 0
			0x89abcdef, 0x01234567, 0x89abcdef, 0x01234567, // unit 1
			0x4000_3c00, // 2 and 1
		}},
		{"Q8_1", []Parts{{Quants: values(-16, 1, 32), D: -1}}, []uint32{
			0xf3f2f1f0, 0xf7f6f5f4, 0xfbfaf9f8, 0xfffefdfc, 0x03020100, 0x07060504, 0x0b0a0908, 0x0f0e0d0c,
			0x0000_bc00, // no odd unit, -1
		}},
		{"Q5_1", []Parts{{Quants: values(0, 1, 32), D: 1, M: 2}}, []uint32{
			0x76543210, 0xfedcba98, 0x76543210, 0xfedcba98, // low four bits
			0xffff0000,  // fifth bits
			0x4000_3c00, // M and D
		}},
		{"Q2_K", []Parts{{
			Quants: values(0, 1, 4), D: 1, M: 2,
			Scales: [16]int8{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
			Mins:   [16]uint8{15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0},
		}}, append(slices.Repeat([]uint32{0xe4e4e4e4}, 16),
			0x03020100, 0x07060504, 0x0b0a0908, 0x0f0e0d0c, // scales
			0x0c0d0e0f, 0x08090a0b, 0x04050607, 0x00010203, // minimums
			0x3f800000, 0x40000000, // D and M
		)},
		{"Q6_K", []Parts{{
			Quants: values(3, 4, 16), D: 0x1p-24,
			Scales: [16]int8{-128, 127, -1},
		}}, append(append(slices.Repeat([]uint32{0xfb73fb73}, 32), // low four bits: 3, 7, 11, 15, ...
			slices.Repeat([]uint32{0xffaa5500}, 16)...), // high two bits: four times each
			0x00ff7f80, 0, 0, 0, // scales
			0x33800000, // D, a float16 subnormal
		)},
	} {
		f, _ := ByName(c.format)
		src := make([]byte, len(c.parts)*f.BlockBytes)
		for i := range c.parts {
			f.join(src[i*f.BlockBytes:(i+1)*f.BlockBytes], &c.parts[i])
		}
		words := packed(t, f, src, 1, len(c.parts)*f.BlockElements)
		if len(words) != len(c.want)*RowAlign {
			t.Fatalf("%s: %d words, want %d", f.Name, len(words), len(c.want)*RowAlign)
		}
		for i, want := range c.want {
			if got := words[i*RowAlign]; got != want {
				t.Errorf("%s: word %d is %#08x, want %#08x", f.Name, i, got, want)
			}
		}
	}

	f, _ := ByName("F16")
	words := packed(t, f, []byte{0x00, 0x3c, 0x00, 0x40, 0x00, 0x42}, 1, 3)
	for i, want := range []uint32{0x4000_3c00, 0x0000_4200, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0} {
		if got := words[i*RowAlign]; got != want {
			t.Errorf("F16: word %d is %#08x, want %#08x", i, got, want)
		}
	}
}

func TestPackRefuses(t *testing.T) {
	for _, f := range All() {
		const rows, n = 3, 256
		src := randomRows(t, f, rows, n)
		words := packed(t, f, src, rows, n)
		size := len(src) / rows
		for name, err := range map[string]error{
			"short src":        f.Pack(words, src[1:], rows, n),
			"row missing":      f.Pack(words, src[size:], rows, n),
			"short dst":        f.Pack(words[1:], src, rows, n),
			"long dst":         f.Pack(append(words, 0), src, rows, n),
			"negative rows":    f.Pack(words, src, -rows, n),
			"negative columns": f.Pack(words, src, rows, -n),
			"no columns":       f.Pack(words, src, rows, 0),
			"past the end":     f.PackRows(words, src, 1, rows, n),
			"negative start":   f.PackRows(words, src[size:], -1, rows, n),
			"huge":             f.PackRows(words, src, 0, math.MaxInt, n),
			"huge sum":         f.PackRows(words, src, 0, math.MaxInt/n, n),
			"unpack short":     f.Unpack(make([]float32, rows*n-1), words, rows, n),
			"unpack src":       f.Unpack(make([]float32, rows*n), words[1:], rows, n),
			"unpack no column": f.Unpack(nil, words, rows, 0),
		} {
			if !errors.Is(err, ErrLength) {
				t.Errorf("%s, %s: %v", f.Name, name, err)
			}
		}
		if f.Layout.Plain {
			continue
		}
		if err := f.Pack(words, src, rows, n-1); !errors.Is(err, ErrLength) {
			t.Errorf("%s, part of a block: %v", f.Name, err)
		}
	}
}

// TestPlaneOffsets writes out where planes start in a matrix of 9 rows, padded
// to 16, of 3 units or 256 elements.
func TestPlaneOffsets(t *testing.T) {
	for _, c := range []struct {
		format string
		n      int
		want   []int // and the total
	}{
		{"F32", 96, []int{0, 16 * 96}},
		{"F16", 65, []int{0, 16 * 48}},
		{"Q4_0", 96, []int{0, 16 * 12, 16 * 14}},
		{"Q5_1", 96, []int{0, 16 * 12, 16 * 15, 16 * 18}},
		{"Q3_K", 256, []int{0, 16 * 16, 16 * 24, 16 * 28, 16 * 29}},
		{"Q4_K", 256, []int{0, 16 * 32, 16 * 34, 16 * 36, 16 * 37, 16 * 38}},
		{"Q8_K", 256, []int{0, 16 * 64, 16 * 65}},
	} {
		f, _ := ByName(c.format)
		offsets, total := f.PlaneOffsets(9, c.n)
		if got := append(offsets, total); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", f.Name, got, c.want)
		}
		if len(offsets) != len(f.Planes()) {
			t.Errorf("%s: %d offsets of %d planes", f.Name, len(offsets), len(f.Planes()))
		}
	}
}
