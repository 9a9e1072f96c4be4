package cpu

import "math"

// norm is device.RMSNorm.
type norm struct {
	base
	out, x, residual block    // residual.data is nil: none
	weight           *weights // of one group
	epsilon          float64
}

func (k *norm) run(s *step) {
	k.step = s
	k.pool.run(k, s.rows(k.out.outputs), grain(k.out.width))
}

func (k *norm) do(_, first, last int) {
	weight := k.weight.values
	for t := first; t < last; t++ {
		out, x := k.out.row(t), k.x.row(t)
		if k.residual.data != nil {
			for i, r := range k.residual.row(t) {
				x[i] += r
			}
		}
		for g := 0; g < len(x); g += len(weight) {
			normalise(out[g:g+len(weight)], x[g:g+len(weight)], weight, k.epsilon)
		}
	}
}

func normalise(out, x, weight []float32, epsilon float64) {
	sum := 0.0
	for _, v := range x {
		sum += float64(float64(v) * float64(v))
	}
	scale := float32(1 / math.Sqrt(sum/float64(len(x))+epsilon))
	for i, v := range x {
		out[i] = v * scale * weight[i]
	}
}
