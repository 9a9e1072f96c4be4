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
	k.pool.run(k, len(s.tokens), grain(k.query.width+2*k.key.width))
}

func (k *rope) do(_, first, last int) {
	for t := first; t < last; t++ {
		query, key, value := k.query.row(t), k.key.row(t), k.value.row(t)
		position := int(k.step.positions[t])
		if n := k.op.Dimensions; n > 0 {
			angles := k.table.values[position*n : (position+1)*n]
			k.rotate(query, angles)
			k.rotate(key, angles)
		}
		page := int(k.step.table(t)[position/device.PageTokens])
		for head := range k.op.HeadCountKV {
			at := k.cache.at(k.op.Layer, page, head, position%device.PageTokens)
			from, to := head*k.op.HeadDim, (head+1)*k.op.HeadDim
			k.cache.keys.write(at, key[from:to])
			k.cache.values.write(at, value[from:to])
		}
	}
}

// rotate turns the pairs of every head in x by angles [Dimensions/2][cos, sin].
func (k *rope) rotate(x, angles []float32) {
	step, other := 2, 1 // of pairs, and from the first to the second of a pair
	if k.op.Mode == device.RopeNeoX {
		step, other = 1, len(angles)/2
	}
	for ; len(x) > 0; x = x[k.op.HeadDim:] {
		for i := 0; i < len(angles)/2; i++ {
			a, b := i*step, i*step+other
			cos, sin := angles[2*i], angles[2*i+1]
			xa, xb := x[a], x[b]
			x[a] = float32(xa*cos) - float32(xb*sin)
			x[b] = float32(xa*sin) + float32(xb*cos)
		}
	}
}
