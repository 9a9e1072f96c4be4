package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/realm-webgpu/realm/guest"
	"github.com/realm-webgpu/realm/hostfn"
	"github.com/realm-webgpu/realm/hostfn/native"
	"github.com/realm-webgpu/realm/hostfn/wasm"
	"github.com/realm-webgpu/realm/hostfn/wasm/wat"
)

// guestOf writes a guest of some text to a file, and returns its name.
func (f folder) guestOf(name, text string) string {
	f.t.Helper()
	data, err := wat.Module(text)
	if err != nil {
		f.t.Fatal(err)
	}
	return f.put(name, data)
}

// small is a guest that does nothing.
const small = `(module (memory (export "memory") i64 1 4)
	(func (export "realm_abi") (result i32) (i32.const 0x10000)) (func (export "realm_run") (result i32) (i32.const 0)))`

// TestGuestInfo says which guest runs, and why.
func TestGuestInfo(t *testing.T) {
	f := newFolder(t)
	o := f.good("", "guest", "info")
	for _, want := range []string{"built in", "nothing else was asked for", fmt.Sprintf("%x", sha256.Sum256(guest.Module)), "64-bit", "realm1.emit", "realm_run"} {
		if !strings.Contains(o.stdout, want) {
			t.Errorf("%q is not in\n%s", want, o.stdout)
		}
	}
	name := f.guestOf("small.wasm", small)
	if o := f.good("", "guest", "info", "--guest", name); !strings.Contains(o.stdout, name) || !strings.Contains(o.stdout, "it was asked for") || !strings.Contains(o.stdout, "at most 4") {
		t.Errorf("with a flag:\n%s", o.stdout)
	}
	c := f.command("guest", "info")
	c.Env = append(c.Env, hostfn.GuestVariable+"="+name)
	if out, err := c.Output(); err != nil || !strings.Contains(string(out), hostfn.GuestVariable+" names it") {
		t.Errorf("with the environment: %v\n%s", err, out)
	}
	if o := f.realm("", "guest", "info", "--guest", "none.wasm"); o.code == exitOK || !strings.Contains(o.stderr, "none.wasm") {
		t.Errorf("a file that is not there: exit code %d\n%s", o.code, o.stderr)
	}
}

// TestGuestCheck says what a module needs and may not have.
func TestGuestCheck(t *testing.T) {
	f := newFolder(t)
	if o := f.good("", "guest", "check", f.put("guest.wasm", guest.Module)); !strings.Contains(o.stdout, "realm1.gen_next") || strings.Contains(o.stdout, "problem") {
		t.Errorf("the default guest:\n%s", o.stdout)
	}
	var report native.Report
	if err := json.Unmarshal([]byte(f.good("", "guest", "check", "--json", "guest.wasm").stdout), &report); err != nil || !report.Memory64 || report.Bytes != len(guest.Module) {
		t.Errorf("as JSON: %+v: %v", report, err)
	}
	for _, c := range []struct{ name, text, want string }{
		{"imports", strings.Replace(small, "(memory", `(import "realm1" "fly" (func)) (memory`, 1), "unknown imports: realm1.fly (function)"},
		{"exports", `(module)`, `"realm_run"`},
		{"types", strings.Replace(small, "(i32.const 0))", "(i64.const 0))", 1), "cannot use i64"},
	} {
		o := f.realm("", "guest", "check", f.guestOf(c.name+".wasm", c.text))
		if o.code == exitOK || !strings.Contains(o.stdout, c.want) || !strings.Contains(o.stderr, "not a guest") {
			t.Errorf("%s: exit code %d\n%s%s", c.name, o.code, o.stdout, o.stderr)
		}
	}
	if o := f.realm("", "guest", "check", f.put("text.wasm", []byte("no module"))); o.code == exitOK || !strings.Contains(o.stderr, "offset 0x0") {
		t.Errorf("a text: exit code %d\n%s", o.code, o.stderr)
	}
}

// TestGuestLower writes a module without 64-bit memory.
func TestGuestLower(t *testing.T) {
	f := newFolder(t)
	f.put("in.wasm", guest.Module)
	f.good("", "guest", "lower", "in.wasm", "out.wasm")
	m, err := wasm.Decode(f.get("out.wasm"))
	if err != nil {
		t.Fatal(err)
	}
	if l := m.AllMemories(); len(l) != 1 || l[0].Is64 {
		t.Errorf("it has memories %+v", l)
	}
	// It is a guest like any other, and lowered again it is the same.
	f.good("", "guest", "check", "out.wasm")
	f.good("", "guest", "lower", "out.wasm", "again.wasm")
	if !bytes.Equal(f.get("out.wasm"), f.get("again.wasm")) {
		t.Error("lowered again it is another")
	}
	huge := f.guestOf("huge.wasm", `(module (memory i64 0x1_0000))`)
	if o := f.realm("", "guest", "lower", huge, "huge32.wasm"); o.code == exitOK || !strings.Contains(o.stderr, "65535 can be mapped") {
		t.Errorf("a huge one: exit code %d\n%s", o.code, o.stderr)
	}
	f.put("bad.wasm", []byte("\x00asm\x01\x00\x00\x00\x01\x01"))
	if o := f.realm("", "guest", "lower", "bad.wasm", "none.wasm"); o.code == exitOK || !strings.Contains(o.stderr, "type section, offset") {
		t.Errorf("a malformed one: exit code %d\n%s", o.code, o.stderr)
	}
	if _, err := os.Stat(f.dir + "/none.wasm"); err == nil {
		t.Error("a file was written for it")
	}
}
