package conformance

import (
	"fmt"
	"math"

	"github.com/realm-webgpu/realm/engine/device"
)

// reference interprets programs in float64. Weights and caches are known to it
// by the device's own objects.
type reference struct {
	weights map[device.Weights]*tensor
	caches  map[device.Cache]*store
	// storages hold what their elements should be; buffers in them are parts of
	// these slices.
	storages map[device.Storage][]float64
}

// tensor is a matrix [experts, rows, columns] with the exact values that it was
// uploaded with.
type tensor struct {
	experts, rows, columns int
	values                 []float32
}

func (t *tensor) row(i int) []float32 { return t.values[i*t.columns : (i+1)*t.columns] }

// expert returns one of the matrices.
func (t *tensor) expert(i int) *tensor {
	n := t.rows * t.columns
	return &tensor{1, t.rows, t.columns, t.values[i*n : (i+1)*n]}
}

// times returns the product of a vector and row i.
func (t *tensor) times(x []float64, i int) float64 {
	sum := 0.0
	for k, w := range t.row(i) {
		sum += x[k] * float64(w)
	}
	return sum
}

// outcome is what a step leaves behind: all buffers, and the result. What is
// not defined is NaN.
type outcome struct {
	buffers []grid
	logits  *device.View // of TopK
	result  device.Result
}

// grid is a buffer [rows, width].
type grid struct {
	width  int
	values []float64
}

func (o *outcome) row(v device.View, i int) []float64 {
	g := o.buffers[v.Buffer]
	start := i*g.width + v.Offset
	return g.values[start : start+v.Width]
}

// pass is one step of one program.
type pass struct {
	*reference
	program *device.Program
	step    *device.Step
	*outcome
}

// run computes a step. It fails where the suite itself is wrong: weights it did
// not make, or an operation it does not know.
func (r *reference) run(p *device.Program, s *device.Step) (*outcome, error) {
	o := &outcome{buffers: make([]grid, len(p.Buffers))}
	for i, b := range p.Buffers {
		rows := len(s.Tokens)
		if b.Outputs {
			rows = len(s.Outputs)
		}
		if b.Storage != nil {
			o.buffers[i] = grid{b.Width, r.storages[b.Storage][b.Offset:]}
			continue
		}
		values := make([]float64, rows*b.Width)
		for j := range values {
			values[j] = math.NaN()
		}
		o.buffers[i] = grid{b.Width, values}
	}
	x := &pass{r, p, s, o}
	for i, op := range p.Ops {
		if err := x.operation(op); err != nil {
			return nil, fmt.Errorf("reference: program %q: op %d: %w", p.Name, i, err)
		}
	}
	if o.logits != nil {
		r.caches[p.Cache].choose(o.result.Chosen)
	}
	return o, nil
}

func (x *pass) operation(op device.Op) error {
	switch o := op.(type) {
	case *device.Embed:
		return x.embed(o)
	case *device.EmbedPosition:
		return x.embedPosition(o)
	case *device.RMSNorm:
		return x.norm(o)
	case *device.LayerNorm:
		return x.layerNorm(o)
	case *device.MatMul:
		return x.matmul(o)
	case *device.Rope:
		return x.rope(o)
	case *device.Attention:
		return x.attention(o)
	case *device.GLU:
		x.glu(o)
	case *device.Experts:
		return x.experts(o)
	case *device.SoftCap:
		for i := range x.rows(o.X) {
			row := x.row(o.X, i)
			for j, v := range row {
				row[j] = float64(o.Cap) * math.Tanh(v/float64(o.Cap))
			}
		}
	case *device.Softmax:
		x.softmax(o)
	case *device.Add:
		for i := range x.rows(o.Out) {
			out, a, b := x.row(o.Out, i), x.row(o.X, i), x.row(o.Y, i)
			for j := range out {
				out[j] = a[j] + b[j]
			}
		}
	case *device.Gather:
		for i, row := range x.step.Outputs {
			copy(x.row(o.Out, i), x.row(o.X, int(row)))
		}
	case *device.TopK:
		x.topK(o)
	case *device.Sample:
		x.sample()
	default:
		return fmt.Errorf("%T is not known", op)
	}
	return nil
}

// rows returns how many rows a view has in this step.
func (x *pass) rows(v device.View) int {
	if x.program.Buffers[v.Buffer].Outputs {
		return len(x.step.Outputs)
	}
	return len(x.step.Tokens)
}

func (x *pass) tensor(w device.Weights) (*tensor, error) {
	if t := x.weights[w]; t != nil {
		return t, nil
	}
	return nil, fmt.Errorf("weights %v were not made by this case", w)
}

func (x *pass) embed(o *device.Embed) error {
	table, err := x.tensor(o.Table)
	if err != nil {
		return err
	}
	scale := float64(o.Scale)
	if scale == 0 {
		scale = 1
	}
	for i, token := range x.step.Tokens {
		if token < 0 {
			token = x.caches[x.program.Cache].chosen[-1-token]
		}
		out := x.row(o.Out, i)
		for j, v := range table.row(int(token)) {
			out[j] = scale * float64(v)
		}
	}
	return nil
}

func (x *pass) embedPosition(o *device.EmbedPosition) error {
	table, err := x.tensor(o.Table)
	if err != nil {
		return err
	}
	for i, position := range x.step.Positions {
		out := x.row(o.Out, i)
		for j, v := range table.row(int(position)) {
			out[j] = float64(v)
		}
	}
	return nil
}

func (x *pass) norm(o *device.RMSNorm) error {
	weight, err := x.tensor(o.Weight)
	if err != nil {
		return err
	}
	for i := range x.rows(o.X) {
		in, out := x.row(o.X, i), x.row(o.Out, i)
		x.addResidual(in, o.Residual, i)
		n := weight.columns
		for at := 0; at < len(in); at += n {
			sum := 0.0
			for _, v := range in[at : at+n] {
				sum += v * v
			}
			inverse := 1 / math.Sqrt(sum/float64(n)+float64(o.Epsilon))
			for j, w := range weight.values {
				out[at+j] = in[at+j] * inverse * float64(w)
			}
		}
	}
	return nil
}

func (x *pass) layerNorm(o *device.LayerNorm) error {
	weight, err := x.tensor(o.Weight)
	if err != nil {
		return err
	}
	bias := &tensor{values: make([]float32, weight.columns)}
	if o.Bias != nil {
		if bias, err = x.tensor(o.Bias); err != nil {
			return err
		}
	}
	for i := range x.rows(o.X) {
		in, out := x.row(o.X, i), x.row(o.Out, i)
		x.addResidual(in, o.Residual, i)
		mean, variance := 0.0, 0.0
		for _, v := range in {
			mean += v
		}
		mean /= float64(len(in))
		for _, v := range in {
			variance += (v - mean) * (v - mean)
		}
		inverse := 1 / math.Sqrt(variance/float64(len(in))+float64(o.Epsilon))
		for j, v := range in {
			out[j] = (v-mean)*inverse*float64(weight.values[j]) + float64(bias.values[j])
		}
	}
	return nil
}

// addResidual adds row i of a residual, if there is one, to a row.
func (x *pass) addResidual(row []float64, residual *device.View, i int) {
	if residual == nil {
		return
	}
	for j, v := range x.row(*residual, i) {
		row[j] += v
	}
}

func (x *pass) matmul(o *device.MatMul) error {
	weight, err := x.tensor(o.Weight)
	if err != nil {
		return err
	}
	bias := &tensor{values: make([]float32, weight.rows)}
	if o.Bias != nil {
		if bias, err = x.tensor(o.Bias); err != nil {
			return err
		}
	}
	for i := range x.rows(o.X) {
		in, out := x.row(o.X, i), x.row(o.Out, i)
		for j := range out {
			out[j] = weight.times(in, j) + float64(bias.values[j])
		}
		if o.Bank != nil {
			x.adapt(o, i)
		}
	}
	return nil
}

// slot returns the adapter of a row, or of an output, and its scale.
func (x *pass) slot(v device.View, i int) (slot int, scale float64) {
	if x.program.Buffers[v.Buffer].Outputs {
		i = int(x.step.Outputs[i])
	}
	return int(x.step.Adapters[i]), float64(x.step.Scales[i])
}

// adapt adds to row i of a product what its adapter, if it has one, changes.
func (x *pass) adapt(o *device.MatMul, i int) {
	slot, scale := x.slot(o.Out, i)
	if slot < 0 {
		return
	}
	b := o.Bank
	down, up, width, rows := x.storages[b.Down], x.storages[b.Up], b.Width(), b.Rows()
	narrow := make([]float64, width)
	for k, v := range x.row(o.X, i) {
		for j := range narrow {
			narrow[j] += v * down[((slot*b.Columns/4+k/4)*width+j)*4+k%4]
		}
	}
	out, at := x.row(o.Out, i), 0
	for part, n := range b.Parts {
		for j := at; j < at+n; j++ {
			for r := range b.Rank {
				out[j] += scale * up[(slot*b.Rank+r)*rows+j] * narrow[part*b.Rank+r]
			}
		}
		at += n
	}
}

func (x *pass) softmax(o *device.Softmax) {
	scale := float64(o.Scale)
	if scale == 0 {
		scale = 1
	}
	for i := range x.rows(o.Out) {
		out, n := x.row(o.Out, i), o.Out.Width
		if o.Causal {
			n = min(n, int(x.step.Positions[i])+1)
		}
		for j, v := range x.row(o.X, i)[:n] {
			out[j] = scale * v
		}
		softmax(out[:n])
		clear(out[n:])
	}
}

func (x *pass) glu(o *device.GLU) {
	for i := range x.rows(o.Out) {
		out, gate := x.row(o.Out, i), x.row(o.Gate, i)
		for j, g := range gate {
			out[j] = activate(o.Activation, g)
		}
		if o.Up != nil {
			for j, up := range x.row(*o.Up, i) {
				out[j] *= up
			}
		}
	}
}

// experts computes an expert after the other, the most likely first.
func (x *pass) experts(o *device.Experts) error {
	var matrices [3]*tensor
	for i, w := range []device.Weights{o.Gate, o.Up, o.Down} {
		var err error
		if matrices[i], err = x.tensor(w); err != nil {
			return err
		}
	}
	for i := range x.rows(o.Out) {
		in, out, logits := x.row(o.X, i), x.row(o.Out, i), x.row(o.Router, i)
		ids, _ := rank(float32s(logits), o.Used)
		shares := make([]float64, o.Used)
		for j, id := range ids {
			shares[j] = logits[id]
		}
		softmax(shares)
		clear(out)
		for j, id := range ids {
			gate, up, down := matrices[0].expert(int(id)), matrices[1].expert(int(id)), matrices[2].expert(int(id))
			hidden := make([]float64, gate.rows)
			for k := range hidden {
				hidden[k] = activate(o.Activation, gate.times(in, k)) * up.times(in, k)
			}
			for k := range out {
				out[k] += shares[j] * down.times(hidden, k)
			}
		}
	}
	return nil
}

func activate(a device.Activation, x float64) float64 {
	switch a {
	case device.SiLU:
		return x / (1 + math.Exp(-x))
	case device.GELUTanh: // Hendrycks and Gimpel 2016
		return 0.5 * x * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x)))
	case device.GELU: // 1 + erf(z) = erfc(-z), without the cancellation
		return 0.5 * x * math.Erfc(-x/math.Sqrt2)
	}
	return math.NaN()
}
