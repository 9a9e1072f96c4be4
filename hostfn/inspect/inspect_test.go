package inspect_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/realm-webgpu/realm/guest"
	"github.com/realm-webgpu/realm/hostfn"
	"github.com/realm-webgpu/realm/hostfn/abi"
	"github.com/realm-webgpu/realm/hostfn/inspect"
)

// TestGuest looks into the default guest, and into what is none.
func TestGuest(t *testing.T) {
	r, err := inspect.Guest(guest.Module)
	if err != nil || !r.Memory64 || r.WASI || !slices.Contains(r.Exports, abi.ExportRun) || r.Bytes != len(guest.Module) {
		t.Errorf("the default guest: %+v, %v", r, err)
	}
	var bits uint64
	for _, name := range r.Capabilities {
		bit, ok := abi.Capability(name)
		if !ok {
			t.Errorf("it declares %q", name)
		}
		bits |= bit
	}
	if bits == 0 || bits != r.Required {
		t.Errorf("it requires %x, and declares %x", r.Required, bits)
	}
	empty := []byte("\x00asm\x01\x00\x00\x00")
	if r, err := inspect.Module(empty); err != nil || len(r.Problems) == 0 {
		t.Errorf("an empty module: %+v, %v", r, err)
	}
	for _, data := range [][]byte{empty, empty[:5], guest.Module[:len(guest.Module)/2], make([]byte, inspect.MaxModule+1)} {
		if _, err := inspect.Guest(data); !errors.Is(err, hostfn.ErrModule) {
			t.Errorf("%d bytes: %v, want ErrModule", len(data), err)
		}
	}
}

// FuzzModule has modules that anyone may send: each is looked into or refused.
func FuzzModule(f *testing.F) {
	f.Add(guest.Module)
	f.Add([]byte("\x00asm\x01\x00\x00\x00"))
	f.Add([]byte("\x00asm\x01\x00\x00\x00\x05\x03\x01\x04\x01\x07\x0a\x01\x06memory\x02\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, err := inspect.Module(data); err != nil && !errors.Is(err, hostfn.ErrModule) {
			t.Errorf("%v, want ErrModule", err)
		}
	})
}
