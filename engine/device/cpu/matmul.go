package cpu

// matMul is device.MatMul. Its items are the rows of the weight: each is
// decoded once, and multiplied with all rows of X.
type matMul struct {
	base
	out, x block
	weight *weights
	bias   *weights // nil: none
}

func (k *matMul) run(s *step) {
	k.step = s
	k.pool.run(k, k.weight.rows, grain(k.weight.columns*(1+s.rows(k.x.outputs))))
}

func (k *matMul) do(worker, first, last int) {
	lane := &k.lanes[worker]
	row := lane.row[:k.weight.columns]
	rows := k.step.rows(k.x.outputs)
	for i := first; i < last; i++ {
		k.weight.decode(row, 0, i, &lane.parts)
		for t := range rows {
			y := dot(k.x.row(t), row)
			if k.bias != nil {
				y += k.bias.values[i]
			}
			k.out.data[t*k.out.stride+i] = y
		}
	}
}
