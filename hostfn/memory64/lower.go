package memory64

import (
	"fmt"

	"github.com/realm-webgpu/realm/hostfn/wasm"
)

// Lowered is a rewritten module.
type Lowered struct {
	// Bytes is the module for 32-bit memories and tables.
	Bytes []byte
	// Memories and Tables are what the original has, imported ones first: index
	// types and limits, which a linker compares with those of what it links (a
	// 64-bit memory does not satisfy an import of a 32-bit one).
	Memories []wasm.Limits
	Tables   []wasm.Table
	// Instantiation says why the module cannot be instantiated though it is well
	// formed: its memory or table is larger from the start than can be mapped.
	// Bytes, which has an empty one then, tells only whether the module is valid.
	Instantiation error
}

// SizeError says that a memory or a table is larger from the start than can be
// mapped.
type SizeError struct {
	Kind      wasm.Kind
	Index     int
	Need, Max uint64 // pages of 64 KiB, or elements
}

func (e *SizeError) Error() string {
	unit := "pages"
	if e.Kind == wasm.KindTable {
		unit = "elements"
	}
	return fmt.Sprintf("memory64: %s %d has at least %d %s, at most %d can be mapped", e.Kind, e.Index, e.Need, unit, e.Max)
}

// Lower rewrites a module. One without 64-bit memories and tables comes back as
// it is. Errors are wasm.FormatErrors.
func Lower(data []byte) (*Lowered, error) {
	m, err := wasm.Decode(data)
	if err != nil {
		return nil, err
	}
	l := &lowering{module: m}
	out := &Lowered{Bytes: data, Memories: m.AllMemories(), Tables: m.AllTables()}
	if !l.needed(out) {
		return out, nil
	}
	l.memories, l.tables, l.globals = out.Memories, out.Tables, m.AllGlobals()
	l.functions = functionTypes(m)
	l.limits()
	out.Instantiation = l.instantiation
	for i := range m.Code {
		if err := l.function(i); err != nil {
			return nil, err
		}
	}
	if err := l.segments(); err != nil {
		return nil, err
	}
	out.Bytes = m.Encode()
	return out, nil
}

// lowering is the state of Lower.
type lowering struct {
	module *wasm.Module
	// Of the original, imported ones first:
	memories  []wasm.Limits
	tables    []wasm.Table
	globals   []wasm.GlobalType
	functions []uint32 // types

	dropped       bool // the code copies from segments that are active
	instantiation error
	scratch       []byte
	worker        *function
}

// functionTypes returns the types of all functions, imported ones first.
func functionTypes(m *wasm.Module) []uint32 {
	var all []uint32
	for _, i := range m.Imports {
		if i.Kind == wasm.KindFunction {
			all = append(all, i.Function)
		}
	}
	return append(all, m.Functions...)
}

// needed reports whether there is something to rewrite.
func (l *lowering) needed(o *Lowered) bool {
	for _, m := range o.Memories {
		if m.Is64 {
			return true
		}
	}
	for _, t := range o.Tables {
		if t.Limits.Is64 {
			return true
		}
	}
	return false
}

// limits makes memories and tables those of 32 bits.
func (l *lowering) limits() {
	memory, table := 0, 0
	lowerMemory := func(m *wasm.Limits) {
		l.lowerLimits(m, wasm.KindMemory, memory, MaxPages)
		memory++
	}
	lowerTable := func(t *wasm.Table) {
		l.lowerLimits(&t.Limits, wasm.KindTable, table, MaxElements)
		table++
	}
	for i := range l.module.Imports {
		switch x := &l.module.Imports[i]; x.Kind {
		case wasm.KindMemory:
			lowerMemory(&x.Memory)
		case wasm.KindTable:
			lowerTable(&x.Table)
		}
	}
	for i := range l.module.Memories {
		lowerMemory(&l.module.Memories[i])
	}
	for i := range l.module.Tables {
		lowerTable(&l.module.Tables[i])
	}
}

func (l *lowering) lowerLimits(x *wasm.Limits, kind wasm.Kind, index int, most uint64) {
	if !x.Is64 {
		return
	}
	if x.Min > most {
		if l.instantiation == nil {
			l.instantiation = &SizeError{kind, index, x.Min, most}
		}
		x.Min = 0
	}
	if !x.HasMax {
		x.HasMax, x.Max = true, most
	}
	x.Is64, x.Max = false, min(x.Max, most)
}

// memory64 reports whether the memory has 64-bit addresses.
func (l *lowering) memory64() bool { return len(l.memories) > 0 && l.memories[0].Is64 }

// table64 reports whether a table has 64-bit indices. Modules that name a table
// that is not there are refused by the engine.
func (l *lowering) table64(index uint64) bool {
	return index < uint64(len(l.tables)) && l.tables[index].Limits.Is64
}
