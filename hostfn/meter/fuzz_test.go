package meter_test

import (
	"errors"
	"testing"

	"github.com/realm-webgpu/realm/hostfn/meter"
	"github.com/realm-webgpu/realm/hostfn/wasm"
	"github.com/realm-webgpu/realm/hostfn/wasm/wat"
)

// FuzzMeter meters any bytes: an error says where, and a module that wazero takes it
// takes with fuel, too.
func FuzzMeter(f *testing.F) {
	for _, text := range []string{
		`(module)`,
		`(module (memory 1) (func $f (export "f") (param i32) (loop (call $f (i32.const 1)) (br_if 0 (local.get 0))) (memory.fill (i32.const 0) (i32.const 0) (local.get 0))))`,
		`(module (table 1 funcref) (elem (i32.const 0) 0) (func (loop (loop (br_table 0 1 (i32.const 0))))) (start 0))`,
		`(module (memory 0) (func (result i32) (loop (result i32) (memory.grow (i32.const 1)))) (global funcref (ref.func 0)))`,
	} {
		data, err := wat.Module(text)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	h := newHost(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		out, err := meter.Meter(data)
		if err != nil {
			var at *wasm.FormatError
			if !errors.As(err, &at) && !errors.Is(err, meter.ErrName) || at != nil && (at.Offset < 0 || at.Offset > len(data)) {
				t.Fatalf("an error of no kind: %v", err)
			}
			return
		}
		plain, refused := h.runtime.CompileModule(h.ctx, data)
		if refused != nil {
			return
		}
		_ = plain.Close(h.ctx)
		compiled, err := h.runtime.CompileModule(h.ctx, out)
		if err != nil {
			t.Fatalf("with fuel it is refused: %v", err)
		}
		_ = compiled.Close(h.ctx)
	})
}
