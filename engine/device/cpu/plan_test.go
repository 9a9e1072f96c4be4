package cpu

import (
	"testing"

	"github.com/realm-webgpu/realm/engine/device"
)

// TestPlan places a chain of buffers, of which at most three live at a time,
// and a buffer of outputs that has to outlive its use.
func TestPlan(t *testing.T) {
	p := &device.Program{Rows: 4, Outputs: 2}
	first := p.NewBuffer(8)
	unused := p.NewBuffer(1000)
	p.Add(&device.Embed{Out: first})
	x := first
	for range 10 {
		y, z := p.NewBuffer(16), p.NewBuffer(8)
		p.Add(&device.GLU{Out: y, Gate: x}, &device.Add{Out: z, X: x, Y: y})
		x = z
	}
	out, logits, more := p.NewOutput(8), p.NewOutput(12), p.NewOutput(8)
	p.Add(&device.Gather{Out: out, X: x}, &device.MatMul{Out: logits, X: out}, &device.MatMul{Out: more, X: out})

	offsets, total := plan(p)
	if want := 4 * (8 + 16 + 8); total != want {
		t.Errorf("%d elements in all, want %d: those of three buffers", total, want)
	}
	lives := lifetimes(p)
	for i, a := range lives {
		if a.buffer == int(unused.Buffer) {
			t.Error("a buffer that nothing uses has a lifetime")
		}
		if end := offsets[a.buffer] + a.size; end > total {
			t.Errorf("buffer %d ends at %d of %d", a.buffer, end, total)
		}
		if p.Buffers[a.buffer].Outputs && a.last < len(p.Ops) {
			t.Errorf("buffer %d of outputs ends at operation %d", a.buffer, a.last)
		}
		for _, b := range lives[:i] {
			if a.first <= b.last && b.first <= a.last &&
				offsets[a.buffer] < offsets[b.buffer]+b.size && offsets[b.buffer] < offsets[a.buffer]+a.size {
				t.Errorf("buffers %d and %d live at the same time in the same place", a.buffer, b.buffer)
			}
		}
	}
}

// TestPool spreads items over more and fewer workers than there are hand-outs:
// each is done once, and no two calls at a time have the same worker.
func TestPool(t *testing.T) {
	for _, size := range []int{1, 2, 5} {
		p := newPool(size, func() {})
		for _, items := range []int{0, 1, 2, 17, 1000} {
			for _, grain := range []int{1, 3, 5000} {
				task := &tally{done: make([]int, items), busy: make([]int, size)}
				p.run(task, items, grain)
				for i, n := range task.done {
					if n != 1 {
						t.Fatalf("%d workers, grain %d: item %d of %d was done %d times", size, grain, i, items, n)
					}
				}
			}
		}
		p.close()
	}
}

// tally counts how often items are done. The race detector sees two calls with
// the same worker in busy.
type tally struct{ done, busy []int }

func (t *tally) do(worker, first, last int) {
	for i := first; i < last; i++ {
		t.busy[worker]++
		t.done[i]++
	}
}
