package quant

import (
	"math/rand/v2"
	"testing"
)

// Each benchmark works on a matrix of benchRows by benchColumns and reports
// weights a second beside bytes of the format a second.
const benchRows, benchColumns = 128, 4096

func benchmark(b *testing.B, work func(f *Format, blocks []byte, weights []float32) func() error) {
	random := rand.New(rand.NewPCG(1, 2))
	weights := make([]float32, benchRows*benchColumns)
	for i := range weights {
		weights[i] = float32(random.NormFloat64() * 0.02)
	}
	for _, f := range All() {
		b.Run(f.Name, func(b *testing.B) {
			size, err := f.RowBytes(len(weights))
			if err != nil {
				b.Fatal(err)
			}
			blocks := make([]byte, size)
			if err := f.Encode(blocks, weights, nil); err != nil {
				b.Fatal(err)
			}
			run := work(f, blocks, weights)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				if err := run(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(len(weights))*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mweights/s")
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	benchmark(b, func(f *Format, blocks []byte, weights []float32) func() error {
		dst := make([]float32, len(weights))
		return func() error { return f.Decode(dst, blocks) }
	})
}

func BenchmarkEncode(b *testing.B) {
	benchmark(b, func(f *Format, blocks []byte, weights []float32) func() error {
		dst := make([]byte, len(blocks))
		return func() error { return f.Encode(dst, weights, nil) }
	})
}

func BenchmarkPack(b *testing.B) {
	benchmark(b, func(f *Format, blocks []byte, weights []float32) func() error {
		_, total := f.PlaneOffsets(benchRows, benchColumns)
		dst := make([]uint32, total)
		return func() error { return f.Pack(dst, blocks, benchRows, benchColumns) }
	})
}
