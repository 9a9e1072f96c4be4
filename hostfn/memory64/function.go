package memory64

import (
	"fmt"
	"math"

	"github.com/realm-webgpu/realm/hostfn/wasm"
)

// maxInsert is how many bytes of code are moved to convert an operand where it
// was left. Longer operands above it wait in locals, so that nested ones do not
// take quadratic time.
const maxInsert = 4096

// maxOperands is how many values may lie on a function's stack. Calls and blocks of
// many results would take any memory else, some bytes of code each.
const maxOperands = 1 << 18

// function is a function that is being rewritten.
type function struct {
	*lowering
	kind   wasm.FuncType
	groups []wasm.Locals // the original's
	types  []wasm.ValueType
	out    []byte
	impure int // where the code continues behind the last instruction that does more than leave a value
	stack  []operand
	frames []frame
	known  known
	loops  loops

	added []wasm.ValueType // locals that the rewritten code has more
	wide  int              // the local that convert uses, or -1
	spare map[wasm.ValueType][]int
}

// begin makes the function empty.
func (f *function) begin(t wasm.FuncType, groups []wasm.Locals) {
	f.kind, f.groups = t, groups
	f.types = append(f.types[:0], t.Params...)
	for _, g := range groups {
		for range g.Count {
			f.types = append(f.types, g.Type)
		}
	}
	f.known.reset(len(f.types))
	f.out, f.impure, f.stack, f.frames = nil, 0, f.stack[:0], append(f.frames[:0], frame{kind: wasm.FuncType{Results: t.Results}})
	f.added, f.wide, f.spare = nil, -1, nil
}

// locals returns the original's locals and the added ones.
func (f *function) locals() []wasm.Locals {
	all := f.groups[:len(f.groups):len(f.groups)]
	for _, t := range f.added {
		all = append(all, wasm.Locals{Count: 1, Type: t})
	}
	return all
}

// add adds a local and returns its index.
func (f *function) add(t wasm.ValueType) int {
	f.added = append(f.added, t)
	return len(f.types) + len(f.added) - 1
}

// function rewrites a function of the module.
func (l *lowering) function(index int) error {
	m := l.module
	body := &m.Code[index]
	if l.worker == nil {
		l.worker = &function{lowering: l}
	}
	f := l.worker
	f.begin(m.Types[m.Functions[index]], body.Locals)
	f.loops.scan(body, len(f.types))
	c := wasm.NewCode(body)
	for c.Next() {
		l.notice(c)
		err := f.instruction(c)
		if err == nil && len(f.stack) > maxOperands {
			err = fmt.Errorf("more than %d values on the stack", maxOperands)
		}
		if err != nil {
			return &wasm.FormatError{Section: "code", Offset: body.At + c.Start, Reason: err.Error()}
		}
	}
	if err := c.Err(); err != nil {
		return err
	}
	body.Locals, body.Code = f.locals(), f.out
	return nil
}

// instruction rewrites an instruction.
func (f *function) instruction(c *wasm.Code) error {
	if len(f.frames) == 0 {
		return fmt.Errorf("operators remaining after end of function")
	}
	if access, ok := c.Op.Access(); ok {
		f.access(c, access)
		return nil
	}
	if e, ok := c.Op.Effect(); ok {
		f.out = append(f.out, c.Bytes()...)
		small := f.smallResult(c)
		f.pop(e.Pops)
		if e.Push != 0 {
			f.push(e.Push)
			f.stack[len(f.stack)-1].small = small
		}
		if c.Op.Traps() {
			f.impure = len(f.out)
		}
		return nil
	}
	if c.Op < wasm.OpLocalGet || c.Op > wasm.OpGlobalGet {
		defer func() { f.impure = len(f.out) }()
	}
	switch {
	case c.Op <= wasm.OpReturnCallIndirect:
		return f.control(c)
	case c.Op >= wasm.OpLocalGet && c.Op <= wasm.OpGlobalSet:
		return f.variable(c)
	case c.Op == wasm.OpMemorySize, c.Op == wasm.OpMemoryGrow, c.Op >= wasm.OpMemoryInit && c.Op <= wasm.OpMemoryFill:
		f.memory(c)
	case c.Op == wasm.OpTableGet, c.Op == wasm.OpTableSet, c.Op >= wasm.OpTableInit && c.Op <= wasm.OpTableFill:
		return f.table(c)
	default:
		return f.parametric(c)
	}
	return nil
}

// access rewrites a load or a store.
func (f *function) access(c *wasm.Code, a wasm.Access) {
	if !f.memory64() {
		f.out = append(f.out, c.Bytes()...)
	} else {
		above := 0
		if a.Store || a.Lane {
			above = 1
		}
		address := f.top(above)
		var local int
		var version uint32
		if address != nil {
			local, version = address.local, address.version
		}
		far := c.A > math.MaxUint32
		f.address(above, far)
		offset := c.A
		if far {
			offset = 0
		}
		f.out = wasm.AppendMemory(f.out, c.Op, c.B, offset)
		if a.Lane {
			f.out = append(f.out, c.Bytes()[len(c.Bytes())-1])
		}
		// It goes on only where the address was good.
		if address != nil && !far && local >= 0 {
			f.known.learn(local, version)
		}
	}
	e, _ := c.Op.Effect()
	f.pop(e.Pops)
	if e.Push != 0 {
		f.push(e.Push)
		f.stack[len(f.stack)-1].small = f.smallResult(c)
	}
	if a.Store {
		f.impure = len(f.out)
	}
}

// address converts the address that has so many operands above it. With far it
// becomes one past everything, whatever it was.
func (f *function) address(above int, far bool) {
	x := f.top(above)
	if x == nil {
		return // never reached: any type will do
	}
	f.scratch = f.scratch[:0]
	switch {
	case far:
		f.scratch = wasm.AppendI32Const(append(f.scratch, byte(wasm.OpDrop)), past)
	case f.small(x):
		f.scratch = append(f.scratch, byte(wasm.OpI32WrapI64))
	case f.inPlace(x) && x.at < f.impure:
		// The trap would come before what the operands above it do.
		f.scratch = f.convert(f.scratch)
	default:
		f.scratch = f.check(f.scratch)
	}
	f.replace(x, above)
}

// narrow converts the operand that has so many others above it, a length or an
// index, from i64 to i32.
func (f *function) narrow(above int) {
	x := f.top(above)
	switch {
	case x == nil:
		return // never reached: any type will do
	case f.small(x):
		f.scratch = append(f.scratch[:0], byte(wasm.OpI32WrapI64))
	default:
		f.scratch = f.convert(f.scratch[:0])
	}
	f.replace(x, above)
}

// inPlace reports whether an operand is converted where it was left.
func (f *function) inPlace(x *operand) bool { return !x.buried && len(f.out)-x.at <= maxInsert }

// replace has the scratch make an i32 of the operand x, which has so many others
// above it.
func (f *function) replace(x *operand, above int) {
	x.kind, x.local, x.small = wasm.I32, -1, false
	if f.inPlace(x) {
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

// check appends the conversion of an address to i32 that traps as an access out of
// bounds where it does not fit. A branch that is never taken costs less than a
// conditional move on the way to every access.
func (f *function) check(b []byte) []byte {
	b = f.keep(b)
	b = wasm.AppendI64Const(b, 32)
	b = append(b, byte(wasm.OpI64ShrU), byte(wasm.OpI32WrapI64), byte(wasm.OpIf), emptyBlock)
	b = wasm.AppendI32Const(b, past)
	b = wasm.AppendMemory(b, wasm.OpI32Load8U, 0, 0)
	b = append(b, byte(wasm.OpDrop), byte(wasm.OpEnd))
	b = wasm.AppendOp(b, wasm.OpLocalGet, uint64(f.wide))
	return append(b, byte(wasm.OpI32WrapI64))
}

// emptyBlock is the type of a block without results.
const emptyBlock = 0x40

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
