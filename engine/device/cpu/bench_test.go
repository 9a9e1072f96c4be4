package cpu_test

import (
	"fmt"
	"testing"

	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/engine/device/cpu"
	"github.com/realm-webgpu/realm/shaders/quant"
)

// BenchmarkMatMul multiplies [T, 1024] by [1024, 1024] in every format. MB/s
// are those of the weight's bytes.
func BenchmarkMatMul(b *testing.B) {
	for _, f := range quant.All() {
		for _, rows := range []int{1, 16} {
			b.Run(fmt.Sprintf("%s/T=%d", f.Name, rows), func(b *testing.B) {
				const n = 1024
				r := newRig(b, cpu.Options{})
				weight, _ := r.matrix(f, r.normal(n, n))
				p := program(rows)
				x := r.input(p, r.normal(rows, n))
				for range 8 { // the rest of the step disappears beside these
					p.Add(&device.MatMul{Out: p.NewBuffer(n), X: x, Weight: weight})
				}
				e, step := r.compile(p), plainStep(rows)
				var result device.Result
				b.SetBytes(8 * weight.Bytes())
				for b.Loop() {
					r.check(e.Submit(step))
					r.check(e.Wait(&result))
				}
				b.ReportMetric(float64(8*rows*n*n)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GMAC/s")
			})
		}
	}
}
