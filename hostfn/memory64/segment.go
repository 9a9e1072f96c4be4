package memory64

import (
	"math"

	"github.com/realm-webgpu/realm/hostfn/wasm"
)

// past is an address, a length and an index that is past any memory and table.
const past = -1

// segments places active segments by 32-bit offsets.
func (l *lowering) segments() error {
	m := l.module
	constant := !l.dropped
	for i := range m.Elements {
		e := &m.Elements[i]
		if e.Mode != wasm.Active || !l.table64(uint64(e.Table)) {
			continue
		}
		// wazero passes over elements that the table has no room for.
		at, ok := evaluate(e.Offset)
		room := l.tables[e.Table].Limits.Min
		constant = constant && ok && at <= room && uint64(count(e)) <= room-at
	}
	for i := range m.Data {
		if d := &m.Data[i]; d.Mode == wasm.Active && l.memory64() {
			_, ok := evaluate(d.Offset)
			constant = constant && ok
		}
	}
	if !constant {
		return l.startSegments()
	}
	for i := range m.Elements {
		if e := &m.Elements[i]; e.Mode == wasm.Active && l.table64(uint64(e.Table)) {
			e.Offset = offset32(e.Offset)
		}
	}
	for i := range m.Data {
		if d := &m.Data[i]; d.Mode == wasm.Active && l.memory64() {
			d.Offset = offset32(d.Offset)
		}
	}
	return nil
}

// count returns how many elements a segment has.
func count(e *wasm.Element) int { return max(len(e.Functions), len(e.Expressions)) }

// notice notes an instruction that copies from an active segment. That is empty once
// it was copied, but wazero keeps it.
func (l *lowering) notice(c *wasm.Code) {
	m := l.module
	switch c.Op {
	case wasm.OpMemoryInit:
		l.dropped = l.dropped || m.Data[c.A].Mode == wasm.Active
	case wasm.OpTableInit:
		l.dropped = l.dropped || m.Elements[c.A].Mode != wasm.Passive
	}
}

// offset32 returns the expression of an offset, a constant, in 32 bits.
func offset32(expression []byte) []byte {
	v, _ := evaluate(expression)
	address := int32(past)
	if v <= math.MaxUint32 {
		address = int32(uint32(v))
	}
	return append(wasm.AppendI32Const(nil, address), byte(wasm.OpEnd))
}

// evaluate returns the value of a constant expression of i64. It is not ok where
// the value depends on a global, or where the expression is none of i64: the
// engine refuses that one.
func evaluate(expression []byte) (v uint64, ok bool) {
	var stack []uint64
	c := wasm.NewCode(&wasm.Body{Code: expression})
	for c.Next() {
		n := len(stack)
		switch c.Op {
		case wasm.OpI64Const:
			stack = append(stack, c.A)
			continue
		case wasm.OpEnd:
			if n != 1 {
				return 0, false
			}
			return stack[0], true
		}
		if n < 2 {
			return 0, false
		}
		a, b := stack[n-2], stack[n-1]
		switch c.Op {
		case wasm.OpI64Add:
			a += b
		case wasm.OpI64Sub:
			a -= b
		case wasm.OpI64Mul:
			a *= b
		default:
			return 0, false
		}
		stack = append(stack[:n-2], a)
	}
	return 0, false
}

// startSegments makes all active segments passive, and a start function that does
// what instantiation does: first elements, then data, each in order, and what was
// copied before a trap stays.
func (l *lowering) startSegments() error {
	m := l.module
	f := &function{lowering: l}
	f.begin(wasm.FuncType{}, nil)
	for i := range m.Elements {
		e := &m.Elements[i]
		if e.Mode != wasm.Active {
			continue
		}
		f.place(e.Offset, l.table64(uint64(e.Table)), count(e))
		f.out = wasm.AppendOp(f.out, wasm.OpTableInit, uint64(i), uint64(e.Table))
		f.out = wasm.AppendOp(f.out, wasm.OpElemDrop, uint64(i))
		e.Mode, e.Table, e.Offset = wasm.Passive, 0, nil
	}
	for i := range m.Data {
		d := &m.Data[i]
		if d.Mode != wasm.Active {
			continue
		}
		f.place(d.Offset, l.memory64(), len(d.Bytes))
		f.out = wasm.AppendOp(f.out, wasm.OpMemoryInit, uint64(i), 0)
		f.out = wasm.AppendOp(f.out, wasm.OpDataDrop, uint64(i))
		d.Mode, d.Offset = wasm.Passive, nil
	}
	m.DataCount = m.DataCount || len(m.Data) > 0
	if m.Start != nil {
		f.out = wasm.AppendOp(f.out, wasm.OpCall, uint64(*m.Start))
	}
	f.out = append(f.out, byte(wasm.OpEnd))
	start := uint32(len(l.functions))
	m.Types = append(m.Types, wasm.FuncType{})
	m.Functions = append(m.Functions, uint32(len(m.Types)-1))
	m.Code = append(m.Code, wasm.Body{Locals: f.locals(), Code: f.out})
	m.Start = &start
	return nil
}

// place leaves the destination, the source and the length of a segment.
func (f *function) place(offset []byte, wide bool, length int) {
	f.out = append(f.out, offset[:len(offset)-1]...) // without its end
	if wide {
		f.out = f.convert(f.out)
	}
	f.out = wasm.AppendI32Const(f.out, 0)
	f.out = wasm.AppendI32Const(f.out, int32(length))
}
