package wasm

import (
	"bytes"
	"math"
)

var header = []byte{0, 'a', 's', 'm', 1, 0, 0, 0}

// The sections by id.
var sections = [...]string{
	"custom", "type", "import", "function", "table", "memory", "global",
	"export", "start", "element", "code", "data", "data count",
}

const (
	sectionType = iota + 1
	sectionImport
	sectionFunction
	sectionTable
	sectionMemory
	sectionGlobal
	sectionExport
	sectionStart
	sectionElement
	sectionCode
	sectionData
	sectionDataCount
)

// order is where sections stand.
var order = [...]int{
	sectionType: 1, sectionImport: 2, sectionFunction: 3, sectionTable: 4, sectionMemory: 5, sectionGlobal: 6,
	sectionExport: 7, sectionStart: 8, sectionElement: 9, sectionDataCount: 10, sectionCode: 11, sectionData: 12,
}

// decoder reads the sections of a module.
type decoder struct {
	reader
	m         *Module
	dataCount uint32
	locals    uint64 // of all functions so far
	// How many there are so far, with imported ones:
	functions, tables, memories, globals int
}

// Decode reads a module. What it returns shares the memory of data. Its errors
// are FormatErrors.
func Decode(data []byte) (*Module, error) {
	d := &decoder{reader: reader{data: data, end: len(data), section: "module"}, m: &Module{}}
	switch {
	case len(data) > MaxModule:
		d.fail(0, "%d bytes, at most %d", len(data), MaxModule)
	case !bytes.HasPrefix(data, header[:4]):
		d.fail(0, "magic header not detected")
	case !bytes.HasPrefix(data, header):
		d.fail(4, "unknown binary version")
	default:
		d.at = len(header)
		d.sections()
	}
	if d.err != nil {
		return nil, d.err
	}
	return d.m, nil
}

func (d *decoder) sections() {
	last := byte(0)
	for d.err == nil && d.at < len(d.data) {
		d.section, d.end = "module", len(d.data)
		at := d.at
		id := d.byte()
		if int(id) >= len(sections) {
			d.fail(at, "malformed section id %d", id)
			return
		}
		size := d.u32()
		d.section = sections[id]
		if uint64(size) > uint64(d.end-d.at) {
			d.fail(at, "length out of bounds: %d bytes, %d are left", size, d.end-d.at)
			return
		}
		d.end = d.at + int(size)
		if id == 0 {
			d.custom(last)
		} else {
			if last != 0 && order[id] <= order[last] {
				d.fail(at, "unexpected content after last section")
				return
			}
			last = id
			d.known(id)
		}
		if d.err == nil && d.at != d.end {
			d.fail(d.at, "section size mismatch: %d bytes are left", d.end-d.at)
		}
	}
	d.section, d.end = "module", len(d.data)
	if d.err == nil {
		d.counts()
	}
}

// known reads a section that is not a custom one.
func (d *decoder) known(id byte) {
	switch id {
	case sectionType:
		d.types()
	case sectionImport:
		d.imports()
	case sectionFunction:
		for range d.count(MaxFunctions, "functions") {
			d.m.Functions = append(d.m.Functions, d.index(len(d.m.Types), "type"))
		}
		if d.functions += len(d.m.Functions); d.functions > MaxFunctions {
			d.fail(d.at, "%d functions, at most %d", d.functions, MaxFunctions)
		}
	case sectionTable:
		for range d.count(MaxEntries, "tables") {
			d.m.Tables = append(d.m.Tables, d.table())
		}
		d.tables += len(d.m.Tables)
	case sectionMemory:
		for range d.count(MaxEntries, "memories") {
			d.m.Memories = append(d.m.Memories, d.memory())
		}
		d.memories += len(d.m.Memories)
	case sectionGlobal:
		for range d.count(MaxEntries, "globals") {
			g := Global{GlobalType: d.globalType()}
			g.Init = d.constant()
			d.m.Globals = append(d.m.Globals, g)
			d.globals++
		}
	case sectionExport:
		d.exports()
	case sectionStart:
		i := d.index(d.functions, "function")
		d.m.Start = &i
	case sectionElement:
		for range d.count(MaxEntries, "segments") {
			d.element()
		}
	case sectionDataCount:
		d.m.DataCount = true
		d.dataCount = d.u32()
	case sectionCode:
		d.code()
	case sectionData:
		for range d.count(MaxEntries, "segments") {
			d.segment()
		}
	}
}

// counts checks what sections say of each other.
func (d *decoder) counts() {
	if len(d.m.Code) != len(d.m.Functions) {
		d.fail(d.end, "function and code section have inconsistent lengths: %d and %d", len(d.m.Functions), len(d.m.Code))
	}
	if d.m.DataCount && int(d.dataCount) != len(d.m.Data) {
		d.fail(d.end, "data count and data section have inconsistent lengths: %d and %d", d.dataCount, len(d.m.Data))
	}
	if d.memories > 1 {
		d.fail(d.end, "%d memories: several memories are not supported", d.memories)
	}
}

func (d *decoder) custom(last byte) {
	c := Custom{Name: d.name(), After: last}
	if d.err == nil {
		c.Bytes = d.bytes(uint32(d.end - d.at))
		d.m.Custom = append(d.m.Custom, c)
	}
}

func (d *decoder) types() {
	for range d.count(MaxTypes, "types") {
		at := d.at
		if form := d.byte(); form != 0x60 {
			d.fail(at, "type form %#x: only functions are supported", form)
			return
		}
		d.m.Types = append(d.m.Types, FuncType{d.valueTypes("parameters"), d.valueTypes("results")})
	}
}

func (d *decoder) valueTypes(what string) []ValueType {
	n := d.count(MaxValues, what)
	if n == 0 {
		return nil
	}
	all := make([]ValueType, n)
	for i := range all {
		all[i] = d.valueType()
	}
	return all
}

func (d *decoder) imports() {
	for range d.count(MaxEntries, "imports") {
		i := Import{Module: d.name(), Name: d.name()}
		at := d.at
		i.Kind = Kind(d.byte())
		switch i.Kind {
		case KindFunction:
			i.Function = d.index(len(d.m.Types), "type")
			d.functions++
		case KindTable:
			i.Table = d.table()
			d.tables++
		case KindMemory:
			i.Memory = d.memory()
			d.memories++
		case KindGlobal:
			i.Global = d.globalType()
			d.globals++
		default:
			d.fail(at, "malformed import kind %d", byte(i.Kind))
		}
		d.m.Imports = append(d.m.Imports, i)
	}
}

func (d *decoder) exports() {
	names := map[string]bool{}
	counts := [...]int{d.functions, d.tables, d.memories, d.globals}
	for range d.count(MaxEntries, "exports") {
		at := d.at
		e := Export{Name: d.name()}
		if names[e.Name] {
			d.fail(at, "duplicate export name %q", e.Name)
		}
		names[e.Name] = true
		at = d.at
		if e.Kind = Kind(d.byte()); e.Kind > KindGlobal {
			d.fail(at, "malformed export kind %d", byte(e.Kind))
			return
		}
		e.Index = d.index(counts[e.Kind], e.Kind.String())
		d.m.Exports = append(d.m.Exports, e)
	}
}

// element reads an element segment: bit 0 of its flags says that it is not
// active, bit 1 that there is a table, or that it is declarative, and bit 2 that
// it has expressions.
func (d *decoder) element() {
	at := d.at
	flags := d.u32()
	if flags > 7 {
		d.fail(at, "malformed elements segment kind %d", flags)
		return
	}
	e := Element{Type: FuncRef}
	switch {
	case flags&1 == 0:
		if flags&2 != 0 {
			e.Table = d.u32()
		}
		if d.err == nil && uint64(e.Table) >= uint64(d.tables) {
			d.fail(at, "unknown table %d of %d", e.Table, d.tables)
		}
		e.Offset = d.constant()
	case flags&2 == 0:
		e.Mode = Passive
	default:
		e.Mode = Declarative
	}
	if flags&3 != 0 {
		at := d.at
		if flags&4 != 0 {
			e.Type = d.reference()
		} else if kind := d.byte(); kind != 0 {
			d.fail(at, "malformed element kind %d", kind)
		}
	}
	n := d.count(MaxFunctions, "elements")
	if flags&4 != 0 {
		for range n {
			e.Expressions = append(e.Expressions, d.constant())
		}
	} else {
		for range n {
			e.Functions = append(e.Functions, d.index(d.functions, "function"))
		}
	}
	d.m.Elements = append(d.m.Elements, e)
}

func (d *decoder) code() {
	at := d.at
	n := d.count(MaxFunctions, "functions")
	if d.err == nil && n != len(d.m.Functions) {
		d.fail(at, "function and code section have inconsistent lengths: %d and %d", len(d.m.Functions), n)
	}
	for i := 0; i < n && d.err == nil; i++ {
		d.m.Code = append(d.m.Code, d.body(d.m.Types[d.m.Functions[i]]))
	}
}

// body reads a function, and walks over its instructions once.
func (d *decoder) body(t FuncType) Body {
	at := d.at
	size := d.u32()
	if size > MaxBody {
		d.fail(at, "function of %d bytes, at most %d", size, MaxBody)
	}
	if d.err == nil && uint64(size) > uint64(d.end-d.at) {
		d.fail(at, "unexpected end: function of %d bytes, %d are left", size, d.end-d.at)
	}
	if d.err != nil {
		return Body{}
	}
	end, section := d.at+int(size), d.end
	d.end = end
	b := Body{}
	total := uint64(len(t.Params))
	for range d.count(MaxLocals, "groups of locals") {
		at := d.at
		l := Locals{Count: d.u32(), Type: d.valueType()}
		if total += uint64(l.Count); total > MaxLocals {
			d.fail(at, "too many locals: %d, at most %d", min(total, math.MaxUint32), MaxLocals)
		}
		b.Locals = append(b.Locals, l)
	}
	if d.locals += total; d.locals > MaxAllLocals {
		d.fail(at, "too many locals: %d in all functions so far, at most %d", d.locals, MaxAllLocals)
	}
	if d.err == nil {
		b.At = d.at
		b.Code = d.data[d.at:end]
		d.walk(&b, total)
	}
	if d.err == nil {
		d.at, d.end = end, section
	}
	return b
}

// walk checks the shape of the instructions of a body, and their indices: a pass
// may add functions, globals and locals, and none of them may be named before.
func (d *decoder) walk(b *Body, locals uint64) {
	bounds := &bounds{
		types: len(d.m.Types), functions: d.functions, tables: d.tables, globals: d.globals,
		locals: int(locals), elements: len(d.m.Elements), data: int(d.dataCount),
	}
	c := NewCode(b)
	for c.Next() {
		if what, index, ok := bounds.check(c); !ok {
			d.fail(b.At+c.Start, "unknown %s %d", what, index)
			return
		}
		switch {
		case c.Depth == 0 && c.End != len(b.Code):
			d.fail(b.At+c.End, "operators remaining after end of function")
			return
		case (c.Op == OpMemoryInit || c.Op == OpDataDrop) && !d.m.DataCount:
			d.fail(b.At+c.Start, "data count section required")
			return
		}
	}
	switch err := c.Err(); {
	case err != nil:
		d.err, d.at = err, d.end
	case c.Depth != 0:
		d.fail(b.At+len(b.Code), "unexpected end of a function: END opcode expected")
	}
}

// segment reads a data segment.
func (d *decoder) segment() {
	at := d.at
	s := Data{}
	switch flags := d.u32(); flags {
	case 0:
	case 1:
		s.Mode = Passive
	case 2:
		if s.Memory = d.u32(); s.Memory != 0 {
			d.fail(at, "unknown memory %d", s.Memory)
		}
	default:
		d.fail(at, "malformed data segment kind %d", flags)
	}
	if s.Mode == Active {
		if d.memories == 0 {
			d.fail(at, "unknown memory 0")
		}
		s.Offset = d.constant()
	}
	s.Bytes = d.bytes(d.u32())
	d.m.Data = append(d.m.Data, s)
}
