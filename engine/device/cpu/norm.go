package cpu

import "math"

// norm is device.RMSNorm.
type norm struct {
	base
	out, x, residual block    // residual: where there is one
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
		k.residual.addTo(x, t)
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

// layerNorm is device.LayerNorm.
type layerNorm struct {
	base
	out, x, residual block    // residual: where there is one
	weight, bias     *weights // bias is nil: none
	epsilon          float64
}

func (k *layerNorm) run(s *step) {
	k.step = s
	k.pool.run(k, s.rows(k.out.outputs), grain(2*k.out.width))
}

func (k *layerNorm) do(_, first, last int) {
	for t := first; t < last; t++ {
		out, x := k.out.row(t), k.x.row(t)
		k.residual.addTo(x, t)
		centre(out, x, k.weight.values, k.epsilon)
		if k.bias != nil {
			for i, b := range k.bias.values {
				out[i] += b
			}
		}
	}
}

// centre takes the mean of x away and divides by the deviation. The variance is
// of what is left, not a difference of mean squares, which would cancel.
func centre(out, x, weight []float32, epsilon float64) {
	mean := 0.0
	for _, v := range x {
		mean += float64(v)
	}
	mean /= float64(len(x))
	sum := 0.0
	for _, v := range x {
		d := float64(v) - mean
		sum += float64(d * d)
	}
	scale := float32(1 / math.Sqrt(sum/float64(len(x))+epsilon))
	for i, v := range x {
		out[i] = float32(float64(v)-mean) * scale * weight[i]
	}
}
