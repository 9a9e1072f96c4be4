package cpu_test

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/engine/device/cpu"
	"github.com/realm-webgpu/realm/shaders/quant"
)

// rig is a device and what tests need around it.
type rig struct {
	testing.TB
	*cpu.Device
	random *rand.Rand
}

func newRig(t testing.TB, o cpu.Options) *rig {
	t.Helper()
	d, err := cpu.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return &rig{t, d, rand.New(rand.NewPCG(1, 2))}
}

// must returns v of a call that cannot fail in a test.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func (r *rig) check(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

// normal returns normally distributed rows [rows][columns].
func (r *rig) normal(rows, columns int) [][]float32 {
	x := make([][]float32, rows)
	for i := range x {
		x[i] = make([]float32, columns)
		for j := range x[i] {
			x[i][j] = float32(r.random.NormFloat64())
		}
	}
	return x
}

func format(name string) *quant.Format {
	f, ok := quant.ByName(name)
	if !ok {
		panic(name)
	}
	return f
}

// encode returns rows in a format, and the values they have there.
func encode(f *quant.Format, rows [][]float32) (data []byte, values [][]float32) {
	for _, row := range rows {
		packed := make([]byte, must(f.RowBytes(len(row))))
		if err := f.Encode(packed, row, nil); err != nil {
			panic(err)
		}
		decoded := make([]float32, len(row))
		if err := f.Decode(decoded, packed); err != nil {
			panic(err)
		}
		data, values = append(data, packed...), append(values, decoded)
	}
	return data, values
}

// matrix uploads rows in a format and returns the values they have there.
func (r *rig) matrix(f *quant.Format, rows [][]float32) (device.Weights, [][]float32) {
	r.Helper()
	return r.experts(f, 1, rows)
}

// experts is matrix for n matrices, whose rows follow each other.
func (r *rig) experts(f *quant.Format, n int, rows [][]float32) (device.Weights, [][]float32) {
	r.Helper()
	data, values := encode(f, rows)
	w, err := r.Upload(context.Background(), device.Matrix{
		Name:    fmt.Sprintf("%s[%d, %d]", f.Name, n, len(rows)/n),
		Format:  f,
		Columns: len(rows[0]),
		Experts: n,
		Sources: []device.Source{{Rows: len(rows) / n, Reader: bytes.NewReader(data)}},
	})
	r.check(err)
	return w, values
}

func (r *rig) vector(values []float32) device.Weights {
	r.Helper()
	w, err := r.UploadVector(values)
	r.check(err)
	return w
}

// input adds an Embed to a program whose rows are those of x for the tokens
// 0, 1, 2, ...
func (r *rig) input(p *device.Program, x [][]float32) device.View {
	r.Helper()
	table, _ := r.matrix(format("F32"), x)
	out := p.NewBuffer(len(x[0]))
	p.Add(&device.Embed{Out: out, Table: table})
	return out
}

// output adds a Gather of a view of rows.
func output(p *device.Program, x device.View) device.View {
	out := p.NewOutput(x.Width)
	p.Add(&device.Gather{Out: out, X: x})
	return out
}

// program returns an empty program of n rows, all of which may be outputs.
func program(n int) *device.Program {
	return &device.Program{Name: "test", Rows: n, Outputs: n}
}

func (r *rig) compile(p *device.Program) device.Executable {
	r.Helper()
	e, err := r.Compile(p)
	r.check(err)
	return e
}

// count returns 0, 1, ... n-1.
func count(n int) []int32 {
	s := make([]int32, n)
	for i := range s {
		s[i] = int32(i)
	}
	return s
}

// plainStep is a step of n rows with the tokens 0, 1, ..., all of them outputs,
// for programs without a cache.
func plainStep(n int) *device.Step {
	return &device.Step{Tokens: count(n), Positions: make([]int32, n), Sequences: make([]int32, n), Outputs: count(n)}
}

// run submits a step and waits for it.
func (r *rig) run(e device.Executable, s *device.Step) device.Result {
	r.Helper()
	var result device.Result
	r.check(e.Submit(s))
	r.check(e.Wait(&result))
	return result
}

// read returns n rows of a view of outputs.
func (r *rig) read(e device.Executable, v device.View, n int) [][]float32 {
	r.Helper()
	rows := make([][]float32, n)
	for i := range rows {
		rows[i] = make([]float32, v.Width)
		r.check(e.Read(v, i, rows[i]))
	}
	return rows
}

// evaluate runs a program on n rows and returns those of a view of rows or of
// outputs.
func (r *rig) evaluate(p *device.Program, v device.View, n int) [][]float32 {
	r.Helper()
	if !p.Buffers[v.Buffer].Outputs {
		v = output(p, v)
	}
	e := r.compile(p)
	defer e.Release()
	r.run(e, plainStep(n))
	return r.read(e, v, n)
}

// near compares rows with their definition: the error may be bound times the
// root mean square of the row.
func near(t testing.TB, what string, got [][]float32, want [][]float64, bound float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d rows, want %d", what, len(got), len(want))
	}
	for i := range want {
		if len(got[i]) != len(want[i]) {
			t.Fatalf("%s: row %d has %d elements, want %d", what, i, len(got[i]), len(want[i]))
		}
		square := 0.0
		for _, x := range want[i] {
			square += x * x
		}
		limit := bound * math.Sqrt(square/float64(len(want[i])))
		for j, x := range want[i] {
			if e := math.Abs(float64(got[i][j]) - x); !(e <= limit) {
				t.Fatalf("%s: row %d, element %d is %v, want %v: off by %.3g, limit %.3g", what, i, j, got[i][j], x, e, limit)
			}
		}
	}
}

// same compares rows bit by bit.
func same(t testing.TB, what string, got, want []float32) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d elements, want %d", what, len(got), len(want))
	}
	for i := range want {
		if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
			t.Fatalf("%s: element %d is %v, want %v to the bit", what, i, got[i], want[i])
		}
	}
}

func wide(rows [][]float32) [][]float64 {
	out := make([][]float64, len(rows))
	for i, row := range rows {
		out[i] = make([]float64, len(row))
		for j, x := range row {
			out[i][j] = float64(x)
		}
	}
	return out
}
