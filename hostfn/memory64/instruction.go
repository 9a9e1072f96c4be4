package memory64

import (
	"errors"
	"fmt"

	"github.com/realm-webgpu/realm/hostfn/wasm"
)

// control notes what blocks, branches and calls do to the stack.
func (f *function) control(c *wasm.Code) error {
	if c.Op == wasm.OpCallIndirect || c.Op == wasm.OpReturnCallIndirect {
		if f.table64(c.B) {
			f.narrow(0)
		}
		f.pop(1)
	}
	f.out = append(f.out, c.Bytes()...)
	switch c.Op {
	case wasm.OpBlock, wasm.OpLoop, wasm.OpIf:
		if c.Op == wasm.OpIf {
			f.pop(1)
		}
		if v := int64(c.A); v >= int64(len(f.module.Types)) {
			return fmt.Errorf("unknown type %d", v)
		}
		f.open(c.Op, c.BlockType(f.module.Types))
		if c.Op == wasm.OpLoop {
			f.enter(c.Start)
		}
	case wasm.OpElse:
		if f.frames[len(f.frames)-1].op != wasm.OpIf {
			return errors.New("else without an if")
		}
		f.middle()
	case wasm.OpEnd:
		f.close()
	case wasm.OpBrIf:
		f.pop(1)
		f.settle(c.A)
		f.leave(c.A)
	case wasm.OpBr, wasm.OpBrTable:
		f.leave(c.A)
		for _, label := range c.Targets {
			f.leave(uint64(label))
		}
		f.stop()
	case wasm.OpUnreachable, wasm.OpReturn, wasm.OpReturnCall, wasm.OpReturnCallIndirect:
		f.stop()
	case wasm.OpCall:
		if c.A >= uint64(len(f.functions)) {
			return fmt.Errorf("unknown function %d", c.A)
		}
		f.call(f.module.Types[f.functions[c.A]])
	case wasm.OpCallIndirect:
		if c.A >= uint64(len(f.module.Types)) {
			return fmt.Errorf("unknown type %d", c.A)
		}
		f.call(f.module.Types[c.A])
	}
	return nil
}

func (f *function) call(t wasm.FuncType) {
	f.pop(len(t.Params))
	f.pushAll(t.Results)
}

// settle notes that a conditional branch has the operands it would take along on
// the stack: a conversion may not be put before it, or the branch would take the
// converted one.
func (f *function) settle(label uint64) {
	if label >= uint64(len(f.frames)) {
		return
	}
	b := &f.frames[uint64(len(f.frames)-1)-label]
	n := len(b.kind.Results)
	if b.op == wasm.OpLoop {
		n = len(b.kind.Params)
	}
	for i := range n {
		x := f.top(i)
		if x == nil {
			return
		}
		x.at, x.buried = len(f.out), i > 0
	}
}

// variable notes what locals and globals do to the stack.
func (f *function) variable(c *wasm.Code) error {
	f.out = append(f.out, c.Bytes()...)
	if c.Op == wasm.OpGlobalGet || c.Op == wasm.OpGlobalSet {
		if c.A >= uint64(len(f.globals)) {
			return fmt.Errorf("unknown global %d", c.A)
		}
		if c.Op == wasm.OpGlobalGet {
			f.push(f.globals[c.A].Type)
		} else {
			f.pop(1)
		}
		return nil
	}
	if c.A >= uint64(len(f.types)) {
		return fmt.Errorf("unknown local %d", c.A)
	}
	local := int(c.A)
	if c.Op != wasm.OpLocalGet {
		is := f.spanAt(0)
		f.pop(1)
		f.known.version[local]++
		if is != spanOf(f.types[local]) {
			f.known.learn(local, f.known.version[local], is, false)
		}
		if c.Op == wasm.OpLocalSet {
			return nil
		}
	}
	f.push(f.types[local])
	if t := f.types[local]; t == wasm.I64 || t == wasm.I32 {
		x := &f.stack[len(f.stack)-1]
		x.local, x.version, x.copied = local, f.known.version[local], f.known.copied(local)
	}
	return nil
}

// memory rewrites the instructions on a whole memory.
func (f *function) memory(c *wasm.Code) {
	wide := f.memory64()
	index := wasm.I32
	if wide {
		index = wasm.I64
	}
	switch c.Op {
	case wasm.OpMemorySize:
		f.out = append(f.out, c.Bytes()...)
		if wide {
			f.out = append(f.out, byte(wasm.OpI64ExtendI32U))
		}
		f.push(index)
		return
	case wasm.OpMemoryGrow:
		f.narrowIf(wide, 0)
		f.out = append(f.out, c.Bytes()...)
		if wide {
			// -1 stays -1; no number of pages is that large.
			f.out = append(f.out, byte(wasm.OpI64ExtendI32S))
		}
		f.pop(1)
		f.push(index)
		return
	case wasm.OpMemoryInit:
		f.narrowIf(wide, 2)
	case wasm.OpMemoryCopy:
		f.narrowIf(wide, 0)
		f.narrowIf(wide, 1)
		f.narrowIf(wide, 2)
	case wasm.OpMemoryFill:
		f.narrowIf(wide, 0)
		f.narrowIf(wide, 2)
	}
	f.out = append(f.out, c.Bytes()...)
	f.pop(3)
}

func (f *function) narrowIf(wide bool, above int) {
	if wide {
		f.narrow(above)
	}
}

// table rewrites the instructions on tables.
func (f *function) table(c *wasm.Code) error {
	table := c.A
	if c.Op == wasm.OpTableInit {
		table = c.B
	}
	if table >= uint64(len(f.tables)) {
		return fmt.Errorf("unknown table %d", table)
	}
	wide := f.table64(table)
	index, element := f.tables[table].Limits.Index(), f.tables[table].Type
	switch c.Op {
	case wasm.OpTableGet:
		f.narrowIf(wide, 0)
		f.out = append(f.out, c.Bytes()...)
		f.pop(1)
		f.push(element)
		return nil
	case wasm.OpTableSet:
		f.narrowIf(wide, 1)
		f.out = append(f.out, c.Bytes()...)
		f.pop(2)
		return nil
	case wasm.OpTableSize:
		f.out = append(f.out, c.Bytes()...)
		if wide {
			f.out = append(f.out, byte(wasm.OpI64ExtendI32U))
		}
		f.push(index)
		return nil
	case wasm.OpTableGrow:
		f.narrowIf(wide, 0)
		f.out = append(f.out, c.Bytes()...)
		if wide {
			f.out = append(f.out, byte(wasm.OpI64ExtendI32S))
		}
		f.pop(2)
		f.push(index)
		return nil
	case wasm.OpTableFill:
		f.narrowIf(wide, 0)
		f.narrowIf(wide, 2)
	case wasm.OpTableInit:
		f.narrowIf(wide, 2)
	case wasm.OpTableCopy:
		// The length has the narrower of the two index types.
		source := f.table64(c.B)
		f.narrowIf(wide && source, 0)
		f.narrowIf(source, 1)
		f.narrowIf(wide, 2)
	}
	f.out = append(f.out, c.Bytes()...)
	f.pop(3)
	return nil
}

// parametric notes what is left: instructions whose types depend on operands.
func (f *function) parametric(c *wasm.Code) error {
	f.out = append(f.out, c.Bytes()...)
	switch c.Op {
	case wasm.OpDrop:
		f.pop(1)
	case wasm.OpSelect:
		var kind wasm.ValueType
		for i := 1; i <= 2; i++ {
			if x := f.top(i); x != nil && kind == 0 {
				kind = x.kind
			}
		}
		f.pop(3)
		f.push(kind)
	case wasm.OpSelectTyped:
		f.pop(3)
		f.push(wasm.ValueType(c.A))
	case wasm.OpRefNull:
		f.push(wasm.ValueType(c.A))
	default:
		return fmt.Errorf("unexpected %s", c.Op)
	}
	return nil
}
