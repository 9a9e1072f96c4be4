package cpu

import "github.com/realm-webgpu/realm/engine/device/cpu/simd"

// matMul is device.MatMul. Its items are those of the weight: rows, each decoded
// once for all rows of X, or tiles of them.
type matMul struct {
	base
	out    block
	x      operand
	weight *weights
	bias   *weights // nil: none
}

func (k *matMul) run(s *step) {
	items, grain := k.begin(s)
	k.pool.run(k, items, grain)
}

// begin rounds the rows, and returns the items and how many to hand out together.
func (k *matMul) begin(s *step) (items, grain int) {
	k.step = s
	n := s.rows(k.x.outputs)
	if k.weight.packed() {
		k.x.round(k.pool, n)
	}
	items = k.weight.items()
	return items, share(items, k.weight.rows/items*k.weight.columns*n, k.pool.size)
}

func (k *matMul) do(worker, first, last int) {
	k.weight.multiply(&k.lanes[worker], 0, first, last, &k.x, 0, k.step.rows(k.x.outputs), k.out.Rows, k.bias.vector())
}

// operand is rows that products read, and what they are rounded to where the
// weights are packed.
type operand struct {
	block
	by          simd.Kernels
	activations *simd.Activations
}

// round fills the activations with n rows.
func (x *operand) round(p *pool, n int) { p.run(x, n, grain(x.Width)) }

func (x *operand) do(_, first, last int) { x.by.Quantise(x.activations, first, x.Rows, first, last) }

// share returns how many of the items to hand out together: so few that workers
// end at about the same time, but so many that a hand-out is worth its price.
func share(items, workPerItem, workers int) int {
	const (
		parts = 4       // of a worker
		least = 1 << 16 // multiplications that are worth a second worker
	)
	if items*workPerItem < least {
		return max(1, items)
	}
	return min(max(grain(workPerItem), items/(parts*workers)), (items+workers-1)/workers)
}
