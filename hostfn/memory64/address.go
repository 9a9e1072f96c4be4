package memory64

import (
	"math"

	"github.com/realm-webgpu/realm/hostfn/wasm"
)

// access rewrites a load or a store.
func (f *function) access(c *wasm.Code, a wasm.Access) {
	e, _ := c.Op.Effect()
	if !f.memory64() {
		f.out = append(f.out, c.Bytes()...)
	} else {
		above := 0
		if a.Store || a.Lane {
			above = 1
		}
		x := operand{local: -1}
		if address := f.top(above); address != nil {
			x = *address
		}
		f.out = wasm.AppendMemory(f.out, c.Op, c.B, f.address(above, c.A))
		if a.Lane {
			f.out = append(f.out, c.Bytes()[len(c.Bytes())-1])
		}
		// It goes on only where the address was good.
		if room := MaxPages<<16 - int64(a.Bytes); x.local >= 0 && c.A <= uint64(room) {
			f.known.learn(x.local, x.version, span{-x.plus, room - int64(c.A) - x.plus}, false)
		}
	}
	f.result(c, e)
	if a.Store {
		f.impure = len(f.out)
	}
}

// address converts the address that has so many operands above it, of an access with
// an offset. It returns the offset that the rewritten access has.
func (f *function) address(above int, offset uint64) uint64 {
	x := f.top(above)
	if x == nil {
		return 0 // never reached: any type will do
	}
	f.scratch = f.scratch[:0]
	late, copied := false, x.local >= 0 && x.version == f.known.version[x.local]
	switch reach := f.spanOfOperand(x); {
	case offset > math.MaxUint32:
		f.scratch = wasm.AppendI32Const(append(f.scratch, byte(wasm.OpDrop)), past)
		offset = 0
	case copied && f.known.span(x.local, x.version).small() && x.plus >= 0 && offset+uint64(x.plus) <= math.MaxUint32:
		// What is added to a local becomes part of the offset: the engine checks
		// accesses by one local and several offsets together.
		offset += uint64(x.plus)
		late = f.known.copied(x.local) && !x.copied
		f.scratch = f.copy(append(f.scratch, byte(wasm.OpDrop)), x.local)
	case reach.wraps():
		f.scratch = append(f.scratch, byte(wasm.OpI32WrapI64))
	case f.checks < maxChecks && f.loops.depth <= wasm.MaxNesting-wrappers:
		// The trap may not come before what the operands above it do.
		late = x.at < f.impure
		f.scratch = f.check(f.scratch)
		if copied && x.plus == 0 {
			f.scratch = f.keepCopy(f.scratch, x.local)
		}
	default:
		f.scratch = f.convert(f.scratch)
	}
	f.replace(x, above, late)
	return offset
}

// copy appends what leaves the lower half of a local as it is now.
func (f *function) copy(b []byte, local int) []byte {
	if f.known.copied(local) {
		return wasm.AppendOp(b, wasm.OpLocalGet, uint64(f.copies[local]))
	}
	b = wasm.AppendOp(b, wasm.OpLocalGet, uint64(local))
	return f.keepCopy(append(b, byte(wasm.OpI32WrapI64)), local)
}

// keepCopy appends what leaves the lower half of a local, which is on top of the stack,
// in its copy, too.
func (f *function) keepCopy(b []byte, local int) []byte {
	to, ok := f.copies[local]
	if !ok {
		if len(f.copies) == maxCopies || len(f.types)+maxCopies > wasm.MaxLocals {
			return b
		}
		if f.copies == nil {
			f.copies = map[int]int{}
		}
		to = f.add(wasm.I32)
		f.copies[local] = to
	}
	f.known.learn(local, f.known.version[local], spanOf(wasm.I64), true)
	return wasm.AppendOp(b, wasm.OpLocalTee, uint64(to))
}

// maxCopies is how many locals of a function have copies, at most.
const maxCopies = 1000

// narrow converts the operand that has so many others above it, a length or an
// index, from i64 to i32.
func (f *function) narrow(above int) {
	x := f.top(above)
	switch {
	case x == nil:
		return // never reached: any type will do
	case f.spanOfOperand(x).wraps():
		f.scratch = append(f.scratch[:0], byte(wasm.OpI32WrapI64))
	default:
		f.scratch = f.convert(f.scratch[:0])
	}
	f.replace(x, above, false)
}

// maxInsert is how many bytes of code are moved to convert an operand where it
// was left. Longer operands above it wait in locals, so that nested ones do not
// take quadratic time.
const maxInsert = 4096

// replace has the scratch make an i32 of the operand x, which has so many others
// above it: where it was left, or with late where all of them are there.
func (f *function) replace(x *operand, above int, late bool) {
	x.kind, x.local, x.span = wasm.I32, -1, spanOf(wasm.I32)
	if !late && !x.buried && len(f.out)-x.at <= maxInsert {
		f.insert(x.at, above)
		return
	}
	saved := make([]int, above)
	for i := range above {
		t := f.top(i).kind
		if t == 0 {
			t = wasm.I32 // never reached: any type will do
		}
		saved[i] = f.save(t, i)
		f.out = wasm.AppendOp(f.out, wasm.OpLocalSet, uint64(saved[i]))
	}
	f.out = append(f.out, f.scratch...)
	x.at, x.buried = len(f.out), false
	for i := above - 1; i >= 0; i-- {
		f.out = wasm.AppendOp(f.out, wasm.OpLocalGet, uint64(saved[i]))
		t := f.top(i)
		t.at, t.buried = len(f.out), false
	}
}

// insert puts the scratch at a place in the code. The operands above the one that
// was left there, so many of them, are further behind then.
func (f *function) insert(at, above int) {
	n := len(f.scratch)
	f.out = append(f.out, f.scratch...)
	copy(f.out[at+n:], f.out[at:len(f.out)-n])
	copy(f.out[at:], f.scratch)
	for i := range above + 1 {
		f.top(i).at += n
	}
}

// save returns a local of a type for the i-th operand that waits.
func (f *function) save(t wasm.ValueType, i int) int {
	if f.spare == nil {
		f.spare = map[wasm.ValueType][]int{}
	}
	for len(f.spare[t]) <= i {
		f.spare[t] = append(f.spare[t], f.add(t))
	}
	return f.spare[t][i]
}

// maxChecks is how many branches of a function lead to the trap, at most. The time of
// wazero's compiler grows with the square of their number.
const maxChecks = 4096

// wrappers are the blocks around the code of a function with checks.
const wrappers = 2

// check appends the conversion of an address to i32 that branches to the trap where it
// does not fit. A branch that is never taken, to a place behind the function's code,
// costs less than a conditional move on the way to every access, and what the engine
// knows at it, it knows behind it.
func (f *function) check(b []byte) []byte {
	f.checks++
	b = f.keep(b)
	b = wasm.AppendI64Const(b, 32)
	b = append(b, byte(wasm.OpI64ShrU), byte(wasm.OpI32WrapI64))
	b = wasm.AppendOp(b, wasm.OpBrIf, uint64(len(f.frames)))
	b = wasm.AppendOp(b, wasm.OpLocalGet, uint64(f.wide))
	return append(b, byte(wasm.OpI32WrapI64))
}

// trap puts the code into two blocks, where there are checks: what leaves the inner one
// returns, and behind the outer one, where checks branch to, is an access that is out
// of bounds.
func (f *function) trap() {
	if f.checks == 0 {
		return
	}
	b := f.module.AppendBlock([]byte{byte(wasm.OpBlock), wasm.EmptyBlock}, f.kind.Results)
	b = append(append(b, f.out...), byte(wasm.OpReturn), byte(wasm.OpEnd))
	b = wasm.AppendI32Const(b, past)
	b = wasm.AppendMemory(b, wasm.OpI32Load8U, 0, 0)
	f.out = append(b, byte(wasm.OpDrop), byte(wasm.OpUnreachable), byte(wasm.OpEnd))
}

// convert appends the conversion of an i64, an address, a length or an index, to
// i32: what does not fit becomes one that is past everything.
func (f *function) convert(b []byte) []byte {
	b = f.keep(b)
	b = append(b, byte(wasm.OpI32WrapI64))
	b = wasm.AppendI32Const(b, past)
	b = wasm.AppendOp(b, wasm.OpLocalGet, uint64(f.wide))
	b = wasm.AppendI64Const(b, math.MaxUint32)
	return append(b, byte(wasm.OpI64LeU), byte(wasm.OpSelect))
}

// keep appends what leaves the operand in the local wide too.
func (f *function) keep(b []byte) []byte {
	if f.wide < 0 {
		f.wide = f.add(wasm.I64)
	}
	return wasm.AppendOp(b, wasm.OpLocalTee, uint64(f.wide))
}
