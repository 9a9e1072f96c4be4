package memory64

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
func (a *assembler) expression(f fields) []byte {
	if len(f) == 1 && f[0].head() == "offset" {
		f = f[0].list[1:]
	}
	c := &code{assembler: a}
	c.instructions(f)
	return append(c.out, byte(wasm.OpEnd))
}

// body assembles a function.
func (a *assembler) body(f fields, use uint32, params map[string]uint32) wasm.Body {
	c := &code{assembler: a, locals: params, labels: []string{""}}
	b := wasm.Body{}
	next := uint32(0)
	if int(use) < len(a.m.Types) {
		next = uint32(len(a.m.Types[use].Params))
	}
	for f.isList("local") {
		rest := fields(f.next().list[1:])
		if name := rest.name(); name != "" {
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
func (c *code) instructions(f fields) {
	for !f.done() {
		n := f.next()
		if n.isList() {
			c.folded(n)
			continue
		}
		switch n.word {
		case "block", "loop", "if":
			label := f.name()
			c.open(n, label, &f)
		case "else":
			f.name()
			c.out = append(c.out, byte(wasm.OpElse))
		case "end":
			f.name()
			c.end()
		default:
			c.plain(n, &f)
		}
	}
}

// open begins a block.
func (c *code) open(n node, label string, f *fields) {
	c.out = wasm.AppendSigned(wasm.AppendOp(c.out, c.op(n)), c.blockType(f))
	c.labels = append(c.labels, label)
}

func (c *code) end() {
	c.out = append(c.out, byte(wasm.OpEnd))
	c.labels = c.labels[:max(len(c.labels)-1, 0)]
}

// folded assembles an instruction with its operands before it.
func (c *code) folded(n node) {
	f := fields(n.list[1:])
	switch n.head() {
	case "block", "loop":
		label := f.name()
		c.open(n.list[0], label, &f)
		c.instructions(f)
		c.end()
	case "if":
		label := f.name()
		rest := f
		c.blockType(&rest)
		operands := rest
		for !rest.isList("then") {
			rest.next()
		}
		c.instructions(operands[:len(operands)-len(rest)])
		c.open(n.list[0], label, &f)
		c.instructions(rest.next().list[1:])
		if rest.isList("else") {
			c.out = append(c.out, byte(wasm.OpElse))
			c.instructions(rest.next().list[1:])
		}
		c.end()
	default:
		before := c.out
		c.out = nil
		c.plain(n.list[0], &f)
		instruction := c.out
		c.out = before
		c.instructions(f)
		c.out = append(c.out, instruction...)
	}
}

func (c *code) op(n node) wasm.Op {
	o, ok := c.ops[n.word]
	if !ok {
		failText(n.line, "unknown instruction %q", n.word)
	}
	return o
}

// plain assembles an instruction, and takes its immediates.
func (c *code) plain(n node, f *fields) {
	o := c.op(n)
	if a, ok := o.Access(); ok {
		c.access(o, a, f)
		return
	}
	emit := func(immediates ...uint64) { c.out = wasm.AppendOp(c.out, o, immediates...) }
	at := func(space int) uint64 { return uint64(c.optional(space, f)) }
	switch o {
	case wasm.OpBr, wasm.OpBrIf:
		emit(c.label(f.next()))
	case wasm.OpBrTable:
		var labels []uint64
		for f.isIndex() {
			labels = append(labels, c.label(f.next()))
		}
		emit(append([]uint64{uint64(len(labels) - 1)}, labels...)...)
	case wasm.OpCall, wasm.OpReturnCall, wasm.OpRefFunc:
		emit(uint64(c.index(functionSpace, f.next())))
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
		name := f.next()
		i, ok := c.locals[name.word]
		if !ok {
			i = uint32(parseInteger(name, 32))
		}
		emit(uint64(i))
	case wasm.OpGlobalGet, wasm.OpGlobalSet:
		emit(uint64(c.index(globalSpace, f.next())))
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
		first, where := f.next(), uint64(0)
		if f.isIndex() {
			where = uint64(c.index(into, first))
			first = f.next()
		}
		emit(uint64(c.index(from, first)), where)
	case wasm.OpDataDrop:
		emit(uint64(c.index(dataSpace, f.next())))
	case wasm.OpElemDrop:
		emit(uint64(c.index(elementSpace, f.next())))
	case wasm.OpRefNull:
		c.out = append(c.out, byte(o), byte(valueType(f.next())))
	default:
		emit()
		c.constant(o, f)
	}
}

// constant assembles the immediates of constants and of lanes.
func (c *code) constant(o wasm.Op, f *fields) {
	switch {
	case o == wasm.OpI32Const:
		c.out = wasm.AppendSigned(c.out, int64(int32(parseInteger(f.next(), 32))))
	case o == wasm.OpI64Const:
		c.out = wasm.AppendSigned(c.out, int64(parseInteger(f.next(), 64)))
	case o == wasm.OpF32Const:
		c.out = binary.LittleEndian.AppendUint32(c.out, uint32(parseFloat(f.next(), 32)))
	case o == wasm.OpF64Const:
		c.out = binary.LittleEndian.AppendUint64(c.out, parseFloat(f.next(), 64))
	case o == wasm.OpV128Const:
		for _, word := range vector(f) {
			c.out = binary.LittleEndian.AppendUint64(c.out, word)
		}
	case o >= 0xfd0015 && o <= 0xfd0022:
		c.out = append(c.out, byte(parseInteger(f.next(), 8)))
	}
}

// vector reads a vector of integers: its shape, and its lanes.
func vector(f *fields) (words [2]uint64) {
	shape := f.next()
	width, lanes, ok := strings.Cut(strings.TrimPrefix(shape.word, "i"), "x")
	if !ok || !strings.HasPrefix(shape.word, "i") {
		failText(shape.line, "vector of shape %q", shape.word)
	}
	bits := int(parseInteger(node{word: width}, 8))
	for i := range int(parseInteger(node{word: lanes}, 8)) {
		words[i*bits/64] |= parseInteger(f.next(), bits) << (i * bits % 64)
	}
	return words
}

// label reads the depth of a label.
func (c *code) label(n node) uint64 {
	for i := len(c.labels) - 1; i >= 0; i-- {
		if c.labels[i] != "" && c.labels[i] == n.word {
			return uint64(len(c.labels) - 1 - i)
		}
	}
	return parseInteger(n, 32)
}

// access assembles a load or a store.
func (c *code) access(o wasm.Op, a wasm.Access, f *fields) {
	align, offset := uint64(bits.TrailingZeros32(a.Bytes)), uint64(0)
	for !f.done() {
		if v, ok := strings.CutPrefix((*f)[0].word, "offset="); ok {
			offset = parseInteger(node{line: f.next().line, word: v}, 64)
		} else if v, ok := strings.CutPrefix((*f)[0].word, "align="); ok {
			align = uint64(bits.TrailingZeros64(parseInteger(node{line: f.next().line, word: v}, 64)))
		} else {
			break
		}
	}
	c.out = wasm.AppendMemory(c.out, o, align, offset)
	if a.Lane {
		c.out = append(c.out, byte(parseInteger(f.next(), 8)))
	}
}
