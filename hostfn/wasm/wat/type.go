package wat

import (
	"slices"

	"github.com/realm-webgpu/realm/hostfn/wasm"
)

var valueTypes = map[string]wasm.ValueType{
	"i32": wasm.I32, "i64": wasm.I64, "f32": wasm.F32, "f64": wasm.F64, "v128": wasm.V128,
	"funcref": wasm.FuncRef, "externref": wasm.ExternRef, "func": wasm.FuncRef, "extern": wasm.ExternRef,
}

func valueType(n Node) wasm.ValueType {
	t, ok := valueTypes[n.Word]
	if !ok {
		failText(n.Line, "value type %q %v", n.Word, n.List)
	}
	return t
}

func globalType(n Node) wasm.GlobalType {
	if n.Head() == "mut" {
		return wasm.GlobalType{Type: valueType(n.List[1]), Mutable: true}
	}
	return wasm.GlobalType{Type: valueType(n)}
}

// limits reads limits, with the index type before them.
func (a *assembler) limits(f *Fields) wasm.Limits {
	var l wasm.Limits
	if f.Is("i64") || f.Is("i32") {
		l.Is64 = f.Next().Word == "i64"
	}
	l.Min = integer(f.Next(), 64)
	if f.isIndex() {
		l.HasMax, l.Max = true, integer(f.Next(), 64)
	}
	return l
}

// typeField reads a type.
func (a *assembler) typeField(n Node) {
	f := Fields(n.List[1:])
	a.define(typeSpace, f.Name())
	what := f.Next()
	if what.Head() != "func" {
		failText(n.Line, "type of %s: garbage collection is not supported", what.Head())
	}
	rest := Fields(what.List[1:])
	t, _ := signature(&rest)
	a.m.Types = append(a.m.Types, t)
}

// signature reads parameters and results, and the names of the parameters.
func signature(f *Fields) (t wasm.FuncType, names map[string]uint32) {
	names = map[string]uint32{}
	for f.isList("param") || f.isList("result") {
		list := f.Next().List
		rest := Fields(list[1:])
		into := &t.Params
		if list[0].Word == "result" {
			into = &t.Results
		} else if name := rest.Name(); name != "" {
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
func (a *assembler) typeUse(f *Fields) (index uint32, params map[string]uint32) {
	if f.isList("type") {
		index = a.index(typeSpace, f.Next().List[1])
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
func (a *assembler) blockType(f *Fields) int64 {
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
