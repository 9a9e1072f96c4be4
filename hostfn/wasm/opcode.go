package wasm

import "fmt"

// Op is an instruction: its byte, or for those of more than one byte the prefix
// and the number behind it, prefix<<16 | number.
type Op uint32

// The instructions that passes ask for by name.
const (
	OpUnreachable  Op = 0x00
	OpNop          Op = 0x01
	OpBlock        Op = 0x02
	OpLoop         Op = 0x03
	OpIf           Op = 0x04
	OpElse         Op = 0x05
	OpEnd          Op = 0x0b
	OpBr           Op = 0x0c
	OpBrIf         Op = 0x0d
	OpBrTable      Op = 0x0e
	OpReturn       Op = 0x0f
	OpCall         Op = 0x10
	OpCallIndirect Op = 0x11
	OpReturnCall   Op = 0x12

	OpReturnCallIndirect Op = 0x13

	OpDrop        Op = 0x1a
	OpSelect      Op = 0x1b
	OpSelectTyped Op = 0x1c
	OpLocalGet    Op = 0x20
	OpLocalSet    Op = 0x21
	OpLocalTee    Op = 0x22
	OpGlobalGet   Op = 0x23
	OpGlobalSet   Op = 0x24
	OpTableGet    Op = 0x25
	OpTableSet    Op = 0x26

	OpI32Load    Op = 0x28
	OpI64Load    Op = 0x29
	OpI32Load8U  Op = 0x2d
	OpI32Load16U Op = 0x2f
	OpI64Load8U  Op = 0x31
	OpI64Load16U Op = 0x33
	OpI64Load32U Op = 0x35
	OpI32Store   Op = 0x36
	OpI64Store32 Op = 0x3e
	OpMemorySize Op = 0x3f
	OpMemoryGrow Op = 0x40
	OpI32Const   Op = 0x41
	OpI64Const   Op = 0x42
	OpF32Const   Op = 0x43
	OpF64Const   Op = 0x44

	OpI32Eqz Op = 0x45
	OpI32Eq  Op = 0x46
	OpI32Ne  Op = 0x47
	OpI32LtS Op = 0x48
	OpI32GtU Op = 0x4b
	OpI32GeU Op = 0x4f
	OpI64Eqz Op = 0x50
	OpI64Ne  Op = 0x52
	OpI64LtS Op = 0x53
	OpI64LtU Op = 0x54
	OpI64GtU Op = 0x56
	OpI64LeU Op = 0x58
	OpI64GeU Op = 0x5a

	OpI32Clz  Op = 0x67
	OpI32Add  Op = 0x6a
	OpI32Sub  Op = 0x6b
	OpI32Mul  Op = 0x6c
	OpI32And  Op = 0x71
	OpI32Or   Op = 0x72
	OpI32Shl  Op = 0x74
	OpI32ShrU Op = 0x76
	OpI64Add  Op = 0x7c
	OpI64Sub  Op = 0x7d
	OpI64Mul  Op = 0x7e
	OpI64DivU Op = 0x80
	OpI64And  Op = 0x83
	OpI64Or   Op = 0x84
	OpI64Shl  Op = 0x86
	OpI64ShrU Op = 0x88

	OpI32WrapI64    Op = 0xa7
	OpI64ExtendI32S Op = 0xac
	OpI64ExtendI32U Op = 0xad

	OpRefNull   Op = 0xd0
	OpRefIsNull Op = 0xd1
	OpRefFunc   Op = 0xd2

	OpMemoryInit Op = 0xfc0008
	OpDataDrop   Op = 0xfc0009
	OpMemoryCopy Op = 0xfc000a
	OpMemoryFill Op = 0xfc000b
	OpTableInit  Op = 0xfc000c
	OpElemDrop   Op = 0xfc000d
	OpTableCopy  Op = 0xfc000e
	OpTableGrow  Op = 0xfc000f
	OpTableSize  Op = 0xfc0010
	OpTableFill  Op = 0xfc0011

	OpV128Load        Op = 0xfd0000
	OpV128Load64Splat Op = 0xfd000a
	OpV128Store       Op = 0xfd000b
	OpV128Const       Op = 0xfd000c
	OpI8x16Shuffle    Op = 0xfd000d
	OpV128Load8Lane   Op = 0xfd0054
	OpV128Load64Lane  Op = 0xfd0057
	OpV128Store8Lane  Op = 0xfd0058
	OpV128Store64Lane Op = 0xfd005b
	OpV128Load32Zero  Op = 0xfd005c
	OpV128Load64Zero  Op = 0xfd005d
)

// String returns the instruction as a number, "opcode 0xfc 10".
func (o Op) String() string {
	if o > 0xff {
		return fmt.Sprintf("opcode %#x %d", uint32(o>>16), uint32(o&0xffff))
	}
	return fmt.Sprintf("opcode %#x", uint32(o))
}

// constant reports whether o may stand in a constant expression (with the
// extended ones: sums and products of integers).
func (o Op) constant() bool {
	switch o {
	case OpEnd, OpI32Const, OpI64Const, OpF32Const, OpF64Const, OpV128Const, OpGlobalGet, OpRefNull, OpRefFunc,
		OpI32Add, OpI32Sub, OpI32Mul, OpI64Add, OpI64Sub, OpI64Mul:
		return true
	}
	return false
}

// immediate is the shape of what follows an opcode.
type immediate uint8

const (
	unknown     immediate = iota // no instruction
	none                         // nothing
	blockType                    // a block type
	oneIndex                     // a u32
	twoIndices                   // two u32
	brTable                      // a vector of u32, and one more
	selectTypes                  // a vector of value types
	memArg                       // alignment, memory and offset
	memArgLane                   // the same, and a lane
	lane                         // a byte
	sixteen                      // 16 bytes
	constI32
	constI64
	constF32
	constF64
	refType
	memoryIndex  // memory.size, .grow, .fill: a memory
	dataMemory   // memory.init: a segment, and a memory
	memoryMemory // memory.copy
)

// immediates returns the shape of what follows an opcode.
func (o Op) immediates() immediate {
	switch {
	case o <= OpNop, o == OpElse, o == OpEnd, o == OpReturn, o == OpDrop, o == OpSelect, o == OpRefIsNull:
		return none
	case o >= OpBlock && o <= OpIf:
		return blockType
	case o == OpBr, o == OpBrIf, o == OpCall, o == OpReturnCall, o >= OpLocalGet && o <= OpTableSet, o == OpRefFunc:
		return oneIndex
	case o == OpBrTable:
		return brTable
	case o == OpCallIndirect, o == OpReturnCallIndirect:
		return twoIndices
	case o == OpSelectTyped:
		return selectTypes
	case o >= OpI32Load && o <= OpI64Store32:
		return memArg
	case o == OpMemorySize, o == OpMemoryGrow, o == OpMemoryFill:
		return memoryIndex
	case o == OpI32Const:
		return constI32
	case o == OpI64Const:
		return constI64
	case o == OpF32Const:
		return constF32
	case o == OpF64Const:
		return constF64
	case o >= OpI32Eqz && o <= 0xc4:
		return none
	case o == OpRefNull:
		return refType
	case o >= 0xfc0000 && o <= 0xfc0007: // saturating truncation
		return none
	case o == OpMemoryInit:
		return dataMemory
	case o == OpMemoryCopy:
		return memoryMemory
	case o == OpTableInit, o == OpTableCopy:
		return twoIndices
	case o == OpDataDrop, o == OpElemDrop, o >= OpTableGrow && o <= OpTableFill:
		return oneIndex
	case o >= OpV128Load && o <= OpV128Store, o == OpV128Load32Zero, o == OpV128Load64Zero:
		return memArg
	case o == OpV128Const, o == OpI8x16Shuffle:
		return sixteen
	case o >= 0xfd0015 && o <= 0xfd0022: // extract and replace
		return lane
	case o >= OpV128Load8Lane && o <= OpV128Store64Lane:
		return memArgLane
	case o >= 0xfd000e && o <= 0xfd00ff && !simdGap(o):
		return none
	}
	return unknown
}

// simdGap reports whether there is no SIMD instruction of a number below 256.
func simdGap(o Op) bool {
	switch o & 0xff {
	case 0x9a, 0xa2, 0xa5, 0xa6, 0xaf, 0xb0, 0xb2, 0xb3, 0xb4, 0xbb, 0xc2, 0xc5, 0xc6, 0xcf, 0xd0, 0xd2, 0xd3, 0xd4, 0xe2, 0xee:
		return true
	}
	return false
}

// Access is what an instruction with a memarg does.
type Access struct {
	Bytes uint32    // that it touches
	Store bool      // a value of Type is above the address
	Lane  bool      // a v128 is above the address
	Type  ValueType // of what is loaded or stored
}

// Access returns what an instruction with a memarg does; ok is false for others.
func (o Op) Access() (a Access, ok bool) {
	switch {
	case o >= OpI32Load && o <= OpI64Store32:
		return accesses[o-OpI32Load], true
	case o == OpV128Load:
		return Access{Bytes: 16, Type: V128}, true
	case o > OpV128Load && o <= 0xfd0006:
		return Access{Bytes: 8, Type: V128}, true
	case o >= 0xfd0007 && o <= OpV128Load64Splat:
		return Access{Bytes: 1 << (o - 0xfd0007), Type: V128}, true
	case o == OpV128Store:
		return Access{Bytes: 16, Store: true, Type: V128}, true
	case o >= OpV128Load8Lane && o <= OpV128Load64Lane:
		return Access{Bytes: 1 << (o - OpV128Load8Lane), Lane: true, Type: V128}, true
	case o >= OpV128Store8Lane && o <= OpV128Store64Lane:
		return Access{Bytes: 1 << (o - OpV128Store8Lane), Store: true, Lane: true, Type: V128}, true
	case o == OpV128Load32Zero:
		return Access{Bytes: 4, Type: V128}, true
	case o == OpV128Load64Zero:
		return Access{Bytes: 8, Type: V128}, true
	}
	return Access{}, false
}

// accesses are those from i32.load on.
var accesses = [...]Access{
	{4, false, false, I32}, {8, false, false, I64}, {4, false, false, F32}, {8, false, false, F64},
	{1, false, false, I32}, {1, false, false, I32}, {2, false, false, I32}, {2, false, false, I32},
	{1, false, false, I64}, {1, false, false, I64}, {2, false, false, I64}, {2, false, false, I64}, {4, false, false, I64}, {4, false, false, I64},
	{4, true, false, I32}, {8, true, false, I64}, {4, true, false, F32}, {8, true, false, F64},
	{1, true, false, I32}, {2, true, false, I32},
	{1, true, false, I64}, {2, true, false, I64}, {4, true, false, I64},
}
