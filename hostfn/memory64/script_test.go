package memory64

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"

	"github.com/realm-webgpu/realm/hostfn/meter"
	"github.com/realm-webgpu/realm/hostfn/wasm"
	"github.com/realm-webgpu/realm/hostfn/wasm/wat"
)

// features are those that guests have.
const features = api.CoreFeaturesV2 | experimental.CoreFeaturesTailCall | experimental.CoreFeaturesExtendedConst

// engine is one way to run modules.
type engine struct {
	name        string
	interpreter bool
	metered     bool
}

// path returns the name as a part of a test's name.
func (e engine) path() string { return strings.ReplaceAll(e.name, " ", "_") }

var engines = []engine{
	{"compiler", false, false}, {"compiler metered", false, true},
	{"interpreter", true, false}, {"interpreter metered", true, true},
}

// tally counts the commands of a script.
type tally struct {
	passed, failed int
	skipped        map[string]int // by reason
	failures       []string
}

// script runs the commands of one file.
type script struct {
	engine
	tally
	ctx       context.Context
	runtime   wazero.Runtime
	instances map[string]*instance // by name, and by the name they are registered under
	last      *instance
	missing   string // why the last module is not there; "": it is
}

// instance is a module that runs, and what it is linked by.
type instance struct {
	module   api.Module
	memories map[string]wasm.Limits // exported ones
	tables   map[string]wasm.Table
}

// errLink marks a module whose imports are not there, or are of other types.
var errLink = errors.New("cannot be linked")

// spectest is the module that scripts may import from.
const spectest = `(module
	(global (export "global_i32") i32 (i32.const 666)) (global (export "global_i64") i64 (i64.const 666))
	(global (export "global_f32") f32 (f32.const 666.6)) (global (export "global_f64") f64 (f64.const 666.6))
	(table (export "table") 10 20 funcref) (table (export "table64") i64 10 20 funcref)
	(memory (export "memory") 1 2)
	(func (export "print")) (func (export "print_i32") (param i32)) (func (export "print_i64") (param i64))
	(func (export "print_f32") (param f32)) (func (export "print_f64") (param f64))
	(func (export "print_i32_f32") (param i32 f32)) (func (export "print_f64_f64") (param f64 f64)))`

func newScript(e engine) (*script, error) {
	config := wazero.NewRuntimeConfigCompiler()
	if e.interpreter {
		config = wazero.NewRuntimeConfigInterpreter()
	}
	s := &script{engine: e, tally: tally{skipped: map[string]int{}}, instances: map[string]*instance{}}
	s.runtime = wazero.NewRuntimeWithConfig(context.Background(), config.WithCoreFeatures(features))
	s.ctx = experimental.WithImportResolver(context.Background(), func(name string) api.Module {
		if i := s.instances[name]; i != nil {
			return i.module
		}
		return nil
	})
	_, err := s.runtime.NewHostModuleBuilder(meter.ImportModule).NewFunctionBuilder().
		WithFunc(func() int64 { return math.MaxInt64 }).Export(meter.ImportName).Instantiate(s.ctx)
	if err != nil {
		return nil, err
	}
	list, err := wat.Read(spectest)
	if err != nil {
		return nil, err
	}
	s.instances["spectest"], err = s.instantiate(list[0])
	return s, err
}

func (s *script) close() { _ = s.runtime.Close(s.ctx) }

// compile lowers and compiles a module.
func (s *script) compile(data []byte) (*Lowered, wazero.CompiledModule, error) {
	l, err := Lower(data)
	if err != nil {
		return nil, nil, err
	}
	b := l.Bytes
	if s.metered {
		if b, err = meter.Meter(b); err != nil {
			return nil, nil, err
		}
	}
	c, err := s.runtime.CompileModule(s.ctx, b)
	return l, c, err
}

// instantiate makes an instance of a module.
func (s *script) instantiate(module wat.Node) (*instance, error) {
	data, err := wat.Assemble(module)
	if err != nil {
		return nil, fmt.Errorf("assemble: %w", err)
	}
	l, compiled, err := s.compile(data)
	if err != nil {
		return nil, fmt.Errorf("compile: %w", err)
	}
	if l.Instantiation != nil {
		return nil, l.Instantiation
	}
	i := &instance{memories: map[string]wasm.Limits{}, tables: map[string]wasm.Table{}}
	if err := s.link(data, l, i); err != nil {
		return nil, err
	}
	i.module, err = s.runtime.InstantiateModule(s.ctx, compiled, wazero.NewModuleConfig().WithName("").WithStartFunctions())
	return i, err
}

// link compares what a module imports with what it gets, by the types of the
// originals, and notes the types of what it exports.
func (s *script) link(data []byte, l *Lowered, to *instance) error {
	m, err := wasm.Decode(data)
	if err != nil {
		return err
	}
	memory, table := 0, 0
	for _, i := range m.Imports {
		from := s.instances[i.Module]
		if from == nil {
			return fmt.Errorf("%w: there is no module %q", errLink, i.Module)
		}
		switch i.Kind {
		case wasm.KindMemory:
			have, ok := from.memories[i.Name]
			if !ok || !fits(have, l.Memories[memory]) {
				return fmt.Errorf("%w: memory %s.%s: have %+v, want %+v", errLink, i.Module, i.Name, have, l.Memories[memory])
			}
			l.Memories[memory] = have
			memory++
		case wasm.KindTable:
			have, ok := from.tables[i.Name]
			if !ok || have.Type != l.Tables[table].Type || !fits(have.Limits, l.Tables[table].Limits) {
				return fmt.Errorf("%w: table %s.%s: have %+v, want %+v", errLink, i.Module, i.Name, have, l.Tables[table])
			}
			l.Tables[table] = have
			table++
		}
	}
	for _, e := range m.Exports {
		switch e.Kind {
		case wasm.KindMemory:
			to.memories[e.Name] = l.Memories[e.Index]
		case wasm.KindTable:
			to.tables[e.Name] = l.Tables[e.Index]
		}
	}
	return nil
}

// fits reports whether limits are as an import wants them:
// https://webassembly.github.io/spec/core/valid/matching.html
func fits(have, want wasm.Limits) bool {
	return have.Is64 == want.Is64 && have.Min >= want.Min &&
		(!want.HasMax || have.HasMax && have.Max <= want.Max)
}

// run runs the commands of a file.
func (s *script) run(commands []wat.Node) {
	for _, c := range commands {
		s.command(c)
	}
}

func (s *script) skip(reason string) { s.skipped[reason]++ }

func (s *script) check(c wat.Node, err error) {
	if err == nil {
		s.passed++
		return
	}
	s.failed++
	s.failures = append(s.failures, fmt.Sprintf("line %d: %s: %v", c.Line, c.Head(), err))
}

// command runs a command. Modules, registrations and plain calls are no
// assertions, and are counted where they fail.
func (s *script) command(c wat.Node) {
	switch c.Head() {
	case "module":
		s.module(c)
	case "register":
		s.instances[string(c.List[1].Text)] = s.named(c.List[2:])
	case "invoke":
		if _, err := s.call(c); err != nil && s.missing == "" {
			s.check(c, err)
		}
	case "assert_return":
		if s.missing != "" {
			s.skip(s.missing)
			return
		}
		got, err := s.call(c.List[1])
		if err == nil {
			err = compare(got, c.List[2:])
		}
		s.check(c, err)
	case "assert_trap", "assert_exhaustion", "assert_unlinkable":
		s.assertFailure(c)
	case "assert_invalid", "assert_malformed":
		s.assertRefused(c)
	default:
		s.check(c, errors.New("unknown command"))
	}
}

// module makes a module the last one. One that is a definition only need not be
// instantiated.
func (s *script) module(c wat.Node) {
	rest := wat.Fields(c.List[1:])
	if rest.Is("definition") {
		data, err := wat.Assemble(wat.Node{List: append([]wat.Node{c.List[0]}, rest[1:]...), Line: c.Line})
		if err == nil {
			_, _, err = s.compile(data)
		}
		if err != nil {
			s.check(c, err)
		}
		return
	}
	name := rest.Name()
	i, err := s.instantiate(wat.Node{List: append([]wat.Node{c.List[0]}, rest...), Line: c.Line})
	s.missing = ""
	var text wat.Error
	switch {
	case errors.As(err, &text):
		s.missing = text.Message
	case err != nil:
		s.check(c, err)
		i = nil
	}
	s.last = i
	if name != "" {
		s.instances[name] = i
	}
}

// named returns the instance of a name, or the last one.
func (s *script) named(name wat.Fields) *instance {
	if n := name.Name(); n != "" {
		return s.instances[n]
	}
	return s.last
}

// assertRefused checks that a module is refused when it is loaded.
func (s *script) assertRefused(c wat.Node) {
	module := c.List[1]
	if wat.Fields(module.List[1:]).Is("quote") {
		s.skip("malformed text: it has no binary form")
		return
	}
	data, err := wat.Assemble(module)
	if err != nil {
		s.skip("the text cannot be assembled: " + err.Error())
		return
	}
	_, _, err = s.compile(data)
	if err == nil {
		err = fmt.Errorf("the module was taken, want %q", c.List[2].Text)
	} else {
		err = nil
	}
	s.check(c, err)
}

// failures are what wazero says for the failures of the test-suite.
var failures = map[string]string{
	"out of bounds memory access": "out of bounds memory access",
	"out of bounds table access":  "invalid table access",
	"undefined element":           "invalid table access",
	"uninitialized element":       "invalid table access",
	"indirect call type mismatch": "indirect call type mismatch",
	"unreachable":                 "unreachable",
	"integer divide by zero":      "integer divide by zero",
	"integer overflow":            "integer overflow",
	"call stack exhausted":        "stack overflow",
	"unknown import":              errLink.Error(),
	"incompatible import type":    errLink.Error(),
}

// assertFailure checks that a call, or the instantiation of a module, fails as
// expected.
func (s *script) assertFailure(c wat.Node) {
	var err error
	if c.List[1].Head() != "module" && s.missing != "" {
		s.skip(s.missing)
		return
	}
	if c.List[1].Head() == "module" {
		_, err = s.instantiate(c.List[1])
	} else {
		_, err = s.call(c.List[1])
	}
	want := string(c.List[2].Text)
	for prefix, message := range failures {
		if strings.HasPrefix(want, prefix) && err != nil && strings.Contains(err.Error(), message) {
			s.check(c, nil)
			return
		}
	}
	s.check(c, fmt.Errorf("got %v, want %q", err, want))
}
