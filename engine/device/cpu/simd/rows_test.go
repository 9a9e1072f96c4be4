package simd_test

import (
	"encoding/binary"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/engine/device/cpu/simd"
)

// results computes every operation on rows whose widths are no multiple of a
// vector, and returns all numbers.
func results(k simd.Kernels) []float32 {
	const rows, width = 5, 76
	r := rand.New(rand.NewPCG(7, 7))
	random := func(n int) []float32 {
		x := make([]float32, n)
		for i := range x {
			x[i] = float32(3 * r.NormFloat64())
		}
		return x
	}
	table := func() simd.Rows { return simd.Rows{Data: random(rows * width), Stride: width, Width: width} }
	var all []float32
	keep := func(x ...float32) { all = append(all, x...) }
	out, x, y, z := table(), table(), table(), table()
	k.Add(out, x, y, 1, rows)
	keep(out.Data...)
	k.RMSNorm(out, x, y, random(width/2), 1e-5, 0, rows)
	keep(out.Data...)
	k.LayerNorm(out, x, z, random(width), random(width), 1e-5, 0, rows)
	keep(out.Data...)
	for _, a := range []device.Activation{device.SiLU, device.GELUTanh, device.GELU} {
		k.GLU(a, out, x, z, 0, rows)
		keep(out.Data...)
	}
	k.SoftCap(x, 2, 0, rows)
	keep(x.Data...)
	k.Softmax(y.Row(2))
	keep(y.Data...)
	keep(k.LogSumExp(z.Row(1)), float32(k.Above(z.Row(1), 3, 2)))
	k.Rotate(z.Row(0), 38, random(20), 2, 1)
	k.Rotate(z.Row(1), 38, random(20), 1, 10)
	keep(z.Data...)
	k.ScaleAdd(out.Row(0), x.Row(0), 0.7)
	keep(out.Data...)
	for _, n := range []int{4, 8, 12, 16, 28} {
		z.Width = n
		order, scales := []int32{4, 1, 0, 3, 2}, random(rows)
		for _, some := range []int{rows, 4, 1} {
			k.Down(z, x, order[:some], scales, random(n*width))
			k.Up(out, order[:some], random(n*100), 100, z)
			keep(z.Data...)
			keep(out.Data...)
		}
	}
	z.Width = width
	for _, half := range []bool{true, false} {
		keep(attention(k, half, random)...)
	}
	for _, layout := range []string{"F32", "F16", "BF16"} {
		keep(plain(k, layout, x, random)...)
	}
	return all
}

// attention has queries of several spans over three pages, of heads that are no
// multiple of a vector.
func attention(k simd.Kernels, half bool, random func(int) []float32) []float32 {
	const queries, dim, pages = 6, 84, 3
	size := pages * device.PageTokens * dim
	a := simd.Attention{
		Out: make([]float32, queries*dim), Queries: random(queries * dim), Dim: dim, Half: half,
		Keys: random(size), Values: random(size), HalfKeys: make([]uint16, size), HalfValues: make([]uint16, size),
		Pages: []int32{2, 0, 1}, PageStride: size / pages,
		Begins: []int32{0, 0, 3, 40, 0, 65}, Ends: []int32{1, 33, 37, 70, 96, 66},
		Scale: 0.1, Cap: 5, Stride: pages * device.PageTokens,
	}
	a.Scores = make([]float32, queries*a.Stride)
	k.ToF16(a.HalfKeys, a.Keys)
	k.ToF16(a.HalfValues, a.Values)
	k.Attend(&a)
	return a.Out
}

func plain(k simd.Kernels, name string, x simd.Rows, random func(int) []float32) []float32 {
	f := format(name)
	data := make([]byte, 9*x.Width*f.BlockBytes)
	if err := f.Encode(data, random(9*x.Width), nil); err != nil {
		panic(err)
	}
	out := simd.Rows{Data: make([]float32, 5*9), Stride: 9, Width: 9}
	k.Plain(&f.Layout, data, x.Width*f.BlockBytes, 0, 9, x, 0, 5, out, random(9))
	return out.Data
}

// TestSameBits computes the same on every instruction set. The sum is logged, to
// compare it with another machine's.
func TestSameBits(t *testing.T) {
	var want []float32
	each(t, func(t *testing.T, k simd.Kernels) {
		got := results(k)
		sum := fnv.New64a()
		if err := binary.Write(sum, binary.LittleEndian, got); err != nil {
			t.Fatal(err)
		}
		t.Logf("%d numbers, FNV-1a %x", len(got), sum.Sum64())
		if want == nil {
			want = got
			return
		}
		for i := range want {
			if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
				t.Fatalf("number %d of %d is %v, but %v on %s", i, len(want), got[i], want[i], simd.All()[0].Name())
			}
		}
	})
}
