package wat

import (
	"encoding/binary"
	"math/bits"
	"strings"

	"github.com/realm-webgpu/realm/hostfn/wasm"
)

// code is the code of a function or of an expression that is being assembled.
type code struct {
	*assembler
	out    []byte
	locals map[string]uint32
	labels []string
}

// expression assembles a constant expression.
func (a *assembler) expression(f Fields) []byte {
	if len(f) == 1 && f[0].Head() == "offset" {
		f = f[0].List[1:]
	}
	c := &code{assembler: a}
	c.instructions(f)
	return append(c.out, byte(wasm.OpEnd))
}

// body assembles a function.
func (a *assembler) body(f Fields, use uint32, params map[string]uint32) wasm.Body {
	c := &code{assembler: a, locals: params, labels: []string{""}}
	b := wasm.Body{}
	next := uint32(0)
	if int(use) < len(a.m.Types) {
		next = uint32(len(a.m.Types[use].Params))
	}
	for f.isList("local") {
		rest := Fields(f.Next().List[1:])
		if name := rest.Name(); name != "" {
			c.locals[name] = next
		}
		for _, n := range rest {
			b.Locals = append(b.Locals, wasm.Locals{Count: 1, Type: valueType(n)})
			next++
		}
	}
	c.instructions(f)
	b.Code = append(c.out, byte(wasm.OpEnd))
	return b
}

// instructions assembles a list, folded or not.
func (c *code) instructions(f Fields) {
	for !f.done() {
		n := f.Next()
		if n.IsList() {
			c.folded(n)
			continue
		}
		switch n.Word {
		case "block", "loop", "if":
			label := f.Name()
			c.open(n, label, &f)
		case "else":
			f.Name()
			c.out = append(c.out, byte(wasm.OpElse))
		case "end":
			f.Name()
			c.end()
		default:
			c.plain(n, &f)
		}
	}
}

// open begins a block.
func (c *code) open(n Node, label string, f *Fields) {
	c.out = wasm.AppendSigned(wasm.AppendOp(c.out, c.op(n)), c.blockType(f))
	c.labels = append(c.labels, label)
}

func (c *code) end() {
	c.out = append(c.out, byte(wasm.OpEnd))
	c.labels = c.labels[:max(len(c.labels)-1, 0)]
}

// folded assembles an instruction with its operands before it.
func (c *code) folded(n Node) {
	f := Fields(n.List[1:])
	switch n.Head() {
	case "block", "loop":
		label := f.Name()
		c.open(n.List[0], label, &f)
		c.instructions(f)
		c.end()
	case "if":
		label := f.Name()
		rest := f
		c.blockType(&rest)
		operands := rest
		for !rest.isList("then") {
			rest.Next()
		}
		c.instructions(operands[:len(operands)-len(rest)])
		c.open(n.List[0], label, &f)
		c.instructions(rest.Next().List[1:])
		if rest.isList("else") {
			c.out = append(c.out, byte(wasm.OpElse))
			c.instructions(rest.Next().List[1:])
		}
		c.end()
	default:
		before := c.out
		c.out = nil
		c.plain(n.List[0], &f)
		instruction := c.out
		c.out = before
		c.instructions(f)
		c.out = append(c.out, instruction...)
	}
}

func (c *code) op(n Node) wasm.Op {
	o, ok := c.ops[n.Word]
	if !ok {
		failText(n.Line, "unknown instruction %q", n.Word)
	}
	return o
}

// plain assembles an instruction, and takes its immediates.
func (c *code) plain(n Node, f *Fields) {
	o := c.op(n)
	if a, ok := o.Access(); ok {
		c.access(o, a, f)
		return
	}
	emit := func(immediates ...uint64) { c.out = wasm.AppendOp(c.out, o, immediates...) }
	at := func(space int) uint64 { return uint64(c.optional(space, f)) }
	switch o {
	case wasm.OpBr, wasm.OpBrIf:
		emit(c.label(f.Next()))
	case wasm.OpBrTable:
		var labels []uint64
		for f.isIndex() {
			labels = append(labels, c.label(f.Next()))
		}
		emit(append([]uint64{uint64(len(labels) - 1)}, labels...)...)
	case wasm.OpCall, wasm.OpReturnCall, wasm.OpRefFunc:
		emit(uint64(c.index(functionSpace, f.Next())))
	case wasm.OpCallIndirect, wasm.OpReturnCallIndirect:
		table := at(tableSpace)
		use, _ := c.typeUse(f)
		emit(uint64(use), table)
	case wasm.OpSelect:
		if !f.isList("result") {
			emit()
			return
		}
		t, _ := signature(f)
		c.out = wasm.AppendOp(c.out, wasm.OpSelectTyped, uint64(len(t.Results)))
		for _, r := range t.Results {
			c.out = append(c.out, byte(r))
		}
	case wasm.OpLocalGet, wasm.OpLocalSet, wasm.OpLocalTee:
		name := f.Next()
		i, ok := c.locals[name.Word]
		if !ok {
			i = uint32(integer(name, 32))
		}
		emit(uint64(i))
	case wasm.OpGlobalGet, wasm.OpGlobalSet:
		emit(uint64(c.index(globalSpace, f.Next())))
	case wasm.OpTableGet, wasm.OpTableSet, wasm.OpTableSize, wasm.OpTableGrow, wasm.OpTableFill:
		emit(at(tableSpace))
	case wasm.OpMemorySize, wasm.OpMemoryGrow, wasm.OpMemoryFill:
		emit(at(memorySpace))
	case wasm.OpMemoryCopy, wasm.OpTableCopy:
		space := memorySpace
		if o == wasm.OpTableCopy {
			space = tableSpace
		}
		to := at(space)
		emit(to, at(space))
	case wasm.OpMemoryInit, wasm.OpTableInit:
		from, into := dataSpace, memorySpace
		if o == wasm.OpTableInit {
			from, into = elementSpace, tableSpace
		}
		first, where := f.Next(), uint64(0)
		if f.isIndex() {
			where = uint64(c.index(into, first))
			first = f.Next()
		}
		emit(uint64(c.index(from, first)), where)
	case wasm.OpDataDrop:
		emit(uint64(c.index(dataSpace, f.Next())))
	case wasm.OpElemDrop:
		emit(uint64(c.index(elementSpace, f.Next())))
	case wasm.OpRefNull:
		c.out = append(c.out, byte(o), byte(valueType(f.Next())))
	default:
		emit()
		c.constant(o, f)
	}
}

// constant assembles the immediates of constants and of lanes.
func (c *code) constant(o wasm.Op, f *Fields) {
	switch {
	case o == wasm.OpI32Const:
		c.out = wasm.AppendSigned(c.out, int64(int32(integer(f.Next(), 32))))
	case o == wasm.OpI64Const:
		c.out = wasm.AppendSigned(c.out, int64(integer(f.Next(), 64)))
	case o == wasm.OpF32Const:
		c.out = binary.LittleEndian.AppendUint32(c.out, uint32(float(f.Next(), 32)))
	case o == wasm.OpF64Const:
		c.out = binary.LittleEndian.AppendUint64(c.out, float(f.Next(), 64))
	case o == wasm.OpV128Const:
		for _, word := range vector(f) {
			c.out = binary.LittleEndian.AppendUint64(c.out, word)
		}
	case o >= 0xfd0015 && o <= 0xfd0022:
		c.out = append(c.out, byte(integer(f.Next(), 8)))
	}
}

// vector reads a vector of integers: its shape, and its lanes.
func vector(f *Fields) (words [2]uint64) {
	shape := f.Next()
	width, lanes, ok := strings.Cut(strings.TrimPrefix(shape.Word, "i"), "x")
	if !ok || !strings.HasPrefix(shape.Word, "i") {
		failText(shape.Line, "vector of shape %q", shape.Word)
	}
	bits := int(integer(Node{Word: width}, 8))
	for i := range int(integer(Node{Word: lanes}, 8)) {
		words[i*bits/64] |= integer(f.Next(), bits) << (i * bits % 64)
	}
	return words
}

// label reads the depth of a label.
func (c *code) label(n Node) uint64 {
	for i := len(c.labels) - 1; i >= 0; i-- {
		if c.labels[i] != "" && c.labels[i] == n.Word {
			return uint64(len(c.labels) - 1 - i)
		}
	}
	return integer(n, 32)
}

// access assembles a load or a store.
func (c *code) access(o wasm.Op, a wasm.Access, f *Fields) {
	align, offset := uint64(bits.TrailingZeros32(a.Bytes)), uint64(0)
	for !f.done() {
		if v, ok := strings.CutPrefix((*f)[0].Word, "offset="); ok {
			offset = integer(Node{Line: f.Next().Line, Word: v}, 64)
		} else if v, ok := strings.CutPrefix((*f)[0].Word, "align="); ok {
			align = uint64(bits.TrailingZeros64(integer(Node{Line: f.Next().Line, Word: v}, 64)))
		} else {
			break
		}
	}
	c.out = wasm.AppendMemory(c.out, o, align, offset)
	if a.Lane {
		c.out = append(c.out, byte(integer(f.Next(), 8)))
	}
}
