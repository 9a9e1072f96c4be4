package simd_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/realm-webgpu/realm/engine/device/cpu/simd"
	"github.com/realm-webgpu/realm/shaders/quant"
)

// quantised returns the formats that are packed.
func quantised() []*quant.Format {
	var all []*quant.Format
	for _, f := range quant.All() {
		if !f.Layout.Plain {
			all = append(all, f)
		}
	}
	return all
}

func format(name string) *quant.Format {
	f, ok := quant.ByName(name)
	if !ok {
		panic(name)
	}
	return f
}

// matrix is packed weights, and what they were packed from.
type matrix struct {
	*simd.Packing
	format        *quant.Format
	rows, columns int
	data          []byte // rows of the format
	tiles         []byte
}

func newMatrix(t testing.TB, r *rand.Rand, f *quant.Format, rows, columns int) *matrix {
	t.Helper()
	p, err := simd.NewPacking(f, columns)
	if err != nil {
		t.Fatal(err)
	}
	size, err := f.RowBytes(columns)
	if err != nil {
		t.Fatal(err)
	}
	m := &matrix{p, f, rows, columns, make([]byte, rows*size), make([]byte, (rows+simd.TileRows-1)/simd.TileRows*p.TileBytes())}
	var parts quant.Parts
	values := make([]float32, columns)
	for i := range rows {
		for j := range values {
			values[j] = float32(r.NormFloat64() + 0.2)
		}
		row := m.data[i*size : (i+1)*size]
		if err := f.Encode(row, values, nil); err != nil {
			t.Fatal(err)
		}
	}
	for first := 0; first < rows; first += simd.TileRows {
		if err := p.PackTile(m.tile(first), m.data[first*size:min(first+simd.TileRows, rows)*size], &parts); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

// tile returns the tile that row i is in.
func (m *matrix) tile(i int) []byte {
	return m.tiles[i/simd.TileRows*m.TileBytes():][:m.TileBytes()]
}

// block takes a block of row i apart as the file has it.
func (m *matrix) block(i, block int, parts *quant.Parts) {
	size := len(m.data) / m.rows
	m.format.Split(m.data[i*size+block*m.format.BlockBytes:][:m.format.BlockBytes], parts)
}

// TestPacking takes packed blocks apart: they have what the format's own have.
func TestPacking(t *testing.T) {
	for _, f := range quantised() {
		m := newMatrix(t, rand.New(rand.NewPCG(1, uint64(f.ID))), f, 21, 512)
		for i := range m.rows {
			for b := range m.columns / f.BlockElements {
				var got, want quant.Parts
				m.block(i, b, &want)
				m.Block(m.tile(i), i%simd.TileRows, b, &got)
				if got != want {
					t.Fatalf("%s: block %d of row %d is\n%+v, want\n%+v", f.Name, b, i, got, want)
				}
			}
		}
	}
}

// TestMultiply holds every kernel to the sum that the package's comment defines,
// bit for bit, for all numbers of columns that are computed together, and for rows
// that begin and end inside of tiles.
func TestMultiply(t *testing.T) {
	each(t, func(t *testing.T, k simd.Kernels) {
		for _, f := range quantised() {
			r := rand.New(rand.NewPCG(2, uint64(f.ID)))
			m := newMatrix(t, r, f, 45, 768)
			x := simd.Rows{Data: make([]float32, 15*m.columns), Stride: m.columns, Width: m.columns}
			for i := range x.Data {
				x.Data[i] = float32(r.NormFloat64())
			}
			clear(x.Row(3))
			for _, columns := range []int{1, 2, 3, 4, 7, 8, 15} {
				activations := simd.NewActivations(columns * m.columns)
				k.Quantise(&activations, 0, x, 0, columns)
				checkRounding(t, &activations, x, columns)
				product, ok := k.Product(m.Packing)
				if !ok {
					t.Fatalf("no kernel for %s", f.Name)
				}
				bias := make([]float32, m.rows)
				for i := range bias {
					bias[i] = float32(r.NormFloat64())
				}
				for _, rows := range [][2]int{{0, 45}, {5, 32}, {16, 17}, {20, 45}} {
					n := rows[1] - rows[0]
					out := simd.Rows{Data: make([]float32, columns*(n+3)), Stride: n + 3, Width: n}
					product.Multiply(&simd.Multiplication{
						Packing: m.Packing, Weights: m.tiles, Activations: &activations, Last: columns,
						Out: out, RowFirst: rows[0], Bias: bias[:n],
					}, rows[0]/simd.TileRows, (rows[1]+simd.TileRows-1)/simd.TileRows)
					for c := range columns {
						for i := range n {
							want := m.product(rows[0]+i, &activations, c) + bias[i]
							if got := out.Data[c*out.Stride+i]; math.Float32bits(got) != math.Float32bits(want) {
								t.Fatalf("%s: row %d times column %d of %d is %v, want %v", f.Name, rows[0]+i, c, columns, got, want)
							}
						}
						for i := n; i < out.Stride; i++ {
							if got := out.Data[c*out.Stride+i]; got != 0 {
								t.Fatalf("%s: %v behind the %d rows of column %d", f.Name, got, n, c)
							}
						}
					}
				}
			}
		}
	})
}

// product is the definition of a product with rounded activations.
func (m *matrix) product(row int, a *simd.Activations, column int) float32 {
	const unit = 32
	l, y := &m.format.Layout, float32(0)
	var parts quant.Parts
	for at := 0; at < m.columns; at += unit {
		inBlock := at % m.format.BlockElements
		if inBlock == 0 {
			m.block(row, at/m.format.BlockElements, &parts)
		}
		sum, less := float32(0), float32(0)
		for first := 0; first < unit; first += l.Sub {
			dot, total := 0, 0
			for j := first; j < first+l.Sub; j++ {
				x := int(a.Quants[column*m.columns+at+j])
				q := int(parts.Quants[inBlock+j])
				dot += (q - l.Offset) * x
				total += x
			}
			scale, low := l.Scale(&parts, (inBlock+first)/l.Sub)
			sum += float32(float32(dot) * scale)
			less += float32(low * float32(-total))
		}
		if l.Min {
			sum += less
		}
		y += float32(sum * a.Scales[(column*m.columns+at)/unit])
	}
	return y
}

// checkRounding holds activations to their definition.
func checkRounding(t *testing.T, a *simd.Activations, x simd.Rows, rows int) {
	t.Helper()
	for at := 0; at < rows*x.Width; at += 32 {
		values := x.Row(at / x.Width)[at%x.Width:][:32]
		peak := float32(0)
		for _, v := range values {
			peak = max(peak, max(v, -v))
		}
		inverse := float32(0)
		if peak > 0 {
			inverse = 127 / peak
		}
		var sums [2]int32
		for i, v := range values {
			q := int8(math.RoundToEven(float64(v * inverse)))
			if a.Quants[at+i] != q {
				t.Fatalf("element %d of %v is %d, want %d", i, values, a.Quants[at+i], q)
			}
			sums[i/16] -= int32(q)
		}
		if got, want := [3]int32(a.Sums[at/32*3:][:3]), [3]int32{sums[0], sums[1], sums[0] + sums[1]}; got != want {
			t.Fatalf("sums are %v, want %v", got, want)
		}
		if got := a.Scales[at/32]; got != peak/127 {
			t.Fatalf("scale is %v, want %v", got, peak/127)
		}
	}
}

// each runs a test on the kernels of every instruction set that there is here.
func each(t *testing.T, test func(t *testing.T, k simd.Kernels)) {
	all := simd.All()
	if len(all) == 0 {
		t.Skip("NOT TESTED: this build or this processor has no vector kernels")
	}
	for _, k := range all {
		t.Run(k.Name(), func(t *testing.T) { test(t, k) })
	}
}

// BenchmarkMultiply multiplies [T, 1024] by [1024, 1024] in every format. MB/s are
// those of the packed weights.
func BenchmarkMultiply(b *testing.B) {
	for _, k := range simd.All() {
		for _, f := range quantised() {
			const n = 1024
			r := rand.New(rand.NewPCG(3, uint64(f.ID)))
			m := newMatrix(b, r, f, n, n)
			product, _ := k.Product(m.Packing)
			for _, columns := range []int{1, 8, 128} {
				b.Run(fmt.Sprintf("%s/%s/T=%d", k.Name(), f.Name, columns), func(b *testing.B) {
					x := simd.Rows{Data: make([]float32, columns*n), Stride: n, Width: n}
					a := simd.NewActivations(columns * n)
					k.Quantise(&a, 0, x, 0, columns)
					out := simd.Rows{Data: make([]float32, columns*n), Stride: n, Width: n}
					b.SetBytes(int64(len(m.tiles)))
					for b.Loop() {
						product.Multiply(&simd.Multiplication{Packing: m.Packing, Weights: m.tiles, Activations: &a, Last: columns, Out: out}, 0, n/simd.TileRows)
					}
					b.ReportMetric(float64(columns*n*n)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GMAC/s")
				})
			}
		}
	}
}

// BenchmarkPackTile packs a tile of rows of 2048. MB/s are those of the file's bytes.
func BenchmarkPackTile(b *testing.B) {
	for _, f := range quantised() {
		b.Run(f.Name, func(b *testing.B) {
			m := newMatrix(b, rand.New(rand.NewPCG(4, uint64(f.ID))), f, simd.TileRows, 2048)
			var parts quant.Parts
			b.SetBytes(int64(len(m.data)))
			for b.Loop() {
				clear(m.tiles)
				if err := m.PackTile(m.tiles, m.data, &parts); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
