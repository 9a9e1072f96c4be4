package wasm_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/realm-webgpu/realm/hostfn/wasm"
)

// FuzzDecode reads any bytes: an error says where, and what is taken is the same
// when it has been written and read again.
func FuzzDecode(f *testing.F) {
	f.Add(module(f, everything))
	f.Add(module(f, `(module (memory 1) (data "x") (table 1 funcref) (elem (i32.const 0) func 0) (func))`))
	f.Add([]byte("\x00asm\x01\x00\x00\x00\x00\x08\x04name\x02\x01\x00"))
	f.Add([]byte("\x00asm\x01\x00\x00\x00\x01\x05\xff\xff\xff\xff\x0f"))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := wasm.Decode(data)
		if err != nil {
			var at *wasm.FormatError
			if !errors.As(err, &at) || at.Offset < 0 || at.Offset > len(data) || at.Section == "" || at.Reason == "" {
				t.Fatalf("an error of no place: %v", err)
			}
			return
		}
		written := m.Encode()
		again, err := wasm.Decode(written)
		if err != nil {
			t.Fatalf("what was written cannot be read: %v", err)
		}
		if !same(m, again) {
			t.Fatalf("%+v was written, %+v was read", m, again)
		}
		if !bytes.Equal(again.Encode(), written) {
			t.Fatal("it is written in two ways")
		}
		for i := range m.Code {
			for c := wasm.NewCode(&m.Code[i]); c.Next(); {
				c.Op.Effect() // of every instruction that is taken
				_ = c.Op.String()
			}
		}
	})
}
