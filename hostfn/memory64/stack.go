package memory64

import "github.com/realm-webgpu/realm/hostfn/wasm"

// operand is a value on the stack.
type operand struct {
	kind wasm.ValueType
	// at is where the code continues behind the instruction that left it; buried
	// where that left more values above it.
	at     int
	buried bool
	span   span
	// It is a state of a local, local and version, and plus more; local is -1 for
	// none. copied says that the local's copy was there when it was left.
	local   int
	version uint32
	plus    int64
	copied  bool
}

// frame is a block that is open.
type frame struct {
	op          wasm.Op
	kind        wasm.FuncType
	height      int  // of the stack below it
	unreachable bool // what follows, up to its end or else, is never reached
	facts       int  // known when it began
	floor       int  // of the block around it
	left        int  // how many facts there had ever been when a branch first left it, or -1
}

// top returns the operand that is n below the top of the stack, nil where there
// is none: after an instruction that never goes on.
func (f *function) top(n int) *operand {
	if len(f.stack)-n <= f.frames[len(f.frames)-1].height {
		return nil
	}
	return &f.stack[len(f.stack)-1-n]
}

// pop drops n operands.
func (f *function) pop(n int) {
	f.stack = f.stack[:max(len(f.stack)-n, f.frames[len(f.frames)-1].height)]
}

// push notes a value that the instructions so far have left on top.
func (f *function) push(t wasm.ValueType) {
	f.stack = append(f.stack, operand{kind: t, at: len(f.out), span: spanOf(t), local: -1})
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
	f.frames = append(f.frames, frame{op: op, kind: t, height: len(f.stack), facts: len(f.known.facts), floor: f.known.floor, left: -1})
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

// close ends a block. What was known when it was first left is known behind it.
func (f *function) close() {
	b := f.frames[len(f.frames)-1]
	switch {
	case b.op == wasm.OpIf:
		f.known.forget(b.facts)
	case b.op == wasm.OpBlock && b.left >= 0:
		f.known.forgetFrom(b.left)
	}
	f.known.floor = b.floor
	f.stack = f.stack[:b.height]
	f.frames = f.frames[:len(f.frames)-1]
	if len(f.frames) > 0 {
		f.pushAll(b.kind.Results)
	}
}

// leave notes a branch.
func (f *function) leave(label uint64) {
	if label < uint64(len(f.frames)) {
		if b := &f.frames[uint64(len(f.frames)-1)-label]; b.left < 0 {
			b.left = f.known.learned
		}
	}
}

// stop notes that what follows in the block is never reached.
func (f *function) stop() {
	b := &f.frames[len(f.frames)-1]
	b.unreachable = true
	f.stack = f.stack[:b.height]
}
