package wasm_test

import (
	"bytes"
	"errors"
	"os"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/realm-webgpu/realm/hostfn/wasm"
	"github.com/realm-webgpu/realm/hostfn/wasm/wat"
)

// everything has one of all that a module may have.
const everything = `(module
	(type $t (func (param i64 f32) (result i32 v128)))
	(import "m" "f" (func $f (type $t))) (import "m" "t" (table 1 2 funcref))
	(import "m" "g" (global $g (mut i64))) (import "m" "h" (global i64))
	(func $a (type $t) (local i32 i32 f64 externref)
		(block $b (result i32)
			(loop (br_if 1 (i32.const 0) (i32.const 1)) (br_table 0 0 0 (i32.const 2)))
			(if (result i32) (i32.const 1) (then (i32.const -5)) (else (i32.const 0x7fffffff))))
		(drop)
		(call_indirect 0 (type $t) (local.get 0) (f32.const 1.5) (i32.const 0)) (drop) (drop)
		(i32.store offset=0x1_0000_0000 align=1 (i64.const -1) (i32.const 1))
		(memory.init $d (i64.const 0) (i32.const 0) (i32.const 1)) (data.drop $d)
		(memory.copy (i64.const 0) (i64.const 1) (i64.const 2)) (memory.fill (i64.const 0) (i32.const 1) (i64.const 2))
		(table.init 1 $e (i64.const 0) (i32.const 0) (i32.const 0)) (elem.drop $e)
		(drop (ref.is_null (ref.null extern))) (drop (ref.func $a))
		(drop (select (result f64) (f64.const nan) (f64.const -0x1p-3) (i32.const 1)))
		(i32.trunc_sat_f32_s (f32.const 1))
		(v128.load8_lane 3 (i64.const 0) (v128.const i32x4 1 2 3 4)))
	(func (export "go") (return_call $a (i64.const 1) (f32.const 2)))
	(table $w i64 3 10 externref) (memory (export "memory") i64 1 0x1_0000)
	(global i32 (i32.add (i32.const 1) (i32.const 2))) (global $x (mut f64) (f64.const 0.5)) (global funcref (ref.func $a))
	(export "w" (table $w)) (export "x" (global $x)) (export "f" (func $f))
	(func $start) (start $start)
	(elem (i32.const 0) func $a $f) (elem $e externref (item (ref.null extern))) (elem declare func $a)
	(elem (table 1) (offset (i64.const 1)) externref (item (ref.null extern)))
	(data (i64.const 5) "hello") (data $d "passive"))`

func module(t testing.TB, text string) []byte {
	t.Helper()
	data, err := wat.Module(text)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestRoundTrip writes what was read: the same bytes.
func TestRoundTrip(t *testing.T) {
	guest, err := os.ReadFile("../../guest/guest.wasm")
	if err != nil {
		t.Fatal(err)
	}
	all := module(t, everything)
	for name, data := range map[string][]byte{
		"everything": all, "nothing": module(t, `(module)`),
		"custom sections":    append(append(all[:len(all):len(all)], 0, 3, 1, 'a', 7), 0, 2, 1, 'b'),
		"first a custom one": append([]byte("\x00asm\x01\x00\x00\x00\x00\x03\x01z\x09"), all[8:]...),
	} {
		m, err := wasm.Decode(data)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := m.Encode(); !bytes.Equal(got, data) {
			t.Errorf("%s:\n%x, want\n%x", name, got, data)
		}
	}
	// clang pads numbers: what is written is shorter, and means the same.
	m, err := wasm.Decode(guest)
	if err != nil {
		t.Fatal(err)
	}
	again, err := wasm.Decode(m.Encode())
	if err != nil {
		t.Fatal(err)
	}
	if !same(m, again) {
		t.Error("the default guest is another when it has been written")
	}
}

// same compares modules, but for the places that functions had.
func same(a, b *wasm.Module) bool {
	for _, m := range []*wasm.Module{a, b} {
		for i := range m.Code {
			m.Code[i].At = 0
		}
	}
	return reflect.DeepEqual(a, b)
}

// TestWalk reads the instructions of a function.
func TestWalk(t *testing.T) {
	m, err := wasm.Decode(module(t, everything))
	if err != nil {
		t.Fatal(err)
	}
	var text []byte
	deepest, ops := 0, map[wasm.Op][2]uint64{}
	c := wasm.NewCode(&m.Code[0])
	for c.Next() {
		text = append(text, c.Bytes()...)
		deepest = max(deepest, c.Depth)
		if _, seen := ops[c.Op]; !seen {
			ops[c.Op] = [2]uint64{c.A, c.B}
		}
		if c.Op == wasm.OpBrTable && (len(c.Targets) != 2 || c.A != 0) {
			t.Errorf("br_table %v %d", c.Targets, c.A)
		}
	}
	if err := c.Err(); err != nil || !bytes.Equal(text, m.Code[0].Code) || deepest != 3 || c.Depth != 0 {
		t.Errorf("read %d bytes of %d, %d blocks deep, %d open: %v", len(text), len(m.Code[0].Code), deepest, c.Depth, err)
	}
	for op, want := range map[wasm.Op][2]uint64{
		wasm.OpI32Store: {1 << 32, 0}, wasm.OpTableInit: {1, 1}, wasm.OpRefNull: {uint64(wasm.ExternRef), 0},
		wasm.OpSelectTyped: {uint64(wasm.F64), 0}, wasm.OpV128Load8Lane: {0, 0}, wasm.OpI64Const: {^uint64(0), 0},
	} {
		if ops[op] != want {
			t.Errorf("%v has %x, want %x", op, ops[op], want)
		}
	}
}

// TestMalformed says where a module is malformed.
func TestMalformed(t *testing.T) {
	const header = "\x00asm\x01\x00\x00\x00"
	// A module with a type () -> (), a function, and its body.
	code := func(body string) string {
		return header + "\x01\x04\x01\x60\x00\x00\x03\x02\x01\x00\x0a" + string(rune(len(body)+3)) + "\x01" + string(rune(len(body)+1)) + "\x00" + body
	}
	const at = 8 + 6 + 4 + 5 // where the body begins
	for _, c := range []struct {
		name, data, section string
		offset              int
		reason              string
	}{
		{"nothing", "", "module", 0, "magic header"},
		{"another version", "\x00asm\x02\x00\x00\x00", "module", 4, "unknown binary version"},
		{"a section without a size", header + "\x01", "module", 9, "unexpected end"},
		{"an unknown section", header + "\x0d\x00", "module", 8, "malformed section id 13"},
		{"a section that is too long", header + "\x01\x7f", "type", 8, "length out of bounds"},
		{"a section twice", header + "\x01\x01\x00\x01\x01\x00", "type", 11, "unexpected content after last section"},
		{"a section that goes on", header + "\x01\x02\x00\x00", "type", 11, "section size mismatch"},
		{"a number of too many bytes", header + "\x01\x80\x80\x80\x80\x80\x00", "module", 9, "integer"},
		{"four thousand million types", header + "\x01\x05\xff\xff\xff\xff\x0f", "type", 10, "4294967295 types, at most 100000"},
		{"more functions than bytes", header + "\x01\x04\x01\x60\x00\x00\x03\x03\xf0\x93\x01", "function", 16, "18928 functions in 0 bytes"},
		{"a type of no kind", header + "\x01\x02\x01\x50", "type", 11, "type form 0x50"},
		{"a value of no type", header + "\x01\x05\x01\x60\x01\x10\x00", "type", 13, "value type 0x10"},
		{"an import of no kind", header + "\x02\x04\x01\x00\x00\x07", "import", 13, "malformed import kind 7"},
		{"a tag", header + "\x02\x04\x01\x00\x00\x04", "import", 13, "malformed import kind 4"},
		{"a name that is no text", header + "\x02\x05\x01\x01\xff\x00\x00", "import", 11, "UTF-8"},
		{"a function of no type", header + "\x03\x02\x01\x00", "function", 11, "unknown type 0 of 0"},
		{"a function without code", header + "\x01\x04\x01\x60\x00\x00\x03\x02\x01\x00", "module", 18, "inconsistent lengths: 1 and 0"},
		{"a shared memory", header + "\x05\x04\x01\x03\x01\x01", "memory", 11, "threads are not supported"},
		{"two memories", header + "\x05\x05\x02\x00\x00\x00\x00", "module", 15, "several memories are not supported"},
		{"limits of no kind", header + "\x05\x03\x01\x08\x00", "memory", 11, "limits flags 0x8"},
		{"less than the least", header + "\x05\x04\x01\x01\x02\x01", "memory", 11, "minimum must not be greater"},
		{"a table that is huge", header + "\x04\x05\x01\x70\x00\xff\x7f", "table", 0, ""}, // it is well formed
		{"an export twice", header + "\x05\x03\x01\x00\x00\x07\x09\x02\x01a\x02\x00\x01a\x02\x00", "export", 20, `duplicate export name "a"`},
		{"an export of nothing", header + "\x07\x05\x01\x01a\x00\x00", "export", 14, "unknown function 0 of 0"},
		{"a start of nothing", header + "\x08\x01\x00", "start", 10, "unknown function 0 of 0"},
		{"elements of no table", header + "\x09\x06\x01\x00\x41\x00\x0b\x00", "element", 11, "unknown table 0 of 0"},
		{"data of no memory", header + "\x0b\x06\x01\x00\x41\x00\x0b\x00", "data", 11, "unknown memory 0"},
		{"an offset that calls", header + "\x05\x03\x01\x00\x00\x0b\x06\x01\x00\x10\x00\x0b\x00", "data", 17, "constant expression required"},
		{"an offset without end", header + "\x05\x03\x01\x00\x00\x0b\x04\x01\x00\x41\x00", "data", 17, "unexpected end of a constant expression"},
		{"code that ends early", code("\x41"), "code", at + 1, "unexpected end"},
		{"code without an end", code("\x01"), "code", at + 1, "END opcode expected"},
		{"code that goes on", code("\x0b\x01\x0b"), "code", at + 1, "operators remaining"},
		{"an opcode that is none", code("\x06\x0b"), "code", at, "illegal opcode 0x6"},
		{"a SIMD opcode that is none", code("\xfd\x9a\x01\x0b"), "code", at, "illegal opcode 0xfd 154"},
		{"an atomic", code("\xfe\x10\x02\x00\x0b"), "code", at, "illegal opcode 0xfe 16"},
		{"a local that is none", code("\x20\x07\x1a\x0b"), "code", at, "unknown local 7"},
		{"a function that is none", code("\x01\x10\x09\x0b"), "code", at + 1, "unknown function 9"},
		{"another memory", code("\x3f\x01\x1a\x0b"), "code", at + 1, "several memories"},
		{"an alignment", code("\x41\x00\x28\x03\x00\x0b"), "code", at + 3, "alignment must not be larger"},
		{"data without a count", code("\xfc\x09\x00\x0b"), "code", at, "unknown data segment 0"},
		{"a deep one", code(strings.Repeat("\x02\x40", 60)), "code", at + 120, "END opcode expected"},
	} {
		_, err := wasm.Decode([]byte(c.data))
		if c.reason == "" {
			if err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
			continue
		}
		var f *wasm.FormatError
		if !errors.As(err, &f) || !errors.Is(err, wasm.ErrFormat) || f.Section != c.section || f.Offset != c.offset || !strings.Contains(f.Reason, c.reason) {
			t.Errorf("%s: %v, want %s section, offset %#x: %s", c.name, err, c.section, c.offset, c.reason)
		}
	}
}

// TestLimits holds modules to what they may have.
func TestLimits(t *testing.T) {
	function := wasm.Module{Types: []wasm.FuncType{{}}, Functions: []uint32{0}}
	with := func(b wasm.Body) []byte {
		m := function
		m.Code = []wasm.Body{b}
		return m.Encode()
	}
	end := []byte{byte(wasm.OpEnd)}
	nested := func(n int) []byte {
		return append(bytes.Repeat([]byte{byte(wasm.OpBlock), 0x40}, n), bytes.Repeat(end, n+1)...)
	}
	many := wasm.Module{Types: []wasm.FuncType{{}}}
	for range wasm.MaxAllLocals/wasm.MaxLocals + 1 {
		many.Functions = append(many.Functions, 0)
		many.Code = append(many.Code, wasm.Body{Locals: []wasm.Locals{{Count: wasm.MaxLocals, Type: wasm.I32}}, Code: end})
	}
	for _, c := range []struct {
		name, want string
		data       []byte
	}{
		{"locals", "", with(wasm.Body{Locals: []wasm.Locals{{Count: wasm.MaxLocals, Type: wasm.I32}}, Code: end})},
		{"one local more", "too many locals", with(wasm.Body{Locals: []wasm.Locals{{Count: wasm.MaxLocals + 1, Type: wasm.I32}}, Code: end})},
		{"2^64 locals", "too many locals", with(wasm.Body{Locals: []wasm.Locals{{Count: 1<<32 - 1, Type: wasm.I32}, {Count: 1<<32 - 1, Type: wasm.I64}}, Code: end})},
		{"locals of all functions", "in all functions", many.Encode()},
		{"blocks", "", with(wasm.Body{Code: nested(wasm.MaxNesting - 1)})},
		{"one block more", "blocks in one another", with(wasm.Body{Code: nested(wasm.MaxNesting)})},
		{"a long function", "bytes, at most", with(wasm.Body{Code: append(make([]byte, wasm.MaxBody), bytes.Repeat([]byte{1}, 2)...)})},
		{"a long module", "bytes, at most", append([]byte("\x00asm\x01\x00\x00\x00"), make([]byte, wasm.MaxModule)...)},
	} {
		switch _, err := wasm.Decode(c.data); {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", c.name, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

// TestCountsAllocateNothing reads counts that no entries follow.
func TestCountsAllocateNothing(t *testing.T) {
	for id := byte(1); id <= 11; id++ {
		// 100,000 of them, in a section of three bytes.
		data := append([]byte("\x00asm\x01\x00\x00\x00"), id, 3, 0xa0, 0x8d, 6)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if _, err := wasm.Decode(data); err == nil {
			t.Errorf("section %d was taken", id)
		}
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > 1<<13 {
			t.Errorf("section %d: %d bytes are allocated", id, n)
		}
	}
}
