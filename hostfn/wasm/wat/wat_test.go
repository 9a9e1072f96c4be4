package wat

import (
	"bytes"
	"errors"
	"testing"
)

// TestModule compares modules with bytes that are written by hand.
func TestModule(t *testing.T) {
	header := []byte("\x00asm\x01\x00\x00\x00")
	for _, c := range []struct {
		name, text, sections string
	}{
		{"nothing", `(module)`, ""},
		{"binary", `(module binary "\00asm" "\01\00\00\00")`, ""},
		{"a sum, folded", `(module (func (export "f") (param $a i64) (result i64) (i64.add (local.get $a) (i64.const -1))))`,
			"\x01\x06\x01\x60\x01\x7e\x01\x7e" + "\x03\x02\x01\x00" + "\x07\x05\x01\x01f\x00\x00" +
				"\x0a\x09\x01\x07\x00\x20\x00\x42\x7f\x7c\x0b"},
		{"a 64-bit memory", `(module (memory i64 1 2))`, "\x05\x04\x01\x05\x01\x02"},
		{"a loop by its label", `(module (func loop $l br $l end))`,
			"\x01\x04\x01\x60\x00\x00" + "\x03\x02\x01\x00" + "\x0a\x09\x01\x07\x00\x03\x40\x0c\x00\x0b\x0b"},
		{"a comment", "(module ;; of (\n (; of (; two ;) lines ;) )", ""},
	} {
		got, err := Module(c.text)
		if want := append(header[:len(header):len(header)], c.sections...); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %x, want %x: %v", c.name, got, want, err)
		}
	}
}

// TestErrors has texts that are no modules. Each error has a line.
func TestErrors(t *testing.T) {
	for _, c := range []struct {
		text string
		line int
	}{
		{"(module", 1}, {"\n)", 2}, {"(module)\n(module)", 1}, {"(module\n(func\n\n(i32.plus)))", 4},
		{"(module\n(type (struct)))", 2}, {`(module (func "))`, 1}, {"(;", 1}, {"(module\n(func i32.const 99999999999))", 2},
	} {
		var failure Error
		if _, err := Module(c.text); !errors.As(err, &failure) || failure.Line != c.line {
			t.Errorf("%q: %v, want an error in line %d", c.text, err, c.line)
		}
	}
}
