package browser_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/realm-webgpu/realm/e2e/models"
	"github.com/realm-webgpu/realm/engine"
	"github.com/realm-webgpu/realm/engine/gguf"
	"github.com/realm-webgpu/realm/guest"
	"github.com/realm-webgpu/realm/hostfn"
	"github.com/realm-webgpu/realm/hostfn/abi"
	"github.com/realm-webgpu/realm/hostfn/browser"
	"github.com/realm-webgpu/realm/hostfn/wasm/wat"
)

// rig is a host, and a model on the CPU. e2e runs these tests in a page.
type rig struct {
	host   *browser.Host
	engine *engine.Engine
	model  *engine.Model
}

func newRig(t *testing.T) *rig {
	t.Helper()
	h, err := browser.NewHost()
	if err != nil {
		t.Fatal(err)
	}
	e, err := engine.Open(engine.Options{Device: "cpu", CacheDir: engine.NoCache})
	if err != nil {
		t.Fatal(err)
	}
	f, err := gguf.Read(bytes.NewReader(models.Atlas))
	if err != nil {
		t.Fatal(err)
	}
	m, err := e.Load(t.Context(), f, engine.LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return &rig{h, e, m}
}

// run runs a guest to its end, and returns what it said.
func (r *rig) run(ctx context.Context, module []byte, args string, l hostfn.Limits) (string, error) {
	m, err := r.host.Load(ctx, module)
	if err != nil {
		return "", err
	}
	var said strings.Builder
	g, err := hostfn.NewGuest(ctx, hostfn.Config{
		Engine: r.engine, Models: hostfn.OneModel("atlas", r.model), Args: []byte(args), Capabilities: abi.CapAll, Limits: l,
		Emit: func(_ context.Context, channel uint32, p []byte) error {
			if channel == 0 {
				said.Write(p)
			}
			return nil
		},
	})
	if err != nil {
		return "", err
	}
	defer g.Close()
	err = m.Run(g)
	return said.String(), err
}

// TestAnswer has the default guest answer.
func TestAnswer(t *testing.T) {
	r := newRig(t)
	args, err := json.Marshal(guest.Request{Messages: []guest.Message{{Role: "user", Content: "What is the capital of France?"}}})
	if err != nil {
		t.Fatal(err)
	}
	free := r.model.CacheUsage().Free
	for range 2 {
		said, err := r.run(t.Context(), guest.Module, string(args), hostfn.Limits{})
		if said != "The capital of France is Paris." || err != nil {
			t.Errorf("it said %q: %v", said, err)
		}
	}
	if now := r.model.CacheUsage().Free; now != free {
		t.Errorf("%d pages are free, there were %d", now, free)
	}
	_, err = r.run(t.Context(), guest.Module, `{"prompt": 1}`, hostfn.Limits{})
	var exit *hostfn.ExitError
	if !errors.As(err, &exit) || abi.Errno(exit.Code) != abi.Inval {
		t.Errorf("a bad request ended with %v", err)
	}
}

// hostile is the text of a guest with a 64-bit memory, and of one with a 32-bit one.
func hostile(imports, code string) string {
	return fmt.Sprintf(`(module %s (memory (export "memory") i64 1) (func (export "realm_abi") (result i32) (i32.const %d)) %s)`, imports, abi.Major<<16, code)
}

func life(code string) string { return `(func (export "realm_run") (result i32) ` + code + `)` }

// imported imports a host function.
func imported(name string) string {
	for _, f := range hostfn.Functions() {
		if f.Name != name {
			continue
		}
		params := ""
		for _, p := range f.Params {
			params += map[bool]string{true: " i64", false: " i32"}[p.Wide()]
		}
		return fmt.Sprintf(`(import %q %q (func $%s (param%s) (result i32)))`, f.Module, f.Name, f.Name, params)
	}
	panic("no function " + name)
}

// TestHostile runs guests that mean no good: each ends as it has to, as natively.
func TestHostile(t *testing.T) {
	r := newRig(t)
	fuel := hostfn.Limits{Fuel: 20 << 20}
	soon := hostfn.Limits{WallTime: 300 * time.Millisecond}
	for _, c := range []struct {
		name, module string
		limits       hostfn.Limits
		ends         func(error) bool
	}{
		{"an endless loop", hostile("", life(`(loop (br 0)) (i32.const 0)`)), fuel, limit("fuel")},
		{"an endless loop, and time", hostile("", life(`(loop (br 0)) (i32.const 0)`)), soon, limit("wall time")},
		{"endless host calls", hostile(imported("budget"), life(`(loop (drop (call $budget (i64.const -8))) (br 0)) unreachable`)), soon, limit("wall time")},
		{"endless recursion", hostile("", `(func $f (result i32) (i32.add (call $f) (i32.const 1)))`+life(`(call $f)`)), hostfn.Limits{}, trap("stack")},
		{"endless memory", hostile("", life(`(loop (br_if 0 (i64.ne (memory.grow (i64.const 1)) (i64.const -1)))) unreachable`)), hostfn.Limits{Memory: 8 << 20}, limit("memory")},
		{"as much memory as there is", hostile("", life(`(loop (br_if 0 (i64.ne (memory.grow (i64.const 1)) (i64.const -1))))
			(memory.fill (i64.const 0) (i32.const 1) (i64.mul (memory.size) (i64.const 65536))) (i32.wrap_i64 (memory.size))`)), hostfn.Limits{Memory: 8 << 20}, returns(8 << 20 >> 16)},
		{"memory from the start", strings.Replace(hostile("", life(`(i32.const 0)`)), "i64 1", "i64 1000", 1), hostfn.Limits{Memory: 1 << 20}, limit("memory")},
		{"a 32-bit memory", strings.Replace(hostile("", life(`(memory.grow (i32.const 1000))`)), "i64 1", "1", 1), hostfn.Limits{Memory: 1 << 20}, returns(-1)},
		{"an access past 2^32", hostile("", life(`(i32.load (i64.const 0x1_0000_0000))`)), hostfn.Limits{}, trap("out of bounds")},
		{"a trap", hostile("", life(`unreachable`)), hostfn.Limits{}, trap("unreachable")},
		{"a pointer past the memory", hostile(imported("emit"), life(`(call $emit (i32.const 0) (i64.const 1) (i64.const 65536))`)), hostfn.Limits{}, returns(int32(abi.Fault))},
		{"a pointer past 2^63", hostile(imported("emit"), life(`(call $emit (i32.const 0) (i64.const -8) (i64.const 16))`)), hostfn.Limits{}, returns(int32(abi.Fault))},
		{"a pointer after growth", hostile(imported("emit"), life(`(drop (memory.grow (i64.const 1))) (call $emit (i32.const 0) (i64.const 65536) (i64.const 65536))`)), hostfn.Limits{}, func(err error) bool { return err == nil }},
		{"an exit", hostile(`(import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))`, life(`(call $exit (i32.const 9)) (loop (br 0)) unreachable`)), hostfn.Limits{}, func(err error) bool {
			var exit *hostfn.ExitError
			return errors.As(err, &exit) && exit.Exit && exit.Code == 9
		}},
		{"another version", strings.Replace(hostile("", life(`(i32.const 0)`)), fmt.Sprintf("(i32.const %d)", abi.Major<<16), "(i32.const 0x20000)", 1), hostfn.Limits{}, func(err error) bool {
			return errors.Is(err, hostfn.ErrModule) && strings.Contains(err.Error(), "version 2")
		}},
		{"an unknown import", hostile(`(import "env" "fly" (func $fly))`, life(`(i32.const 0)`)), hostfn.Limits{}, func(err error) bool {
			return errors.Is(err, hostfn.ErrModule) && strings.Contains(err.Error(), "env.fly")
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			module, err := wat.Module(c.module)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := r.run(t.Context(), module, `{}`, c.limits); !c.ends(err) {
				t.Errorf("it ended with %v", err)
			}
		})
	}
}

// limit is an end by a limit.
func limit(name string) func(error) bool {
	return func(err error) bool {
		var l *hostfn.LimitError
		return errors.As(err, &l) && l.Name == name
	}
}

// trap is an end by a trap.
func trap(text string) func(error) bool {
	return func(err error) bool {
		return errors.Is(err, hostfn.ErrTrap) && strings.Contains(err.Error(), text) && !strings.Contains(err.Error(), "\n")
	}
}

// returns is an end with a code.
func returns(code int32) func(error) bool {
	return func(err error) bool {
		var exit *hostfn.ExitError
		return errors.As(err, &exit) && !exit.Exit && exit.Code == code
	}
}

// TestCancelled stops a guest that loops when no one wants its answer any more: the
// page's own events are handled meanwhile.
func TestCancelled(t *testing.T) {
	r := newRig(t)
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(100*time.Millisecond, cancel)
	module, err := wat.Module(hostile("", life(`(loop (br 0)) (i32.const 0)`)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.run(ctx, module, `{}`, hostfn.Limits{}); !errors.Is(err, context.Canceled) {
		t.Errorf("it ended with %v", err)
	}
}
