package memory64

import (
	"fmt"

	"github.com/realm-webgpu/realm/hostfn/wasm"
)

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

	added  []wasm.ValueType // locals that the rewritten code has more
	wide   int              // the local that convert uses, or -1
	spare  map[wasm.ValueType][]int
	copies map[int]int // of locals: the one of i32 that has their lower half
	checks int         // branches to where an address traps
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
	f.out, f.impure, f.stack, f.frames = nil, 0, f.stack[:0], append(f.frames[:0], frame{kind: wasm.FuncType{Results: t.Results}, left: -1})
	f.added, f.wide, f.spare, f.copies, f.checks = nil, -1, nil, nil, 0
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
	f.trap()
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
		f.result(c, e)
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

// result notes what a numeric instruction or a load does to the stack.
func (f *function) result(c *wasm.Code, e wasm.Effect) {
	if e.Push == 0 {
		f.pop(e.Pops)
		return
	}
	x := operand{local: -1, span: f.spanOfResult(c, e.Push)}
	if c.Op == wasm.OpI64Add || c.Op == wasm.OpI64Sub {
		f.sum(&x, c.Op)
	}
	f.pop(e.Pops)
	f.push(e.Push)
	x.kind, x.at = e.Push, len(f.out)
	f.stack[len(f.stack)-1] = x
}

// maxPlus bounds what is followed of a constant that is added to a local.
const maxPlus = 1 << 31

// sum notes that the result of an addition or a subtraction is a local and a constant.
func (f *function) sum(x *operand, op wasm.Op) {
	a, b := f.top(1), f.top(0)
	if a == nil || b == nil {
		return
	}
	if op == wasm.OpI64Add && a.span.low == a.span.high {
		a, b = b, a
	}
	plus := b.span.low
	if a.local < 0 || b.span.low != b.span.high || plus < -maxPlus || plus > maxPlus {
		return
	}
	if op == wasm.OpI64Sub {
		plus = -plus
	}
	if plus += a.plus; plus >= -maxPlus && plus <= maxPlus {
		x.local, x.version, x.plus, x.copied = a.local, a.version, plus, a.copied
	}
}
