package cpu

import (
	"math"

	"github.com/realm-webgpu/realm/engine/device"
)

// glu is device.GLU.
type glu struct {
	base
	out, gate, up block // up.data is nil: none
	activation    device.Activation
}

func (k *glu) run(s *step) {
	k.step = s
	const exp = 16 // multiplications that an activation costs
	k.pool.run(k, s.rows(k.out.outputs), grain(exp*k.out.width))
}

func (k *glu) do(_, first, last int) {
	for t := first; t < last; t++ {
		out := k.out.row(t)
		for i, x := range k.gate.row(t) {
			out[i] = activate(k.activation, x)
		}
		if k.up.data != nil {
			for i, y := range k.up.row(t) {
				out[i] *= y
			}
		}
	}
}

// activate returns an activation, computed in float64.
func activate(a device.Activation, x32 float32) float32 {
	x := float64(x32)
	switch a {
	case device.GELUTanh: // Hendrycks and Gimpel, https://arxiv.org/abs/1606.08415
		inner := math.Sqrt(2/math.Pi) * (x + float64(0.044715*x*x*x))
		return float32(0.5 * x * (1 + math.Tanh(inner)))
	case device.GELU:
		return float32(0.5 * x * (1 + math.Erf(x/math.Sqrt2)))
	default: // SiLU
		return float32(x / (1 + math.Exp(-x)))
	}
}

// softCap is device.SoftCap.
type softCap struct {
	base
	x     block
	limit float64
}

func (k *softCap) run(s *step) {
	k.step = s
	const tanh = 16 // multiplications that it costs
	k.pool.run(k, s.rows(k.x.outputs), grain(tanh*k.x.width))
}

func (k *softCap) do(_, first, last int) {
	for t := first; t < last; t++ {
		row := k.x.row(t)
		for i, x := range row {
			row[i] = soften(x, k.limit)
		}
	}
}

// soften returns limit*tanh(x/limit), computed in float64.
func soften(x float32, limit float64) float32 { return float32(limit * math.Tanh(float64(x)/limit)) }

// softmax is device.Softmax. Its items are rows.
type softmax struct {
	base
	out, x block
	scale  float32
	causal bool
}

func (k *softmax) run(s *step) {
	k.step = s
	const exp = 32 // multiplications that two exponentials cost
	k.pool.run(k, s.rows(k.out.outputs), grain(exp*k.out.width))
}

func (k *softmax) do(_, first, last int) {
	for t := first; t < last; t++ {
		out, n := k.out.row(t), k.out.width
		if k.causal {
			n = min(n, int(k.step.positions[t])+1)
		}
		for i, x := range k.x.row(t)[:n] {
			out[i] = k.scale * x
		}
		weigh(out[:n])
		clear(out[n:])
	}
}

// add is device.Add.
type add struct {
	base
	out, x, y block
}

func (k *add) run(s *step) {
	k.step = s
	k.pool.run(k, s.rows(k.out.outputs), grain(k.out.width))
}

func (k *add) do(_, first, last int) {
	for t := first; t < last; t++ {
		out, y := k.out.row(t), k.y.row(t)
		for i, x := range k.x.row(t) {
			out[i] = x + y[i]
		}
	}
}

// gather is device.Gather.
type gather struct {
	base
	out, x block
}

func (k *gather) run(s *step) {
	k.step = s
	k.pool.run(k, len(s.outputs), grain(k.out.width))
}

func (k *gather) do(_, first, last int) {
	for i := first; i < last; i++ {
		copy(k.out.row(i), k.x.row(int(k.step.outputs[i])))
	}
}
