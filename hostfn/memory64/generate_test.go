package memory64

import (
	"math"
	"math/bits"

	"github.com/realm-webgpu/realm/hostfn/wasm"
)

// generator makes valid modules of bytes: other bytes, another module. They have a
// 64-bit memory and a 64-bit table, and use both in all ways, in bounds and out of
// them. Fuel in a global ends their loops and calls. They compute no floats, as the
// bits of a NaN are up to the engine.
type generator struct {
	data []byte // zeros when it is used up
	m    *wasm.Module
	out  []byte
	// Of the function that is being written:
	locals []wasm.ValueType
	labels []wasm.ValueType // of open blocks, what a branch takes along; 0: nothing
	budget int              // instructions that may still be written, about
}

// The signatures of functions. The first one is that of function 0, which the test
// calls; a function calls those before it, and any of the table.
var signatures = []wasm.FuncType{
	{Params: []wasm.ValueType{wasm.I64, wasm.I32}, Results: []wasm.ValueType{wasm.I64}},
	{Params: []wasm.ValueType{wasm.I64}, Results: []wasm.ValueType{wasm.I32}},
	{Params: []wasm.ValueType{wasm.I32}, Results: []wasm.ValueType{wasm.I64}},
	{Params: []wasm.ValueType{wasm.I64}, Results: []wasm.ValueType{wasm.I64, wasm.I32}}, // an address and a value
	{Results: []wasm.ValueType{wasm.I64, wasm.I64}},                                     // two addresses
}

// pairOfI32 and pairOfI64 are the functions of two results.
const (
	pairOfI32   = 3
	pairOfI64   = 4
	fuelGlobal  = 0 // index among the globals of the module, behind an imported one
	calls       = 6
	loopFuel    = 600
	mostPages   = 3
	tableLength = 9
)

// generate makes a module. Its global "base" is imported.
func generate(data []byte) []byte {
	g := &generator{data: data, m: &wasm.Module{Types: signatures}}
	m := g.m
	m.Imports = []wasm.Import{{Module: "env", Name: "base", Kind: wasm.KindGlobal, Global: wasm.GlobalType{Type: wasm.I64}}}
	m.Memories = []wasm.Limits{{Is64: true, Min: uint64(min(1, g.n(8))), Max: mostPages, HasMax: true}}
	m.Tables = []wasm.Table{
		{Type: wasm.FuncRef, Limits: wasm.Limits{Is64: true, Min: tableLength, Max: 20, HasMax: true}},
		{Type: wasm.FuncRef, Limits: wasm.Limits{Min: 4, Max: 8, HasMax: true}},
	}
	m.Globals = []wasm.Global{
		{GlobalType: wasm.GlobalType{Type: wasm.I32, Mutable: true}, Init: g.constant(wasm.I32, loopFuel)},
		{GlobalType: wasm.GlobalType{Type: wasm.I64, Mutable: true}, Init: g.constant(wasm.I64, int64(g.address()))},
		{GlobalType: wasm.GlobalType{Type: wasm.I32, Mutable: true}, Init: g.constant(wasm.I32, 7)},
	}
	m.Exports = []wasm.Export{
		{Name: "main", Kind: wasm.KindFunction, Index: 0}, {Name: "memory", Kind: wasm.KindMemory},
		{Name: "fuel", Kind: wasm.KindGlobal, Index: 1}, {Name: "g1", Kind: wasm.KindGlobal, Index: 2}, {Name: "g2", Kind: wasm.KindGlobal, Index: 3},
	}
	g.segments()
	for i := range signatures {
		m.Functions = append(m.Functions, uint32(i))
		m.Code = append(m.Code, g.function(i))
	}
	return m.Encode()
}

// segments adds elements and data, active, passive and out of bounds.
func (g *generator) segments() {
	g.m.DataCount = true
	offsets := [][]byte{g.constant(wasm.I64, int64(g.n(8))), g.constant(wasm.I64, 0)}
	switch g.n(12) {
	case 0: // the imported one
		offsets[0] = []byte{byte(wasm.OpGlobalGet), 0, byte(wasm.OpEnd)}
	case 1:
		offsets[1] = wasm.AppendI64Const([]byte{byte(wasm.OpGlobalGet), 0}, int64(g.n(4)))
		offsets[1] = append(offsets[1], byte(wasm.OpI64Add), byte(wasm.OpEnd))
	case 2:
		if g.n(4) == 0 {
			offsets[g.n(2)] = g.constant(wasm.I64, int64(g.address()))
		}
	}
	g.m.Elements = []wasm.Element{
		{Type: wasm.FuncRef, Offset: offsets[1], Functions: []uint32{0, 1, 2, 3, 4}},
		{Mode: wasm.Passive, Type: wasm.FuncRef, Functions: []uint32{2, 1}},
		{Type: wasm.FuncRef, Table: 1, Offset: g.constant(wasm.I32, 1), Functions: []uint32{1}},
		{Mode: wasm.Declarative, Type: wasm.FuncRef, Functions: []uint32{0, 1, 2, 3, 4}},
	}
	g.m.Data = []wasm.Data{
		{Offset: offsets[0], Bytes: []byte("some bytes in the beginning")},
		{Mode: wasm.Passive, Bytes: []byte("passive ones")},
	}
}

// byte takes a byte.
func (g *generator) byte() byte {
	if len(g.data) == 0 {
		return 0
	}
	b := g.data[0]
	g.data = g.data[1:]
	return b
}

// n takes a number below most, which is at most 256.
func (g *generator) n(most int) int { return int(g.byte()) % most }

// address takes a number that is a good address, or one at an edge.
func (g *generator) address() uint64 {
	small := uint64(g.byte())
	switch g.n(16) {
	case 0:
		return small<<12 + uint64(g.byte())
	case 1, 2:
		return 1<<16*uint64(g.n(mostPages+1)) - small%20
	case 3:
		return 1<<32 - small%20
	case 4:
		return 1<<32 + small
	case 5:
		return -small % 20
	case 6:
		return 1<<63 + small
	case 7:
		return small<<32 | small
	}
	return small
}

func (g *generator) constant(t wasm.ValueType, v int64) []byte {
	if t == wasm.I32 {
		return append(wasm.AppendI32Const(nil, int32(v)), byte(wasm.OpEnd))
	}
	return append(wasm.AppendI64Const(nil, v), byte(wasm.OpEnd))
}

func (g *generator) op(o wasm.Op, immediates ...uint64) {
	g.out = wasm.AppendOp(g.out, o, immediates...)
	g.budget--
}

func (g *generator) i32(v int32) { g.out = wasm.AppendI32Const(g.out, v) }
func (g *generator) i64(v int64) { g.out = wasm.AppendI64Const(g.out, v) }

// function writes a function.
func (g *generator) function(index int) wasm.Body {
	t := signatures[index]
	added := []wasm.Locals{{Count: 2, Type: wasm.I64}, {Count: 2, Type: wasm.I32}, {Count: 1, Type: wasm.V128}}
	g.locals = append([]wasm.ValueType{}, t.Params...)
	for _, l := range added {
		for range l.Count {
			g.locals = append(g.locals, l.Type)
		}
	}
	g.out, g.labels, g.budget = nil, nil, 220
	g.spend()
	for range 2 + g.n(8) {
		g.statement(index, 3)
	}
	for _, r := range t.Results {
		g.value(r, index, 3)
	}
	g.op(wasm.OpEnd)
	return wasm.Body{Locals: added, Code: g.out}
}

// spend takes fuel, and traps when there is none.
func (g *generator) spend() {
	g.op(wasm.OpGlobalGet, 1+fuelGlobal)
	g.op(wasm.OpI32Eqz)
	g.out = append(g.out, byte(wasm.OpIf), wasm.EmptyBlock)
	g.op(wasm.OpUnreachable)
	g.op(wasm.OpEnd)
	g.op(wasm.OpGlobalGet, 1+fuelGlobal)
	g.i32(1)
	g.op(wasm.OpI32Sub)
	g.op(wasm.OpGlobalSet, 1+fuelGlobal)
}

// local returns a local of a type.
func (g *generator) local(t wasm.ValueType) uint64 {
	i := g.n(len(g.locals))
	for g.locals[i] != t {
		i = (i + 1) % len(g.locals)
	}
	return uint64(i)
}

// offset takes an offset of an access.
func (g *generator) offset() uint64 {
	switch g.n(90) {
	case 0:
		return g.address()
	case 1:
		return 1<<16 - uint64(g.n(9))
	case 2:
		return [...]uint64{1 << 32, math.MaxUint32, math.MaxUint64, 1 << 63}[g.n(4)]
	}
	return uint64(g.n(32))
}

// memory writes an access whose operands are on the stack.
func (g *generator) memory(o wasm.Op) {
	a, _ := o.Access()
	g.out = wasm.AppendMemory(g.out, o, uint64(g.n(bits.TrailingZeros32(a.Bytes)+1)), g.offset())
	if o >= wasm.OpV128Load8Lane && o <= wasm.OpV128Store64Lane {
		g.out = append(g.out, byte(g.n(16/int(a.Bytes))))
	}
	g.budget--
}

// of returns one of some instructions.
func (g *generator) of(all ...wasm.Op) wasm.Op { return all[g.n(len(all))] }
