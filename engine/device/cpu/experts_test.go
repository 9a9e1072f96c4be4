package cpu_test

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"testing"

	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/engine/device/cpu"
)

// TestExperts routes rows by logits that are worked out by hand: the largest
// first, the lower of equals, weighted by their softmax.
func TestExperts(t *testing.T) {
	r := newRig(t, cpu.Options{Workers: 3, Exact: true})
	routers := [][]float32{{0, 3, 1, -1, 2}, {1, 1, 1, 1, 1}, {0, 5, 0, 5, 4}, {9, -9, -9, -9, -9}}
	for _, test := range []struct {
		used             int
		gate, up, down   string
		embd, ff         int
		chosen           [][]int // of each row
		gateFirst, place int     // rows of the first source of Gate, offset of Out
	}{
		{1, "F32", "F32", "F32", 12, 20, [][]int{{1}, {0}, {1}, {0}}, 20, 0},
		{2, "Q8_0", "Q8_0", "Q8_0", 32, 96, [][]int{{1, 4}, {0, 1}, {1, 3}, {0, 1}}, 20, 4},
		{3, "Q4_K", "F16", "Q5_0", 256, 32, [][]int{{1, 4, 2}, {0, 1, 2}, {1, 3, 4}, {0, 1, 2}}, 31, 8},
		{5, "BF16", "Q6_K", "Q4_1", 256, 64, [][]int{{0, 1, 2, 3, 4}, {0, 1, 2, 3, 4}, {0, 1, 2, 3, 4}, {0, 1, 2, 3, 4}}, 1, 0},
	} {
		const experts = 5
		x := r.normal(len(routers), test.embd)
		gate, g := r.stacked(test.gate, experts, test.embd, test.gateFirst, test.ff-test.gateFirst)
		up, u := r.experts(format(test.up), experts, r.normal(experts*test.ff, test.embd))
		down, d := r.experts(format(test.down), experts, r.normal(experts*test.embd, test.ff))
		p := program(4)
		router := p.NewBuffer(experts)
		for i, row := range routers {
			routers[i] = append(row[:experts], 100, 100, 100) // behind the end
		}
		p.Add(&device.Embed{Out: device.View{Buffer: router.Buffer, Width: 8}, Table: first(r.matrix(format("F32"), routers))})
		op := &device.Experts{
			Out: p.NewBuffer(test.place+test.embd+4).Slice(test.place, test.embd), X: r.input(p, x), Router: router,
			Gate: gate, Up: up, Down: down, Used: test.used, Activation: device.GELU,
		}
		p.Add(op)
		want := make([][]float64, len(x))
		for t := range x {
			want[t] = make([]float64, test.embd)
			total := 0.0
			for _, e := range test.chosen[t] {
				total += math.Exp(float64(routers[t][e]))
			}
			for _, e := range test.chosen[t] {
				hidden := make([]float64, test.ff)
				for i := range hidden {
					a, b := product(x[t], g[e*test.ff+i]), product(x[t], u[e*test.ff+i])
					hidden[i] = 0.5 * a * math.Erfc(-a/math.Sqrt2) * b
				}
				for i := range want[t] {
					for j, h := range hidden {
						want[t][i] += math.Exp(float64(routers[t][e])) / total * h * float64(d[e*test.embd+i][j])
					}
				}
			}
		}
		near(t, fmt.Sprintf("%d of %d", test.used, experts), r.evaluate(p, op.Out, len(x)), want, 3*sums)
	}
}

func first[T, U any](v T, _ U) T { return v }

func product(x, w []float32) float64 {
	sum := 0.0
	for i := range x {
		sum += float64(x[i]) * float64(w[i])
	}
	return sum
}

// stacked uploads experts whose rows come from two sources, the second of which
// shows its bytes, and returns their values expert by expert.
func (r *rig) stacked(name string, experts, columns int, rows ...int) (device.Weights, [][]float32) {
	r.Helper()
	f := format(name)
	m := device.Matrix{Name: "stacked", Format: f, Columns: columns, Experts: experts}
	values := make([][]float32, 0, experts*columns)
	var parts [][][]float32
	for i, n := range rows {
		if n == 0 {
			continue
		}
		data, decoded := encode(f, r.normal(experts*n, columns))
		source := device.Source{Rows: n, Reader: bytes.NewReader(data)}
		if i == 1 {
			source.Reader = mapped{bytes.NewReader(data)}
		}
		m.Sources, parts = append(m.Sources, source), append(parts, decoded)
	}
	for e := range experts {
		for i, s := range m.Sources {
			values = append(values, parts[i][e*s.Rows:(e+1)*s.Rows]...)
		}
	}
	w, err := r.Upload(context.Background(), m)
	r.check(err)
	size := int64(experts*m.Rows()) * int64(must(f.RowBytes(columns)))
	if n, k := w.Shape(); n != m.Rows() || k != columns || w.Experts() != experts || w.Bytes() != size {
		r.Fatalf("%d experts [%d, %d] in %d bytes, want %d [%d, %d] in %d", w.Experts(), n, k, w.Bytes(), experts, m.Rows(), columns, size)
	}
	return w, values
}

// TestExpertsAllocateNothing holds a step of two layers of experts, which share
// their scratch, to no allocation, and its memory to what comes back.
func TestExpertsAllocateNothing(t *testing.T) {
	r := newRig(t, cpu.Options{Workers: 2})
	p := program(8)
	v, router := r.input(p, r.normal(8, 16)), r.input(p, r.normal(8, 4))
	for _, ff := range []int{8, 24} {
		gate, _ := r.experts(format("F32"), 4, r.normal(4*ff, 16))
		down, _ := r.experts(format("F32"), 4, r.normal(4*16, ff))
		out := p.NewBuffer(16)
		p.Add(&device.Experts{Out: out, X: v, Router: router, Gate: gate, Up: gate, Down: down, Used: ff / 8})
		v = out
	}
	before := r.Memory()
	e, step := r.compile(p), plainStep(8)
	if taken, hidden := r.Memory().Total()-before.Total(), int64(8*3*24*4); taken < hidden {
		t.Errorf("compiling takes %d bytes, less than the %d of what is between the products", taken, hidden)
	}
	var result device.Result
	if n := testing.AllocsPerRun(20, func() {
		r.check(e.Submit(step))
		r.check(e.Wait(&result))
	}); n != 0 {
		t.Errorf("a step makes %v allocations", n)
	}
	e.Release()
	if after := r.Memory(); after != before {
		t.Errorf("memory in use is %v, and was %v", after, before)
	}
}
