package memory64

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/realm-webgpu/realm/hostfn/wasm"
	"github.com/realm-webgpu/realm/hostfn/wasm/wat"
)

// TestScripts runs the project's own scripts.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.wast")
	if err != nil || len(files) == 0 {
		t.Fatal("there are no scripts", err)
	}
	for _, path := range files {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		commands, err := wat.Read(string(text))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range engines {
			t.Run(filepath.Base(path)+"/"+e.path(), func(t *testing.T) {
				if s := runScript(t, e, strings.TrimSuffix(path, ".wast"), commands); len(s.skipped) > 0 || s.passed < 20 {
					t.Errorf("%d passed, skipped: %v", s.passed, s.skipped)
				}
			})
		}
	}
}

func lower(t *testing.T, text string) ([]byte, *Lowered) {
	t.Helper()
	data, err := wat.Module(text)
	if err != nil {
		t.Fatal(err)
	}
	l, err := Lower(data)
	if err != nil {
		t.Fatal(err)
	}
	return data, l
}

// TestNothingToLower leaves modules alone that have nothing of 64 bits.
func TestNothingToLower(t *testing.T) {
	for _, text := range []string{
		`(module)`,
		`(module (memory 1 2) (table 1 funcref) (func (drop (i32.load (i32.const 0)))) (data (i32.const 3) "x"))`,
	} {
		data, l := lower(t, text)
		if !bytes.Equal(l.Bytes, data) || l.Instantiation != nil {
			t.Errorf("%s became %x: %v", text, l.Bytes, l.Instantiation)
		}
	}
}

// TestTypes returns what a linker has to compare, and keeps what a module shows.
func TestTypes(t *testing.T) {
	_, l := lower(t, `(module
		(import "m" "memory" (memory i64 1 0x1_0000_0000_0000)) (import "m" "t" (table i64 2 0x1_0000_0000_0000 externref))
		(table 5 funcref) (export "memory" (memory 0)) (export "t" (table 1)))`)
	memory := wasm.Limits{Min: 1, Max: 1 << 48, HasMax: true, Is64: true}
	tables := []wasm.Table{
		{Type: wasm.ExternRef, Limits: wasm.Limits{Min: 2, Max: 1 << 48, HasMax: true, Is64: true}},
		{Type: wasm.FuncRef, Limits: wasm.Limits{Min: 5}},
	}
	if !reflect.DeepEqual(l.Memories, []wasm.Limits{memory}) || !reflect.DeepEqual(l.Tables, tables) {
		t.Errorf("the original has %+v and %+v", l.Memories, l.Tables)
	}
	m, err := wasm.Decode(l.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := m.Imports[0].Memory, (wasm.Limits{Min: 1, Max: MaxPages, HasMax: true}); got != want {
		t.Errorf("memory %+v, want %+v", got, want)
	}
	if got, want := m.Imports[1].Table.Limits, (wasm.Limits{Min: 2, Max: MaxElements, HasMax: true}); got != want {
		t.Errorf("table %+v, want %+v", got, want)
	}
	if len(m.Exports) != 2 || m.Exports[0].Name != "memory" || m.Exports[1].Index != 1 {
		t.Errorf("exports %+v", m.Exports)
	}
}

// TestSizes has memories and tables that are larger from the start than can be
// mapped: they can be loaded, and not instantiated.
func TestSizes(t *testing.T) {
	for _, c := range []struct {
		text, want string
		need       uint64
	}{
		{`(module (memory i64 65535))`, "", 0},
		{`(module (memory i64 65536))`, "memory64: memory 0 has at least 65536 pages, at most 65535 can be mapped", 65536},
		{`(module (memory i64 0x1_0000_0000_0000))`, "pages", 1 << 48},
		{`(module (table 1 funcref) (table i64 0x1_0000_0000 funcref))`, "memory64: table 1 has at least 4294967296 elements", 1 << 32},
	} {
		_, l := lower(t, c.text)
		var size *SizeError
		switch {
		case c.want == "" && l.Instantiation == nil:
		case c.want == "" || !errors.As(l.Instantiation, &size) || size.Need != c.need || !strings.Contains(l.Instantiation.Error(), c.want):
			t.Errorf("%s: %v, want %q", c.text, l.Instantiation, c.want)
		}
	}
}

// TestCustomSections carries over the names, and what guests say of themselves.
func TestCustomSections(t *testing.T) {
	data, err := wat.Module(`(module (memory i64 1) (func (drop (i32.load (i64.const 0)))))`)
	if err != nil {
		t.Fatal(err)
	}
	names := []byte("\x04name\x01\x06\x01\x00\x03abc\x04caps")
	m, err := wasm.Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	m.Custom = []wasm.Custom{{Name: "name", Bytes: names[5:13], After: 10}, {Name: "realm.caps", Bytes: []byte("TOPK"), After: 1}}
	l, err := Lower(m.Encode())
	if err != nil {
		t.Fatal(err)
	}
	out, err := wasm.Decode(l.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range m.Custom {
		if got, ok := out.CustomSection(want.Name); !ok || !bytes.Equal(got, want.Bytes) {
			t.Errorf("section %s is %q, want %q", want.Name, got, want.Bytes)
		}
	}
}

// TestErrors says where a module is wrong.
func TestErrors(t *testing.T) {
	results := strings.Repeat("i64 ", wasm.MaxValues)
	for _, c := range []struct{ text, want string }{
		{`(module (memory i64 1) (func else))`, "else without an if"},
		{`(module (memory i64 1) (func (local.get 3)))`, "unknown local 3"},
		// Some bytes of code must not make a stack of any size.
		{`(module (memory i64 1) (type $t (func (result ` + results + `))) (func $f (type $t) unreachable) (func ` + strings.Repeat("call $f ", 300) + `))`,
			"values on the stack"},
	} {
		data, err := wat.Module(c.text)
		if err != nil {
			t.Fatal(err)
		}
		var at *wasm.FormatError
		if _, err := Lower(data); !errors.As(err, &at) || at.Section != "code" || at.Offset <= 0 || at.Offset >= len(data) || !strings.Contains(at.Reason, c.want) {
			t.Errorf("%.60s: %v, want %q", c.text, err, c.want)
		}
	}
}
