package cpu

import "github.com/realm-webgpu/realm/engine/device"

// rope is device.Rope.
type rope struct {
	base
	op                device.Rope
	query, key, value block
	table             *weights // nil: no rotation
	cache             *cache
}

func (k *rope) run(s *step) {
	k.step = s
	k.pool.run(k, len(s.tokens), grain(k.query.Width+2*k.key.Width))
}

func (k *rope) do(worker, first, last int) {
	for t := first; t < last; t++ {
		query, key, value := k.query.Row(t), k.key.Row(t), k.value.Row(t)
		position := int(k.step.positions[t])
		if n := k.op.Dimensions; n > 0 {
			angles := k.table.values[position*n : (position+1)*n]
			step, other := 2, 1 // of pairs, and from the first to the second of a pair
			if k.op.Mode == device.RopeNeoX {
				step, other = 1, n/2
			}
			k.Rotate(query, k.op.HeadDim, angles, step, other)
			k.Rotate(key, k.op.HeadDim, angles, step, other)
		}
		page := int(k.step.table(t)[position/device.PageTokens])
		k.cache.write(k.arithmetic, &k.lanes[worker], k.op.Layer, page, position%device.PageTokens, key, value)
	}
}
