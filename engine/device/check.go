package device

import (
	"fmt"
	"math"
	"reflect"
)

// maxWidth bounds the elements of a row of a buffer, so that sizes in bytes
// can be counted. It is some sixty times the largest vocabulary there is.
const maxWidth = 1 << 24

// maxTable bounds the entries of a step's block tables together.
const maxTable = 1 << 24

// Check reports the first thing in a program that no device can run: every
// backend calls it first in Compile, with the MaxRows of its [Info]. What it
// returns wraps [ErrProgram] and names the program, the operation by its index
// and type, the field, and what it had to be.
//
// The rules that the comments of program.go leave open:
//
//   - The width of a view is a multiple of 4, except that the outputs of a
//     matrix need not be: MatMul.Out, SoftCap.X, Softmax.X and Out,
//     Experts.Router and TopK.Logits may end inside the last four elements of their buffer. What is behind the
//     end is not defined.
//   - All views of an operation are of rows or all are of outputs, save those
//     of Gather. Embed, EmbedPosition, Rope and Attention take rows, TopK
//     outputs.
//   - Weights are one matrix, save those of Experts: these have one for each
//     column of its Router.
//   - What an operation reads, one before it has written, or is in a storage.
//   - What an operation writes overlaps what it reads only where its comment
//     says that they may be the same view, and then they are exactly the same.
func (p *Program) Check(maxRows int) error {
	c := checker{program: p, op: -1, written: make([]bool, len(p.Buffers))}
	c.header(maxRows)
	for i, op := range p.Ops {
		if c.err != nil {
			break
		}
		c.op = i
		c.operation(op)
	}
	return c.err
}

// checker keeps the first error it finds; checks after it change nothing.
type checker struct {
	program *Program
	op      int    // index of the operation looked at, or -1
	written []bool // by buffer: an operation wrote to it
	topK    bool   // the operations so far have a TopK,
	sample  bool   // and a Sample
	err     error
}

// fail records that a field is not what it has to be.
func (c *checker) fail(field, format string, args ...any) {
	if c.err != nil {
		return
	}
	what := field + ": " + fmt.Sprintf(format, args...)
	if c.op < 0 {
		c.err = fmt.Errorf("device: program %q: %s: %w", c.program.Name, what, ErrProgram)
		return
	}
	c.err = fmt.Errorf("device: program %q: op %d %s: %s: %w", c.program.Name, c.op, opName(c.program.Ops[c.op]), what, ErrProgram)
}

// opName returns the type of an operation as Go code names it: "MatMul".
func opName(op Op) string {
	t := reflect.TypeOf(op)
	if t == nil {
		return "nil"
	}
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.Name()
}

// between checks lowest <= v <= highest.
func (c *checker) between(field string, v, lowest, highest int) {
	if v < lowest || v > highest {
		c.fail(field, "%d is not in %d to %d", v, lowest, highest)
	}
}

// equal checks that v is what something else in the program says.
func (c *checker) equal(field string, v, want int, why string) {
	if v != want {
		c.fail(field, "%d, but %s is %d", v, why, want)
	}
}

// finite checks that v is a number of at least lowest.
func (c *checker) finite(field string, v float32, lowest float64) {
	if x := float64(v); math.IsNaN(x) || math.IsInf(x, 0) || x < lowest {
		c.fail(field, "%v is not a finite number from %v up", v, lowest)
	}
}

func (c *checker) header(maxRows int) {
	p := c.program
	c.between("Rows", p.Rows, 1, maxRows)
	if p.Rows&(p.Rows-1) != 0 {
		c.fail("Rows", "%d is not a power of two", p.Rows)
	}
	c.between("Outputs", p.Outputs, 0, p.Rows)
	if p.Cache != nil {
		c.between("Sequences", p.Sequences, 1, maxTable)
		c.between("Pages", p.Pages, 1, maxTable/max(1, p.Sequences))
	}
	for i, b := range p.Buffers {
		if b.Width < 4 || b.Width > maxWidth || b.Width%4 != 0 {
			c.fail(fmt.Sprintf("Buffers[%d].Width", i), "%d is not a multiple of 4 in 4 to %d", b.Width, maxWidth)
		}
		if b.Offset < 0 || b.Offset > math.MaxInt32 || b.Offset%4 != 0 || b.Storage == nil && b.Offset != 0 {
			c.fail(fmt.Sprintf("Buffers[%d].Offset", i), "%d is not a multiple of 4 in a storage", b.Offset)
		}
		if c.written[i] = b.Storage != nil; b.Storage != nil && c.err == nil && !b.fits(1) {
			c.fail(fmt.Sprintf("Buffers[%d]", i), "the storage of %d elements has no room for a row of %d from %d on", b.Storage.Bytes()/4, b.Width, b.Offset)
		}
		if b.Outputs && p.Outputs == 0 {
			c.fail(fmt.Sprintf("Buffers[%d]", i), "has a row for each output, but Outputs is 0")
		}
	}
}

func (c *checker) operation(op Op) {
	switch o := op.(type) {
	case *Embed:
		c.rows("Out", o.Out)
		c.columns("Table", o.Table, o.Out.Width, "Out.Width")
		c.finite("Scale", o.Scale, math.Inf(-1))
	case *EmbedPosition:
		c.rows("Out", o.Out)
		c.columns("Table", o.Table, o.Out.Width, "Out.Width")
	case *RMSNorm:
		c.rmsNorm(o)
	case *LayerNorm:
		c.layerNorm(o)
	case *MatMul:
		c.ragged("Out", o.Out)
		c.aligned("X", o.X)
		c.alike("X", o.X, o.Out)
		c.apart("Out", o.Out, "X", o.X)
		c.columns("Weight", o.Weight, o.X.Width, "X.Width")
		if c.err == nil {
			rows, _ := o.Weight.Shape()
			c.equal("Out.Width", o.Out.Width, rows, "the rows of Weight")
		}
		if o.Bias != nil {
			c.vector("Bias", o.Bias, o.Out.Width, "Out.Width")
		}
		if o.Bank != nil && c.err == nil {
			c.adapts(o)
		}
	case *Rope:
		c.rope(o)
	case *Attention:
		c.attention(o)
	case *GLU:
		c.aligned("Out", o.Out)
		c.elementwise("Gate", o.Gate, o.Out)
		c.apart("Out", o.Out, "Gate", o.Gate)
		if o.Up != nil {
			c.elementwise("Up", *o.Up, o.Out)
			c.apart("Out", o.Out, "Up", *o.Up)
		}
		c.activation(o.Activation)
	case *Experts:
		c.experts(o)
	case *SoftCap:
		c.ragged("X", o.X)
		c.finite("Cap", o.Cap, 0)
		if o.Cap == 0 {
			c.fail("Cap", "0 is not over 0")
		}
	case *Softmax:
		c.softmax(o)
	case *Add:
		c.aligned("Out", o.Out)
		c.elementwise("X", o.X, o.Out)
		c.elementwise("Y", o.Y, o.Out)
		c.sameOrApart("Out", o.Out, "X", o.X)
		c.sameOrApart("Out", o.Out, "Y", o.Y)
	case *Gather:
		c.outputs("Out", o.Out)
		c.rows("X", o.X)
		c.equal("X.Width", o.X.Width, o.Out.Width, "Out.Width")
	case *TopK:
		c.ragged("Logits", o.Logits)
		if c.err == nil && !c.program.Buffers[o.Logits.Buffer].Outputs {
			c.fail("Logits", "is of rows, not of outputs")
		}
		c.between("K", o.K, 1, min(MaxTopK, o.Logits.Width))
		if c.topK {
			c.fail("Ops", "a program has at most one TopK")
		}
		c.topK = true
	case *Sample:
		if !c.topK {
			c.fail("Ops", "Sample comes before TopK")
		}
		if c.sample {
			c.fail("Ops", "a program has at most one Sample")
		}
		c.sample = true
	default:
		c.fail("Ops", "not an operation of package device")
	}
	if c.err == nil {
		c.flow(op)
	}
}

// flow follows what has been written through an operation whose views are
// known to be good.
func (c *checker) flow(op Op) {
	reads, writes := op.Views()
	for _, v := range reads {
		if !c.written[v.Buffer] {
			c.fail("Ops", "reads buffer %d, which no operation before it wrote", v.Buffer)
		}
	}
	for _, v := range writes {
		c.written[v.Buffer] = true
	}
}

func (c *checker) rmsNorm(o *RMSNorm) {
	c.norm(o.Out, o.X, o.Residual, o.Epsilon)
	c.between("Groups", o.Groups, 0, maxWidth)
	if c.err != nil {
		return
	}
	groups := max(o.Groups, 1)
	if o.X.Width%(4*groups) != 0 {
		c.fail("Groups", "%d groups do not divide X.Width %d into multiples of 4", groups, o.X.Width)
	}
	c.vector("Weight", o.Weight, o.X.Width/groups, "X.Width/Groups")
}

func (c *checker) layerNorm(o *LayerNorm) {
	c.norm(o.Out, o.X, o.Residual, o.Epsilon)
	c.vector("Weight", o.Weight, o.X.Width, "X.Width")
	if o.Bias != nil {
		c.vector("Bias", o.Bias, o.X.Width, "X.Width")
	}
}

// norm checks what RMSNorm and LayerNorm have in common.
func (c *checker) norm(out, x View, residual *View, epsilon float32) {
	c.aligned("Out", out)
	c.elementwise("X", x, out)
	c.sameOrApart("Out", out, "X", x)
	if residual != nil {
		c.elementwise("Residual", *residual, out)
		c.apart("Out", out, "Residual", *residual)
		c.apart("X", x, "Residual", *residual)
	}
	c.finite("Epsilon", epsilon, 0)
}

func (c *checker) softmax(o *Softmax) {
	c.ragged("Out", o.Out)
	c.ragged("X", o.X)
	c.alike("X", o.X, o.Out)
	c.equal("X.Width", o.X.Width, o.Out.Width, "Out.Width")
	c.sameOrApart("Out", o.Out, "X", o.X)
	c.finite("Scale", o.Scale, math.Inf(-1))
	if c.err == nil && o.Causal && c.program.Buffers[o.Out.Buffer].Outputs {
		c.fail("Causal", "is of outputs, which have no positions")
	}
}

func (c *checker) experts(o *Experts) {
	c.aligned("Out", o.Out)
	c.elementwise("X", o.X, o.Out)
	c.ragged("Router", o.Router)
	c.alike("Router", o.Router, o.Out)
	c.apart("Out", o.Out, "X", o.X)
	c.apart("Out", o.Out, "Router", o.Router)
	c.between("Used", o.Used, 1, min(MaxExperts, o.Router.Width))
	c.activation(o.Activation)
	c.matrices("Gate", o.Gate, o.Router.Width, "Router.Width")
	c.matrices("Up", o.Up, o.Router.Width, "Router.Width")
	c.matrices("Down", o.Down, o.Router.Width, "Router.Width")
	if c.err != nil {
		return
	}
	ff, embd := o.Gate.Shape()
	c.equal("the columns of Gate", embd, o.X.Width, "X.Width")
	rows, columns := o.Up.Shape()
	c.equal("the rows of Up", rows, ff, "the rows of Gate")
	c.equal("the columns of Up", columns, o.X.Width, "X.Width")
	rows, columns = o.Down.Shape()
	c.equal("the rows of Down", rows, o.Out.Width, "Out.Width")
	c.equal("the columns of Down", columns, ff, "the rows of Gate")
}

func (c *checker) activation(a Activation) {
	c.between("Activation", int(a), int(SiLU), int(GELU))
}

func (c *checker) rope(o *Rope) {
	c.heads(o.Layer, o.HeadCount, o.HeadCountKV, o.HeadDim)
	c.headsOf("Query", o.Query, o.HeadCount, o.HeadDim)
	c.headsOf("Key", o.Key, o.HeadCountKV, o.HeadDim)
	c.headsOf("Value", o.Value, o.HeadCountKV, o.HeadDim)
	c.apart("Query", o.Query, "Key", o.Key)
	c.apart("Query", o.Query, "Value", o.Value)
	c.apart("Key", o.Key, "Value", o.Value)
	c.between("Mode", int(o.Mode), int(RopeNormal), int(RopeNeoX))
	c.between("Dimensions", o.Dimensions, 0, o.HeadDim)
	if o.Dimensions%2 != 0 {
		c.fail("Dimensions", "%d is odd", o.Dimensions)
	}
	if o.Dimensions == 0 {
		if o.Table != nil {
			c.fail("Table", "is given, but Dimensions is 0")
		}
		return
	}
	if c.weights("Table", o.Table); c.err != nil {
		return
	}
	rows, columns := o.Table.Shape()
	c.equal("the rows of Table", rows, 1, "the rows of a vector")
	if columns == 0 || columns%o.Dimensions != 0 {
		c.fail("Table", "%d elements are not some positions of Dimensions %d", columns, o.Dimensions)
	}
}

func (c *checker) attention(o *Attention) {
	c.heads(o.Layer, o.HeadCount, o.HeadCountKV, o.HeadDim)
	c.headsOf("Out", o.Out, o.HeadCount, o.HeadDim)
	c.headsOf("Query", o.Query, o.HeadCount, o.HeadDim)
	c.apart("Out", o.Out, "Query", o.Query)
	c.finite("Scale", o.Scale, math.Inf(-1))
	c.finite("SoftCap", o.SoftCap, 0)
	c.between("Window", o.Window, 0, math.MaxInt32)
}

// heads checks what Rope and Attention share against the cache.
func (c *checker) heads(layer, headCount, headCountKV, headDim int) {
	if c.program.Cache == nil {
		c.fail("Cache", "the program has none")
		return
	}
	spec := c.program.Cache.Spec()
	c.between("Layer", layer, 0, spec.Layers-1)
	c.equal("HeadDim", headDim, spec.HeadDim, "that of the cache")
	c.equal("HeadCountKV", headCountKV, spec.HeadCountKV, "that of the cache")
	c.between("HeadCount", headCount, 1, maxWidth)
	if headCountKV < 1 || headCount%headCountKV != 0 {
		c.fail("HeadCount", "%d is not a multiple of HeadCountKV %d", headCount, headCountKV)
	}
	if headDim < 4 || headDim%4 != 0 {
		c.fail("HeadDim", "%d is not a multiple of 4 from 4 up", headDim)
	}
}

func (c *checker) headsOf(field string, v View, count, dim int) {
	c.rows(field, v)
	c.equal(field+".Width", v.Width, count*dim, "heads * HeadDim")
}
