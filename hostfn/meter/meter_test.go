package meter_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"

	"github.com/realm-webgpu/realm/hostfn/meter"
	"github.com/realm-webgpu/realm/hostfn/wasm"
	"github.com/realm-webgpu/realm/hostfn/wasm/wat"
)

const features = api.CoreFeaturesV2 | experimental.CoreFeaturesTailCall | experimental.CoreFeaturesExtendedConst

// host runs metered modules.
type host struct {
	t       testing.TB
	ctx     context.Context
	runtime wazero.Runtime
	slice   int64 // what refill gives
	most    int   // calls of refill, before it traps
	given   int64
	refills int
}

var errSpent = errors.New("the fuel is spent")

func newHost(t testing.TB) *host {
	t.Helper()
	h := &host{t: t, ctx: context.Background(), slice: 1 << 40, most: 1 << 30}
	h.runtime = wazero.NewRuntimeWithConfig(h.ctx, wazero.NewRuntimeConfig().WithCoreFeatures(features))
	t.Cleanup(func() { _ = h.runtime.Close(h.ctx) })
	_, err := h.runtime.NewHostModuleBuilder(meter.ImportModule).NewFunctionBuilder().WithFunc(func() int64 {
		if h.refills++; h.refills > h.most {
			panic(errSpent)
		}
		h.given += h.slice
		return h.slice
	}).Export(meter.ImportName).Instantiate(h.ctx)
	if err != nil {
		t.Fatal(err)
	}
	_, err = h.runtime.NewHostModuleBuilder("env").NewFunctionBuilder().
		WithFunc(func(a int32) int32 { return a + 100 }).Export("host").Instantiate(h.ctx)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func metered(t testing.TB, text string) []byte {
	t.Helper()
	data, err := wat.Module(text)
	if err != nil {
		t.Fatal(err)
	}
	out, err := meter.Meter(data)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// start instantiates a module, which is metered.
func (h *host) start(data []byte) api.Module {
	h.t.Helper()
	h.given, h.refills = 0, 0
	m, err := h.runtime.InstantiateWithConfig(h.ctx, data, wazero.NewModuleConfig().WithName("").WithStartFunctions())
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { _ = m.Close(h.ctx) })
	return m
}

// left returns the fuel that a module has.
func left(m api.Module) int64 { return int64(m.ExportedGlobal(meter.ExportFuel).Get()) }

// pays runs the function f and returns what was paid for it.
func (h *host) pays(m api.Module, args ...uint64) (units int64, err error) {
	before, given := left(m), h.given
	_, err = m.ExportedFunction("f").Call(h.ctx, args...)
	return before - left(m) + h.given - given, err
}

// TestPays counts what is paid: each instruction of a body once, with its end and
// one unit more, those of a loop every time its header is passed.
func TestPays(t *testing.T) {
	const memory = `(memory 1 10)`
	for _, c := range []struct {
		name, module string
		args         []uint64
		want         int64
	}{
		{"nothing", `(func (export "f"))`, nil, 2},
		{"three", `(func (export "f") nop nop nop)`, nil, 5},
		{"what is not reached", `(func (export "f") (if (i32.const 0) (then nop nop nop)))`, nil, 2 + 6},
		{"behind a return", `(func (export "f") return nop nop)`, nil, 2 + 3},
		{"a call", `(func $g nop) (func (export "f") (call $g))`, nil, 3 + 3},
		{"a call through a table", `(table 1 funcref) (elem (i32.const 0) $g) (func $g nop) (func (export "f") (call_indirect (i32.const 0)))`, nil, 3 + 4},
		{"a tail call", `(func $g nop) (func (export "f") (return_call $g))`, nil, 3 + 3},
		{"a tail call through a table", `(table 1 funcref) (elem (i32.const 0) $g) (func $g nop) (func (export "f") (return_call_indirect (i32.const 0)))`, nil, 3 + 4},
		// A loop that is passed once: 1 for itself, its body, its end.
		{"a loop, once", `(func (export "f") (loop nop nop))`, nil, 3 + 3},
		// The counted loop below has 5 instructions and an end.
		{"a loop, ten times", `(func (export "f") (param i32) ` + turns("0", "") + `)`, []uint64{10}, 3 + 10*6},
		{"a loop with a call", `(func $g) (func (export "f") (param i32) ` + turns("0", "(call $g)") + `)`, []uint64{10}, 3 + 10*(6+1+2)},
		{"nested", `(func (export "f") (param i32) (local i32) ` + turns("0", "(local.set 1 (i32.const 3))"+turns("1", "")) + `)`, []uint64{10}, 3 + 10*(6+3+3*6)},
		{"nested, with a call in the inner one", `(func $g) (func (export "f") (param i32) (local i32) ` +
			turns("0", "(local.set 1 (i32.const 3))"+turns("1", "(call $g)")) + `)`, []uint64{10}, 3 + 10*(6+3+3*9)},
		{"nested, with a call in the outer one", `(func $g) (func (export "f") (param i32) (local i32) ` +
			turns("0", "(local.set 1 (i32.const 3))"+turns("1", "")+"(call $g)") + `)`, []uint64{10}, 3 + 10*(6+3+1+2+3*6)},
		{"one after the other", `(func $g) (func (export "f") (param i32) (local i32) (local.set 1 (local.get 0)) ` + turns("0", "") + turns("1", "(call $g)") + `)`,
			[]uint64{4}, 4 + 2 + 4*6 + 4*9},
		// Branches to the header of an outer loop, out of two, and out of the function.
		{"out of loops by a table", `(func (export "f") (param i32) (block $out (loop $a (loop $b
			(local.set 0 (i32.add (local.get 0) (i32.const 1)))
			(br_table $b $b $a $b $out (local.get 0))))))`, []uint64{0}, 5 + 2*2 + 4*7},
		{"a return out of loops", `(func (export "f") (param i32) (loop (loop (br_if 1 (i32.eqz (local.get 0))) return)))`, []uint64{1}, 3 + 2 + 5},
		{"filled memory", memory + `(func (export "f") (memory.fill (i32.const 0) (i32.const 0) (i32.const 6400)))`, nil, 6 + 100},
		{"copied memory", memory + `(func (export "f") (memory.copy (i32.const 0) (i32.const 0) (i32.const 127)))`, nil, 6 + 1},
		{"initialised memory", memory + `(data "` + strings.Repeat("x", 128) + `") (func (export "f") (memory.init 0 (i32.const 0) (i32.const 0) (i32.const 128)))`, nil, 6 + 2},
		{"more memory", memory + `(func (export "f") (drop (memory.grow (i32.const 3))))`, nil, 5 + 3<<10},
		{"too much memory", memory + `(func (export "f") (drop (memory.grow (i32.const -1))))`, nil, 5 + 1<<28},
		{"a filled table", `(table 80 funcref) (func (export "f") (table.fill 0 (i32.const 0) (ref.null func) (i32.const 80)))`, nil, 6 + 10},
		{"a copied table", `(table 80 funcref) (func (export "f") (table.copy (i32.const 0) (i32.const 0) (i32.const 16)))`, nil, 6 + 2},
		{"a larger table", `(table 8 funcref) (func (export "f") (drop (table.grow 0 (ref.null func) (i32.const 800))))`, nil, 6 + 100},
		{"an initialised table", `(table 80 funcref) (elem func ` + strings.Repeat("0 ", 8) + `) (func (export "f") (table.init 0 (i32.const 0) (i32.const 0) (i32.const 8)))`, nil, 6 + 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHost(t)
			got, err := h.pays(h.start(metered(t, "(module "+c.module+")")), c.args...)
			if err != nil || got != c.want {
				t.Errorf("%d units were paid, want %d: %v", got, c.want, err)
			}
		})
	}
}

// turns is a loop that counts a local down to nothing.
func turns(local, body string) string {
	return `(loop ` + body + ` (br_if 0 (local.tee ` + local + ` (i32.sub (local.get ` + local + `) (i32.const 1)))))`
}

// TestEnds runs what would never end. It calls refill, again and again.
func TestEnds(t *testing.T) {
	for name, module := range map[string]string{
		"a loop":                        `(func (export "f") (loop (br 0)))`,
		"a loop in a loop":              `(func (export "f") (loop (loop (br 1))))`,
		"a loop that calls":             `(func $g) (func (export "f") (loop (call $g) (br 0)))`,
		"a loop beside one that calls":  `(func $g) (func (export "f") (loop (loop (call $g)) (loop (br 1))))`,
		"a loop by a table":             `(func (export "f") (loop (loop (br_table 0 1 0 1 (i32.const 1)))))`,
		"a loop with results":           `(func (export "f") (result i32) (i32.const 1) (loop (param i32) (result i32) (br 0)))`,
		"recursion":                     `(func $f (export "f") (block (br_if 0 (i32.const 1)) (call $f)) (return_call $f))`,
		"two that call each other":      `(func $f (export "f") (return_call $g)) (func $g (return_call $f))`,
		"through a table":               `(table 1 funcref) (elem (i32.const 0) $f) (func $f (export "f") (return_call_indirect (i32.const 0)))`,
		"exponential calls":             `(func $f (export "f") (param i32) (if (local.get 0) (then (call $f (i32.sub (local.get 0) (i32.const 1))) (call $f (i32.sub (local.get 0) (i32.const 1))))))`,
		"host calls":                    `(import "env" "host" (func $h (param i32) (result i32))) (func (export "f") (loop (drop (call $h (i32.const 1))) (br 0)))`,
		"fills without a loop":          `(memory 1) (func $g ` + strings.Repeat(`(memory.fill (i32.const 0) (i32.const 0) (i32.const 65536))`, 64) + `) (func (export "f") (loop (call $g) (br 0)))`,
		"one turn that fills a lot":     `(memory 1) (func (export "f") ` + strings.Repeat(`(memory.fill (i32.const 0) (i32.const 0) (i32.const 65536))`, 2000) + `)`,
		"one turn that grows a table":   `(table 1 funcref) (func (export "f") ` + strings.Repeat(`(drop (table.grow 0 (ref.null func) (i32.const 80000)))`, 200) + `)`,
		"a start function's loop, late": `(global $g (mut i32) (i32.const 0)) (func (export "f") (loop (br 0)))`,
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t)
			h.slice, h.most = 1000, 1000
			var args []uint64
			if strings.Contains(name, "exponential") {
				args = []uint64{60}
			}
			if _, err := h.pays(h.start(metered(t, "(module "+module+")")), args...); !errors.Is(err, errSpent) || h.refills != h.most+1 {
				t.Errorf("it ended with %v after %d refills", err, h.refills)
			}
		})
	}
	// A start function begins with no fuel either.
	h := newHost(t)
	h.slice, h.most = 1000, 1000
	_, err := h.runtime.Instantiate(h.ctx, metered(t, `(module (func $s (loop (br 0))) (start $s))`))
	if !errors.Is(err, errSpent) {
		t.Errorf("a start function ended with %v", err)
	}
}

// TestDebts has refill called until what was taken is paid for, and no more often
// than that.
func TestDebts(t *testing.T) {
	h := newHost(t)
	h.slice = 1000
	m := h.start(metered(t, `(module (memory 1) (func (export "f") (memory.fill (i32.const 0) (i32.const 0) (i32.const 65536))))`))
	for i := range 5 {
		if units, err := h.pays(m); err != nil || units != 6+1024 {
			t.Errorf("call %d: %d units: %v", i, units, err)
		}
	}
	if want := (5*(6+1024) + 999) / 1000; h.refills != want {
		t.Errorf("%d refills, want %d", h.refills, want)
	}
	if n := left(m); n < 0 || n >= h.slice {
		t.Errorf("%d units are left", n)
	}
	// A fill that traps was paid for.
	m = h.start(metered(t, `(module (memory 1) (func (export "f") (memory.fill (i32.const 1) (i32.const 0) (i32.const 65536))))`))
	if units, err := h.pays(m); err == nil || units != 6+1024 {
		t.Errorf("a trap: %d units: %v", units, err)
	}
}

// TestMoved finds every function where it was, by another index.
func TestMoved(t *testing.T) {
	h := newHost(t)
	m := h.start(metered(t, `(module
		(import "env" "host" (func $h (param i32) (result i32)))
		(type $t (func (param i32) (result i32)))
		(table $t 4 funcref) (table $u 2 funcref)
		(global $started (mut i32) (i32.const 0)) (global $ref funcref (ref.func $b)) (global $last (mut i64) (i64.const 5))
		(func $a (type $t) (i32.add (local.get 0) (i32.const 1)))
		(func $b (type $t) (call $a (call $h (local.get 0))))
		(func $s (global.set $started (i32.const 7)))
		(func (export "f") (param i32 i32) (result i32) (call_indirect $t (type $t) (local.get 1) (local.get 0)))
		(func (export "by_global") (result i32) (table.set $u (i32.const 0) (global.get $ref)) (call_indirect $u (type $t) (i32.const 1) (i32.const 0)))
		(func (export "by_ref") (result i32) (table.set $u (i32.const 1) (ref.func $a)) (call_indirect $u (type $t) (i32.const 1) (i32.const 1)))
		(func (export "by_init") (result i32) (table.init $t $passive (i32.const 3) (i32.const 0) (i32.const 1)) (call_indirect $t (type $t) (i32.const 1) (i32.const 3)))
		(func (export "started") (result i32) (global.get $started))
		(func (export "last") (result i64) (global.get $last))
		(export "a" (func $a)) (export "h" (func $h)) (export "g" (global $last))
		(elem (table $t) (i32.const 0) func $a $b $h) (elem $passive funcref (item (ref.func $b))) (elem declare func $a)
		(start $s))`))
	for name, c := range map[string]struct {
		args []uint64
		want uint64
	}{
		"f": {[]uint64{0, 1}, 2}, "a": {[]uint64{4}, 5}, "h": {[]uint64{4}, 104}, "by_global": {nil, 102}, "by_ref": {nil, 2},
		"by_init": {nil, 102}, "started": {nil, 7}, "last": {nil, 5},
	} {
		if got, err := m.ExportedFunction(name).Call(h.ctx, c.args...); err != nil || got[0] != c.want {
			t.Errorf("%s: %v, want %d: %v", name, got, c.want, err)
		}
	}
	for i, want := range []uint64{11, 111, 110} {
		if got, err := m.ExportedFunction("f").Call(h.ctx, uint64(i), 10); err != nil || got[0] != want {
			t.Errorf("element %d: %v, want %d: %v", i, got, want, err)
		}
	}
	if g := m.ExportedGlobal("g"); g.Get() != 5 {
		t.Errorf("the global is %d", g.Get())
	}
}

// TestNames renumbers the names of functions and of their locals.
func TestNames(t *testing.T) {
	data, err := wat.Module(`(module (import "env" "host" (func (param i32) (result i32))) (func nop) (func (param i32)))`)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, section, want string }{
		{"functions", "\x01\x0a\x03\x00\x01h\x01\x01a\x02\x01b", "\x01\x0a\x03\x00\x01h\x02\x01a\x03\x01b"},
		{"the module", "\x00\x02\x01m", "\x00\x02\x01m"},
		{"locals", "\x02\x06\x01\x02\x01\x00\x01x", "\x02\x06\x01\x03\x01\x00\x01x"},
		{"of another kind", "\x07\x04\x01\x01\x01g", "\x07\x04\x01\x01\x01g"},
		{"a subsection without an end", "\x00\x02\x01m\x01\x7f\x01", "\x00\x02\x01m"},
		{"more than there are", "\x01\x05\x7f\x01\x01a\x02", "\x01\x04\x01\x02\x01a"},
	} {
		m, err := wasm.Decode(data)
		if err != nil {
			t.Fatal(err)
		}
		m.Custom = []wasm.Custom{{Name: "name", Bytes: []byte(c.section), After: 10}}
		out, err := meter.Meter(m.Encode())
		if err != nil {
			t.Fatal(err)
		}
		m, err = wasm.Decode(out)
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := m.CustomSection("name"); !ok || !bytes.Equal(got, []byte(c.want)) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// TestReserved refuses modules that would refill themselves.
func TestReserved(t *testing.T) {
	for _, text := range []string{
		`(module (import "realm1_meter" "refill" (func (result i64))))`,
		`(module (import "realm1_meter" "other" (func)))`,
		`(module (global (export "realm1_meter.fuel") (mut i64) (i64.const 9)))`,
	} {
		data, err := wat.Module(text)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := meter.Meter(data); !errors.Is(err, meter.ErrName) {
			t.Errorf("%s: %v", text, err)
		}
	}
	// Nor can one reach the global by an index that is none of its own.
	for _, text := range []string{
		`(module (func (global.set 0 (i64.const 1000))))`,
		`(module (global i32 (i32.const 0)) (func (drop (global.get 1))))`,
		`(module (func (drop (call 1))))`,
		`(module (func (drop (local.get 0))))`,
	} {
		data, err := wat.Module(text)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := meter.Meter(data); !errors.Is(err, wasm.ErrFormat) {
			t.Errorf("%s: %v", text, err)
		}
	}
}
