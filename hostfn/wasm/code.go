package wasm

import "math/bits"

// Code walks over the instructions of a function or of a constant expression:
//
//	for c := wasm.NewCode(body); c.Next(); {
//		... c.Op, c.A, c.B, c.Bytes() ...
//	}
//	err := c.Err()
type Code struct {
	reader
	base int

	// Of the instruction that Next read:
	Op         Op
	Start, End int // its bytes, in the code
	// A and B are its immediates: an index or two; the offset (A) and the
	// exponent of the alignment (B) of a memory access; the bits of a constant
	// (A); the block type (A); the default label of br_table (A).
	A, B    uint64
	Targets []uint32 // of br_table, without the default; valid until Next
	Depth   int      // blocks that are open behind the instruction; the function is one
}

// NewCode returns a walk over the instructions of a body.
func NewCode(b *Body) *Code {
	return &Code{reader: reader{data: b.Code, end: len(b.Code), section: "code"}, base: b.At, Depth: 1}
}

// Err returns what ended the walk early.
func (c *Code) Err() error {
	if e, ok := c.err.(*FormatError); ok && c.base > 0 {
		return &FormatError{e.Section, e.Offset + c.base, e.Reason}
	}
	return c.err
}

// Bytes returns the bytes of the instruction.
func (c *Code) Bytes() []byte { return c.data[c.Start:c.End] }

// BlockType returns the parameters and results of a block, of a module's types.
func (c *Code) BlockType(types []FuncType) FuncType {
	v := int64(c.A)
	switch {
	case v == blockEmpty:
		return FuncType{}
	case v < 0:
		return FuncType{Results: []ValueType{ValueType(v & 0x7f)}}
	case v < int64(len(types)):
		return types[v]
	}
	return FuncType{}
}

// blockEmpty is the block type without results, as a signed number.
const blockEmpty = EmptyBlock - 0x80

// Next reads an instruction. It is false at the end, and after an error.
func (c *Code) Next() bool {
	if c.err != nil || c.at >= c.end {
		return false
	}
	c.Start = c.at
	c.A, c.B, c.Targets = 0, 0, c.Targets[:0]
	c.Op = Op(c.byte())
	if c.Op >= 0xfc && c.Op <= 0xfe {
		n := c.u32()
		if n > 0xffff {
			c.fail(c.Start, "illegal opcode %#x %d", uint32(c.Op), n)
			return false
		}
		c.Op = c.Op<<16 | Op(n)
	}
	c.immediates()
	c.nest()
	c.End = c.at
	return c.err == nil
}

// immediates reads what follows the opcode.
func (c *Code) immediates() {
	switch c.Op.immediates() {
	case unknown:
		c.fail(c.Start, "illegal %s", c.Op)
	case blockType:
		at := c.at
		v := c.signed(33)
		if v < 0 && v != blockEmpty && (v < -0x40 || !ValueType(v&0x7f).valid()) {
			c.fail(at, "malformed block type")
		}
		c.A = uint64(v)
	case oneIndex:
		c.A = uint64(c.u32())
	case twoIndices:
		c.A, c.B = uint64(c.u32()), uint64(c.u32())
	case brTable:
		for range c.count(MaxEntries, "targets") {
			c.Targets = append(c.Targets, c.u32())
		}
		c.A = uint64(c.u32())
	case selectTypes:
		for range c.count(MaxValues, "types") {
			c.A = uint64(c.valueType())
		}
	case memArg:
		c.memArg()
	case memArgLane:
		c.memArg()
		c.byte()
	case lane:
		c.A = uint64(c.byte())
	case sixteen:
		c.bytes(16)
	case constI32:
		c.A = uint64(c.signed(32))
	case constI64:
		c.A = uint64(c.signed(64))
	case constF32:
		c.bytes(4)
	case constF64:
		c.bytes(8)
	case refType:
		c.A = uint64(c.reference())
	case memoryIndex:
		c.memory()
	case dataMemory:
		c.A = uint64(c.u32())
		c.memory()
	case memoryMemory:
		c.memory()
		c.memory()
	}
}

// memArg reads the alignment and the offset of a memory access.
func (c *Code) memArg() {
	at := c.at
	align := c.u32()
	c.B = uint64(align)
	access, _ := c.Op.Access()
	switch {
	case c.err != nil:
	case align >= 64:
		c.fail(at, "malformed memop flags %#x", align)
	case uint32(align) > uint32(bits.TrailingZeros32(access.Bytes)):
		c.fail(at, "alignment must not be larger than natural")
	}
	c.A = c.u64()
}

// memory reads the index of a memory: there is but one.
func (c *Code) memory() {
	at := c.at
	if i := c.byte(); i != 0 {
		c.fail(at, "memory %d: several memories are not supported", i)
	}
}

// nest counts blocks.
func (c *Code) nest() {
	switch c.Op {
	case OpBlock, OpLoop, OpIf:
		if c.Depth++; c.Depth > MaxNesting {
			c.fail(c.Start, "%d blocks in one another, at most %d", c.Depth, MaxNesting)
		}
	case OpEnd:
		c.Depth--
	}
}
