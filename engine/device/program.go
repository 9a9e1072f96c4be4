package device

// Program is the forward pass of a model over one bucket of rows: operations
// in order, over virtual buffers that the device places in memory by their
// liveness. Buffers have float32 elements and one row for each row of the
// step, or, after Gather, one for each output.
type Program struct {
	Name    string // for errors and profiles
	Rows    int    // T: the largest number of rows of a step, a power of two
	Outputs int    // the largest number of outputs of a step; may be 0
	// Sequences and Pages bound a step's block tables.
	Sequences, Pages int
	Cache            Cache
	// Aside is a program beside those that write a text: the cache does not keep
	// what it chooses, nor forgets what the step before it chose. Its own tokens
	// are never Chosen ones.
	Aside   bool
	Buffers []Buffer
	Ops     []Op
}

// Buffer is a virtual buffer [Rows, Width], or [Outputs, Width]. The device
// places it, or it is in a storage of the host's (Tensors): what is there from
// before may be read, and what is written stays. Buffers of one storage are
// taken for apart: where what an operation writes overlaps what it reads through
// another buffer, its results are not defined.
type Buffer struct {
	Width   int // elements of a row, a multiple of 4
	Outputs bool
	Storage Storage // nil: the device's own
	Offset  int     // elements of the storage before row 0, a multiple of 4
}

// BufferID is the index of a Buffer in its Program.
type BufferID int

// View is the columns [Offset, Offset+Width) of every row of a buffer. Offset
// and Width are multiples of 4, save that what a MatMul writes, and the logits
// of a SoftCap, a Softmax, an Experts or a TopK, may end inside the last four
// elements of their buffer: not every vocabulary is a multiple of 4. What is behind such an
// end is not defined.
type View struct {
	Buffer        BufferID
	Offset, Width int
}

// Slice returns the columns [offset, offset+width) of v.
func (v View) Slice(offset, width int) View {
	return View{v.Buffer, v.Offset + offset, width}
}

// NewBuffer adds a buffer of rows and returns the view of all of it.
func (p *Program) NewBuffer(width int) View { return p.newBuffer(width, false) }

// NewOutput adds a buffer of outputs and returns the view of all of it.
func (p *Program) NewOutput(width int) View { return p.newBuffer(width, true) }

func (p *Program) newBuffer(width int, outputs bool) View {
	p.Buffers = append(p.Buffers, Buffer{Width: (width + 3) &^ 3, Outputs: outputs})
	return View{Buffer: BufferID(len(p.Buffers) - 1), Width: width}
}

// Add appends operations.
func (p *Program) Add(ops ...Op) { p.Ops = append(p.Ops, ops...) }

// Op is one operation of a Program; the types below are all there are.
type Op interface {
	// Views returns what the operation reads and what it writes; a view that
	// it changes in place is in both.
	Views() (reads, writes []View)
}

// Embed gathers the rows of Table that the step's tokens name:
// Out[t] = Scale * Table[Tokens[t]].
type Embed struct {
	Out   View
	Table Weights // [n_vocab, n_embd], any format
	Scale float32 // 0 means 1
}

// EmbedPosition gathers the rows of Table that the step's positions name:
// Out[t] = Table[Positions[t]].
type EmbedPosition struct {
	Out   View
	Table Weights // [positions, n_embd], any format
}

// RMSNorm normalises every row (Zhang and Sennrich 2019):
//
//	X += Residual                       (when there is one, written back to X)
//	Out = X / sqrt(mean(X²) + Epsilon) * Weight
//
// With Groups over 1, a row is that many groups of Width/Groups elements, each
// normalised on its own with the same Weight (query and key norms).
// Out may be X.
type RMSNorm struct {
	Out, X   View
	Residual *View
	Weight   Weights // [Width/Groups]
	Epsilon  float32
	Groups   int // 0 means 1
}

// LayerNorm normalises every row (Ba et al. 2016):
//
//	X += Residual                       (when there is one, written back to X)
//	Out = (X - mean(X)) / sqrt(var(X) + Epsilon) * Weight + Bias
//
// Out may be X.
type LayerNorm struct {
	Out, X       View
	Residual     *View
	Weight, Bias Weights // [Width]; Bias may be nil
	Epsilon      float32
}

// MatMul is Out = X · Wᵀ + Bias: [T, n_in] by [n_out, n_in] gives [T, n_out]. With a
// Bank, a row t that has a slot in Step.Adapters gets what its adapter changes on top:
//
//	Out[t] += Scales[t] * B · (A · X[t])
type MatMul struct {
	Out, X View
	Weight Weights
	Bias   Weights // [n_out] or nil
	Bank   *Bank   // nil: rows have no adapters here
}

// RopeMode says which elements of a head are rotated together.
type RopeMode int

// The rotary modes.
const (
	RopeNormal RopeMode = iota // pairs (2i, 2i+1)
	RopeNeoX                   // pairs (i, i+Dimensions/2)
)

// Rope rotates Query and Key by their positions (Su et al. 2021) and stores
// the rotated keys and the values in the cache at Layer. Query is changed in
// place; Key is not defined afterwards.
type Rope struct {
	Query       View // [T, HeadCount*HeadDim]
	Key, Value  View // [T, HeadCountKV*HeadDim]
	Layer       int
	HeadCount   int
	HeadCountKV int
	HeadDim     int
	Dimensions  int // elements of each head that are rotated: even, at most HeadDim; 0: none
	Mode        RopeMode
	Table       Weights // [positions][Dimensions/2][cos, sin]; nil when Dimensions is 0
}

// Attention is Out = softmax(Scale * Q·Kᵀ) · V over the cached keys and values
// of the row's sequence, with grouped heads (query head h reads key head
// h * HeadCountKV / HeadCount).
type Attention struct {
	Out, Query  View // [T, HeadCount*HeadDim]
	Layer       int
	HeadCount   int
	HeadCountKV int
	HeadDim     int
	Scale       float32
	// Window limits a row at position p to positions over p-Window; 0: none.
	Window int
	// SoftCap replaces a score s by SoftCap*tanh(s/SoftCap); 0: none.
	SoftCap float32
	// Bidirectional rows see all of their sequence; others only what is at or
	// before their position.
	Bidirectional bool
}

// Activation is the non-linearity of a gated unit.
type Activation int

// The activations.
const (
	SiLU     Activation = iota // x / (1 + e^-x)
	GELUTanh                   // the tanh approximation of GELU
	GELU                       // 0.5 x (1 + erf(x/√2))
)

// GLU is Out = activation(Gate) * Up (Shazeer 2020). Up is nil for a plain
// activation.
type GLU struct {
	Out, Gate  View
	Up         *View
	Activation Activation
}

// Experts is a mixture of gated feed-forward networks (Shazeer et al. 2017,
// as in Mixtral): the Used experts with the largest Router logits, lower index
// first among equals, weighted by the softmax over those alone:
//
//	Out = sum over chosen e of weight[e] * Down[e] · (activation(Gate[e] · X) * (Up[e] · X))
type Experts struct {
	Out, X     View    // [T, n_embd]
	Router     View    // [T, n_expert] logits
	Gate, Up   Weights // n_expert matrices [n_ff, n_embd]
	Down       Weights // n_expert matrices [n_embd, n_ff]
	Used       int     // 1 to MaxExperts, at most n_expert
	Activation Activation
}

// MaxExperts bounds Experts.Used.
const MaxExperts = 16

// SoftCap replaces every element x of X by Cap*tanh(x/Cap).
type SoftCap struct {
	X   View
	Cap float32 // over 0
}

// Softmax is Out = softmax(Scale * X) of every row: what exp(Scale*x) is of the
// sum over the row. Out may be X. A row with NaN or +Inf, or with nothing but
// -Inf, is not defined.
type Softmax struct {
	Out, X View
	Scale  float32 // 0 means 1
	// Causal rows at position p have p+1 elements, or Width where that is less;
	// the others are left out, and 0 in Out. They are of rows, not of outputs.
	Causal bool
}

// Add is Out = X + Y. Out may be X or Y.
type Add struct{ Out, X, Y View }

// Gather copies the rows that want output: Out[i] = X[Outputs[i]]. What
// follows on Out is computed for those rows only. Where X is in a storage, its
// rows are all that have room there.
type Gather struct{ Out, X View }

// TopK finds the K largest elements of every row of Logits, and the logarithm
// of the sum of their exponentials over the whole row, for Result; K is at
// most MaxTopK. The first is what Result.Chosen and Chosen tokens say, unless
// a Sample follows.
type TopK struct {
	Logits View
	K      int
}

// Sample draws Result.Chosen from TopK's candidates as Step.Samplers say.
type Sample struct{}

// MaxTopK bounds TopK.K.
const MaxTopK = 64

// Views of each operation.

func (o *Embed) Views() (r, w []View) { return nil, []View{o.Out} }

func (o *EmbedPosition) Views() (r, w []View) { return nil, []View{o.Out} }

func (o *LayerNorm) Views() (r, w []View) {
	if o.Residual != nil {
		return []View{o.X, *o.Residual}, []View{o.Out, o.X}
	}
	return []View{o.X}, []View{o.Out}
}

func (o *Experts) Views() (r, w []View) { return []View{o.X, o.Router}, []View{o.Out} }

func (o *SoftCap) Views() (r, w []View) { return []View{o.X}, []View{o.X} }

func (o *RMSNorm) Views() (r, w []View) {
	if o.Residual != nil {
		return []View{o.X, *o.Residual}, []View{o.Out, o.X}
	}
	return []View{o.X}, []View{o.Out}
}

func (o *MatMul) Views() (r, w []View) { return []View{o.X}, []View{o.Out} }

func (o *Rope) Views() (r, w []View) {
	return []View{o.Query, o.Key, o.Value}, []View{o.Query}
}

func (o *Attention) Views() (r, w []View) { return []View{o.Query}, []View{o.Out} }

func (o *GLU) Views() (r, w []View) {
	if o.Up == nil {
		return []View{o.Gate}, []View{o.Out}
	}
	return []View{o.Gate, *o.Up}, []View{o.Out}
}

func (o *Softmax) Views() (r, w []View) { return []View{o.X}, []View{o.Out} }

func (o *Add) Views() (r, w []View) { return []View{o.X, o.Y}, []View{o.Out} }

func (o *Gather) Views() (r, w []View) { return []View{o.X}, []View{o.Out} }

func (o *TopK) Views() (r, w []View) { return []View{o.Logits}, nil }

func (o *Sample) Views() (r, w []View) { return nil, nil }
