package cpu

import (
	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/engine/device/cpu/simd"
)

// arithmetic is what is done with rows of float32, as [simd.Kernels] says: in
// plain Go, or by vector instructions.
type arithmetic interface {
	Add(out, x, y simd.Rows, first, last int)
	RMSNorm(out, x, residual simd.Rows, weight []float32, epsilon float32, first, last int)
	LayerNorm(out, x, residual simd.Rows, weight, bias []float32, epsilon float32, first, last int)
	GLU(a device.Activation, out, gate, up simd.Rows, first, last int)
	SoftCap(x simd.Rows, limit float32, first, last int)
	Softmax(x []float32)
	LogSumExp(x []float32) float32
	Above(x []float32, first int, limit float32) int
	Rotate(x []float32, headDim int, angles []float32, step, other int)
	ToF16(out []uint16, x []float32)
	Attend(a *simd.Attention)
	ScaleAdd(out, x []float32, scale float32)
	Down(out, x simd.Rows, rows []int32, scales, bank []float32)
	Up(out simd.Rows, rows []int32, bank []float32, stride int, by simd.Rows)
	Name() string
	Pause()
}

var _ arithmetic = simd.Kernels(nil)
