package memory64

import (
	"math"
	"slices"

	"github.com/realm-webgpu/realm/hostfn/wasm"
)

// operand is a value on the stack.
type operand struct {
	kind wasm.ValueType
	// at is where the code continues behind the instruction that left it; buried
	// where that left more values above it.
	at     int
	buried bool
	// local and version say that it is that state of a local; local is -1 for none.
	local   int
	version uint32
	small   bool // it is below 2^32, by the instruction that left it
}

// frame is a block that is open.
type frame struct {
	op          wasm.Op
	kind        wasm.FuncType
	height      int  // of the stack below it
	unreachable bool // what follows, up to its end or else, is never reached
	facts       int  // known when it began
	floor       int  // of the block around it
}

// fact says that a state of a local is below 2^32.
type fact struct {
	local   int
	version uint32
	before  int // the last fact of that local before, or -1
}

// known is what is known of locals. Facts of a block are forgotten at its end. A loop
// begins with those of locals that it does not write, as it is entered from behind too.
type known struct {
	version []uint32 // of each local: how often it was written, in the order of the text
	last    []int    // the last fact of each local, or -1
	facts   []fact
	floor   int // facts before it do not hold
}

func (k *known) reset(locals int) {
	k.version = slices.Grow(k.version[:0], locals)[:locals]
	k.last = slices.Grow(k.last[:0], locals)[:locals]
	for i := range locals {
		k.version[i], k.last[i] = 0, -1
	}
	k.facts, k.floor = k.facts[:0], 0
}

// small reports whether a state of a local is known to be below 2^32.
func (k *known) small(local int, version uint32) bool {
	if local < 0 {
		return false
	}
	i := k.last[local]
	return i >= k.floor && k.facts[i].version == version
}

// learn notes that a state of a local is below 2^32.
func (k *known) learn(local int, version uint32) {
	if local < 0 || k.small(local, version) {
		return
	}
	k.facts = append(k.facts, fact{local, version, k.last[local]})
	k.last[local] = len(k.facts) - 1
}

// forget drops the facts from n on.
func (k *known) forget(n int) {
	for len(k.facts) > n {
		f := k.facts[len(k.facts)-1]
		k.last[f.local] = f.before
		k.facts = k.facts[:len(k.facts)-1]
	}
}

// top returns the operand that is n below the top of the stack, nil where there
// is none: after an instruction that never goes on.
func (f *function) top(n int) *operand {
	if len(f.stack)-n <= f.frames[len(f.frames)-1].height {
		return nil
	}
	return &f.stack[len(f.stack)-1-n]
}

// small reports whether an operand is known to be below 2^32.
func (f *function) small(x *operand) bool {
	return x != nil && (x.small || f.known.small(x.local, x.version))
}

// smallResult reports whether what an instruction leaves is below 2^32, as its opcode
// and its operands, which are on the stack still, tell.
func (f *function) smallResult(c *wasm.Code) bool {
	switch c.Op {
	case wasm.OpI64ExtendI32U, wasm.OpI64Load8U, wasm.OpI64Load16U, wasm.OpI64Load32U:
		return true
	case wasm.OpI64Const:
		return c.A <= math.MaxUint32
	case wasm.OpI64And:
		return f.small(f.top(0)) || f.small(f.top(1))
	case wasm.OpI64Or:
		return f.small(f.top(0)) && f.small(f.top(1))
	}
	return false
}

// pop drops n operands.
func (f *function) pop(n int) {
	f.stack = f.stack[:max(len(f.stack)-n, f.frames[len(f.frames)-1].height)]
}

// push notes a value that the instructions so far have left on top.
func (f *function) push(t wasm.ValueType) {
	f.stack = append(f.stack, operand{kind: t, at: len(f.out), local: -1})
}

// pushAll notes several, the last one on top.
func (f *function) pushAll(types []wasm.ValueType) {
	for i, t := range types {
		f.push(t)
		f.stack[len(f.stack)-1].buried = i < len(types)-1
	}
}

// open begins a block.
func (f *function) open(op wasm.Op, t wasm.FuncType) {
	f.pop(len(t.Params))
	f.frames = append(f.frames, frame{op: op, kind: t, height: len(f.stack), facts: len(f.known.facts), floor: f.known.floor})
	f.pushAll(t.Params)
}

// middle begins the second half of an if.
func (f *function) middle() {
	b := &f.frames[len(f.frames)-1]
	b.unreachable = false
	f.known.forget(b.facts)
	f.stack = f.stack[:b.height]
	f.pushAll(b.kind.Params)
}

// close ends a block.
func (f *function) close() {
	b := f.frames[len(f.frames)-1]
	f.known.forget(b.facts)
	f.known.floor = b.floor
	f.stack = f.stack[:b.height]
	f.frames = f.frames[:len(f.frames)-1]
	if len(f.frames) > 0 {
		f.pushAll(b.kind.Results)
	}
}

// stop notes that what follows in the block is never reached.
func (f *function) stop() {
	b := &f.frames[len(f.frames)-1]
	b.unreachable = true
	f.stack = f.stack[:b.height]
}
