package wat

import (
	"strings"

	"github.com/realm-webgpu/realm/hostfn/wasm"
)

// assembler makes a module of its fields.
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

// Assemble makes a module of its list. Errors: Error.
func Assemble(module Node) (data []byte, err error) {
	defer recovered(&err)
	list := Fields(module.List[1:])
	if list.Is("binary") {
		for list.Next(); !list.done(); {
			data = append(data, list.Next().Text...)
		}
		return data, nil
	}
	a := &assembler{ops: opcodes(), m: &wasm.Module{}}
	for i := range a.names {
		a.names[i] = map[string]uint32{}
	}
	for _, f := range list {
		if f.Head() == "type" {
			a.typeField(f)
		}
	}
	for _, f := range list {
		a.field(f)
	}
	for _, f := range a.later {
		f()
	}
	return a.m.Encode(), nil
}

// Fields are what is left of a list.
type Fields []Node

func (f *Fields) done() bool { return len(*f) == 0 }

// Next takes what comes next.
func (f *Fields) Next() Node {
	if f.done() {
		failText(0, "unexpected end of a list")
	}
	n := (*f)[0]
	*f = (*f)[1:]
	return n
}

// Is reports whether a word comes next.
func (f Fields) Is(word string) bool { return len(f) > 0 && f[0].Word == word }

// isList reports whether a list with that head comes next.
func (f Fields) isList(head string) bool { return len(f) > 0 && f[0].IsList() && f[0].Head() == head }

// isIndex reports whether an index comes next: a name or a number.
func (f Fields) isIndex() bool {
	return len(f) > 0 && f[0].Word != "" && (f[0].Word[0] == '$' || f[0].Word[0] >= '0' && f[0].Word[0] <= '9')
}

// Name takes a name, if one comes next.
func (f *Fields) Name() string {
	if len(*f) > 0 && strings.HasPrefix((*f)[0].Word, "$") {
		return f.Next().Word
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
func (a *assembler) index(space int, n Node) uint32 {
	if i, ok := a.names[space][n.Word]; ok {
		return i
	}
	return uint32(integer(n, 32))
}

// optional reads an index, if one comes next; else it is 0.
func (a *assembler) optional(space int, f *Fields) uint32 {
	if f.isIndex() {
		return a.index(space, f.Next())
	}
	return 0
}

func (a *assembler) field(n Node) {
	f := Fields(n.List[1:])
	switch head := n.Head(); head {
	case "type":
	case "import":
		i := wasm.Import{Module: string(f.Next().Text), Name: string(f.Next().Text)}
		what := f.Next()
		rest := Fields(what.List[1:])
		a.define(spaceOf[what.Head()], rest.Name())
		a.importAs(i, what.Head(), rest)
	case "func", "table", "memory", "global":
		index := a.define(spaceOf[head], f.Name())
		for f.isList("export") {
			a.m.Exports = append(a.m.Exports, wasm.Export{Name: string(f.Next().List[1].Text), Kind: kindOf[head], Index: index})
		}
		if f.isList("import") {
			names := f.Next().List
			a.importAs(wasm.Import{Module: string(names[1].Text), Name: string(names[2].Text)}, head, f)
			return
		}
		map[string]func(Fields, uint32){"func": a.function, "table": a.table, "memory": a.memory, "global": a.global}[head](f, index)
	case "export":
		name, what := string(f.Next().Text), f.Next()
		at := len(a.m.Exports)
		a.m.Exports = append(a.m.Exports, wasm.Export{Name: name, Kind: kindOf[what.Head()]})
		a.later = append(a.later, func() { a.m.Exports[at].Index = a.index(spaceOf[what.Head()], what.List[1]) })
	case "start":
		a.later = append(a.later, func() {
			i := a.index(functionSpace, f[0])
			a.m.Start = &i
		})
	case "elem":
		a.define(elementSpace, f.Name())
		a.m.Elements = append(a.m.Elements, wasm.Element{})
		at := len(a.m.Elements) - 1
		a.later = append(a.later, func() { a.m.Elements[at] = a.element(f) })
	case "data":
		a.define(dataSpace, f.Name())
		a.m.Data = append(a.m.Data, wasm.Data{})
		a.m.DataCount = true
		at := len(a.m.Data) - 1
		a.later = append(a.later, func() { a.m.Data[at] = a.data(f) })
	default:
		failText(n.Line, "field %q of a module", head)
	}
}

// importAs adds an import of a kind.
func (a *assembler) importAs(i wasm.Import, kind string, f Fields) {
	i.Kind = kindOf[kind]
	switch i.Kind {
	case wasm.KindFunction:
		i.Function, _ = a.typeUse(&f)
	case wasm.KindTable:
		i.Table = wasm.Table{Limits: a.limits(&f)}
		i.Table.Type = valueType(f.Next())
	case wasm.KindMemory:
		i.Memory = a.limits(&f)
	case wasm.KindGlobal:
		i.Global = globalType(f.Next())
	}
	a.m.Imports = append(a.m.Imports, i)
}

func (a *assembler) function(f Fields, _ uint32) {
	use, params := a.typeUse(&f)
	a.m.Functions = append(a.m.Functions, use)
	a.m.Code = append(a.m.Code, wasm.Body{})
	at := len(a.m.Code) - 1
	a.later = append(a.later, func() { a.m.Code[at] = a.body(f, use, params) })
}

// table reads a table, or one with its elements.
func (a *assembler) table(f Fields, index uint32) {
	if !f.Is("i64") && !f.Is("i32") && !f.isIndex() || len(f) > 2 && f[2].Head() == "elem" {
		wide := f.Is("i64")
		if wide {
			f.Next()
		}
		t := wasm.Table{Type: valueType(f.Next())}
		list := Fields(f.Next().List[1:])
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
	t.Type = valueType(f.Next())
	a.m.Tables = append(a.m.Tables, t)
	if !f.done() {
		failText(f[0].Line, "table with an initial value")
	}
}

// memory reads a memory, or one with its data.
func (a *assembler) memory(f Fields, index uint32) {
	if len(f) > 0 && f[len(f)-1].Head() == "data" {
		wide := f.Is("i64")
		d := wasm.Data{Memory: index, Offset: zero(wide), Bytes: joined(f[len(f)-1].List[1:])}
		pages := (uint64(len(d.Bytes)) + 0xffff) >> 16
		a.m.Memories = append(a.m.Memories, wasm.Limits{Min: pages, Max: pages, HasMax: true, Is64: wide})
		a.define(dataSpace, "")
		a.m.Data = append(a.m.Data, d)
		a.m.DataCount = true
		return
	}
	a.m.Memories = append(a.m.Memories, a.limits(&f))
	if !f.done() {
		failText(f[0].Line, "memory with %q", f[0].Word)
	}
}

func (a *assembler) global(f Fields, _ uint32) {
	a.m.Globals = append(a.m.Globals, wasm.Global{GlobalType: globalType(f.Next())})
	at := len(a.m.Globals) - 1
	a.later = append(a.later, func() { a.m.Globals[at].Init = a.expression(f) })
}

// element reads an element segment.
func (a *assembler) element(f Fields) wasm.Element {
	e := wasm.Element{Mode: wasm.Passive, Type: wasm.FuncRef}
	if f.Is("declare") {
		f.Next()
		e.Mode = wasm.Declarative
	} else if f.isList("table") || len(f) > 0 && f[0].IsList() {
		e.Mode = wasm.Active
		if f.isList("table") {
			e.Table = a.index(tableSpace, f.Next().List[1])
		}
		e.Offset = a.offset(f.Next())
	}
	if f.Is("func") {
		f.Next()
	} else if len(f) > 0 && strings.HasSuffix(f[0].Word, "ref") {
		e.Type = valueType(f.Next())
	}
	a.items(&e, f)
	return e
}

// items reads the entries of an element segment.
func (a *assembler) items(e *wasm.Element, f Fields) {
	for _, n := range f {
		if !n.IsList() {
			e.Functions = append(e.Functions, a.index(functionSpace, n))
			continue
		}
		if n.Head() == "item" {
			e.Expressions = append(e.Expressions, a.expression(n.List[1:]))
		} else {
			e.Expressions = append(e.Expressions, a.expression([]Node{n}))
		}
	}
}

// data reads a data segment.
func (a *assembler) data(f Fields) wasm.Data {
	d := wasm.Data{Mode: wasm.Passive}
	if f.isList("memory") {
		d.Memory = a.index(memorySpace, f.Next().List[1])
	}
	if len(f) > 0 && f[0].IsList() {
		d.Mode = wasm.Active
		d.Offset = a.offset(f.Next())
	}
	d.Bytes = joined(f)
	return d
}

// offset reads where a segment goes: (offset ...), or an instruction.
func (a *assembler) offset(n Node) []byte {
	if n.Head() == "offset" {
		return a.expression(n.List[1:])
	}
	return a.expression([]Node{n})
}

// joined returns strings as one.
func joined(all []Node) (out []byte) {
	for _, n := range all {
		if !n.Quoted {
			failText(n.Line, "data that is no string")
		}
		out = append(out, n.Text...)
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
