package simd

import (
	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/shaders/quant"
)

// Rows are rows of float32: Width elements each, Stride apart.
type Rows struct {
	Data          []float32
	Stride, Width int
}

// Row returns row i [Width].
func (r *Rows) Row(i int) []float32 {
	at := i * r.Stride
	return r.Data[at : at+r.Width : at+r.Width]
}

// Activations are rows [n, width] rounded to signed bytes, 32 with a scale.
type Activations struct {
	Quants []int8    // [n][width]
	Scales []float32 // [n][width/32]
	Sums   []int32   // [n][width/32] of the quants, negative: first half, second half, both
}

// NewActivations returns room for rows of that many elements in all.
func NewActivations(elements int) Activations {
	return Activations{make([]int8, elements), make([]float32, elements/unit), make([]int32, 3*elements/unit)}
}

// ActivationBytes returns the memory of NewActivations.
func ActivationBytes(elements int) int64 { return int64(elements) + 16*int64(elements/unit) }

// Multiplication is what a product works on: the tiles of packed weights with
// columns [First, Last) of activations, of which every row is one.
type Multiplication struct {
	Packing     *Packing
	Weights     []byte // from tile 0 on
	Activations *Activations
	First, Last int
	// Out has a row for each column: its elements are the rows RowFirst to RowFirst +
	// Out.Width of the weights. Bias has as many elements; nil: none.
	Out      Rows
	RowFirst int
	Bias     []float32
}

// Attention is queries [n, Dim] of one key head over the tokens of a sequence.
type Attention struct {
	Out, Queries []float32
	Dim          int
	// Keys [page][Dim][token] and values [page][token][Dim] of the layer and the head,
	// pages PageStride apart: in float16, or in float32 where Half is not.
	Keys, Values         []float32
	HalfKeys, HalfValues []uint16
	Half                 bool
	Pages                []int32
	PageStride           int
	Begins, Ends         []int32 // [n] the tokens of each query
	Scale, Cap           float32 // Cap 0: none
	Scores               []float32
	Stride               int // of the scores of a query: the tokens of all pages
	// Page [PageTokens*Dim] and Sums [n, Dim] are scratch of the plain Go arithmetic.
	Page []float32
	Sums []float64
}

// Product is the kernel of a layout.
type Product interface {
	// Multiply computes the rows of the tiles [first, last).
	Multiply(m *Multiplication, first, last int)
}

// Kernels are those of one instruction set. Their methods may be called from many
// goroutines. Rows [first, last) are counted from the first of each Rows; Rows
// without data, and nil slices, are left out where a comment says so.
type Kernels interface {
	// Name returns the name of the instruction set.
	Name() string
	// Pause lets some tens of nanoseconds pass.
	Pause()

	// Product returns the kernel of a packing, if there is one.
	Product(p *Packing) (Product, bool)
	// Quantise rounds the rows [first, last) of x to those of a from row to on.
	Quantise(a *Activations, to int, x Rows, first, last int)
	// Plain computes the rows [first, last) of a matrix of plain numbers, times the
	// columns [from, to) of x, each a row; bias may be nil.
	Plain(l *quant.Layout, weights []byte, rowBytes, first, last int, x Rows, from, to int, out Rows, bias []float32)

	// Add is device.Add.
	Add(out, x, y Rows, first, last int)
	// RMSNorm is device.RMSNorm of groups of len(weight); without residual there is none.
	RMSNorm(out, x, residual Rows, weight []float32, epsilon float32, first, last int)
	// LayerNorm is device.LayerNorm; residual and bias may be left out.
	LayerNorm(out, x, residual Rows, weight, bias []float32, epsilon float32, first, last int)
	// GLU is device.GLU; up may be left out.
	GLU(a device.Activation, out, gate, up Rows, first, last int)
	// SoftCap is device.SoftCap.
	SoftCap(x Rows, limit float32, first, last int)
	// Softmax turns x into the softmax of it.
	Softmax(x []float32)
	// LogSumExp returns log(sum(exp(x))).
	LogSumExp(x []float32) float32
	// Above returns the index of the first element from first on that is over limit,
	// or len(x).
	Above(x []float32, first int, limit float32) int
	// Rotate turns pairs in every head of x by angles [pairs][cos, sin]: pair i is the
	// elements i*step and i*step+other.
	Rotate(x []float32, headDim int, angles []float32, step, other int)
	// ToF16 converts x, held to the finite range.
	ToF16(out []uint16, x []float32)
	// Attend computes an attention.
	Attend(a *Attention)
	// ScaleAdd adds scale times x to out.
	ScaleAdd(out, x []float32, scale float32)
	// Down computes some rows of x, times each row of A of an adapter, times the scale of
	// the row. A is laid [x.Width/4][out.Width][4]; widths are multiples of 4.
	Down(out, x Rows, rows []int32, scales, bank []float32)
	// Up adds to some rows of out the rows of B of an adapter, stride elements apart, each
	// times an element of that row of by.
	Up(out Rows, rows []int32, bank []float32, stride int, by Rows)
}
