package cpu

import "github.com/realm-webgpu/realm/engine/device"

// glu is device.GLU.
type glu struct {
	base
	out, gate, up block // up without data: none
	activation    device.Activation
}

// gluWork is how many multiplications an activation costs.
const gluWork = 16

func (k *glu) run(s *step) {
	k.step = s
	k.pool.run(k, s.rows(k.out.outputs), grain(gluWork*k.out.Width))
}

func (k *glu) do(_, first, last int) {
	k.GLU(k.activation, k.out.Rows, k.gate.Rows, k.up.Rows, first, last)
}

// softCap is device.SoftCap.
type softCap struct {
	base
	x     block
	limit float32
}

func (k *softCap) run(s *step) {
	k.step = s
	const tanh = 16 // multiplications that it costs
	k.pool.run(k, s.rows(k.x.outputs), grain(tanh*k.x.Width))
}

func (k *softCap) do(_, first, last int) { k.SoftCap(k.x.Rows, k.limit, first, last) }

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
	k.pool.run(k, s.rows(k.out.outputs), grain(exp*k.out.Width))
}

func (k *softmax) do(_, first, last int) {
	for t := first; t < last; t++ {
		out, n := k.out.Row(t), k.out.Width
		if k.causal {
			n = min(n, int(k.step.positions[t])+1)
		}
		for i, x := range k.x.Row(t)[:n] {
			out[i] = k.scale * x
		}
		k.Softmax(out[:n])
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
	k.pool.run(k, s.rows(k.out.outputs), grain(k.out.Width))
}

func (k *add) do(_, first, last int) { k.Add(k.out.Rows, k.x.Rows, k.y.Rows, first, last) }

// gather is device.Gather.
type gather struct {
	base
	out, x block
}

func (k *gather) run(s *step) {
	k.step = s
	k.pool.run(k, len(s.outputs), grain(k.out.Width))
}

func (k *gather) do(_, first, last int) {
	for i := first; i < last; i++ {
		copy(k.out.Row(i), k.x.Row(int(k.step.outputs[i])))
	}
}
