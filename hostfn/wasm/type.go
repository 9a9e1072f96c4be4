package wasm

// ValueType is the type of a value, as in the binary format.
type ValueType byte

// The value types.
const (
	I32       ValueType = 0x7f
	I64       ValueType = 0x7e
	F32       ValueType = 0x7d
	F64       ValueType = 0x7c
	V128      ValueType = 0x7b
	FuncRef   ValueType = 0x70
	ExternRef ValueType = 0x6f
)

func (t ValueType) valid() bool {
	switch t {
	case I32, I64, F32, F64, V128, FuncRef, ExternRef:
		return true
	}
	return false
}

// Reference reports whether t is a type of references.
func (t ValueType) Reference() bool { return t == FuncRef || t == ExternRef }

// FuncType is the type of a function.
type FuncType struct{ Params, Results []ValueType }

// Limits are the bounds of a memory, in pages of 64 KiB, or of a table, in
// elements.
type Limits struct {
	Min    uint64
	Max    uint64
	HasMax bool
	Is64   bool // its index type is i64
	Shared bool
}

// Index returns the type of its indices.
func (l Limits) Index() ValueType {
	if l.Is64 {
		return I64
	}
	return I32
}

// Table is a table.
type Table struct {
	Type   ValueType // of its elements
	Limits Limits
}

// GlobalType is the type of a global.
type GlobalType struct {
	Type    ValueType
	Mutable bool
}

// Global is a global of the module.
type Global struct {
	GlobalType
	Init []byte // a constant expression, with its end
}

// Kind is what an import or an export is.
type Kind byte

// The kinds.
const (
	KindFunction Kind = iota
	KindTable
	KindMemory
	KindGlobal
)

func (k Kind) String() string {
	return [...]string{"function", "table", "memory", "global"}[k]
}

// Import is an import. Of Function, Table, Memory and Global the one of its
// kind counts.
type Import struct {
	Module, Name string
	Kind         Kind
	Function     uint32 // index of its type
	Table        Table
	Memory       Limits
	Global       GlobalType
}

// Export is an export.
type Export struct {
	Name  string
	Kind  Kind
	Index uint32
}

// Mode says what becomes of a segment.
type Mode byte

// The modes of segments.
const (
	Active      Mode = iota // it is copied when the module is instantiated
	Passive                 // it waits for an init instruction
	Declarative             // it declares references, and nothing is copied
)

// Element is an element segment.
type Element struct {
	Mode   Mode
	Table  uint32
	Offset []byte // of an active one: a constant expression
	Type   ValueType
	// One of these:
	Functions   []uint32
	Expressions [][]byte
}

// Data is a data segment.
type Data struct {
	Mode   Mode // Active or Passive
	Memory uint32
	Offset []byte // of an active one: a constant expression
	Bytes  []byte
}

// Locals are locals of the same type, in a row.
type Locals struct {
	Count uint32
	Type  ValueType
}

// Body is the code of a function.
type Body struct {
	Locals []Locals
	Code   []byte // instructions, with the end of the function
	At     int    // offset of Code in the module that was decoded
}

// Custom is a custom section.
type Custom struct {
	Name  string
	Bytes []byte
	// After is the id of the section that it came behind; 0: the first ones.
	After byte
}

// Module is a module.
type Module struct {
	Types     []FuncType
	Imports   []Import
	Functions []uint32 // indices of types
	Tables    []Table
	Memories  []Limits
	Globals   []Global
	Exports   []Export
	Start     *uint32
	Elements  []Element
	DataCount bool // there is a data count section
	Code      []Body
	Data      []Data
	Custom    []Custom

	blocks map[string]int // the types that AppendBlock added, by their results
}

// Imported returns how many of the imports are of a kind.
func (m *Module) Imported(k Kind) int {
	n := 0
	for _, i := range m.Imports {
		if i.Kind == k {
			n++
		}
	}
	return n
}

// FunctionType returns the type of a function by its index, imports first. The
// index must be one of the module's.
func (m *Module) FunctionType(index uint32) FuncType {
	for _, i := range m.Imports {
		if i.Kind != KindFunction {
			continue
		}
		if index == 0 {
			return m.Types[i.Function]
		}
		index--
	}
	return m.Types[m.Functions[index]]
}

// AllMemories returns the limits of all memories, imports first.
func (m *Module) AllMemories() []Limits {
	var all []Limits
	for _, i := range m.Imports {
		if i.Kind == KindMemory {
			all = append(all, i.Memory)
		}
	}
	return append(all, m.Memories...)
}

// AllTables returns all tables, imports first.
func (m *Module) AllTables() []Table {
	var all []Table
	for _, i := range m.Imports {
		if i.Kind == KindTable {
			all = append(all, i.Table)
		}
	}
	return append(all, m.Tables...)
}

// AllGlobals returns the types of all globals, imports first.
func (m *Module) AllGlobals() []GlobalType {
	var all []GlobalType
	for _, i := range m.Imports {
		if i.Kind == KindGlobal {
			all = append(all, i.Global)
		}
	}
	for _, g := range m.Globals {
		all = append(all, g.GlobalType)
	}
	return all
}

// CustomSection returns the bytes of the first custom section of a name.
func (m *Module) CustomSection(name string) ([]byte, bool) {
	for _, c := range m.Custom {
		if c.Name == name {
			return c.Bytes, true
		}
	}
	return nil, false
}
