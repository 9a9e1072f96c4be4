package wasm

import "encoding/binary"

// AppendUnsigned appends an unsigned LEB128.
func AppendUnsigned(b []byte, v uint64) []byte { return binary.AppendUvarint(b, v) }

// AppendSigned appends a signed LEB128.
func AppendSigned(b []byte, v int64) []byte {
	for {
		c := byte(v & 0x7f)
		v >>= 7
		if v == 0 && c&0x40 == 0 || v == -1 && c&0x40 != 0 {
			return append(b, c)
		}
		b = append(b, c|0x80)
	}
}

// AppendOp appends an instruction and its immediates, unsigned.
func AppendOp(b []byte, o Op, immediates ...uint64) []byte {
	if o > 0xff {
		b = AppendUnsigned(append(b, byte(o>>16)), uint64(o&0xffff))
	} else {
		b = append(b, byte(o))
	}
	for _, v := range immediates {
		b = AppendUnsigned(b, v)
	}
	return b
}

// AppendI32Const appends i32.const.
func AppendI32Const(b []byte, v int32) []byte {
	return AppendSigned(append(b, byte(OpI32Const)), int64(v))
}

// AppendI64Const appends i64.const.
func AppendI64Const(b []byte, v int64) []byte { return AppendSigned(append(b, byte(OpI64Const)), v) }

// AppendMemory appends a memory access: its alignment is an exponent of 2.
func AppendMemory(b []byte, o Op, align, offset uint64) []byte { return AppendOp(b, o, align, offset) }

// EmptyBlock is the type of a block without parameters and results.
const EmptyBlock = 0x40

// AppendBlock appends the beginning of a block without parameters. The module gets the
// type of several results where it has none from before.
func (m *Module) AppendBlock(b []byte, results []ValueType) []byte {
	b = append(b, byte(OpBlock))
	switch len(results) {
	case 0:
		return append(b, EmptyBlock)
	case 1:
		return append(b, byte(results[0]))
	}
	var key []byte
	for _, t := range results {
		key = append(key, byte(t))
	}
	index, ok := m.blocks[string(key)]
	if !ok {
		if m.blocks == nil {
			m.blocks = map[string]int{}
		}
		index = len(m.Types)
		m.blocks[string(key)] = index
		m.Types = append(m.Types, FuncType{Results: results})
	}
	return AppendSigned(b, int64(index))
}

// Encode writes the module.
func (m *Module) Encode() []byte {
	w := &writer{out: append([]byte(nil), header...), custom: m.Custom}
	w.customs(0)
	w.vector(sectionType, len(m.Types), func(i int) {
		w.body = append(w.body, 0x60)
		w.valueTypes(m.Types[i].Params)
		w.valueTypes(m.Types[i].Results)
	})
	w.vector(sectionImport, len(m.Imports), func(i int) { w.importEntry(&m.Imports[i]) })
	w.vector(sectionFunction, len(m.Functions), func(i int) { w.number(uint64(m.Functions[i])) })
	w.vector(sectionTable, len(m.Tables), func(i int) { w.table(m.Tables[i]) })
	w.vector(sectionMemory, len(m.Memories), func(i int) { w.limits(m.Memories[i]) })
	w.vector(sectionGlobal, len(m.Globals), func(i int) {
		w.global(m.Globals[i].GlobalType)
		w.body = append(w.body, m.Globals[i].Init...)
	})
	w.vector(sectionExport, len(m.Exports), func(i int) {
		w.name(m.Exports[i].Name)
		w.body = append(w.body, byte(m.Exports[i].Kind))
		w.number(uint64(m.Exports[i].Index))
	})
	if m.Start != nil {
		w.number(uint64(*m.Start))
		w.flush(sectionStart)
	}
	w.customs(sectionStart)
	w.vector(sectionElement, len(m.Elements), func(i int) { w.element(&m.Elements[i]) })
	if m.DataCount {
		w.number(uint64(len(m.Data)))
		w.flush(sectionDataCount)
	}
	w.customs(sectionDataCount)
	w.vector(sectionCode, len(m.Code), func(i int) { w.code(&m.Code[i]) })
	w.vector(sectionData, len(m.Data), func(i int) { w.data(&m.Data[i]) })
	return w.out
}

// writer writes sections one after the other.
type writer struct {
	out    []byte
	body   []byte // of the section that is being written
	custom []Custom
}

// vector writes a section of n entries, if there are some, and the custom
// sections behind it.
func (w *writer) vector(id byte, n int, entry func(i int)) {
	if n > 0 {
		w.number(uint64(n))
		for i := range n {
			entry(i)
		}
		w.flush(id)
	}
	w.customs(id)
}

// flush ends a section.
func (w *writer) flush(id byte) {
	w.out = AppendUnsigned(append(w.out, id), uint64(len(w.body)))
	w.out = append(w.out, w.body...)
	w.body = w.body[:0]
}

// customs writes the custom sections that came behind a section.
func (w *writer) customs(after byte) {
	for _, c := range w.custom {
		if c.After == after {
			w.name(c.Name)
			w.body = append(w.body, c.Bytes...)
			w.flush(0)
		}
	}
}

func (w *writer) number(v uint64) { w.body = AppendUnsigned(w.body, v) }

func (w *writer) name(s string) {
	w.number(uint64(len(s)))
	w.body = append(w.body, s...)
}

func (w *writer) valueTypes(all []ValueType) {
	w.number(uint64(len(all)))
	for _, t := range all {
		w.body = append(w.body, byte(t))
	}
}

func (w *writer) limits(l Limits) {
	flags := byte(0)
	if l.HasMax {
		flags |= 1
	}
	if l.Shared {
		flags |= 2
	}
	if l.Is64 {
		flags |= 4
	}
	w.body = append(w.body, flags)
	w.number(l.Min)
	if l.HasMax {
		w.number(l.Max)
	}
}

func (w *writer) table(t Table) {
	w.body = append(w.body, byte(t.Type))
	w.limits(t.Limits)
}

func (w *writer) global(g GlobalType) {
	mutable := byte(0)
	if g.Mutable {
		mutable = 1
	}
	w.body = append(w.body, byte(g.Type), mutable)
}

func (w *writer) importEntry(i *Import) {
	w.name(i.Module)
	w.name(i.Name)
	w.body = append(w.body, byte(i.Kind))
	switch i.Kind {
	case KindFunction:
		w.number(uint64(i.Function))
	case KindTable:
		w.table(i.Table)
	case KindMemory:
		w.limits(i.Memory)
	case KindGlobal:
		w.global(i.Global)
	}
}

func (w *writer) element(e *Element) {
	flags := uint64(0)
	explicit := e.Table != 0 || e.Type != FuncRef
	switch {
	case e.Mode == Passive:
		flags = 1
	case e.Mode == Declarative:
		flags = 3
	case explicit:
		flags = 2
	}
	if e.Expressions != nil || e.Type != FuncRef {
		flags |= 4
	}
	w.number(flags)
	if e.Mode == Active {
		if flags&2 != 0 {
			w.number(uint64(e.Table))
		}
		w.body = append(w.body, e.Offset...)
	}
	if flags&3 != 0 {
		if flags&4 != 0 {
			w.body = append(w.body, byte(e.Type))
		} else {
			w.body = append(w.body, 0)
		}
	}
	if flags&4 != 0 {
		w.number(uint64(len(e.Expressions)))
		for _, x := range e.Expressions {
			w.body = append(w.body, x...)
		}
		return
	}
	w.number(uint64(len(e.Functions)))
	for _, f := range e.Functions {
		w.number(uint64(f))
	}
}

func (w *writer) code(b *Body) {
	var head []byte
	head = AppendUnsigned(head, uint64(len(b.Locals)))
	for _, l := range b.Locals {
		head = append(AppendUnsigned(head, uint64(l.Count)), byte(l.Type))
	}
	w.number(uint64(len(head) + len(b.Code)))
	w.body = append(append(w.body, head...), b.Code...)
}

func (w *writer) data(d *Data) {
	if d.Mode == Passive {
		w.number(1)
	} else {
		w.number(0)
		w.body = append(w.body, d.Offset...)
	}
	w.number(uint64(len(d.Bytes)))
	w.body = append(w.body, d.Bytes...)
}
