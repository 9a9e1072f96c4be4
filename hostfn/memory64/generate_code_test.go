package memory64

import "github.com/realm-webgpu/realm/hostfn/wasm"

// value writes what leaves one value. function is where it stands, and deep how
// deep it may nest.
func (g *generator) value(t wasm.ValueType, function, deep int) {
	if deep <= 0 || g.budget <= 0 {
		g.leaf(t)
		return
	}
	deep--
	switch g.n(14) {
	case 0, 1:
		g.leaf(t)
		return
	case 2:
		g.value(t, function, deep)
		g.op(wasm.OpLocalTee, g.local(t))
		return
	case 3:
		g.block(t, function, deep)
		return
	case 4:
		g.value(t, function, deep)
		g.value(t, function, deep)
		g.value(wasm.I32, function, deep)
		if t == wasm.V128 {
			g.out = append(wasm.AppendOp(g.out, wasm.OpSelectTyped, 1), byte(t))
		} else {
			g.op(wasm.OpSelect)
		}
		return
	case 5:
		g.value(wasm.I32, function, deep)
		g.out = append(g.out, byte(wasm.OpIf), byte(t))
		g.labels = append(g.labels, t)
		g.value(t, function, deep)
		g.op(wasm.OpElse)
		g.value(t, function, deep)
		g.op(wasm.OpEnd)
		g.labels = g.labels[:len(g.labels)-1]
		return
	}
	switch t {
	case wasm.I32:
		g.valueI32(function, deep)
	case wasm.I64:
		g.valueI64(function, deep)
	default:
		g.valueV128(function, deep)
	}
}

// where writes an address, which is a good one most times.
func (g *generator) where(function, deep int) {
	g.value(wasm.I64, function, deep)
	if g.n(20) > 0 {
		g.i64([...]int64{0xff, 0xfff, 0xfff0, 0xff}[g.n(4)])
		g.op(wasm.OpI64And)
	}
}

// leaf writes a constant or a local.
func (g *generator) leaf(t wasm.ValueType) {
	switch {
	case g.n(2) == 0 || t == wasm.V128:
		g.op(wasm.OpLocalGet, g.local(t))
	case t == wasm.I32:
		g.i32(int32(g.byte()) - 20)
	default:
		g.i64(int64(g.address()))
	}
}

// block writes a block of a value, which a branch may leave.
func (g *generator) block(t wasm.ValueType, function, deep int) {
	g.out = append(g.out, byte(wasm.OpBlock), byte(t))
	g.labels = append(g.labels, t)
	for range g.n(3) {
		g.statement(function, deep)
	}
	g.value(t, function, deep)
	switch g.n(3) {
	case 0: // The value stays, and an access takes it where it is an address.
		g.value(wasm.I32, function, deep)
		g.op(wasm.OpBrIf, 0)
	case 1:
		g.op(wasm.OpBr, 0)
		g.never()
		g.leaf(t)
	}
	g.op(wasm.OpEnd)
	g.labels = g.labels[:len(g.labels)-1]
}

// never writes code that is not reached, whose operands are of no type.
func (g *generator) never() {
	switch g.n(4) {
	case 0:
		g.memory(wasm.OpI64Load)
		g.memory(wasm.OpI32Load)
		g.op(wasm.OpDrop)
	case 1:
		g.memory(wasm.OpI64Store32)
		g.op(wasm.OpMemoryFill, 0)
	case 2:
		g.op(wasm.OpSelect)
		g.op(wasm.OpMemoryGrow, 0)
		g.op(wasm.OpDrop)
		g.op(wasm.OpTableGet, 0)
		g.op(wasm.OpDrop)
	}
}

func (g *generator) valueI32(function, deep int) {
	switch g.n(10) {
	case 0, 1, 2:
		g.where(function, deep)
		g.memory(g.of(wasm.OpI32Load, 0x2c, wasm.OpI32Load8U, 0x2e, 0x2f))
	case 3:
		g.where(function, deep)
		g.memory(0x2a) // f32.load
		g.op(0xbc)     // i32.reinterpret_f32
	case 4:
		g.value(wasm.I64, function, deep)
		g.op(wasm.OpI32WrapI64)
	case 5:
		g.value(wasm.I64, function, deep)
		g.value(wasm.I64, function, deep)
		g.op(g.of(wasm.OpI64LtU, wasm.OpI64GtU, wasm.OpI64Ne))
	case 6:
		g.call(1, function, deep)
	case 7:
		g.value(wasm.V128, function, deep)
		g.out = append(wasm.AppendOp(g.out, 0xfd001b), byte(g.n(4))) // i32x4.extract_lane
	case 8:
		g.index(function, deep)
		g.op(wasm.OpTableGet, 0)
		g.op(wasm.OpRefIsNull)
	default:
		g.value(wasm.I32, function, deep)
		g.value(wasm.I32, function, deep)
		g.op(g.of(wasm.OpI32Add, wasm.OpI32Sub, wasm.OpI32Mul, wasm.OpI32And, wasm.OpI32GtU))
	}
}

func (g *generator) valueI64(function, deep int) {
	switch g.n(12) {
	case 0, 1, 2:
		g.where(function, deep)
		g.memory(g.of(wasm.OpI64Load, 0x30, 0x31, 0x32, 0x33, 0x34, wasm.OpI64Load32U))
	case 3:
		g.value(wasm.I32, function, deep)
		g.op(wasm.OpI64ExtendI32U)
	case 4:
		g.op(g.of(wasm.OpMemorySize, wasm.OpTableSize), 0)
	case 5:
		g.i64([...]int64{1, 1, 2, 1 << 16, 1<<32 + 1, -1}[g.n(6)])
		g.op(wasm.OpMemoryGrow, 0)
	case 6:
		g.op(wasm.OpRefNull, 0x70)
		g.i64([...]int64{0, 1, 2, 1 << 32, -1}[g.n(5)])
		g.op(wasm.OpTableGrow, 0)
	case 7:
		g.call([...]int{0, 2}[g.n(2)], function, deep)
	case 8:
		g.op(wasm.OpGlobalGet, 2)
	case 9:
		g.value(wasm.I64, function, deep)
		g.i64(0xffff)
		g.op(wasm.OpI64And)
	case 10:
		g.where(function, deep)
		g.memory(0x2b) // f64.load
		g.op(0xbd)     // i64.reinterpret_f64
	default:
		g.value(wasm.I64, function, deep)
		g.value(wasm.I64, function, deep)
		g.op(g.of(wasm.OpI64Add, wasm.OpI64Sub, wasm.OpI64Mul, wasm.OpI64And, wasm.OpI64Or, wasm.OpI64DivU))
	}
}

func (g *generator) valueV128(function, deep int) {
	switch g.n(5) {
	case 0:
		g.where(function, deep)
		g.memory(g.of(wasm.OpV128Load, 0xfd0001, 0xfd0004, 0xfd0007, wasm.OpV128Load64Splat, wasm.OpV128Load32Zero, wasm.OpV128Load64Zero))
	case 1:
		g.where(function, deep)
		g.value(wasm.V128, function, deep)
		g.memory(wasm.OpV128Load8Lane + wasm.Op(g.n(4)))
	case 2:
		g.value(wasm.I64, function, deep)
		g.op(0xfd0012) // i64x2.splat
	default:
		g.value(wasm.V128, function, deep)
		g.value(wasm.V128, function, deep)
		g.op(g.of(0xfd00ae, 0xfd006e, 0xfd0051)) // i32x4.add, i8x16.add, v128.xor
	}
}

// call writes a call of a function, by its index or through a table. Those behind
// the caller are called through the table alone.
func (g *generator) call(callee, function, deep int) {
	for _, p := range signatures[callee].Params {
		g.value(p, function, deep)
	}
	switch {
	case g.n(3) == 0 || callee >= function:
		if callee == 1 && g.n(4) == 0 {
			g.i32(int32(max(1, g.n(20)-15)))
			g.op(wasm.OpCallIndirect, uint64(callee), 1)
			return
		}
		if g.n(30) > 0 {
			g.i64(int64(callee))
		} else {
			g.value(wasm.I64, function, deep)
		}
		g.op(wasm.OpCallIndirect, uint64(callee), 0)
	default:
		g.op(wasm.OpCall, uint64(callee))
	}
}

// statement writes what leaves nothing.
func (g *generator) statement(function, deep int) {
	if g.budget <= 0 {
		return
	}
	deep--
	switch g.n(16) {
	case 0, 1:
		g.where(function, deep)
		if g.n(40) == 0 {
			g.far()
		}
		g.value(wasm.I32, function, deep)
		g.memory(g.of(wasm.OpI32Store, 0x3a, 0x3b))
	case 2:
		g.where(function, deep)
		g.value(wasm.I64, function, deep)
		g.memory(g.of(0x37, 0x3c, 0x3d, wasm.OpI64Store32))
	case 3:
		g.call(pairOfI32, function, deep)
		g.memory(g.of(wasm.OpI32Store, 0x3a, 0x3b))
	case 4:
		g.call(pairOfI64, function, deep)
		g.memory(0x37)
	case 5:
		g.where(function, deep)
		g.value(wasm.V128, function, deep)
		g.memory(g.of(wasm.OpV128Store, wasm.OpV128Store8Lane, wasm.OpV128Store64Lane))
	case 6:
		t := [...]wasm.ValueType{wasm.I64, wasm.I32, wasm.V128}[g.n(3)]
		g.value(t, function, deep)
		g.op(wasm.OpLocalSet, g.local(t))
	case 7:
		g.value(wasm.I64, function, deep)
		g.op(wasm.OpGlobalSet, 2)
	case 8:
		g.loop(function, deep)
	case 9:
		g.value(wasm.I32, function, deep)
		g.out = append(g.out, byte(wasm.OpIf), wasm.EmptyBlock)
		g.labels = append(g.labels, 0)
		g.statement(function, deep)
		if g.n(2) == 0 {
			g.op(wasm.OpElse)
			g.statement(function, deep)
		}
		g.op(wasm.OpEnd)
		g.labels = g.labels[:len(g.labels)-1]
	case 10:
		g.branch(function, deep)
	case 11:
		g.memories(function, deep)
	case 12:
		g.tables(function, deep)
	case 13:
		g.value(wasm.I32, function, deep)
		g.op(wasm.OpGlobalSet, 3)
	default:
		t := [...]wasm.ValueType{wasm.I64, wasm.I32, wasm.V128}[g.n(3)]
		g.value(t, function, deep)
		g.op(wasm.OpDrop)
	}
}

// far writes so much code that what is below it on the stack is not converted where
// it was left.
func (g *generator) far() {
	for range maxInsert + 1 {
		g.out = append(g.out, byte(wasm.OpNop))
	}
}

// loop writes a loop that ends with the fuel, or before.
func (g *generator) loop(function, deep int) {
	g.out = append(g.out, byte(wasm.OpLoop), wasm.EmptyBlock)
	g.labels = append(g.labels, 0)
	g.spend()
	for range 1 + g.n(3) {
		g.statement(function, deep)
	}
	if g.n(4) > 0 { // some turns
		g.op(wasm.OpGlobalGet, 1+fuelGlobal)
		g.i32(7)
		g.op(wasm.OpI32And)
	} else {
		g.value(wasm.I32, function, deep)
	}
	g.op(wasm.OpBrIf, 0)
	g.op(wasm.OpEnd)
	g.labels = g.labels[:len(g.labels)-1]
}

// branch writes a conditional branch out of some block, or over several.
func (g *generator) branch(function, deep int) {
	if len(g.labels) == 0 {
		return
	}
	label := g.n(len(g.labels))
	if t := g.labels[len(g.labels)-1-label]; t != 0 {
		g.value(t, function, deep)
		g.value(wasm.I32, function, deep)
		g.op(wasm.OpBrIf, uint64(label))
		g.op(wasm.OpDrop)
		return
	}
	// A branch to a loop goes on without spending twice: that of the loop's header.
	g.value(wasm.I32, function, deep)
	g.op(wasm.OpBrIf, uint64(label))
}

// memories writes an instruction on a range of the memory.
func (g *generator) memories(function, deep int) {
	length := func() {
		if g.n(5) == 0 {
			g.value(wasm.I64, function, deep)
		} else {
			g.i64(int64(g.n(40)))
		}
	}
	g.where(function, deep)
	switch g.n(4) {
	case 0:
		g.where(function, deep)
		length()
		g.op(wasm.OpMemoryCopy, 0, 0)
	case 1:
		g.value(wasm.I32, function, deep)
		length()
		g.op(wasm.OpMemoryFill, 0)
	case 2:
		g.i32(int32(g.n(5)))
		g.i32(int32(g.n(9)))
		g.op(wasm.OpMemoryInit, uint64(min(1, g.n(20))), 0)
	default:
		g.op(wasm.OpDrop)
		if g.n(6) == 0 {
			g.op(wasm.OpDataDrop, 1)
		}
	}
}

// index writes an index of a table, which is a good one most times.
func (g *generator) index(function, deep int) {
	if g.n(20) > 0 {
		g.i64(int64(g.n(tableLength - 4)))
	} else {
		g.value(wasm.I64, function, deep)
	}
}

// tables writes an instruction on the tables.
func (g *generator) tables(function, deep int) {
	g.index(function, deep)
	switch g.n(6) {
	case 0:
		g.op(wasm.OpRefFunc, uint64(g.n(len(signatures))))
		g.i64(int64(g.n(3)))
		g.op(wasm.OpTableFill, 0)
	case 1:
		g.i64(int64(g.n(tableLength)))
		g.i64(int64(g.n(4)))
		g.op(wasm.OpTableCopy, 0, 0)
	case 2:
		g.i32(int32(g.n(5)))
		g.i32(int32(g.n(3)))
		g.op(wasm.OpTableCopy, 0, 1)
	case 3:
		g.i32(int32(g.n(3)))
		g.i32(int32(g.n(3)))
		g.op(wasm.OpTableInit, 1, 0)
	case 4:
		g.op(wasm.OpRefFunc, uint64(g.n(len(signatures))))
		g.op(wasm.OpTableSet, 0)
	default:
		g.op(wasm.OpDrop)
		if g.n(6) == 0 {
			g.op(wasm.OpElemDrop, 1)
		}
	}
}
