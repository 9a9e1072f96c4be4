// Package inspect looks into modules that want to be guests: whether they are, and
// what they ask for. Every engine of WebAssembly runs the same ones.
package inspect

import (
	"fmt"
	"slices"
	"strings"

	"github.com/realm-webgpu/realm/hostfn"
	"github.com/realm-webgpu/realm/hostfn/abi"
	"github.com/realm-webgpu/realm/hostfn/wasm"
)

// Report is what a module says of itself.
type Report struct {
	Bytes     int
	Functions int
	Memory64  bool
	Min, Max  uint64 // pages of 64 KiB; Max 0: none is said
	Imports   []string
	Exports   []string
	// Capabilities are the names that the module declares.
	Capabilities []string
	WASI         bool
	// Problems say why the module is no guest; empty: it is one.
	Problems []string

	// Required are the bits of Capabilities.
	Required uint64 `json:"-"`
}

// MaxModule is the largest module that is looked into, in bytes. Compiling takes some
// seconds for one of that size.
const MaxModule = 16 << 20

// Guest looks into a module that has to be a guest. Errors wrap hostfn.ErrModule.
func Guest(data []byte) (Report, error) {
	r, err := Module(data)
	if err == nil && len(r.Problems) > 0 {
		err = fmt.Errorf("%w: %s", hostfn.ErrModule, r.Problems[0])
	}
	return r, err
}

// Module looks into a module. Errors, which wrap hostfn.ErrModule, are of one that is
// malformed or too large; what else keeps it from being a guest is in Problems.
func Module(data []byte) (Report, error) {
	if len(data) > MaxModule {
		return Report{}, fmt.Errorf("inspect: %w: %d bytes, at most %d", hostfn.ErrModule, len(data), MaxModule)
	}
	m, err := wasm.Decode(data)
	if err != nil {
		return Report{}, fmt.Errorf("inspect: %w: %w", hostfn.ErrModule, err)
	}
	r := Report{Bytes: len(data), Functions: len(m.Functions)}
	problem := func(format string, args ...any) { r.Problems = append(r.Problems, fmt.Sprintf(format, args...)) }
	r.imports(m, problem)
	r.exports(m, problem)
	r.memory(m, problem)
	r.bounds(m, problem)
	var unknown []string
	r.Required, unknown = capabilities(m)
	for _, name := range unknown {
		problem("section %s: unknown capability %q", abi.CapabilitySection, name)
	}
	section, _ := m.CustomSection(abi.CapabilitySection)
	r.Capabilities = fieldsOf(section)
	return r, nil
}

// imports checks what the module imports: nothing is stubbed.
func (r *Report) imports(m *wasm.Module, problem func(string, ...any)) {
	known := map[string]hostfn.Function{}
	for _, f := range hostfn.Functions() {
		known[f.Module+"."+f.Name] = f
	}
	var unknown []string
	for _, i := range m.Imports {
		name := i.Module + "." + i.Name
		r.Imports = append(r.Imports, name)
		r.WASI = r.WASI || i.Module == abi.WASIModule
		f, ok := known[name]
		switch {
		case !ok || i.Kind != wasm.KindFunction:
			unknown = append(unknown, fmt.Sprintf("%s (%s)", name, i.Kind))
		case !matches(f, m.Types[i.Function]):
			problem("import %s has another type than the host's", name)
		}
	}
	if len(unknown) > 0 {
		problem("unknown imports: %s", strings.Join(unknown, ", "))
	}
}

// matches reports whether an import has the type of a host function.
func matches(f hostfn.Function, t wasm.FuncType) bool {
	var params, results []wasm.ValueType
	for _, p := range f.Params {
		if p.Wide() {
			params = append(params, wasm.I64)
		} else {
			params = append(params, wasm.I32)
		}
	}
	if f.Result {
		results = []wasm.ValueType{wasm.I32}
	}
	return slices.Equal(params, t.Params) && slices.Equal(results, t.Results)
}

// exports checks what the module exports.
func (r *Report) exports(m *wasm.Module, problem func(string, ...any)) {
	types := map[string]wasm.FuncType{}
	memory := false
	for _, e := range m.Exports {
		r.Exports = append(r.Exports, e.Name)
		switch e.Kind {
		case wasm.KindFunction:
			switch e.Name {
			case abi.ExportRun, abi.ExportABI, abi.ExportStart, abi.ExportInitialize:
				types[e.Name] = m.FunctionType(e.Index)
			}
		case wasm.KindMemory:
			memory = memory || e.Name == abi.ExportMemory
		}
	}
	if !memory {
		problem("no memory is exported as %q", abi.ExportMemory)
	}
	_, run := types[abi.ExportRun]
	_, start := types[abi.ExportStart]
	wanted := map[string][]wasm.ValueType{abi.ExportInitialize: nil}
	switch {
	case run:
		wanted[abi.ExportRun] = []wasm.ValueType{wasm.I32}
		wanted[abi.ExportABI] = []wasm.ValueType{wasm.I32}
		if _, ok := types[abi.ExportABI]; !ok {
			problem("no function is exported as %q", abi.ExportABI)
		}
	case start:
		wanted[abi.ExportStart] = nil
	default:
		problem("no function is exported as %q, nor, by a command, as %q", abi.ExportRun, abi.ExportStart)
	}
	for name, results := range wanted {
		if t, ok := types[name]; ok && (len(t.Params) > 0 || !slices.Equal(t.Results, results)) {
			problem("export %q has another type than () -> %d results of i32", name, len(results))
		}
	}
}

// memory notes what the module's memory is.
func (r *Report) memory(m *wasm.Module, problem func(string, ...any)) {
	for _, l := range m.AllMemories() {
		r.Memory64, r.Min, r.Max = l.Is64, l.Min, 0
		if l.HasMax {
			r.Max = l.Max
		}
	}
	if m.Start != nil {
		problem("it has a start function: that would run before the host is ready; export %q", abi.ExportInitialize)
	}
}

// fieldsOf splits names between white space and commas.
func fieldsOf(section []byte) []string {
	return strings.FieldsFunc(string(section), func(r rune) bool { return strings.ContainsRune(" \t\r\n,\x00", r) })
}

// capabilities reads the section that says what a guest needs. Without one it
// needs nothing.
func capabilities(m *wasm.Module) (all uint64, unknown []string) {
	section, _ := m.CustomSection(abi.CapabilitySection)
	for _, name := range fieldsOf(section) {
		bit, ok := abi.Capability(name)
		if !ok {
			unknown = append(unknown, name)
		}
		all |= bit
	}
	return all, unknown
}
