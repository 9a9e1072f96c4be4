package engine

import (
	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/engine/sample"
)

// TensorKind says what an operation does. Package device defines the operations
// of the same names.
type TensorKind int

// The operations. Rows are those of Out, and of X where there is no Out.
const (
	TensorEmbed     TensorKind = iota + 1 // Out[i] = Scale * Weight[IDs[i]]
	TensorMatMul                          // Out = X · Weightᵀ + Bias
	TensorRMSNorm                         // X += Y; Out = X / sqrt(mean(X²) + Epsilon) * Weight
	TensorLayerNorm                       // X += Y; Out = (X - mean) / sqrt(var + Epsilon) * Weight + Bias
	TensorRope                            // X and Y are rotated by their positions; Y and Z are stored as keys and values
	TensorAttention                       // Out = softmax(Scale * X · keysᵀ) · values
	TensorSoftmax                         // Out = softmax(Scale * X)
	TensorGLU                             // Out = activation(X) * Y
	TensorSoftCap                         // X = SoftCap * tanh(X / SoftCap)
	TensorAdd                             // Out = X + Y
	TensorGather                          // Out[i] = X[IDs[i]]
	TensorTopK                            // Top has the K largest of every row of X
	TensorSample                          // Chosen has a token for every row of X
)

// String returns the name that errors and guests use.
func (k TensorKind) String() string {
	names := [...]string{"none", "embed", "matmul", "rms_norm", "layer_norm", "rope", "attention", "softmax", "glu", "soft_cap", "add", "gather", "top_k", "sample"}
	if k < 0 || int(k) >= len(names) {
		return "unknown"
	}
	return names[k]
}

// TensorView is rows in a buffer: row i begins at element Offset + i*Stride.
// Offset and Stride are multiples of 4; Stride 0 is the width of a row, rounded
// up to one. The buffer has room for every stride whole, save that the last may
// end with the buffer where the view begins inside of a stride.
type TensorView struct {
	Buffer *Buffer
	Offset int // elements
	Stride int // elements
}

// TensorOp is an operation. What a kind does not name has to be zero, or is
// passed over.
//
// The widths of a row are those of the weight, of the heads, or Width, a multiple
// of 4 but for Softmax, TopK and Sample, and the outputs of a MatMul, which may
// end inside the last four elements of their stride; what is behind such an end
// is not defined. A result may be in the place of an input, the same view, in
// RMSNorm, LayerNorm, Softmax and Add (X or Y), which may also have both in one
// buffer where they do not overlap; else it is in a buffer of its own. Query, key
// and value of a Rope are in one buffer, or the query in another than the two.
type TensorOp struct {
	Kind  TensorKind
	Rows  int // 1 to the device's MaxRows
	Width int // elements of a row of Out, or of X where there is no Out
	Out   TensorView
	// Y may be without a buffer in RMSNorm and LayerNorm, where it is a residual
	// that is added to X first, and in GLU.
	X, Y, Z TensorView

	Weight *Weight
	Bias   *Weight // MatMul, LayerNorm; nil: none

	// Rope and Attention: whose keys and values, of which layer, and the position
	// of the first row; those that follow have the positions after it. Rope writes
	// no position that follows one that is not there, and Attention sees only what
	// was written.
	Sequence *TensorSequence
	Layer    int
	// Position is also that of the first row of a causal Softmax, and that which a
	// Sample draws for: a row's random number is of its seed and position.
	Position int
	Window   int  // Attention: the last positions that are seen; 0: all
	Causal   bool // Softmax: a row at position p has p+1 elements, the rest are 0

	Groups     int // RMSNorm: of a row, each normalised by itself; 0: 1
	Activation device.Activation
	Scale      float32 // Embed, Attention, Softmax; 0: 1
	Epsilon    float32
	SoftCap    float32 // SoftCap; Attention: 0 is none

	IDs []int32 // [Rows] Embed: rows of Weight; Gather: rows of X

	K int // TopK: 1 to device.MaxTopK, at most Width
	// Sampler chooses in Sample, over rows of Width logits; nil: the best. It is
	// the operation's alone until the list is done.
	Sampler *sample.Sampler

	// Results, once the list is done.
	Top       []TensorCandidate // TopK [Rows][K], best first, the lower id first among equals
	LogSumExp []float32         // TopK [Rows] of the whole row
	Chosen    []int32           // Sample [Rows]
}

// TensorCandidate is an element of a row, and its index.
type TensorCandidate struct {
	ID    int32
	Logit float32
}

// operand is a view as an operation takes it.
type operand struct {
	name  string // of the field
	view  *TensorView
	width int
}

// operands are those of an operation: what it writes first. write is false for a
// kind that only reads.
type operands struct {
	all   [4]operand
	n     int
	write bool
}

func (o *operands) add(name string, v *TensorView, width int) {
	o.all[o.n] = operand{name, v, width}
	o.n++
}

// operands returns the views of an operation whose weights and sequence are
// there.
func (o *TensorOp) operands() operands {
	var l operands
	l.write = true
	switch o.Kind {
	case TensorEmbed:
		l.add("Out", &o.Out, o.Weight.Columns)
	case TensorMatMul:
		l.add("Out", &o.Out, o.Weight.Rows)
		l.add("X", &o.X, o.Weight.Columns)
	case TensorRMSNorm, TensorLayerNorm, TensorGLU:
		l.add("Out", &o.Out, o.Width)
		l.add("X", &o.X, o.Width)
		if o.Y.Buffer != nil {
			l.add("Y", &o.Y, o.Width)
		}
	case TensorRope:
		c := o.Sequence.model.model.Config()
		l.add("X", &o.X, c.HeadCount*c.HeadDim)
		l.add("Y", &o.Y, c.HeadCountKV*c.HeadDim)
		l.add("Z", &o.Z, c.HeadCountKV*c.HeadDim)
	case TensorAttention:
		c := o.Sequence.model.model.Config()
		l.add("Out", &o.Out, c.HeadCount*c.HeadDim)
		l.add("X", &o.X, c.HeadCount*c.HeadDim)
	case TensorSoftmax, TensorGather:
		l.add("Out", &o.Out, o.Width)
		l.add("X", &o.X, o.Width)
	case TensorSoftCap:
		l.add("X", &o.X, o.Width)
	case TensorAdd:
		l.add("Out", &o.Out, o.Width)
		l.add("X", &o.X, o.Width)
		l.add("Y", &o.Y, o.Width)
	case TensorTopK, TensorSample:
		l.add("X", &o.X, o.Width)
		l.write = false
	}
	return l
}

// stride returns that of a view of some width.
func (v *TensorView) stride(width int) int {
	if v.Stride == 0 {
		return (width + 3) &^ 3
	}
	return v.Stride
}

// place returns where a view is in rows of its stride: the element that they
// begin at, and the column of the view in them.
func (v *TensorView) place(width int) (base, column, stride int) {
	stride = v.stride(width)
	column = v.Offset % stride
	if column+width > stride { // its rows begin inside of one
		return v.Offset, 0, stride
	}
	return v.Offset - column, column, stride
}
