package cpu

// norm is device.RMSNorm.
type norm struct {
	base
	out, x, residual block    // residual: where there is one
	weight           *weights // of one group
	epsilon          float32
}

func (k *norm) run(s *step) {
	k.step = s
	k.pool.run(k, s.rows(k.out.outputs), grain(k.out.Width))
}

func (k *norm) do(_, first, last int) {
	k.RMSNorm(k.out.Rows, k.x.Rows, k.residual.Rows, k.weight.values, k.epsilon, first, last)
}

// layerNorm is device.LayerNorm.
type layerNorm struct {
	base
	out, x, residual block    // residual: where there is one
	weight, bias     *weights // bias is nil: none
	epsilon          float32
}

func (k *layerNorm) run(s *step) {
	k.step = s
	k.pool.run(k, s.rows(k.out.outputs), grain(2*k.out.Width))
}

func (k *layerNorm) do(_, first, last int) {
	k.LayerNorm(k.out.Rows, k.x.Rows, k.residual.Rows, k.weight.values, k.bias.vector(), k.epsilon, first, last)
}
