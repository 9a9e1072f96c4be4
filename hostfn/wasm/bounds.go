package wasm

// bounds are how many there are of what instructions name by an index.
type bounds struct {
	types, functions, tables, globals, locals, elements, data int
}

// check returns the first index of an instruction that is none, if there is one.
func (b *bounds) check(c *Code) (what string, index uint64, ok bool) {
	below := func(i uint64, n int, name string) bool {
		what, index = name, i
		return i < uint64(n)
	}
	switch c.Op {
	case OpBlock, OpLoop, OpIf:
		ok = int64(c.A) < 0 || below(c.A, b.types, "type")
	case OpCall, OpReturnCall, OpRefFunc:
		ok = below(c.A, b.functions, "function")
	case OpCallIndirect, OpReturnCallIndirect:
		ok = below(c.A, b.types, "type") && below(c.B, b.tables, "table")
	case OpLocalGet, OpLocalSet, OpLocalTee:
		ok = below(c.A, b.locals, "local")
	case OpGlobalGet, OpGlobalSet:
		ok = below(c.A, b.globals, "global")
	case OpTableGet, OpTableSet, OpTableGrow, OpTableSize, OpTableFill:
		ok = below(c.A, b.tables, "table")
	case OpTableCopy:
		ok = below(c.A, b.tables, "table") && below(c.B, b.tables, "table")
	case OpTableInit:
		ok = below(c.A, b.elements, "elem segment") && below(c.B, b.tables, "table")
	case OpElemDrop:
		ok = below(c.A, b.elements, "elem segment")
	case OpMemoryInit, OpDataDrop:
		ok = below(c.A, b.data, "data segment")
	default:
		return "", 0, true
	}
	return what, index, ok
}

// constant reads a constant expression. A global's may name those before it.
func (d *decoder) constant() []byte {
	at := d.at
	code := d.expression()
	bounds := &bounds{functions: d.functions, globals: d.globals}
	for c := NewCode(&Body{Code: code}); c.Next(); {
		if what, index, ok := bounds.check(c); !ok {
			d.fail(at+c.Start, "unknown %s %d", what, index)
			return nil
		}
	}
	return code
}
