package engine

import (
	"container/list"
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
	"slices"

	"github.com/realm-webgpu/realm/engine/device"
)

// tensorPrograms keeps the compiled parts of lists, least recently used first to
// go. It is used in turns alone with the device, or when nothing runs.
type tensorPrograms struct {
	most   int
	found  map[string]*list.Element
	order  *list.List // of *tensorProgram, the one used last in front
	counts TensorStats
	key    []byte // working space
}

// tensorProgram is a compiled part.
type tensorProgram struct {
	device.Executable
	key     string
	buffers []*Buffer
}

func newTensorPrograms(most int) tensorPrograms {
	return tensorPrograms{most: most, found: map[string]*list.Element{}, order: list.New()}
}

func (p *tensorPrograms) stats() TensorStats {
	s := p.counts
	s.Programs = p.order.Len()
	return s
}

// clear releases all programs.
func (p *tensorPrograms) clear() {
	for p.order.Len() > 0 {
		p.drop(p.order.Back())
	}
}

// forget releases the programs that use a buffer.
func (p *tensorPrograms) forget(b *Buffer) {
	for e := p.order.Front(); e != nil; {
		next := e.Next()
		if slices.Contains(e.Value.(*tensorProgram).buffers, b) {
			p.drop(e)
		}
		e = next
	}
}

func (p *tensorPrograms) drop(e *list.Element) {
	x := p.order.Remove(e).(*tensorProgram)
	delete(p.found, x.key)
	x.Release()
}

// find returns the program of a part, compiled now if it is not there.
func (p *tensorPrograms) find(t *Tensors, ops []TensorOp) (*tensorProgram, error) {
	rows := 1 << bits.Len(uint(ops[0].Rows-1))
	p.key = binary.LittleEndian.AppendUint32(p.key[:0], uint32(rows))
	for i := range ops {
		p.key = ops[i].appendKey(p.key)
	}
	if e, ok := p.found[string(p.key)]; ok {
		p.order.MoveToFront(e)
		p.counts.Hits++
		return e.Value.(*tensorProgram), nil
	}
	b := tensorBuilder{
		program: &device.Program{Name: "tensors", Rows: rows, Outputs: rows, Aside: true},
		made:    &tensorProgram{key: string(p.key)},
		views:   map[device.Buffer]device.BufferID{},
	}
	for i := range ops {
		b.add(&ops[i])
	}
	x, err := t.device.(device.Device).Compile(b.program)
	if err != nil {
		return nil, fmt.Errorf("engine: tensors: compile: %w", err)
	}
	p.counts.Compiles++
	for p.order.Len() >= p.most {
		p.drop(p.order.Back())
	}
	b.made.Executable = x
	p.found[b.made.key] = p.order.PushFront(b.made)
	return b.made, nil
}

// appendKey appends all of an operation that its program is made of.
func (o *TensorOp) appendKey(key []byte) []byte {
	word := func(v int) { key = binary.LittleEndian.AppendUint32(key, uint32(v)) }
	long := func(v uint64) { key = binary.LittleEndian.AppendUint64(key, v) }
	word(int(o.Kind))
	word(o.Width)
	for _, v := range [...]*TensorView{&o.Out, &o.X, &o.Y, &o.Z} {
		id := uint32(0)
		if v.Buffer != nil {
			id = v.Buffer.id
		}
		word(int(id))
		word(v.Offset)
		word(v.Stride)
	}
	for _, w := range [...]*Weight{o.Weight, o.Bias} {
		if w != nil {
			long(w.id)
		} else {
			long(0)
		}
	}
	if o.Sequence != nil {
		long(o.Sequence.model.id) // its cache is the program's
	}
	for _, v := range [...]int{o.Layer, o.Window, o.Groups, int(o.Activation), o.K} {
		word(v)
	}
	for _, v := range [...]float32{o.Scale, o.Epsilon, o.SoftCap} {
		word(int(math.Float32bits(v)))
	}
	if o.Causal {
		key = append(key, 1)
	}
	return key
}

// tensorBuilder makes a program of operations.
type tensorBuilder struct {
	program *device.Program
	made    *tensorProgram
	views   map[device.Buffer]device.BufferID
}

// view returns a view as the program knows it, of rows or of outputs.
func (b *tensorBuilder) view(v *TensorView, width int, outputs bool) device.View {
	base, column, stride := v.place(width)
	key := device.Buffer{Width: stride, Outputs: outputs, Storage: v.Buffer.storage, Offset: base}
	id, ok := b.views[key]
	if !ok {
		id = b.program.NewBound(v.Buffer.storage, base, stride, outputs).Buffer
		b.views[key] = id
		b.made.buffers = append(b.made.buffers, v.Buffer)
	}
	return device.View{Buffer: id, Offset: column, Width: width}
}

func (b *tensorBuilder) row(v *TensorView, width int) device.View { return b.view(v, width, false) }

// optional returns a view that may not be there.
func (b *tensorBuilder) optional(v *TensorView, width int) *device.View {
	if v.Buffer == nil {
		return nil
	}
	row := b.row(v, width)
	return &row
}

// weightOf returns a weight, which may not be there, as operations take it.
func weightOf(w *Weight) device.Weights {
	if w == nil {
		return nil
	}
	return w.slice
}

// add adds an operation that was checked.
func (b *tensorBuilder) add(o *TensorOp) {
	switch o.Kind {
	case TensorEmbed:
		b.program.Add(&device.Embed{Out: b.row(&o.Out, o.Weight.Columns), Table: weightOf(o.Weight), Scale: o.Scale})
	case TensorMatMul:
		b.program.Add(&device.MatMul{Out: b.row(&o.Out, o.Weight.Rows), X: b.row(&o.X, o.Weight.Columns), Weight: weightOf(o.Weight), Bias: weightOf(o.Bias)})
	case TensorRMSNorm:
		b.program.Add(&device.RMSNorm{
			Out: b.row(&o.Out, o.Width), X: b.row(&o.X, o.Width), Residual: b.optional(&o.Y, o.Width),
			Weight: weightOf(o.Weight), Epsilon: o.Epsilon, Groups: o.Groups,
		})
	case TensorLayerNorm:
		b.program.Add(&device.LayerNorm{
			Out: b.row(&o.Out, o.Width), X: b.row(&o.X, o.Width), Residual: b.optional(&o.Y, o.Width),
			Weight: weightOf(o.Weight), Bias: weightOf(o.Bias), Epsilon: o.Epsilon,
		})
	case TensorRope:
		b.cache(o.Sequence.model)
		config := o.Sequence.model.model.Config()
		rope := o.Sequence.model.model.Rope(o.Layer)
		rope.Query = b.row(&o.X, config.HeadCount*config.HeadDim)
		rope.Key = b.row(&o.Y, config.HeadCountKV*config.HeadDim)
		rope.Value = b.row(&o.Z, config.HeadCountKV*config.HeadDim)
		b.program.Add(&rope)
	case TensorAttention:
		b.cache(o.Sequence.model)
		config := o.Sequence.model.model.Config()
		width := config.HeadCount * config.HeadDim
		b.program.Add(&device.Attention{
			Out: b.row(&o.Out, width), Query: b.row(&o.X, width), Layer: o.Layer,
			HeadCount: config.HeadCount, HeadCountKV: config.HeadCountKV, HeadDim: config.HeadDim,
			Scale: scaleOf(o.Scale), Window: o.Window, SoftCap: o.SoftCap,
		})
	case TensorSoftmax:
		b.program.Add(&device.Softmax{Out: b.row(&o.Out, o.Width), X: b.row(&o.X, o.Width), Scale: o.Scale, Causal: o.Causal})
	case TensorGLU:
		b.program.Add(&device.GLU{Out: b.row(&o.Out, o.Width), Gate: b.row(&o.X, o.Width), Up: b.optional(&o.Y, o.Width), Activation: o.Activation})
	case TensorSoftCap:
		b.program.Add(&device.SoftCap{X: b.row(&o.X, o.Width), Cap: o.SoftCap})
	case TensorAdd:
		b.program.Add(&device.Add{Out: b.row(&o.Out, o.Width), X: b.row(&o.X, o.Width), Y: b.row(&o.Y, o.Width)})
	case TensorGather:
		b.program.Add(&device.Gather{Out: b.view(&o.Out, o.Width, true), X: b.row(&o.X, o.Width)})
	case TensorTopK:
		b.program.Add(&device.TopK{Logits: b.view(&o.X, o.Width, true), K: o.K})
	case TensorSample:
		b.program.Add(&device.TopK{Logits: b.view(&o.X, o.Width, true), K: min(device.MaxTopK, o.Width)})
	}
}

// cache makes the cache of a model the program's.
func (b *tensorBuilder) cache(m *Model) {
	b.program.Cache, b.program.Sequences, b.program.Pages = m.cache, 1, pagesOf(m.context)
}

func scaleOf(scale float32) float32 {
	if scale == 0 {
		return 1
	}
	return scale
}
