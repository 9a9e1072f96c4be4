package webgpu

import (
	"fmt"
	"math"

	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/shaders"
	"github.com/realm-webgpu/realm/shaders/quant"
)

// Compile turns each operation into dispatches.
func (d *Device) Compile(p *device.Program) (device.Executable, error) {
	if err := p.Check(d.info.MaxRows); err != nil {
		return nil, err
	}
	b := &builder{device: d, program: p, e: &executable{device: d, program: p, layout: newStepLayout(p)}}
	if err := b.build(); err != nil {
		b.e.Release()
		return nil, fmt.Errorf("webgpu: compile %q: %w", p.Name, err)
	}
	return b.e, nil
}

// builder is the state of one Compile.
type builder struct {
	device  *Device
	program *device.Program
	e       *executable
	plan    plan
	slots   []*buffer
	extra   int // scratch slots taken behind the plan's
	pending []pending
	params  []uint32 // the uniforms of all dispatches
	chosen  *buffer
	topK    *device.TopK
	inner   []*buffer // what single operations need, shared by all of them
}

// pending is a dispatch whose uniforms are not uploaded yet.
type pending struct {
	kernel   *kernel
	params   int // where its uniforms start, in words
	words    int
	bindings []binding // after the uniforms
	grid     grid
}

// uniformAlign is WebGPU's default minUniformBufferOffsetAlignment, in words.
const uniformAlign = 256 / 4

func (b *builder) build() error {
	_, columns := b.device.tuning.tile(b.program.Rows)
	rows := roundUp(b.program.Rows, columns)
	outputs := roundUp(b.program.Outputs, columns)
	b.plan = planBuffers(b.program, rows, outputs)
	for i, size := range b.plan.bytes {
		slot, err := b.device.scratchSlot(i, size)
		if err != nil {
			return err
		}
		b.slots = append(b.slots, slot)
		b.e.held = append(b.e.held, slot)
	}
	if err := b.bindStorages(); err != nil {
		return err
	}
	b.extra = len(b.plan.bytes)
	b.e.plan, b.e.slots = b.plan, b.slots
	var err error
	if b.e.step, err = b.own("step", int64(b.e.layout.words)*4, usageStorage); err != nil {
		return err
	}
	b.e.host = make([]uint32, b.e.layout.words)
	if c, ok := b.program.Cache.(*cache); ok {
		b.chosen, b.e.cache = c.chosen, c
	} else if b.program.Cache != nil {
		return fmt.Errorf("the cache is of another device: %w", device.ErrProgram)
	}
	if b.e.cache == nil || b.program.Aside {
		if b.chosen, err = b.own("chosen", int64(max(b.program.Outputs, 1))*4, usageStorage); err != nil {
			return err
		}
	}
	for i, op := range b.program.Ops {
		if err := b.operation(op); err != nil {
			return fmt.Errorf("op %d %T: %w", i, op, err)
		}
	}
	return b.finish()
}

func (b *builder) operation(op device.Op) error {
	switch o := op.(type) {
	case *device.Embed:
		scale := o.Scale
		if scale == 0 {
			scale = 1
		}
		return b.gatherWeights(o.Out, o.Table, b.e.layout.tokens, scale)
	case *device.EmbedPosition:
		return b.gatherWeights(o.Out, o.Table, b.e.layout.positions, 1)
	case *device.RMSNorm:
		return b.norm(norm{out: o.Out, x: o.X, residual: o.Residual, weight: o.Weight, epsilon: o.Epsilon, groups: max(o.Groups, 1)})
	case *device.LayerNorm:
		return b.norm(norm{out: o.Out, x: o.X, residual: o.Residual, weight: o.Weight, bias: o.Bias, epsilon: o.Epsilon, groups: 1, centered: true})
	case *device.MatMul:
		return b.matMul(o)
	case *device.Rope:
		return b.rope(o)
	case *device.Attention:
		return b.attention(o)
	case *device.GLU:
		return b.glu(o)
	case *device.Softmax:
		return b.softmax(o)
	case *device.Add:
		return b.add(o)
	case *device.SoftCap:
		return b.softCap(o)
	case *device.Experts:
		return b.experts(o)
	case *device.Gather:
		return b.gather(o)
	case *device.TopK:
		return b.topk(o)
	case *device.Sample:
		return b.sample()
	}
	return device.ErrUnsupported
}

// own makes a buffer that the executable releases.
func (b *builder) own(name string, size int64, u usage) (*buffer, error) {
	buf, err := b.device.newBuffer(name, device.KindScratch, size, u)
	if err == nil {
		b.e.held = append(b.e.held, buf)
	}
	return buf, err
}

// shared takes a further scratch slot, for what lives within one operation or
// between operations that no other follows.
func (b *builder) shared(size int64) (*buffer, error) {
	buf, err := b.device.scratchSlot(b.extra, size)
	if err == nil {
		b.extra++
		b.e.held = append(b.e.held, buf)
	}
	return buf, err
}

// view returns the memory of a virtual buffer, and the offset and the stride
// of the view in elements.
func (b *builder) view(v device.View) (buf binding, offset, stride uint32) {
	in := &b.program.Buffers[v.Buffer]
	return b.memory(v).all(), uint32(in.Offset + v.Offset), uint32(in.Width)
}

// memory returns what a view is in. Kernels bind what they write once, so those
// that have a buffer of the same memory beside it do otherwise, or not at all.
func (b *builder) memory(v device.View) *buffer { return b.slots[b.plan.slot[v.Buffer]] }

// view4 is view in vectors of four elements.
func (b *builder) view4(v device.View) (buf binding, offset, stride uint32) {
	buf, offset, stride = b.view(v)
	return buf, offset / 4, stride / 4
}

// isOutput is true of views that have a row for each output.
func (b *builder) isOutput(v device.View) bool { return b.program.Buffers[v.Buffer].Outputs }

// matrix returns the parts of a matrix of this device.
func (b *builder) matrix(w device.Weights) (*weights, error) {
	own, err := b.weights(w)
	if err == nil && own.planes == nil {
		return nil, fmt.Errorf("a vector stands where a matrix must: %w", device.ErrProgram)
	}
	if err == nil && own.experts > 1 {
		return nil, fmt.Errorf("experts stand where one matrix must: %w", device.ErrProgram)
	}
	return own, err
}

// vector returns the memory of a vector of this device.
func (b *builder) vector(w device.Weights) (binding, error) {
	own, err := b.vectorPart(w)
	if err != nil {
		return binding{}, err
	}
	if own.slice {
		return binding{}, fmt.Errorf("a slice stands where a whole vector must: %w", device.ErrProgram)
	}
	return own.parts[0].buffer.all(), nil
}

// vectorPart returns a vector of this device, or a slice of one.
func (b *builder) vectorPart(w device.Weights) (*weights, error) {
	own, err := b.weights(w)
	if err == nil && own.planes != nil {
		return nil, fmt.Errorf("a matrix stands where a vector must: %w", device.ErrProgram)
	}
	return own, err
}

func (b *builder) weights(w device.Weights) (*weights, error) {
	own, ok := w.(*weights)
	if !ok || own.parts[0].buffer.device != b.device {
		return nil, fmt.Errorf("weights of another device: %w", device.ErrProgram)
	}
	if own.parts[0].buffer.holds == 0 {
		return nil, fmt.Errorf("weights were released: %w", device.ErrClosed)
	}
	return own, nil
}

// dispatch adds a dispatch: its uniforms, then its bindings from 1 up.
func (b *builder) dispatch(name string, f *quant.Format, constants shaders.Constants, g grid, params []uint32, bindings ...binding) error {
	k, err := b.device.kernel(name, f, constants)
	if err != nil {
		return err
	}
	for len(b.params)%uniformAlign != 0 {
		b.params = append(b.params, 0)
	}
	at := len(b.params)
	b.params = append(b.params, params...)
	b.pending = append(b.pending, pending{k, at, len(params), bindings, g})
	return nil
}

// finish uploads the uniforms and binds the dispatches.
func (b *builder) finish() error {
	e := b.e
	for range uniformAlign {
		b.params = append(b.params, 0)
	}
	uniforms, err := b.own("uniforms", int64(len(b.params))*4, usageUniform)
	if err != nil {
		return err
	}
	if err := b.device.fill(uniforms, b.params); err != nil {
		return err
	}
	e.recording = b.device.gpu.newRecording(len(b.pending))
	for i, p := range b.pending {
		if err := p.kernel.ready(); err != nil {
			return err
		}
		bindings := append([]binding{{uniforms.raw, int64(p.params) * 4, int64(roundUp(p.words, 4)) * 4}}, p.bindings...)
		bound, err := b.device.gpu.newGroup(p.kernel.pipeline, bindings)
		if err != nil {
			return fmt.Errorf("bind %s: %w", p.kernel.name, err)
		}
		e.groups = append(e.groups, bound)
		e.grids = append(e.grids, p.grid)
		e.recording.set(i, p.kernel.pipeline, bound)
	}
	// A program without results has read-backs too: what a step is waited by.
	e.back = make([]uint32, b.program.Outputs*e.resultWords)
	b.device.mu.Lock()
	defer b.device.mu.Unlock()
	for range device.InFlight {
		r, err := b.device.newReadback(int64(max(len(e.back), 4) * 4))
		if err != nil {
			return err
		}
		e.readbacks = append(e.readbacks, r)
	}
	return nil
}

func roundUp(n, to int) int { return (n + to - 1) / to * to }

func bits(f float32) uint32 { return math.Float32bits(f) }

func flag(b bool) uint32 {
	if b {
		return 1
	}
	return 0
}
