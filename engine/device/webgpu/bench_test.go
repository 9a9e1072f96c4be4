package webgpu

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/shaders/quant"
)

// randomMatrix uploads a matrix of normally distributed weights.
func randomMatrix(b *testing.B, d *Device, f *quant.Format, rows, columns int) device.Weights {
	b.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	values := make([]float32, columns)
	size, err := f.RowBytes(columns)
	if err != nil {
		b.Fatal(err)
	}
	raw := make([]byte, 0, rows*size)
	row := make([]byte, size)
	for r := range rows {
		if r < 64 { // the rest repeats: encoding some formats is slow
			for i := range values {
				values[i] = float32(random.NormFloat64()) * 0.02
			}
			if err := f.Encode(row, values, nil); err != nil {
				b.Fatal(err)
			}
			raw = append(raw, row...)
		} else {
			raw = append(raw, raw[(r-64)*size:(r-63)*size]...)
		}
	}
	w, err := d.Upload(b.Context(), device.Matrix{Name: "weights", Format: f, Columns: columns, Sources: []device.Source{{Rows: rows, Reader: bytes.NewReader(raw)}}})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(w.Release)
	return w
}

// repeats is how often a benchmarked operation stands in its program, so that
// what a step costs by itself does not count.
const repeats = 20

// benchmarkStep times steps of a program.
func benchmarkStep(b *testing.B, d *Device, p *device.Program, position int) {
	b.Helper()
	e, err := d.Compile(p)
	if err != nil {
		b.Fatal(err)
	}
	defer e.Release()
	s := &device.Step{}
	for i := range p.Rows {
		s.Tokens = append(s.Tokens, int32(i))
		s.Positions = append(s.Positions, int32(position+i))
		s.Sequences = append(s.Sequences, 0)
	}
	if p.Cache != nil {
		table := make([]int32, p.Pages)
		for i := range table {
			table[i] = int32(i)
		}
		s.BlockTables, s.Lengths = [][]int32{table}, []int32{int32(position + p.Rows)}
	}
	var r device.Result
	run := func() {
		if err := e.Submit(s); err != nil {
			b.Fatal(err)
		}
		if err := e.Wait(&r); err != nil {
			b.Fatal(err)
		}
	}
	run() // the driver compiles at first use
	for b.Loop() {
		run()
	}
}

func benchDevice(b *testing.B) *Device {
	return openTest(b, Options{})
}

// BenchmarkMatMul is the matrix products of the synthetic 134 M model.
func BenchmarkMatMul(b *testing.B) {
	d := benchDevice(b)
	for _, f := range quant.All() {
		for _, rows := range []int{1, 2, 8, 64} {
			for _, shape := range [][2]int{{768, 768}, {4096, 768}, {768, 2048}, {32000, 768}} {
				b.Run(fmt.Sprintf("%s/%dx%d/T%d", f.Name, shape[0], shape[1], rows), func(b *testing.B) {
					w := randomMatrix(b, d, f, shape[0], shape[1])
					p := &device.Program{Name: "matmul", Rows: rows}
					x := p.NewBuffer(shape[1])
					p.Add(&device.Embed{Out: x, Table: randomMatrix(b, d, f, 64, shape[1])})
					for range repeats {
						p.Add(&device.MatMul{Out: p.NewBuffer(shape[0]), X: x, Weight: w})
					}
					benchmarkStep(b, d, p, 0)
					work := float64(shape[0]*shape[1]*rows*repeats) * float64(b.N)
					b.ReportMetric(work/b.Elapsed().Seconds()/1e9, "GMAC/s")
				})
			}
		}
	}
}

// BenchmarkRows is the other operations of a layer of that model.
func BenchmarkRows(b *testing.B) {
	const width, feedForward, heads, dim, pages = 768, 2048, 12, 64, 64
	d := benchDevice(b)
	f, _ := quant.ByName("F32")
	cache, err := d.NewCache(device.CacheSpec{Layers: 1, HeadCountKV: heads, HeadDim: dim, Pages: pages})
	if err != nil {
		b.Fatal(err)
	}
	defer cache.Release()
	ones := make([]float32, width)
	norm, err := d.UploadVector(ones)
	if err != nil {
		b.Fatal(err)
	}
	angles, err := d.UploadVector(make([]float32, pages*device.PageTokens*dim))
	if err != nil {
		b.Fatal(err)
	}
	table := randomMatrix(b, d, f, 64, 2*feedForward)
	for _, c := range []struct {
		name     string
		position int
		op       func(p *device.Program, in, out device.View) device.Op
	}{
		{"rms_norm", 0, func(p *device.Program, in, out device.View) device.Op {
			residual := in.Slice(width, width)
			other := p.NewBuffer(width)
			p.Add(&device.Add{Out: other, X: residual, Y: residual})
			return &device.RMSNorm{Out: out.Slice(0, width), X: other, Residual: &residual, Weight: norm, Epsilon: 1e-5}
		}},
		{"glu", 0, func(p *device.Program, in, out device.View) device.Op {
			up := in.Slice(feedForward, feedForward)
			return &device.GLU{Out: out.Slice(0, feedForward), Gate: in.Slice(0, feedForward), Up: &up}
		}},
		{"rope", 16, func(p *device.Program, in, out device.View) device.Op {
			return &device.Rope{Query: in.Slice(0, width), Key: in.Slice(width, width), Value: in.Slice(2*width, width), HeadCount: heads, HeadCountKV: heads, HeadDim: dim, Dimensions: dim, Table: angles}
		}},
		{"attention", 16, func(p *device.Program, in, out device.View) device.Op {
			return &device.Attention{Out: out.Slice(0, width), Query: in.Slice(0, width), HeadCount: heads, HeadCountKV: heads, HeadDim: dim, Scale: 0.125}
		}},
		{"attention", 512, func(p *device.Program, in, out device.View) device.Op {
			return &device.Attention{Out: out.Slice(0, width), Query: in.Slice(0, width), HeadCount: heads, HeadCountKV: heads, HeadDim: dim, Scale: 0.125}
		}},
	} {
		for _, rows := range []int{1, 64} {
			b.Run(fmt.Sprintf("%s/at%d/T%d", c.name, c.position, rows), func(b *testing.B) {
				p := &device.Program{Name: c.name, Rows: rows, Cache: cache, Sequences: 1, Pages: pages}
				in := p.NewBuffer(2 * feedForward)
				p.Add(&device.Embed{Out: in, Table: table})
				op := c.op(p, in, p.NewBuffer(2*feedForward))
				for range repeats {
					p.Add(op)
				}
				benchmarkStep(b, d, p, c.position)
				b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*repeats), "us/op")
			})
		}
	}
}
