package native_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/realm-webgpu/realm/hostfn"
	"github.com/realm-webgpu/realm/hostfn/abi"
	"github.com/realm-webgpu/realm/hostfn/native"
)

// opened opens the model as handle 1, a sequence of it as handle 2, and puts a row of
// one token at 256.
const opened = `
	(drop (call $model_open (i64.const 0) (i64.const 0) (i64.const 0)))
	(drop (call $seq_open (i32.const 1) (i32.const 0) (i64.const 8)))
	(i32.store (i64.const 256) (i32.const 96)) (i32.store offset=4 (i64.const 256) (i32.const 2))
	(i64.store offset=8 (i64.const 256) (i64.const 16)) (i64.store offset=16 (i64.const 256) (i64.const 1))`

// fails ends the guest with what a call returned, unless that is OK.
func fails(call string) string {
	return `(local.set $e ` + call + `) (if (local.get $e) (then (return (local.get $e))))`
}

// TestHostile runs guests that mean no good, while another tenant asks. Each ends as
// it has to, and the host has all back.
func TestHostile(t *testing.T) {
	r := newRig(t)
	fuel := hostfn.Limits{Fuel: 50 << 20}
	for _, c := range []struct {
		name, module string
		limits       hostfn.Limits
		ends         func(err error) bool
	}{
		{"an endless loop", hostile("", life(`(loop (br 0)) (i32.const 0)`)), fuel, limit("fuel")},
		{"an endless loop, and time", hostile("", life(`(loop (br 0)) (i32.const 0)`)), hostfn.Limits{WallTime: 300 * time.Millisecond}, limit("wall time")},
		{"loops in loops", hostile("", life(`(loop (loop (loop (br_table 0 1 2 0 (i32.const 1))))) (i32.const 0)`)), fuel, limit("fuel")},
		{"exponential calls", hostile("", `(func $f (param i32) (if (local.get 0) (then
			(call $f (i32.sub (local.get 0) (i32.const 1))) (call $f (i32.sub (local.get 0) (i32.const 1))))))`+life(`(call $f (i32.const 100)) (i32.const 0)`)), fuel, limit("fuel")},
		{"endless tail calls", hostile("", `(func $f (result i32) (return_call $f))`+life(`(call $f)`)), fuel, limit("fuel")},
		{"endless recursion", hostile("", `(func $f (result i32) (i32.add (call $f) (i32.const 1)))`+life(`(call $f)`)), hostfn.Limits{}, trap("stack overflow")},
		{"fills without a loop", hostile("", life(strings.Repeat(`(memory.fill (i64.const 0) (i32.const 1) (i64.const 65536))`, 300)+`(i32.const 0)`)), hostfn.Limits{Fuel: 100_000}, limit("fuel")},
		{"endless memory", hostile("", life(`(loop (br_if 0 (i64.ne (memory.grow (i64.const 1)) (i64.const -1)))) unreachable`)), hostfn.Limits{Memory: 8 << 20}, limit("memory")},
		{"as much memory as there is", hostile("", life(`(loop (br_if 0 (i64.ne (memory.grow (i64.const 1)) (i64.const -1))))
			(memory.fill (i64.const 0) (i32.const 1) (i64.mul (memory.size) (i64.const 65536))) (i32.wrap_i64 (memory.size))`)),
			hostfn.Limits{Memory: 8 << 20}, returns(8 << 20 >> 16)},
		{"memory past 2^32", hostile("", life(`(i32.wrap_i64 (memory.grow (i64.const 0x1_0000_0000)))`)), hostfn.Limits{}, returns(-1)},
		{"memory from the start", strings.Replace(hostile("", life(`(i32.const 0)`)), "i64 1", "i64 1000", 1), hostfn.Limits{Memory: 1 << 20}, limit("memory")},
		{"an access past 2^32", hostile("", life(`(i32.load (i64.const 0x1_0000_0000))`)), hostfn.Limits{}, trap("out of bounds memory access")},
		{"a trap in the middle of a step", hostile(imports("model_open", "seq_open", "step"), `(func (export "realm_run") (result i32) (local $e i32)`+opened+
			fails(`(call $step (i64.const 256) (i64.const 1) (i64.const 24))`)+`unreachable)`), hostfn.Limits{}, trap("unreachable")},
		{"an endless loop in the middle of a gen", hostile(imports("model_open", "seq_open", "gen"), `(func (export "realm_run") (result i32) (local $e i32)`+opened+
			fails(`(call $gen (i64.const 256) (i64.const 1) (i64.const 24))`)+`(loop (br 0)) unreachable)`), hostfn.Limits{WallTime: 300 * time.Millisecond}, limit("wall time")},
		{"a million tickets", hostile(imports("model_open", "seq_open", "step"), `(func (export "realm_run") (result i32) (local $e i32) (local $n i32)`+opened+`
			(loop
				(local.set $n (i32.add (local.get $n) (i32.const 1)))
				(local.set $e (call $step (i64.const 256) (i64.const 1) (i64.const 24)))
				(br_if 0 (i32.and (i32.ne (local.get $e) (i32.const 10)) (i32.lt_u (local.get $n) (i32.const 1000000)))))
			(local.get $n))`), hostfn.Limits{Tickets: 100}, returns(101)},
		{"a million handles", hostile(imports("model_open", "seq_open"), `(func (export "realm_run") (result i32) (local $e i32) (local $n i32)
			(drop (call $model_open (i64.const 0) (i64.const 0) (i64.const 0)))
			(loop
				(local.set $n (i32.add (local.get $n) (i32.const 1)))
				(local.set $e (call $seq_open (i32.const 1) (i32.const 0) (i64.const 8)))
				(br_if 0 (i32.and (i32.eqz (local.get $e)) (i32.lt_u (local.get $n) (i32.const 1000000)))))
			(i32.add (i32.mul (local.get $n) (i32.const 100)) (local.get $e)))`), hostfn.Limits{Handles: 50}, returns(50*100 + int32(abi.Quota))},
		{"a giant emit", hostile(imports("emit"), life(`(call $emit (i32.const 0) (i64.const 0) (i64.const 0x10_0000_0000))`)), hostfn.Limits{}, returns(int32(abi.Fault))},
		{"an emit of all memory and more", hostile(imports("emit"), life(`(call $emit (i32.const 0) (i64.const 1) (i64.const 65536))`)), hostfn.Limits{}, returns(int32(abi.Fault))},
		{"endless emits", hostile(imports("emit"), `(func (export "realm_run") (result i32) (local $e i32)
			(loop (local.set $e (call $emit (i32.const 0) (i64.const 0) (i64.const 65536))) (br_if 0 (i32.eqz (local.get $e)))) (local.get $e))`),
			hostfn.Limits{EmitBytes: 4 << 20}, returns(int32(abi.Quota))},
		{"spinning between host calls", hostile(imports("budget"), `(func (export "realm_run") (result i32) (local $i i32)
			(loop $again
				(i32.store (i64.const 0) (i32.const 48)) (drop (call $budget (i64.const 0)))
				(local.set $i (i32.const 10000)) (loop $spin (br_if $spin (local.tee $i (i32.sub (local.get $i) (i32.const 1)))))
				(br $again)) unreachable)`), hostfn.Limits{WallTime: 300 * time.Millisecond}, limit("wall time")},
		{"endless host calls", hostile(imports("budget"), life(`(loop (drop (call $budget (i64.const -8))) (br 0)) unreachable`)), hostfn.Limits{WallTime: 300 * time.Millisecond}, limit("wall time")},
		{"a wait for nothing", hostile(imports("recv"), life(`(call $recv (i64.const 0) (i64.const 8) (i64.const 16) (i64.const -1))`)), hostfn.Limits{}, returns(int32(abi.Noent))},
		// A guest that is entered again, with work under way, and calls from wherever it may.
		{"reentrance", hostile(imports("model_open", "seq_open", "step"), `(table i64 1 funcref) (elem (i64.const 0) $run) (global $deep (mut i32) (i32.const 0))
			(func $run (export "realm_run") (result i32) (local $e i32)
				(if (i32.ge_u (global.get $deep) (i32.const 5)) (then (return (i32.const 77))))
				(global.set $deep (i32.add (global.get $deep) (i32.const 1)))`+opened+
			`(local.set $e (call $step (i64.const 256) (i64.const 1) (i64.const 24))) (call_indirect (result i32) (i64.const 0)))`), hostfn.Limits{}, returns(77)},
		{"a sequence in a step twice", hostile(imports("model_open", "seq_open", "step", "wait"), `(func (export "realm_run") (result i32) (local $e i32)`+opened+
			`(i64.store offset=80 (i64.const 256) (i64.const 1024)) (i64.store offset=88 (i64.const 256) (i64.const 128))
			(memory.copy (i64.const 352) (i64.const 256) (i64.const 96)) (i64.store offset=80 (i64.const 352) (i64.const 2048))`+
			fails(`(call $step (i64.const 256) (i64.const 2) (i64.const 24))`)+`(drop (call $wait (i64.const 24) (i64.const 1) (i64.const -1) (i64.const 32)))
			(i32.load offset=4 (i64.const 2048)))`), hostfn.Limits{}, returns(int32(abi.Busy))},
		{"a life in _initialize", hostile(imports("model_open", "seq_open", "step"), `(func (export "_initialize") (local $e i32)`+opened+
			`(drop (call $step (i64.const 256) (i64.const 1) (i64.const 24))) (loop (br 0)))`+life(`(i32.const 0)`)), fuel, limit("fuel")},
		{"a version that does not end", strings.Replace(hostile("", life(`(i32.const 0)`)), fmt.Sprintf("(i32.const %d)", abi.Major<<16), `(loop (br 0)) (i32.const 1)`, 1), fuel, limit("fuel")},
		{"an exit", hostile(`(import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))`, life(`(call $exit (i32.const 9)) (loop (br 0)) unreachable`)), hostfn.Limits{}, func(err error) bool {
			var exit *hostfn.ExitError
			return errors.As(err, &exit) && exit.Exit && exit.Code == 9
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			free := r.model.CacheUsage().Free
			module := assemble(t, c.module)
			stop := r.neighbour(t)
			r.emits.Store(0)
			err := r.run(t, t.Context(), module, r.config(c.limits))
			stop()
			if !c.ends(err) {
				t.Errorf("it ended with %v", err)
			}
			if n := r.emits.Load(); c.limits.EmitBytes > 0 && n > int64(c.limits.EmitBytes) {
				t.Errorf("it emitted %d bytes", n)
			}
			settled(t, "cache pages", func() bool { return r.model.CacheUsage().Free == free })
			if n := r.host.Reserved(); n != 0 {
				t.Errorf("%d bytes of address space are not given back", n)
			}
		})
	}
}

// limit is an end by a limit.
func limit(name string) func(error) bool {
	return func(err error) bool {
		var l *hostfn.LimitError
		return errors.As(err, &l) && errors.Is(err, hostfn.ErrLimit) && l.Name == name
	}
}

// trap is an end by a trap.
func trap(text string) func(error) bool {
	return func(err error) bool {
		return errors.Is(err, native.ErrTrap) && strings.Contains(err.Error(), text) && !strings.Contains(err.Error(), "\n")
	}
}

// returns is an end with a code.
func returns(code int32) func(error) bool {
	return func(err error) bool {
		var exit *hostfn.ExitError
		return errors.As(err, &exit) && !exit.Exit && exit.Code == code
	}
}

// TestCancelled stops a guest that loops when no one wants its answer any more.
func TestCancelled(t *testing.T) {
	r := newRig(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	m, err := r.host.Load(t.Context(), assemble(t, hostile(imports("emit"), life(`(drop (call $emit (i32.const 0) (i64.const 0) (i64.const 1))) (loop (br 0)) (i32.const 0)`))))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Release()
	c := r.config(hostfn.Limits{})
	c.Emit = func(context.Context, uint32, []byte) error { // it is under way
		go cancel()
		return nil
	}
	g, err := hostfn.NewGuest(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	if err := m.Run(g); !errors.Is(err, context.Canceled) {
		t.Errorf("it ended with %v", err)
	}
}

// TestPointers gives every host function pointers past the memory, near 2^64, and
// such that would be good ones if their upper half were not looked at. What memory
// there is stays as it is.
func TestPointers(t *testing.T) {
	r := newRig(t)
	for _, f := range hostfn.Functions() {
		if f.Module == abi.WASIModule || !f.Result {
			continue
		}
		for _, pointer := range []string{"0x1_0000_0100", "0x8000_0000_0000_0100", "-8", "-1", "0xffff_ffff", "0x1_0000", "0xffff"} {
			var args strings.Builder
			wide := 0
			for _, p := range f.Params {
				if p.Wide() {
					fmt.Fprintf(&args, "(i64.const %s)", pointer)
					wide++
				} else {
					args.WriteString("(i32.const 1)") // a handle of the model
				}
			}
			if wide == 0 {
				continue
			}
			text := hostile(imports(f.Name)+model(f.Name), `(func (export "realm_run") (result i32) (local $e i32) (local $at i64)
				(drop (call $model_open (i64.const 0) (i64.const 0) (i64.const 4))) (i32.store (i64.const 4) (i32.const 0))
				(local.set $e (call $`+f.Name+` `+args.String()+`))
				(loop
					(if (i32.load8_u (local.get $at)) (then (return (i32.const 99))))
					(local.set $at (i64.add (local.get $at) (i64.const 1)))
					(br_if 0 (i64.lt_u (local.get $at) (i64.const 65536))))
				(local.get $e))`)
			err := r.run(t, t.Context(), assemble(t, text), r.config(hostfn.Limits{WallTime: time.Minute}))
			var exit *hostfn.ExitError
			if !errors.As(err, &exit) || exit.Code == 99 || exit.Code == int32(abi.IO) {
				t.Errorf("%s.%s with %s: %v", f.Module, f.Name, pointer, err)
			}
		}
	}
}

// model is the import of model_open, unless that is what is imported already.
func model(name string) string {
	if name == "model_open" {
		return ""
	}
	return imports("model_open")
}

// TestHandles tries all handles and tickets that another tenant's guest has open.
func TestHandles(t *testing.T) {
	r := newRig(t)
	waits, goOn := make(chan struct{}), make(chan struct{})
	owner := r.config(hostfn.Limits{})
	owner.Emit = func(context.Context, uint32, []byte) error {
		close(waits)
		<-goOn
		return nil
	}
	ended := make(chan error)
	open := assemble(t, hostile(imports("model_open", "seq_open", "step", "emit"), `(func (export "realm_run") (result i32) (local $e i32)`+opened+
		fails(`(call $step (i64.const 256) (i64.const 1) (i64.const 24))`)+`(call $emit (i32.const 0) (i64.const 0) (i64.const 1)))`))
	go func() { ended <- r.run(t, context.Background(), open, owner) }()
	<-waits
	for _, c := range []struct{ function, args string }{
		{"seq_truncate", `(local.get $n) (i64.const 0)`}, {"close", `(local.get $n)`}, {"cancel", `(i64.extend_i32_u (local.get $n))`},
		{"seq_fork", `(local.get $n) (i64.const 1) (i64.const 0)`}, {"seq_open", `(local.get $n) (i32.const 0) (i64.const 0)`},
		{"gen_next", `(i64.extend_i32_u (local.get $n)) (i64.const 0) (i64.const 64) (i64.const 128)`},
		{"buf_read", `(local.get $n) (i64.const 0) (i64.const 0) (i64.const 4)`},
	} {
		thief := hostile(imports(c.function), `(func (export "realm_run") (result i32) (local $n i32)
			(loop
				(if (i32.ne (call $`+c.function+` `+c.args+`) (i32.const 2)) (then (return (i32.const 99))))
				(local.set $n (i32.add (local.get $n) (i32.const 1)))
				(br_if 0 (i32.lt_u (local.get $n) (i32.const 2000))))
			(i32.const 0))`)
		if err := r.run(t, t.Context(), assemble(t, thief), r.config(hostfn.Limits{})); err != nil {
			t.Errorf("%s: %v", c.function, err)
		}
	}
	close(goOn)
	if err := <-ended; err != nil {
		t.Errorf("the owner of the handles: %v", err)
	}
}
