package meter

import (
	"errors"
	"fmt"

	"github.com/realm-webgpu/realm/hostfn/wasm"
)

// ErrName marks a module that has one of the names that metering needs.
var ErrName = errors.New("name is reserved for metering")

// Meter returns the module with fuel. It starts with none, so that its first
// function calls refill. Errors are wasm.FormatErrors, or ErrName.
func Meter(data []byte) ([]byte, error) {
	m, err := wasm.Decode(data)
	if err != nil {
		return nil, err
	}
	for _, i := range m.Imports {
		if i.Module == ImportModule {
			return nil, fmt.Errorf("meter: import %s.%s: %w", i.Module, i.Name, ErrName)
		}
	}
	for _, e := range m.Exports {
		if e.Name == ExportFuel {
			return nil, fmt.Errorf("meter: export %s: %w", e.Name, ErrName)
		}
	}
	imported := m.Imported(wasm.KindFunction)
	p := &pass{
		module: m, refill: uint32(imported), fuel: uint32(len(m.AllGlobals())),
		more: uint32(imported + 1 + len(m.Functions)),
	}
	p.tables = m.AllTables()
	for _, l := range m.AllMemories() {
		p.memory = l
	}
	for i := range m.Code {
		if err := p.function(i); err != nil {
			return nil, err
		}
	}
	p.renumber()
	p.add()
	return m.Encode(), nil
}

// pass is the state of Meter.
type pass struct {
	module *wasm.Module
	refill uint32 // index of the imported function; what had it and those behind it move up
	fuel   uint32 // index of the global
	more   uint32 // index of the function that pays debts, behind all others
	memory wasm.Limits
	tables []wasm.Table
	// regions are those of the function that is being rewritten.
	regions []region
}

// moved returns the new index of a function.
func (p *pass) moved(index uint32) uint32 {
	if index >= p.refill {
		return index + 1
	}
	return index
}

// add adds the import, the function more, the global and its export.
func (p *pass) add() {
	m := p.module
	gives := uint32(len(m.Types))
	m.Types = append(m.Types, wasm.FuncType{Results: []wasm.ValueType{wasm.I64}})
	m.Imports = append(m.Imports, wasm.Import{
		Module: ImportModule, Name: ImportName, Kind: wasm.KindFunction, Function: gives,
	})
	m.Functions = append(m.Functions, gives)
	m.Code = append(m.Code, wasm.Body{Code: p.moreCode()})
	m.Globals = append(m.Globals, wasm.Global{
		GlobalType: wasm.GlobalType{Type: wasm.I64, Mutable: true},
		Init:       append(wasm.AppendI64Const(nil, 0), byte(wasm.OpEnd)),
	})
	m.Exports = append(m.Exports, wasm.Export{Name: ExportFuel, Kind: wasm.KindGlobal, Index: p.fuel})
}

// renumber gives functions their new indices, wherever they stand outside of
// code.
func (p *pass) renumber() {
	m := p.module
	for i := range m.Exports {
		if e := &m.Exports[i]; e.Kind == wasm.KindFunction {
			e.Index = p.moved(e.Index)
		}
	}
	if m.Start != nil {
		start := p.moved(*m.Start)
		m.Start = &start
	}
	for i := range m.Elements {
		e := &m.Elements[i]
		e.Offset = p.expression(e.Offset)
		for j := range e.Functions {
			e.Functions[j] = p.moved(e.Functions[j])
		}
		for j := range e.Expressions {
			e.Expressions[j] = p.expression(e.Expressions[j])
		}
	}
	for i := range m.Globals {
		m.Globals[i].Init = p.expression(m.Globals[i].Init)
	}
	for i := range m.Custom {
		if c := &m.Custom[i]; c.Name == "name" {
			c.Bytes = p.names(c.Bytes)
		}
	}
}

// expression renumbers a constant expression.
func (p *pass) expression(code []byte) []byte {
	var out []byte
	c := wasm.NewCode(&wasm.Body{Code: code})
	for c.Next() {
		if c.Op == wasm.OpRefFunc {
			out = wasm.AppendOp(out, c.Op, uint64(p.moved(uint32(c.A))))
		} else {
			out = append(out, c.Bytes()...)
		}
	}
	return out
}

// moreCode is the function that calls refill until what was taken is paid for. It
// leaves what there is then in the global, and returns it.
func (p *pass) moreCode() []byte {
	b := []byte{byte(wasm.OpLoop), wasm.EmptyBlock}
	b = wasm.AppendOp(b, wasm.OpCall, uint64(p.refill))
	b = wasm.AppendOp(b, wasm.OpGlobalGet, uint64(p.fuel))
	b = append(b, byte(wasm.OpI64Add))
	b = wasm.AppendOp(b, wasm.OpGlobalSet, uint64(p.fuel))
	b = wasm.AppendOp(b, wasm.OpGlobalGet, uint64(p.fuel))
	b = wasm.AppendI64Const(b, 0)
	b = append(b, byte(wasm.OpI64LtS))
	b = wasm.AppendOp(b, wasm.OpBrIf, 0)
	b = append(b, byte(wasm.OpEnd))
	b = wasm.AppendOp(b, wasm.OpGlobalGet, uint64(p.fuel))
	return append(b, byte(wasm.OpEnd))
}
