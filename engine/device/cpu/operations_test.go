package cpu_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"testing"

	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/engine/device/cpu"
	"github.com/realm-webgpu/realm/shaders/quant"
)

// roundings bounds the error of an operation whose float32 roundings are few.
const roundings = 1e-6

// sums bounds the error of float32 sums over the rows of these tests.
const sums = 4e-6

func TestEmbed(t *testing.T) {
	r := newRig(t, cpu.Options{})
	for _, f := range quant.All() {
		for _, scale := range []float32{0, 1, 1.5} {
			table, values := r.matrix(f, r.normal(7, 256))
			p := program(8)
			out := p.NewBuffer(256)
			p.Add(&device.Embed{Out: out, Table: table, Scale: scale})
			want := wide(values)
			for _, row := range want {
				for j := range row {
					if scale != 0 {
						row[j] *= float64(scale)
					}
				}
			}
			near(t, fmt.Sprintf("%s scaled by %v", f.Name, scale), r.evaluate(p, out, 7), want, roundings)
		}
	}
}

// TestEmbedPosition reads a table of positions out of order.
func TestEmbedPosition(t *testing.T) {
	r := newRig(t, cpu.Options{})
	for _, f := range quant.All() {
		table, values := r.matrix(f, r.normal(40, 256))
		p := program(4)
		out := p.NewOutput(256)
		x := p.NewBuffer(256)
		p.Add(&device.EmbedPosition{Out: x, Table: table}, &device.Gather{Out: out, X: x})
		e := r.compile(p)
		step := plainStep(4)
		step.Positions = []int32{39, 0, 17, 17}
		r.run(e, step)
		for i, row := range r.read(e, out, 4) {
			same(t, fmt.Sprintf("%s at %d", f.Name, step.Positions[i]), row, values[step.Positions[i]])
		}
		step.Positions[2] = 40
		if err := e.Submit(step); !errors.Is(err, device.ErrStep) {
			t.Errorf("a position past the table: %v", err)
		}
	}
}

func TestMatMul(t *testing.T) {
	r := newRig(t, cpu.Options{Workers: 3, Exact: true})
	for _, f := range quant.All() {
		for _, bias := range []bool{false, true} {
			const n, in, out = 5, 512, 37 // 37: a vocabulary need not be a multiple of 4
			x := r.normal(n, in)
			weight, w := r.matrix(f, r.normal(out, in))
			b := r.normal(1, out)[0]
			p := program(8)
			logits := p.NewOutput(out)
			op := &device.MatMul{Out: logits, X: output(p, r.input(p, x)), Weight: weight}
			if bias {
				op.Bias = r.vector(b)
			}
			p.Add(op)
			want := make([][]float64, n)
			for i := range want {
				want[i] = make([]float64, out)
				for j := range want[i] {
					for k := range in {
						want[i][j] += float64(x[i][k]) * float64(w[j][k])
					}
					if bias {
						want[i][j] += float64(b[j])
					}
				}
			}
			near(t, fmt.Sprintf("%s, bias %v", f.Name, bias), r.evaluate(p, logits, n), want, sums)
		}
	}
}

// mapped is a reader that shows its bytes, or as many as there are.
type mapped struct{ *bytes.Reader }

func (m mapped) Slice(off, n int64) ([]byte, error) {
	data := make([]byte, m.Size())
	if _, err := m.ReadAt(data, 0); err != nil {
		return nil, err
	}
	return data[off:min(off+n, m.Size())], nil
}

// TestStackedSources multiplies by query, key and value in one product.
func TestStackedSources(t *testing.T) {
	r := newRig(t, cpu.Options{Exact: true})
	f := format("Q8_0")
	x := r.normal(2, 64)
	m := device.Matrix{Name: "qkv", Format: f, Columns: 64}
	var w [][]float32
	for i, rows := range []int{8, 4, 12} {
		data, values := encode(f, r.normal(rows, 64))
		source := device.Source{Rows: rows, Reader: bytes.NewReader(data)}
		if i == 1 {
			source.Reader = mapped{bytes.NewReader(data)}
		}
		m.Sources, w = append(m.Sources, source), append(w, values...)
	}
	weight, err := r.Upload(context.Background(), m)
	r.check(err)
	if rows, columns := weight.Shape(); rows != 24 || columns != 64 || weight.Bytes() != 24*2*34 {
		t.Fatalf("[%d, %d] in %d bytes, want [24, 64] in %d", rows, columns, weight.Bytes(), 24*2*34)
	}
	p := program(2)
	out := p.NewBuffer(24)
	p.Add(&device.MatMul{Out: out, X: r.input(p, x), Weight: weight})
	want := make([][]float64, 2)
	for i := range want {
		for _, row := range w {
			sum := 0.0
			for k := range row {
				sum += float64(x[i][k]) * float64(row[k])
			}
			want[i] = append(want[i], sum)
		}
	}
	near(t, "qkv", r.evaluate(p, out, 2), want, sums)
}

func TestRMSNorm(t *testing.T) {
	r := newRig(t, cpu.Options{})
	for _, test := range []struct {
		name              string
		groups            int
		residual, inPlace bool
		epsilon           float64
	}{
		{name: "plain", epsilon: 1e-5},
		{name: "in place", inPlace: true, epsilon: 1e-5},
		{name: "residual", residual: true, epsilon: 1e-6},
		{name: "residual in place", residual: true, inPlace: true, epsilon: 1e-6},
		{name: "groups", groups: 4, epsilon: 0.5},
		{name: "residual and groups", groups: 2, residual: true, epsilon: 0.5},
	} {
		const n, width = 3, 32
		groups := max(1, test.groups)
		x, residual, weight := r.normal(n, width), r.normal(n, width), r.normal(1, width/groups)[0]
		p := program(4)
		op := &device.RMSNorm{X: r.input(p, x), Weight: r.vector(weight), Epsilon: float32(test.epsilon), Groups: test.groups}
		op.Out = op.X
		if !test.inPlace {
			op.Out = p.NewBuffer(width)
		}
		if test.residual {
			v := r.input(p, residual)
			op.Residual = &v
		}
		p.Add(op)
		sum, want := wide(x), make([][]float64, n)
		for i := range want {
			want[i] = make([]float64, width)
			if test.residual {
				for j := range sum[i] {
					sum[i][j] += float64(residual[i][j])
				}
			}
			for g := 0; g < width; g += width / groups {
				mean := 0.0
				for _, v := range sum[i][g : g+width/groups] {
					mean += v * v / float64(width/groups)
				}
				for j := range weight {
					want[i][g+j] = sum[i][g+j] / math.Sqrt(mean+test.epsilon) * float64(weight[j])
				}
			}
		}
		changed := output(p, op.X)
		near(t, test.name, r.evaluate(p, op.Out, n), want, roundings)
		if !test.inPlace {
			near(t, test.name+": X", r.evaluate(p, changed, n), sum, roundings)
		}
	}
}

func TestLayerNorm(t *testing.T) {
	r := newRig(t, cpu.Options{})
	for _, test := range []struct {
		name                    string
		residual, inPlace, bias bool
		mean, epsilon           float64
	}{
		{name: "plain", epsilon: 1e-5},
		{name: "in place", inPlace: true, epsilon: 1e-5},
		{name: "bias", bias: true, epsilon: 0.5},
		{name: "residual and bias", residual: true, bias: true, epsilon: 1e-6},
		{name: "residual and bias in place", residual: true, inPlace: true, bias: true, epsilon: 1e-6},
		{name: "far from zero", mean: 1000, bias: true, epsilon: 1e-5},
	} {
		const n, width = 3, 36
		x, residual := r.normal(n, width), r.normal(n, width)
		weight, bias := r.normal(1, width)[0], r.normal(1, width)[0]
		for _, row := range x {
			for j := range row {
				row[j] += float32(test.mean)
			}
		}
		p := program(4)
		op := &device.LayerNorm{X: r.input(p, x), Weight: r.vector(weight), Epsilon: float32(test.epsilon)}
		op.Out = op.X
		if !test.inPlace {
			op.Out = p.NewBuffer(width)
		}
		if test.residual {
			v := r.input(p, residual)
			op.Residual = &v
		}
		if test.bias {
			op.Bias = r.vector(bias)
		}
		p.Add(op)
		sum, want := wide(x), make([][]float64, n)
		for i := range want {
			want[i] = make([]float64, width)
			mean, variance := 0.0, 0.0
			for j := range sum[i] {
				if test.residual {
					sum[i][j] += float64(residual[i][j])
				}
				mean += sum[i][j] / width
			}
			for _, v := range sum[i] {
				variance += (v - mean) * (v - mean) / width
			}
			for j, v := range sum[i] {
				want[i][j] = (v - mean) / math.Sqrt(variance+test.epsilon) * float64(weight[j])
				if test.bias {
					want[i][j] += float64(bias[j])
				}
			}
		}
		changed := output(p, op.X)
		near(t, test.name, r.evaluate(p, op.Out, n), want, roundings)
		if !test.inPlace {
			near(t, test.name+": X", r.evaluate(p, changed, n), sum, roundings)
		}
	}
}

// TestSoftCap caps rows, and outputs that are no multiple of 4.
func TestSoftCap(t *testing.T) {
	r := newRig(t, cpu.Options{})
	for _, width := range []int{12, 10} {
		x := r.normal(3, 12)
		x[0][0], x[0][1], x[1][2] = 1000, -1000, 1e-6
		p := program(4)
		v := output(p, r.input(p, x)).Slice(0, width)
		p.Add(&device.SoftCap{X: v, Cap: 1.5})
		want := make([][]float64, len(x))
		for i, row := range x {
			for _, e := range row[:width] {
				want[i] = append(want[i], 1.5*math.Tanh(float64(e)/1.5))
			}
		}
		near(t, fmt.Sprintf("width %d", width), r.evaluate(p, v, 3), want, roundings)
	}
}

func TestGLU(t *testing.T) {
	activations := []func(x float64) float64{
		device.SiLU: func(x float64) float64 { return x / (1 + math.Exp(-x)) },
		device.GELUTanh: func(x float64) float64 {
			return 0.5 * x * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(x+0.044715*math.Pow(x, 3))))
		},
		device.GELU: func(x float64) float64 { return 0.5 * x * math.Erfc(-x/math.Sqrt2) },
	}
	r := newRig(t, cpu.Options{})
	for activation, f := range activations {
		for _, plain := range []bool{false, true} {
			x := r.normal(3, 48)
			x[0][0], x[0][1] = 100, -100
			p := program(4)
			both := r.input(p, x) // gate and up in one buffer, as one product makes them
			up := both.Slice(24, 24)
			op := &device.GLU{Out: p.NewBuffer(24), Gate: both.Slice(0, 24), Up: &up, Activation: device.Activation(activation)}
			if plain {
				op.Up = nil
			}
			p.Add(op)
			want := make([][]float64, len(x))
			for i, row := range x {
				for j := range 24 {
					y := f(float64(row[j]))
					if !plain {
						y *= float64(row[24+j])
					}
					want[i] = append(want[i], y)
				}
			}
			near(t, fmt.Sprintf("activation %d, plain %v", activation, plain), r.evaluate(p, op.Out, 3), want, roundings)
		}
	}
}

func TestAddInPlace(t *testing.T) {
	r := newRig(t, cpu.Options{})
	x, y := r.normal(3, 8), r.normal(3, 8)
	for place := range 3 {
		p := program(4)
		op := &device.Add{X: r.input(p, x), Y: r.input(p, y)}
		op.Out = [...]device.View{op.X, op.Y, p.NewBuffer(8)}[place]
		p.Add(op)
		got := r.evaluate(p, op.Out, 3)
		for i := range x {
			want := make([]float32, 8)
			for j := range want {
				want[j] = x[i][j] + y[i][j]
			}
			same(t, fmt.Sprintf("place %d, row %d", place, i), got[i], want)
		}
	}
}

// TestGather asks for some rows, one of them twice, of the middle of a buffer.
func TestGather(t *testing.T) {
	r := newRig(t, cpu.Options{})
	x := r.normal(8, 16)
	p := program(8)
	out := output(p, r.input(p, x).Slice(4, 8))
	e := r.compile(p)
	step := plainStep(8)
	step.Outputs = []int32{7, 0, 3, 0}
	r.run(e, step)
	for i, row := range r.read(e, out, 4) {
		same(t, fmt.Sprintf("output %d", i), row, x[step.Outputs[i]][4:12])
	}
	if err := e.Read(out, 4, make([]float32, 8)); err == nil {
		t.Error("output 4 of 4 was read")
	}
}
