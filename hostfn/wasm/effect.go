package wasm

// Effect is what an instruction does to the stack, where its opcode alone tells:
// it takes Pops values and leaves one of type Push, or none.
type Effect struct {
	Pops int
	Push ValueType // 0: nothing is left
}

// Effect returns the effect of an instruction. ok is false where it depends on
// immediates or on the module: control, calls, parametric instructions, locals,
// globals, and those of tables and memories whose operands have the type of an
// index.
func (o Op) Effect() (e Effect, ok bool) {
	if a, isAccess := o.Access(); isAccess {
		e.Pops = 1
		if a.Store || a.Lane {
			e.Pops = 2
		}
		if !a.Store {
			e.Push = a.Type
		}
		return e, true
	}
	switch {
	case o == OpNop, o == OpDataDrop, o == OpElemDrop:
		return Effect{}, true
	case o >= OpI32Const && o <= OpF64Const:
		return Effect{0, [...]ValueType{I32, I64, F32, F64}[o-OpI32Const]}, true
	case o >= OpI32Eqz && o <= 0xc4:
		return numeric(o), true
	case o == OpRefIsNull:
		return Effect{1, I32}, true
	case o == OpRefFunc:
		return Effect{0, FuncRef}, true
	case o >= 0xfc0000 && o <= 0xfc0007:
		if o <= 0xfc0003 {
			return Effect{1, I32}, true
		}
		return Effect{1, I64}, true
	case o == OpV128Const:
		return Effect{0, V128}, true
	case o >= 0xfd000d && o <= 0xfd00ff:
		return simd(o & 0xff), true
	}
	return Effect{}, false
}

// Traps reports whether a numeric instruction can trap: divisions, remainders and
// truncations.
func (o Op) Traps() bool {
	switch {
	case o >= 0x6d && o <= 0x70, o >= 0x7f && o <= 0x82, o >= 0xa8 && o <= 0xab, o >= 0xae && o <= 0xb1:
		return true
	}
	return false
}

// numeric returns the effect of the instructions from i32.eqz on.
func numeric(o Op) Effect {
	for _, r := range numerics {
		if o <= r.last {
			return r.effect
		}
	}
	return Effect{}
}

// numerics are runs of instructions of the same effect, each up to last.
var numerics = []struct {
	last   Op
	effect Effect
}{
	{0x45, Effect{1, I32}},                         // i32.eqz
	{0x4f, Effect{2, I32}},                         // comparisons of i32
	{0x50, Effect{1, I32}},                         // i64.eqz
	{0x66, Effect{2, I32}},                         // comparisons of i64, f32, f64
	{0x69, Effect{1, I32}}, {0x78, Effect{2, I32}}, // i32
	{0x7b, Effect{1, I64}}, {0x8a, Effect{2, I64}}, // i64
	{0x91, Effect{1, F32}}, {0x98, Effect{2, F32}}, // f32
	{0x9f, Effect{1, F64}}, {0xa6, Effect{2, F64}}, // f64
	{0xab, Effect{1, I32}}, // i32.wrap and truncations
	{0xb1, Effect{1, I64}},
	{0xb6, Effect{1, F32}},
	{0xbb, Effect{1, F64}},
	{0xbc, Effect{1, I32}}, {0xbd, Effect{1, I64}}, {0xbe, Effect{1, F32}}, {0xbf, Effect{1, F64}}, // reinterpretations
	{0xc1, Effect{1, I32}}, {0xc4, Effect{1, I64}}, // sign extensions
}

// simd returns the effect of a SIMD instruction from i8x16.shuffle on that
// accesses no memory.
func simd(o Op) Effect {
	switch {
	case o >= 0x15 && o <= 0x22:
		return lanes[o-0x15]
	case o == 0x53, o == 0x63, o == 0x64, o == 0x83, o == 0x84, o == 0xa3, o == 0xa4, o == 0xc3, o == 0xc4:
		return Effect{1, I32} // any_true, all_true, bitmask
	case o == 0x52:
		return Effect{3, V128} // bitselect
	}
	for _, r := range unary {
		if o >= r[0] && o <= r[1] {
			return Effect{1, V128}
		}
	}
	return Effect{2, V128}
}

// lanes are the instructions that extract and replace lanes.
var lanes = [...]Effect{
	{1, I32}, {1, I32}, {2, V128}, // i8x16
	{1, I32}, {1, I32}, {2, V128}, // i16x8
	{1, I32}, {2, V128}, // i32x4
	{1, I64}, {2, V128}, // i64x2
	{1, F32}, {2, V128}, // f32x4
	{1, F64}, {2, V128}, // f64x2
}

// unary are the SIMD instructions of one operand, from and to.
var unary = [...][2]Op{
	{0x0f, 0x14}, // splats
	{0x4d, 0x4d}, {0x5e, 0x62}, {0x67, 0x6a}, {0x74, 0x75}, {0x7a, 0x7a}, {0x7c, 0x81}, {0x87, 0x8a}, {0x94, 0x94},
	{0xa0, 0xa1}, {0xa7, 0xaa}, {0xc0, 0xc1}, {0xc7, 0xca}, {0xe0, 0xe1}, {0xe3, 0xe3}, {0xec, 0xed}, {0xef, 0xef}, {0xf8, 0xff},
}
