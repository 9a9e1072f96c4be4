package model_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/engine/gguf"
	"github.com/realm-webgpu/realm/engine/model"
)

// What the forward passes of single architectures (llama_test.go and so on) are
// made of, in float64 and one row at a time. It is written from the papers, for
// architectures that have no golden, and shares nothing with the package.

// shape is a tensor of a random model; the dimensions are in the file's order.
type shape struct {
	name string
	dims []int
}

// layered returns the shapes of all layers, whose number stands in place of the star.
func layered(layers int, of ...shape) []shape {
	var all []shape
	for i := range layers {
		for _, s := range of {
			all = append(all, shape{strings.Replace(s.name, "*", string(rune('0'+i)), 1), s.dims})
		}
	}
	return all
}

// randomModel returns a file of random float32 tensors: matrices that keep the size
// of what they multiply, norms near one, biases near zero. Keys are those of the
// architecture, without its name.
func randomModel(t testing.TB, architecture string, keys map[string]gguf.Value, shapes []shape) *draft {
	t.Helper()
	d := &draft{t: t, meta: new(gguf.Metadata)}
	d.meta.Set("general.architecture", gguf.Scalar(architecture))
	for key, v := range keys {
		d.meta.Set(architecture+"."+key, v)
	}
	random := rand.New(rand.NewPCG(1, 2))
	for _, s := range shapes {
		n, middle, size := 1, 0.0, 0.3
		for _, dim := range s.dims {
			n *= dim
		}
		switch {
		case len(s.dims) > 1:
			size = 2 / math.Sqrt(float64(s.dims[0]))
		case strings.HasSuffix(s.name, "norm.weight"):
			middle = 1
		}
		values := make([]float32, n)
		for i := range values {
			values[i] = float32(middle + size*random.NormFloat64())
		}
		d.add(s.name, values, s.dims...)
	}
	return d
}

// someTokens returns ids of a vocabulary.
func someTokens(n, vocabulary int) []int32 {
	random := rand.New(rand.NewPCG(3, 4))
	tokens := make([]int32, n)
	for i := range tokens {
		tokens[i] = random.Int32N(int32(vocabulary))
	}
	return tokens
}

// weights is the tensors of a file as rows of float64.
type weights map[string][][]float64

func (d *draft) weights() weights {
	w := make(weights)
	for _, o := range d.tensors {
		var row []float64
		for _, v := range d.values(o.Name) {
			if row = append(row, float64(v)); len(row) == o.Dims[0] {
				w[o.Name] = append(w[o.Name], row)
				row = nil
			}
		}
	}
	return w
}

// vector returns a tensor of one row, without ".weight" or ".bias" in its name.
func (w weights) vector(name, suffix string) []float64 { return w[name+suffix][0] }

// times is W·x + b, with the bias there is.
func (w weights) times(name string, x []float64) []float64 {
	out := product(w[name+".weight"], x)
	if bias, ok := w[name+".bias"]; ok {
		out = sum(out, bias[0])
	}
	return out
}

func product(rows [][]float64, x []float64) []float64 {
	out := make([]float64, len(rows))
	for i, row := range rows {
		for j := range row {
			out[i] += row[j] * x[j]
		}
	}
	return out
}

// each applies a function to every element.
func each(x []float64, f func(float64) float64) []float64 {
	out := make([]float64, len(x))
	for i := range x {
		out[i] = f(x[i])
	}
	return out
}

func sum(a, b []float64) []float64 {
	out := slices.Clone(a)
	for i := range out {
		out[i] += b[i]
	}
	return out
}

func times(a, b []float64) []float64 {
	out := slices.Clone(a)
	for i := range out {
		out[i] *= b[i]
	}
	return out
}

func scaled(x []float64, by float64) []float64 {
	return each(x, func(v float64) float64 { return v * by })
}

func (w weights) rmsNorm(name string, x []float64, epsilon float64) []float64 {
	squares := 0.0
	for _, v := range x {
		squares += v * v
	}
	return times(scaled(x, 1/math.Sqrt(squares/float64(len(x))+epsilon)), w.vector(name, ".weight"))
}

func (w weights) layerNorm(name string, x []float64, epsilon float64) []float64 {
	mean, variance := 0.0, 0.0
	for _, v := range x {
		mean += v / float64(len(x))
	}
	for _, v := range x {
		variance += (v - mean) * (v - mean) / float64(len(x))
	}
	out := each(x, func(v float64) float64 { return (v - mean) / math.Sqrt(variance+epsilon) })
	return sum(times(out, w.vector(name, ".weight")), w.vector(name, ".bias"))
}

func silu(x float64) float64 { return x / (1 + math.Exp(-x)) }

func gelu(x float64) float64 { return x / 2 * (1 + math.Erf(x/math.Sqrt2)) }

func geluTanh(x float64) float64 {
	return x / 2 * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x)))
}

func capped(limit float64) func(float64) float64 {
	return func(x float64) float64 { return limit * math.Tanh(x/limit) }
}

func softmax(x []float64) []float64 {
	out, total, most := make([]float64, len(x)), 0.0, slices.Max(x)
	for i := range x {
		out[i] = math.Exp(x[i] - most)
		total += out[i]
	}
	return scaled(out, 1/total)
}

// heads cuts a row.
func heads(x []float64, dim int) [][]float64 {
	var out [][]float64
	for h := range slices.Chunk(x, dim) {
		out = append(out, slices.Clone(h))
	}
	return out
}

// rotate turns the pairs of a head at a position: pairs of neighbours, or of the two
// halves. The frequency of a pair is in radians for a position.
func rotate(head []float64, position int, halves bool, frequency func(pair int) float64) {
	for i := range len(head) / 2 {
		a, b := 2*i, 2*i+1
		if halves {
			a, b = i, i+len(head)/2
		}
		sin, cos := math.Sincos(float64(position) * frequency(i))
		head[a], head[b] = head[a]*cos-head[b]*sin, head[a]*sin+head[b]*cos
	}
}

// powers are the frequencies of a base.
func powers(base float64, dim int) func(int) float64 {
	return func(pair int) float64 { return math.Pow(base, -2*float64(pair)/float64(dim)) }
}

// attend returns the values that a row sees, weighted: heads [rows][heads][dim] of
// queries, and [rows][heads of keys][dim] of keys and values. score changes a scaled
// product; sees says which rows are seen.
func attend(row int, q, k, v [][][]float64, score func(float64) float64, sees func(row, other int) bool) []float64 {
	var out []float64
	for h, query := range q[row] {
		kv := h * len(k[row]) / len(q[row])
		var scores []float64
		var values [][]float64
		for other := range k {
			if sees(row, other) {
				scores = append(scores, score(product([][]float64{query}, k[other][kv])[0]))
				values = append(values, v[other][kv])
			}
		}
		head := make([]float64, len(query))
		for i, p := range softmax(scores) {
			head = sum(head, scaled(values[i], p))
		}
		out = append(out, head...)
	}
	return out
}

func causal(row, other int) bool { return other <= row }

// sameAs compares all rows of a model on a device with the reference's.
func sameAs(t *testing.T, d bench, f *gguf.File, tokens []int32, hidden bool, want [][]float64) {
	t.Helper()
	m := load(t, f, d, model.Options{})
	s := newSession(t, d, m, device.CacheF32)
	s.hidden = hidden
	var got, flat []float32
	for i, row := range s.step(tokens, len(tokens)) {
		got = append(got, row...)
		for _, v := range want[i] {
			flat = append(flat, float32(v))
		}
	}
	bound := d.bound
	if d.name == "cpu" {
		bound = 1e-10 // the reference is float64: the error function shows
	}
	compare(t, got, flat, bound)
}
