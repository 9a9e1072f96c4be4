package native_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/realm-webgpu/realm/guest"
	"github.com/realm-webgpu/realm/hostfn"
	"github.com/realm-webgpu/realm/hostfn/abi"
	"github.com/realm-webgpu/realm/hostfn/native"
	"github.com/realm-webgpu/realm/hostfn/wasm"
)

func newHost(t testing.TB, o native.Options) *native.Host {
	t.Helper()
	h, err := native.NewHost(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return h
}

// TestRefused has modules that are no guests. Each error says why, and so does
// Inspect.
func TestRefused(t *testing.T) {
	h := newHost(t, native.Options{})
	good := life(`(i32.const 0)`)
	for _, c := range []struct {
		name string
		data []byte
		want string
	}{
		{"no module", []byte("\x7fELF"), "magic header"},
		{"half a module", assemble(t, hostile("", good))[:60], "offset"},
		{"a large one", make([]byte, native.MaxModule+1), "at most"},
		{"nothing", assemble(t, `(module)`), "no memory is exported"},
		{"no life", assemble(t, hostile("", "")), `"realm_run"`},
		{"no version", assemble(t, `(module (memory (export "memory") 1)`+good+`)`), `"realm_abi"`},
		{"a life of another type", assemble(t, hostile("", `(func (export "realm_run") (param i32) (result i32) (i32.const 0))`)), "another type"},
		{"unknown imports", assemble(t, hostile(`(import "realm1" "format_disk" (func)) (import "env" "f" (func))`, good)), "realm1.format_disk (function), env.f (function)"},
		{"an import of another type", assemble(t, hostile(`(import "realm1" "emit" (func (param i64)))`, good)), "realm1.emit"},
		{"an import of a memory", assemble(t, `(module (import "env" "memory" (memory i64 1)) (export "memory" (memory 0)) (func (export "realm_abi") (result i32) (i32.const 0x10000))`+good+`)`), "env.memory (memory)"},
		{"what WASI has not", assemble(t, hostile(`(import "wasi_snapshot_preview1" "thread_spawn" (func (param i32) (result i32)))`, good)), "thread_spawn"},
		{"a start function", assemble(t, hostile("", good+`(func $s) (start $s)`)), "start function"},
		{"types that do not match", assemble(t, hostile("", life(`(i64.const 0)`))), "cannot use i64"},
		{"the meter's import", assemble(t, hostile(`(import "realm1_meter" "refill" (func (result i64)))`, good)), "realm1_meter"},
		{"the meter's export", assemble(t, hostile(`(global (export "realm1_meter.fuel") (mut i64) (i64.const 1))`, good)), "reserved"},
		{"a memory that cannot be", assemble(t, strings.Replace(hostile("", good), "i64 1", "i64 65536", 1)), "65536 pages"},
		// What would take the compiler any memory, or any time.
		{"results", assemble(t, hostile("", `(func $f (result `+strings.Repeat("i64 ", 1000)+`) unreachable)`+life(strings.Repeat("call $f ", 200)+"unreachable"))), "values beyond one each"},
		{"blocks", assemble(t, hostile("", life(strings.Repeat("block end ", 10_001)+"(i32.const 0)"))), "10001 blocks"},
		{"loops", assemble(t, hostile("", life(strings.Repeat("loop end ", 2_001)+"(i32.const 0)"))), "2001 loops"},
		{"targets", assemble(t, hostile("", life(strings.Repeat("(block (br_table "+strings.Repeat("0 ", 1001)+" (i32.const 0)))", 101)+"(i32.const 0)"))), "branch tables of 101000 entries"},
	} {
		_, err := h.Load(t.Context(), c.data)
		if !errors.Is(err, native.ErrModule) || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
	bad := assemble(t, hostile("", good))
	m, err := wasm.Decode(bad)
	if err != nil {
		t.Fatal(err)
	}
	m.Custom = []wasm.Custom{{Name: abi.CapabilitySection, Bytes: []byte("TOPK, FLY")}}
	if _, err := h.Load(t.Context(), m.Encode()); !errors.Is(err, native.ErrModule) || !strings.Contains(err.Error(), "FLY") {
		t.Errorf("an unknown capability: %v", err)
	}
}

// TestVersion refuses a guest of another interface when it runs.
func TestVersion(t *testing.T) {
	r := newRig(t)
	other := strings.Replace(hostile("", life(`(i32.const 0)`)), "(i32.const 65536)", "(i32.const 0x20000)", 1)
	if err := r.run(t, t.Context(), assemble(t, other), r.config(hostfn.Limits{})); !errors.Is(err, native.ErrModule) || !strings.Contains(err.Error(), "version 2") {
		t.Errorf("it ended with %v", err)
	}
}

// TestLoad compiles a module once, however many ask for it.
func TestLoad(t *testing.T) {
	h := newHost(t, native.Options{})
	var wg sync.WaitGroup
	var all [8]*native.Module
	for i := range all {
		wg.Add(1)
		go func() {
			defer wg.Done()
			var err error
			if all[i], err = h.Load(context.Background(), guest.Module); err != nil {
				t.Error(err)
			}
		}()
	}
	wg.Wait()
	for _, m := range all {
		if m != all[0] {
			t.Error("it was compiled twice")
		}
		m.Release()
	}
	if r := all[0].Report(); !r.Memory64 || r.Bytes != len(guest.Module) || len(r.Problems) > 0 {
		t.Errorf("the default guest: %+v", r)
	}
	if _, err := h.Load(t.Context(), []byte("no module")); err == nil {
		t.Error("it was taken")
	}
	closed, err := native.NewHost(context.Background(), native.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := closed.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	if _, err := closed.Load(t.Context(), guest.Module); !errors.Is(err, native.ErrClosed) {
		t.Errorf("a host that was closed: %v", err)
	}
}

// TestManyModules keeps those that are in use, and forgets the others.
func TestManyModules(t *testing.T) {
	r := newRig(t)
	kept, err := r.host.Load(t.Context(), assemble(t, hostile("", life(`(i32.const 1000)`))))
	if err != nil {
		t.Fatal(err)
	}
	defer kept.Release()
	var first *native.Module
	for i := range 100 {
		m, err := r.host.Load(t.Context(), assemble(t, hostile("", life(`(i32.const `+string(rune('0'+i/10))+string(rune('0'+i%10))+`)`))))
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			first = m
		}
		m.Release()
	}
	g, err := hostfn.NewGuest(t.Context(), r.config(hostfn.Limits{}))
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	if err := kept.Run(g); !returns(1000)(err) {
		t.Errorf("the module that was kept ended with %v", err)
	}
	again, err := r.host.Load(t.Context(), assemble(t, hostile("", life(`(i32.const 00)`))))
	if err != nil {
		t.Fatal(err)
	}
	defer again.Release()
	if again == first {
		t.Error("100 modules are kept")
	}
}

// TestInterpreter answers without a compiler of machine code.
func TestInterpreter(t *testing.T) {
	r := newRig(t)
	h := newHost(t, native.Options{Interpreter: true})
	m, err := h.Load(t.Context(), guest.Module)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Release()
	args, err := json.Marshal(guest.Request{Messages: []guest.Message{{Role: "user", Content: question}}})
	if err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	c := r.config(hostfn.Limits{})
	c.Args = args
	c.Emit = func(_ context.Context, channel uint32, p []byte) error {
		if channel == 0 {
			said.Write(p)
		}
		return nil
	}
	g, err := hostfn.NewGuest(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	if err := m.Run(g); err != nil || said.String() != answer {
		t.Errorf("said %q: %v", said.String(), err)
	}
}

// FuzzLoad loads any bytes: an error, or a guest.
func FuzzLoad(f *testing.F) {
	f.Add(guest.Module)
	f.Add(assemble(f, hostile("", life(`(loop (br 0)) unreachable`))))
	f.Add(assemble(f, hostile(imports("emit", "step"), life(`(i32.const 0)`))))
	h := newHost(f, native.Options{Interpreter: true})
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := h.Load(t.Context(), data)
		if err != nil {
			if !errors.Is(err, native.ErrModule) {
				t.Fatalf("an error of no kind: %v", err)
			}
			return
		}
		m.Release()
	})
}
