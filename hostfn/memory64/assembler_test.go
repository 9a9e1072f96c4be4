package memory64

import (
	"strings"

	"github.com/realm-webgpu/realm/hostfn/wasm"
)

// assembler makes modules of the text format, well formed or not, as far as the
// test-suite's files on 64-bit memories and tables need it. It checks no types.
type assembler struct {
	ops   map[string]wasm.Op
	m     *wasm.Module
	names [spaces]map[string]uint32
	count [spaces]uint32
	// later is what can be written only when all names are known.
	later []func()
}

// The index spaces.
const (
	typeSpace = iota
	functionSpace
	tableSpace
	memorySpace
	globalSpace
	elementSpace
	dataSpace
	spaces
)

var spaceOf = map[string]int{
	"type": typeSpace, "func": functionSpace, "table": tableSpace, "memory": memorySpace, "global": globalSpace,
	"elem": elementSpace, "data": dataSpace,
}

var kindOf = map[string]wasm.Kind{
	"func": wasm.KindFunction, "table": wasm.KindTable, "memory": wasm.KindMemory, "global": wasm.KindGlobal,
}

// assemble makes a module of its list.
func assemble(module node) (data []byte, err error) {
	defer func() {
		if failure, ok := recover().(textError); ok {
			err = failure
		}
	}()
	fields := fields(module.list[1:])
	if fields.is("binary") {
		for fields.next(); !fields.done(); {
			data = append(data, fields.next().text...)
		}
		return data, nil
	}
	a := &assembler{ops: opcodes(), m: &wasm.Module{}}
	for i := range a.names {
		a.names[i] = map[string]uint32{}
	}
	for _, f := range fields {
		if f.head() == "type" {
			a.typeField(f)
		}
	}
	for _, f := range fields {
		a.field(f)
	}
	for _, f := range a.later {
		f()
	}
	return a.m.Encode(), nil
}

// fields are what is left of a list.
type fields []node

func (f *fields) done() bool { return len(*f) == 0 }

func (f *fields) next() node {
	if f.done() {
		failText(0, "unexpected end of a list")
	}
	n := (*f)[0]
	*f = (*f)[1:]
	return n
}

// is reports whether a word comes next.
func (f fields) is(word string) bool { return len(f) > 0 && f[0].word == word }

// isList reports whether a list with that head comes next.
func (f fields) isList(head string) bool { return len(f) > 0 && f[0].isList() && f[0].head() == head }

// isIndex reports whether an index comes next: a name or a number.
func (f fields) isIndex() bool {
	return len(f) > 0 && f[0].word != "" && (f[0].word[0] == '$' || f[0].word[0] >= '0' && f[0].word[0] <= '9')
}

// name takes a name, if one comes next.
func (f *fields) name() string {
	if len(*f) > 0 && strings.HasPrefix((*f)[0].word, "$") {
		return f.next().word
	}
	return ""
}

// define gives the next index of a space to a name.
func (a *assembler) define(space int, name string) uint32 {
	i := a.count[space]
	a.count[space]++
	if name != "" {
		a.names[space][name] = i
	}
	return i
}

// index reads an index.
func (a *assembler) index(space int, n node) uint32 {
	if i, ok := a.names[space][n.word]; ok {
		return i
	}
	return uint32(parseInteger(n, 32))
}

// optional reads an index, if one comes next; else it is 0.
func (a *assembler) optional(space int, f *fields) uint32 {
	if f.isIndex() {
		return a.index(space, f.next())
	}
	return 0
}

func (a *assembler) field(n node) {
	f := fields(n.list[1:])
	switch head := n.head(); head {
	case "type":
	case "import":
		i := wasm.Import{Module: string(f.next().text), Name: string(f.next().text)}
		what := f.next()
		rest := fields(what.list[1:])
		a.define(spaceOf[what.head()], rest.name())
		a.importAs(i, what.head(), rest)
	case "func", "table", "memory", "global":
		index := a.define(spaceOf[head], f.name())
		for f.isList("export") {
			a.m.Exports = append(a.m.Exports, wasm.Export{Name: string(f.next().list[1].text), Kind: kindOf[head], Index: index})
		}
		if f.isList("import") {
			names := f.next().list
			a.importAs(wasm.Import{Module: string(names[1].text), Name: string(names[2].text)}, head, f)
			return
		}
		map[string]func(fields, uint32){"func": a.function, "table": a.table, "memory": a.memory, "global": a.global}[head](f, index)
	case "export":
		name, what := string(f.next().text), f.next()
		at := len(a.m.Exports)
		a.m.Exports = append(a.m.Exports, wasm.Export{Name: name, Kind: kindOf[what.head()]})
		a.later = append(a.later, func() { a.m.Exports[at].Index = a.index(spaceOf[what.head()], what.list[1]) })
	case "start":
		a.later = append(a.later, func() {
			i := a.index(functionSpace, f[0])
			a.m.Start = &i
		})
	case "elem":
		a.define(elementSpace, f.name())
		a.m.Elements = append(a.m.Elements, wasm.Element{})
		at := len(a.m.Elements) - 1
		a.later = append(a.later, func() { a.m.Elements[at] = a.element(f) })
	case "data":
		a.define(dataSpace, f.name())
		a.m.Data = append(a.m.Data, wasm.Data{})
		a.m.DataCount = true
		at := len(a.m.Data) - 1
		a.later = append(a.later, func() { a.m.Data[at] = a.data(f) })
	default:
		failText(n.line, "field %q of a module", head)
	}
}

// importAs adds an import of a kind.
func (a *assembler) importAs(i wasm.Import, kind string, f fields) {
	i.Kind = kindOf[kind]
	switch i.Kind {
	case wasm.KindFunction:
		i.Function, _ = a.typeUse(&f)
	case wasm.KindTable:
		i.Table = wasm.Table{Limits: a.limits(&f)}
		i.Table.Type = valueType(f.next())
	case wasm.KindMemory:
		i.Memory = a.limits(&f)
	case wasm.KindGlobal:
		i.Global = globalType(f.next())
	}
	a.m.Imports = append(a.m.Imports, i)
}

func (a *assembler) function(f fields, _ uint32) {
	use, params := a.typeUse(&f)
	a.m.Functions = append(a.m.Functions, use)
	a.m.Code = append(a.m.Code, wasm.Body{})
	at := len(a.m.Code) - 1
	a.later = append(a.later, func() { a.m.Code[at] = a.body(f, use, params) })
}

// table reads a table, or one with its elements.
func (a *assembler) table(f fields, index uint32) {
	if !f.is("i64") && !f.is("i32") && !f.isIndex() || len(f) > 2 && f[2].head() == "elem" {
		wide := f.is("i64")
		if wide {
			f.next()
		}
		t := wasm.Table{Type: valueType(f.next())}
		list := fields(f.next().list[1:])
		n := uint64(len(list))
		t.Limits = wasm.Limits{Min: n, Max: n, HasMax: true, Is64: wide}
		a.m.Tables = append(a.m.Tables, t)
		a.define(elementSpace, "")
		a.m.Elements = append(a.m.Elements, wasm.Element{})
		at := len(a.m.Elements) - 1
		a.later = append(a.later, func() {
			e := wasm.Element{Table: index, Offset: zero(wide), Type: t.Type}
			a.items(&e, list)
			a.m.Elements[at] = e
		})
		return
	}
	t := wasm.Table{Limits: a.limits(&f)}
	t.Type = valueType(f.next())
	a.m.Tables = append(a.m.Tables, t)
	if !f.done() {
		failText(f[0].line, "table with an initial value")
	}
}

// memory reads a memory, or one with its data.
func (a *assembler) memory(f fields, index uint32) {
	if len(f) > 0 && f[len(f)-1].head() == "data" {
		wide := f.is("i64")
		d := wasm.Data{Memory: index, Offset: zero(wide), Bytes: joined(f[len(f)-1].list[1:])}
		pages := (uint64(len(d.Bytes)) + 0xffff) >> 16
		a.m.Memories = append(a.m.Memories, wasm.Limits{Min: pages, Max: pages, HasMax: true, Is64: wide})
		a.define(dataSpace, "")
		a.m.Data = append(a.m.Data, d)
		a.m.DataCount = true
		return
	}
	a.m.Memories = append(a.m.Memories, a.limits(&f))
	if !f.done() {
		failText(f[0].line, "memory with %q", f[0].word)
	}
}

func (a *assembler) global(f fields, _ uint32) {
	a.m.Globals = append(a.m.Globals, wasm.Global{GlobalType: globalType(f.next())})
	at := len(a.m.Globals) - 1
	a.later = append(a.later, func() { a.m.Globals[at].Init = a.expression(f) })
}

// element reads an element segment.
func (a *assembler) element(f fields) wasm.Element {
	e := wasm.Element{Mode: wasm.Passive, Type: wasm.FuncRef}
	if f.is("declare") {
		f.next()
		e.Mode = wasm.Declarative
	} else if f.isList("table") || len(f) > 0 && f[0].isList() {
		e.Mode = wasm.Active
		if f.isList("table") {
			e.Table = a.index(tableSpace, f.next().list[1])
		}
		e.Offset = a.offset(f.next())
	}
	if f.is("func") {
		f.next()
	} else if len(f) > 0 && strings.HasSuffix(f[0].word, "ref") {
		e.Type = valueType(f.next())
	}
	a.items(&e, f)
	return e
}

// items reads the entries of an element segment.
func (a *assembler) items(e *wasm.Element, f fields) {
	for _, n := range f {
		if !n.isList() {
			e.Functions = append(e.Functions, a.index(functionSpace, n))
			continue
		}
		if n.head() == "item" {
			e.Expressions = append(e.Expressions, a.expression(n.list[1:]))
		} else {
			e.Expressions = append(e.Expressions, a.expression([]node{n}))
		}
	}
}

// data reads a data segment.
func (a *assembler) data(f fields) wasm.Data {
	d := wasm.Data{Mode: wasm.Passive}
	if f.isList("memory") {
		d.Memory = a.index(memorySpace, f.next().list[1])
	}
	if len(f) > 0 && f[0].isList() {
		d.Mode = wasm.Active
		d.Offset = a.offset(f.next())
	}
	d.Bytes = joined(f)
	return d
}

// offset reads where a segment goes: (offset ...), or an instruction.
func (a *assembler) offset(n node) []byte {
	if n.head() == "offset" {
		return a.expression(n.list[1:])
	}
	return a.expression([]node{n})
}

// joined returns strings as one.
func joined(all []node) (out []byte) {
	for _, n := range all {
		if !n.quoted {
			failText(n.line, "data that is no string")
		}
		out = append(out, n.text...)
	}
	return out
}

// zero returns the expression of the first index.
func zero(wide bool) []byte {
	if wide {
		return append(wasm.AppendI64Const(nil, 0), byte(wasm.OpEnd))
	}
	return append(wasm.AppendI32Const(nil, 0), byte(wasm.OpEnd))
}
