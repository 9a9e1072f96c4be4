package memory64

import (
	"slices"

	"github.com/realm-webgpu/realm/hostfn/wasm"
)

var valueTypes = map[string]wasm.ValueType{
	"i32": wasm.I32, "i64": wasm.I64, "f32": wasm.F32, "f64": wasm.F64, "v128": wasm.V128,
	"funcref": wasm.FuncRef, "externref": wasm.ExternRef, "func": wasm.FuncRef, "extern": wasm.ExternRef,
}

func valueType(n node) wasm.ValueType {
	t, ok := valueTypes[n.word]
	if !ok {
		failText(n.line, "value type %q %v", n.word, n.list)
	}
	return t
}

func globalType(n node) wasm.GlobalType {
	if n.head() == "mut" {
		return wasm.GlobalType{Type: valueType(n.list[1]), Mutable: true}
	}
	return wasm.GlobalType{Type: valueType(n)}
}

// limits reads limits, with the index type before them.
func (a *assembler) limits(f *fields) wasm.Limits {
	var l wasm.Limits
	if f.is("i64") || f.is("i32") {
		l.Is64 = f.next().word == "i64"
	}
	l.Min = parseInteger(f.next(), 64)
	if f.isIndex() {
		l.HasMax, l.Max = true, parseInteger(f.next(), 64)
	}
	return l
}

// typeField reads a type.
func (a *assembler) typeField(n node) {
	f := fields(n.list[1:])
	a.define(typeSpace, f.name())
	what := f.next()
	if what.head() != "func" {
		failText(n.line, "type of %s: garbage collection is not supported", what.head())
	}
	rest := fields(what.list[1:])
	t, _ := signature(&rest)
	a.m.Types = append(a.m.Types, t)
}

// signature reads parameters and results, and the names of the parameters.
func signature(f *fields) (t wasm.FuncType, names map[string]uint32) {
	names = map[string]uint32{}
	for f.isList("param") || f.isList("result") {
		list := f.next().list
		rest := fields(list[1:])
		into := &t.Params
		if list[0].word == "result" {
			into = &t.Results
		} else if name := rest.name(); name != "" {
			names[name] = uint32(len(t.Params))
		}
		for _, n := range rest {
			*into = append(*into, valueType(n))
		}
	}
	return t, names
}

// typeUse reads the type of a function: by its index, by its parameters and
// results, or by both.
func (a *assembler) typeUse(f *fields) (index uint32, params map[string]uint32) {
	if f.isList("type") {
		index = a.index(typeSpace, f.next().list[1])
		_, params = signature(f)
		return index, params
	}
	t, params := signature(f)
	for i, u := range a.m.Types {
		if slices.Equal(u.Params, t.Params) && slices.Equal(u.Results, t.Results) {
			return uint32(i), params
		}
	}
	a.m.Types = append(a.m.Types, t)
	return a.define(typeSpace, ""), params
}

// blockType reads the type of a block, as the signed number of the binary format.
func (a *assembler) blockType(f *fields) int64 {
	if f.isList("type") {
		i, _ := a.typeUse(f)
		return int64(i)
	}
	rest := *f
	t, _ := signature(&rest)
	switch {
	case len(t.Params) == 0 && len(t.Results) == 0:
		*f = rest
		return -0x40
	case len(t.Params) == 0 && len(t.Results) == 1:
		*f = rest
		return int64(t.Results[0]) - 0x80
	}
	i, _ := a.typeUse(f)
	return int64(i)
}
