package hostfn

import (
	"context"
	"encoding/binary"
	"math"

	"github.com/realm-webgpu/realm/engine"
	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/hostfn/abi"
)

// operations returns the guest's single operations, which it has from when it first
// asks for them.
func (g *Guest) operations() (*engine.Tensors, error) {
	if g.tensor != nil {
		return g.tensor, nil
	}
	var err error
	g.tensor, err = g.config.Engine.NewTensors(engine.TensorLimits{
		Bytes: int64(min(g.limits.BufferBytes, math.MaxInt64)), Buffers: g.limits.Handles,
	})
	return g.tensor, err
}

// buffer is a buffer that a guest has made.
type buffer struct{ *engine.Buffer }

func (b buffer) close() { b.Release() }

// weight is a weight that a guest has opened.
type weight struct{ *engine.Weight }

func (weight) close() {}

// bufNew implements realm1_tensor.buf_new(bytes, dtype, out).
func (c call) bufNew(a []uint64) abi.Errno {
	dtype := engine.DtypeF32
	switch uint32(a[1]) {
	case abi.DtypeF32:
	case abi.DtypeI32:
		dtype = engine.DtypeI32
	default:
		return abi.Inval
	}
	if a[0] > c.limits.BufferBytes {
		return abi.Quota
	}
	t, err := c.operations()
	if err != nil {
		return c.failed("buf_new", err)
	}
	b, err := t.NewBuffer(int64(a[0]), dtype)
	if err != nil {
		return c.failed("buf_new", err)
	}
	return c.addTo(a[2], buffer{b})
}

// failed logs why a call failed, and returns its errno.
func (c call) failed(function string, err error) abi.Errno {
	c.complain(function, err)
	return errnoOf(err)
}

// bufWrite implements realm1_tensor.buf_write(buffer, off, p, n).
func (c call) bufWrite(a []uint64) abi.Errno {
	b, e := c.part(a)
	if e != abi.OK {
		return e
	}
	// In pieces, so that working space stays small.
	for at := uint64(0); at < a[3]; at += piece {
		p, e := c.bytes(a[2]+at, min(piece, a[3]-at), piece)
		if e != abi.OK {
			return e
		}
		if err := b.Write(int64(a[1]+at), p); err != nil {
			return c.failed("buf_write", err)
		}
	}
	return abi.OK
}

// bufRead implements realm1_tensor.buf_read(buffer, off, p, n).
func (c call) bufRead(a []uint64) abi.Errno {
	b, e := c.part(a)
	if e != abi.OK {
		return e
	}
	for at := uint64(0); at < a[3]; at += piece {
		n := min(piece, a[3]-at)
		if uint64(cap(c.space)) < n {
			c.space = make([]byte, n)
		}
		p := c.space[:n]
		if err := b.Read(int64(a[1]+at), p); err != nil {
			return c.failed("buf_read", err)
		}
		if e := c.store(a[2]+at, p); e != abi.OK {
			return e
		}
	}
	return abi.OK
}

// piece is how many bytes of a buffer are copied at a time.
const piece = 1 << 20

// part checks the arguments of bufWrite and bufRead.
func (c call) part(a []uint64) (buffer, abi.Errno) {
	b, e := find[buffer](c.Guest, uint32(a[0]))
	switch {
	case e != abi.OK:
		return b, e
	case a[1]%4 != 0 || a[3]%4 != 0 || a[3] > uint64(b.Bytes()) || a[1] > uint64(b.Bytes())-a[3]:
		return b, abi.Inval
	case !inside(c.m, a[2], a[3]):
		return b, abi.Fault
	}
	return b, abi.OK
}

// weightOpen implements realm1_tensor.weight_open(model, name, n, out).
func (c call) weightOpen(a []uint64) abi.Errno {
	m, e := find[openModel](c.Guest, uint32(a[0]))
	if e != abi.OK {
		return e
	}
	name, e := c.name(a[1], a[2])
	if e != abi.OK {
		return e
	}
	w, err := m.Engine.Weight(name)
	if err != nil {
		return c.failed("weight_open", err)
	}
	return c.addTo(a[3], weight{w})
}

// kinds are the operations of the engine by those of the interface.
var kinds = map[uint32]engine.TensorKind{
	abi.OpEmbed: engine.TensorEmbed, abi.OpMatMul: engine.TensorMatMul, abi.OpRMSNorm: engine.TensorRMSNorm,
	abi.OpRope: engine.TensorRope, abi.OpAttention: engine.TensorAttention, abi.OpSoftmax: engine.TensorSoftmax,
	abi.OpGLU: engine.TensorGLU, abi.OpAdd: engine.TensorAdd, abi.OpGather: engine.TensorGather,
	abi.OpTopK: engine.TensorTopK, abi.OpSample: engine.TensorSample,
}

// ops implements realm1_tensor.ops(cmds, n, ticket).
func (c call) ops(a []uint64) abi.Errno {
	if e := c.room(a[2]); e != abi.OK {
		return e
	}
	n := a[1]
	if n < 1 || n > engine.MaxTensorOps {
		return abi.Inval
	}
	if c.opsHeld+int(n) > maxHeldOps {
		return abi.Quota
	}
	size, e := c.declared(a[0])
	if e != abi.OK {
		return e
	}
	b, e := c.bytes(a[0], n*size, engine.MaxTensorOps*abi.MaxStruct)
	if e != abi.OK {
		return e
	}
	t, err := c.operations()
	if err != nil {
		return c.failed("ops", err)
	}
	// Working space is used again by what the operations point to.
	commands := make([]abi.Op, n)
	for i := range commands {
		commands[i].Decode(b[uint64(i)*size:][:size])
	}
	work := &opsTicket{guest: c.Guest, commands: commands, ops: make([]engine.TensorOp, n)}
	for i := range commands {
		if e := c.operation(work, &work.ops[i], &commands[i]); e != abi.OK {
			return e
		}
	}
	if e := c.affordOps(work); e != abi.OK {
		return e
	}
	var ctx context.Context
	ctx, work.stop = context.WithCancel(c.ctx)
	if work.run, err = t.Start(ctx, work.ops); err != nil {
		work.stop()
		return c.failed("ops", err)
	}
	work.hold()
	go func() {
		<-work.run.Done()
		c.notify()
	}()
	return c.issue(a[2], work)
}

// operation makes an operation of the engine's, and notes what the ticket is to hold.
func (c call) operation(t *opsTicket, o *engine.TensorOp, in *abi.Op) abi.Errno {
	kind, ok := kinds[in.Op]
	if !ok || in.Rows > uint32(c.config.Engine.Device().MaxRows) || in.Activation > uint32(device.GELU) || in.Position > math.MaxInt32 || in.Layer > math.MaxInt32 || in.Window > math.MaxInt32 {
		return abi.Inval
	}
	*o = engine.TensorOp{
		Kind: kind, Rows: int(in.Rows), Width: int(in.Width), Layer: int(in.Layer), Position: int(in.Position), Window: int(in.Window),
		Groups: int(in.Groups), Activation: device.Activation(in.Activation), Scale: in.Scale, Epsilon: in.Epsilon, SoftCap: in.SoftCap, K: int(in.K),
	}
	for _, v := range [...]struct {
		to   *engine.TensorView
		from abi.View
	}{{&o.Out, in.Out}, {&o.X, in.X}, {&o.Y, in.Y}, {&o.Z, in.Z}} {
		if v.from.Buffer == 0 {
			continue
		}
		b, e := find[buffer](c.Guest, v.from.Buffer)
		if e != abi.OK {
			return e
		}
		*v.to = engine.TensorView{Buffer: b.Buffer, Offset: int(v.from.Offset), Stride: int(v.from.Stride)}
	}
	for _, w := range [...]struct {
		to   **engine.Weight
		from uint32
	}{{&o.Weight, in.Weight}, {&o.Bias, in.Bias}} {
		if w.from == 0 {
			continue
		}
		x, e := find[weight](c.Guest, w.from)
		if e != abi.OK {
			return e
		}
		*w.to = x.Weight
	}
	if in.Sequence != 0 {
		if e := c.tensorSequence(t, o, in); e != abi.OK {
			return e
		}
	}
	if in.Sampler != 0 {
		s, e := find[*sampler](c.Guest, in.Sampler)
		if e != abi.OK {
			return e
		}
		if s.rows > 0 {
			return abi.Busy
		}
		o.Sampler = s.Sampler
		t.samplers = append(t.samplers, s)
	}
	if !inside(c.m, in.Result, in.ResultCapacity) {
		return abi.Fault
	}
	if in.IDs != 0 {
		var e abi.Errno
		if o.IDs, e = c.ints(nil, in.IDs, uint64(in.Rows), maxTokens); e != abi.OK {
			return e
		}
	}
	return abi.OK
}

// tensorSequence gives an operation its sequence: what a step has read there is where
// it begins.
func (c call) tensorSequence(t *opsTicket, o *engine.TensorOp, in *abi.Op) abi.Errno {
	s, e := find[*sequence](c.Guest, in.Sequence)
	if e != abi.OK {
		return e
	}
	if s.tensor == nil {
		x, err := s.Tensors()
		if err != nil {
			return c.failed("ops", err)
		}
		if err := s.Truncate(0); err != nil { // its pages are the operations' now
			x.Close()
			return c.failed("ops", err)
		}
		s.tensor = x
	}
	if o.Kind == engine.TensorRope {
		if t.pages == nil {
			t.pages = map[*sequence]int{}
		}
		t.pages[s] = max(t.pages[s], pagesOf(o.Position+o.Rows))
	}
	o.Sequence = s.tensor
	return abi.OK
}

// affordOps looks at the pages that operations may take.
func (c call) affordOps(t *opsTicket) abi.Errno {
	if len(t.pages) == 0 {
		return abi.OK
	}
	pages := c.pages()
	for s, n := range t.pages {
		pages += max(0, n-max(s.tensor.Pages(), s.reserved))
	}
	if pages > c.limits.Pages {
		return abi.Quota
	}
	return abi.OK
}

// opsTicket is a list of operations under way.
type opsTicket struct {
	guest    *Guest
	commands []abi.Op
	ops      []engine.TensorOp
	run      *engine.TensorRun
	stop     context.CancelFunc
	samplers []*sampler
	pages    map[*sequence]int // that sequences may have in the end
}

// hold takes what is the list's until the ticket is gone.
func (t *opsTicket) hold() {
	t.guest.opsHeld += len(t.ops)
	for _, s := range t.samplers {
		s.ops++
	}
	for s, n := range t.pages {
		s.reserved = max(s.reserved, n)
	}
}

func (t *opsTicket) done() bool {
	select {
	case <-t.run.Done():
		return true
	default:
		return false
	}
}

func (t *opsTicket) cancel() { t.stop() }

// deliver writes the results of each operation that has some.
func (t *opsTicket) deliver(c call) (bool, abi.Errno) {
	if err := t.run.Err(); err != nil {
		return false, c.failed("ops", err)
	}
	for i := range t.ops {
		o, in := &t.ops[i], &t.commands[i]
		c.Guest.out = c.out[:0]
		switch o.Kind {
		case engine.TensorTopK:
			for _, x := range o.Top {
				c.Guest.out = binary.LittleEndian.AppendUint32(c.out, uint32(x.ID))
				c.Guest.out = binary.LittleEndian.AppendUint32(c.out, math.Float32bits(x.Logit))
			}
		case engine.TensorSample:
			for _, id := range o.Chosen {
				c.Guest.out = binary.LittleEndian.AppendUint32(c.out, uint32(id))
			}
		default:
			continue
		}
		if uint64(len(c.out)) > in.ResultCapacity {
			return false, abi.Toobig
		}
		if e := c.store(in.Result, c.out); e != abi.OK {
			return false, e
		}
	}
	return false, abi.OK
}

func (t *opsTicket) release() {
	t.stop()
	<-t.run.Done()
	t.guest.opsHeld -= len(t.ops)
	for _, s := range t.samplers {
		s.ops--
	}
	for s := range t.pages {
		s.reserved = 0
	}
}
