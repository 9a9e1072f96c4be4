package engine

import (
	"fmt"
	"math"

	"github.com/realm-webgpu/realm/engine/device"
)

// check reports the first thing in a list that cannot be. What the sequences have
// by then is looked at when the list's turn comes. The caller holds t.mu.
func (t *Tensors) check(ops []TensorOp) error {
	if len(ops) > MaxTensorOps {
		return fmt.Errorf("engine: tensors: %d operations, at most %d: %w", len(ops), MaxTensorOps, ErrTensorLimit)
	}
	for i := range ops {
		c := tensorChecker{tensors: t, index: i, op: &ops[i]}
		if c.operation(); c.err != nil {
			return c.err
		}
	}
	return nil
}

// tensorChecker keeps the first error of an operation.
type tensorChecker struct {
	tensors *Tensors
	index   int
	op      *TensorOp
	err     error
}

// fail records that a field is not what it has to be; cause is ErrTensor or says
// what became of a handle.
func (c *tensorChecker) fail(cause error, field, format string, args ...any) {
	if c.err == nil {
		c.err = fmt.Errorf("engine: tensor op %d %s: %s: %s: %w", c.index, c.op.Kind, field, fmt.Sprintf(format, args...), cause)
	}
}

func (c *tensorChecker) require(ok bool, field, format string, args ...any) {
	if !ok {
		c.fail(ErrTensor, field, format, args...)
	}
}

func (c *tensorChecker) between(field string, v, lowest, highest int) {
	c.require(v >= lowest && v <= highest, field, "%d is not in %d to %d", v, lowest, highest)
}

func (c *tensorChecker) finite(field string, v float32) {
	c.require(!math.IsNaN(float64(v)) && !math.IsInf(float64(v), 0), field, "%v is not finite", v)
}

// maxTensorWidth bounds a row, so that places can be counted.
const maxTensorWidth = 1 << 24

func (c *tensorChecker) operation() {
	o := c.op
	c.require(o.Kind >= TensorEmbed && o.Kind <= TensorSample, "Kind", "%d is none", int(o.Kind))
	c.between("Rows", o.Rows, 1, c.tensors.device.(device.Device).Info().MaxRows)
	c.between("Width", o.Width, 1, maxTensorWidth)
	c.between("Position", o.Position, 0, math.MaxInt32-o.Rows)
	c.finite("Scale", o.Scale)
	if c.err != nil {
		return
	}
	switch o.Kind {
	case TensorEmbed:
		if c.weight("Weight", o.Weight, false); c.err == nil {
			c.width(o.Weight.Columns, "the columns of Weight")
			c.ids(o.Weight.Rows)
		}
	case TensorMatMul:
		if c.weight("Weight", o.Weight, false); c.err == nil {
			c.width(o.Weight.Rows, "the rows of Weight")
		}
		if o.Bias != nil {
			if c.weight("Bias", o.Bias, true); c.err == nil {
				c.require(o.Bias.Columns == o.Weight.Rows, "Bias", "%d elements for %d rows of Weight", o.Bias.Columns, o.Weight.Rows)
			}
		}
	case TensorRMSNorm:
		c.norm(max(o.Groups, 1))
		c.require(o.Groups >= 0, "Groups", "%d is negative", o.Groups)
	case TensorLayerNorm:
		c.norm(1)
		if o.Bias != nil && c.err == nil {
			c.whole("Bias", o.Bias, o.Width)
		}
	case TensorRope, TensorAttention:
		c.sequence()
	case TensorSoftCap:
		c.finite("SoftCap", o.SoftCap)
		c.require(o.SoftCap > 0, "SoftCap", "%v is not over 0", o.SoftCap)
	case TensorGLU:
		c.between("Activation", int(o.Activation), int(device.SiLU), int(device.GELU))
	case TensorTopK:
		c.between("K", o.K, 1, min(device.MaxTopK, o.Width))
	}
	if c.err == nil {
		c.operands()
	}
}

// width checks Width against what another operand says, or that rounded up to a
// multiple of 4.
func (c *tensorChecker) width(want int, why string) {
	c.require(c.op.Width == want || c.op.Width == (want+3)&^3, "Width", "%d, but %s are %d", c.op.Width, why, want)
}

func (c *tensorChecker) weight(field string, w *Weight, vector bool) {
	switch {
	case w == nil:
		c.fail(ErrTensor, field, "is nil")
	case w.model.engine != c.tensors.engine:
		c.fail(ErrTensor, field, "%q is of another device", w.Name)
	case w.Vector != vector:
		c.fail(ErrTensor, field, "%q is a vector in the place of a matrix, or the other way round", w.Name)
	}
}

// whole checks a vector of all of a width.
func (c *tensorChecker) whole(field string, w *Weight, width int) {
	if c.weight(field, w, true); c.err == nil {
		c.require(w.Columns == width, field, "%q has %d elements, %d are wanted", w.Name, w.Columns, width)
		c.require(w.slice == w.On, field, "%q is a part of a longer vector on the device", w.Name)
	}
}

// norm checks the weight of groups of a row.
func (c *tensorChecker) norm(groups int) {
	o := c.op
	c.finite("Epsilon", o.Epsilon)
	c.require(o.Epsilon >= 0, "Epsilon", "%v is negative", o.Epsilon)
	if c.require(o.Width%(4*groups) == 0, "Groups", "%d groups do not divide %d elements into multiples of 4", groups, o.Width); c.err == nil {
		c.whole("Weight", o.Weight, o.Width/groups)
	}
}

// ids checks the rows that an operation asks for, of so many.
func (c *tensorChecker) ids(rows int) {
	o := c.op
	c.require(len(o.IDs) == o.Rows, "IDs", "%d for %d rows", len(o.IDs), o.Rows)
	for i, id := range o.IDs {
		if id < 0 || int(id) >= rows {
			c.fail(ErrTensor, "IDs", "[%d] is %d, there are %d rows", i, id, rows)
			return
		}
	}
}

// sequence checks Rope and Attention against the model of their sequence.
func (c *tensorChecker) sequence() {
	o := c.op
	switch {
	case o.Sequence == nil:
		c.fail(ErrTensor, "Sequence", "is nil")
		return
	case o.Sequence.model.engine != c.tensors.engine:
		c.fail(ErrTensor, "Sequence", "is of another device")
		return
	}
	m := o.Sequence.model
	config := m.model.Config()
	c.require(o.Width == config.HeadCount*config.HeadDim, "Width", "%d, but the model has %d heads of %d", o.Width, config.HeadCount, config.HeadDim)
	c.between("Layer", o.Layer, 0, config.BlockCount-1)
	c.require(o.Position+o.Rows <= m.context, "Position", "%d and %d rows are past the context of %d", o.Position, o.Rows, m.context)
	c.between("Window", o.Window, 0, math.MaxInt32)
	c.finite("SoftCap", o.SoftCap)
	c.require(o.SoftCap >= 0, "SoftCap", "%v is negative", o.SoftCap)
}

// operands checks the places of all views, and that what is written is apart from
// what is read.
func (c *tensorChecker) operands() {
	o := c.op
	l := o.operands()
	for i := range l.n {
		c.place(&l.all[i])
	}
	if c.err != nil {
		return
	}
	first := &l.all[0]
	switch o.Kind {
	case TensorMatMul, TensorAttention, TensorGLU, TensorGather:
		for i := 1; i < l.n; i++ {
			c.require(l.all[i].view.Buffer != first.view.Buffer, "Out", "is in the buffer of %s", l.all[i].name)
		}
	case TensorRMSNorm, TensorLayerNorm:
		c.sameOrApart(first, &l.all[1])
		if l.n > 2 {
			y := l.all[2].view.Buffer
			c.require(y != first.view.Buffer && y != l.all[1].view.Buffer, "Y", "is in a buffer that is written")
		}
	case TensorSoftmax, TensorAdd:
		for i := 1; i < l.n; i++ {
			c.sameOrApart(first, &l.all[i])
		}
	case TensorRope:
		y, z := &l.all[1], &l.all[2]
		joined, split := y.view.Buffer == first.view.Buffer, z.view.Buffer == first.view.Buffer
		c.require(joined == split, "X", "is in one buffer with only one of Y and Z")
		c.apart(first, y)
		c.apart(first, z)
		c.apart(y, z)
	}
	if o.Kind == TensorGather && c.err == nil {
		base, _, stride := o.X.place(o.Width)
		c.ids(int((o.X.Buffer.elements() - int64(base)) / int64(stride)))
	}
}

// place checks that a view is in its buffer.
func (c *tensorChecker) place(p *operand) {
	v := p.view
	switch {
	case v.Buffer == nil:
		c.fail(ErrTensor, p.name, "has no buffer")
	case v.Buffer.tensors != c.tensors:
		c.fail(ErrTensor, p.name, "is someone else's buffer")
	case v.Buffer.closed:
		c.fail(ErrClosed, p.name, "buffer")
	case v.Buffer.dtype != DtypeF32:
		c.fail(ErrTensor, p.name, "is not of float32")
	case v.Offset < 0 || v.Offset > math.MaxInt32 || v.Offset%4 != 0 || v.Stride < 0 || v.Stride > maxTensorWidth || v.Stride%4 != 0:
		c.fail(ErrTensor, p.name, "offset %d and stride %d are not multiples of 4 in a buffer", v.Offset, v.Stride)
	case v.stride(p.width) < p.width:
		c.fail(ErrTensor, p.name, "stride %d is less than a row of %d", v.Stride, p.width)
	}
	if c.err != nil {
		return
	}
	base, column, stride := v.place(p.width)
	if p.width%4 != 0 {
		ragged := c.op.Kind == TensorSoftmax || c.op.Kind == TensorSoftCap || c.op.Kind == TensorTopK || c.op.Kind == TensorSample ||
			c.op.Kind == TensorMatMul && p.name == "Out"
		c.require(ragged, p.name, "%d elements are not a multiple of 4", p.width)
		c.require(column+(p.width+3)&^3 == stride, p.name, "%d elements do not end a stride of %d", p.width, stride)
	}
	rows := c.op.Rows
	if c.op.Kind == TensorGather && p.name == "X" {
		rows = 1
	}
	room := (v.Buffer.elements() - int64(base)) / int64(stride)
	c.require(int64(base) < v.Buffer.elements() && int64(rows) <= room, p.name, "%d rows of %d elements, %d apart from %d on, are not in a buffer of %d",
		rows, p.width, stride, v.Offset, v.Buffer.elements())
}

// sameOrApart checks that two views are one, or have no element in common.
func (c *tensorChecker) sameOrApart(p, q *operand) {
	same := p.view.Buffer == q.view.Buffer && p.view.Offset == q.view.Offset && p.width == q.width &&
		(p.view.stride(p.width) == q.view.stride(q.width) || c.op.Rows == 1)
	if !same {
		c.apart(p, q)
	}
}

// apart checks that two views have no element in common. Views that are woven
// into each other with different strides are taken to have one.
func (c *tensorChecker) apart(p, q *operand) {
	if p.view.Buffer != q.view.Buffer {
		return
	}
	a, b := p.view.Offset, q.view.Offset
	s, r := p.view.stride(p.width), q.view.stride(q.width)
	n := c.op.Rows - 1
	if a+n*s+p.width <= b || b+n*r+q.width <= a {
		return
	}
	if s == r {
		// On a circle of one stride.
		d := ((b-a)%s + s) % s
		if d >= p.width && d+q.width <= s {
			return
		}
	}
	c.fail(ErrTensor, p.name, "overlaps %s", q.name)
}
