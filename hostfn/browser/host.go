//go:build js

package browser

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall/js"

	"github.com/realm-webgpu/realm/hostfn"
	"github.com/realm-webgpu/realm/hostfn/inspect"
	"github.com/realm-webgpu/realm/hostfn/meter"
	"github.com/realm-webgpu/realm/hostfn/wasm"
)

// ErrUnsupported marks a browser that cannot run guests; see [UnsupportedError].
var ErrUnsupported = errors.New("not supported by this browser")

// UnsupportedError says what a browser lacks. It is an ErrUnsupported.
type UnsupportedError struct{ Missing []string } // "Memory64", "JSPI"

func (e *UnsupportedError) Error() string {
	return fmt.Sprintf("browser: %s: %v", strings.Join(e.Missing, " and "), ErrUnsupported)
}

func (e *UnsupportedError) Unwrap() error { return ErrUnsupported }

// Host runs guests. Its methods may be called from many goroutines.
type Host struct {
	script    js.Value          // globalThis.realmGuest
	functions []hostfn.Function // that guests may call; refill is behind them
	imports   js.Value          // the same, as the script takes them
}

// NewHost makes a host. Errors: ErrUnsupported.
func NewHost() (*Host, error) {
	h := &Host{script: js.Global().Get("realmGuest"), functions: hostfn.Functions(), imports: js.Global().Get("Array").New()}
	if h.script.IsUndefined() {
		return nil, errors.New("browser: new host: the page has not loaded guest.js")
	}
	if missing := h.script.Call("missing"); missing.Length() > 0 {
		e := &UnsupportedError{}
		for i := range missing.Length() {
			e.Missing = append(e.Missing, missing.Index(i).String())
		}
		return nil, e
	}
	declare := func(module, name string, wide bool) {
		h.imports.Call("push", map[string]any{"module": module, "name": name, "wide": wide})
	}
	for _, f := range h.functions {
		declare(f.Module, f.Name, false)
	}
	declare(meter.ImportModule, meter.ImportName, true)
	return h, nil
}

// Module is a guest, compiled.
type Module struct {
	host     *Host
	compiled js.Value // WebAssembly.Module
	memory   wasm.Limits
	report   inspect.Report
}

// Report returns what inspect.Module says of the module.
func (m *Module) Report() inspect.Report { return m.report }

// Load makes a module ready to run. Errors wrap hostfn.ErrModule.
func (h *Host) Load(ctx context.Context, data []byte) (*Module, error) {
	m, err := h.load(ctx, data)
	if err != nil {
		return nil, fmt.Errorf("browser: load: %w", err)
	}
	return m, nil
}

func (h *Host) load(ctx context.Context, data []byte) (*Module, error) {
	report, err := inspect.Guest(data)
	if err != nil {
		return nil, err
	}
	metered, err := meter.Meter(data)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", hostfn.ErrModule, err)
	}
	code, memory, err := importMemory(metered)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", hostfn.ErrModule, err)
	}
	bytes := js.Global().Get("Uint8Array").New(len(code))
	js.CopyBytesToJS(bytes, code)
	compiled, err := await(h.script.Call("compile", bytes))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", hostfn.ErrModule, err)
	}
	return &Module{host: h, compiled: compiled, memory: memory, report: report}, ctx.Err()
}

// The import that a module has its memory from.
const (
	memoryModule = "realm1_page"
	memoryName   = "memory"
)

// importMemory makes the memory of a module, which there is one of, an import.
func importMemory(data []byte) ([]byte, wasm.Limits, error) {
	m, err := wasm.Decode(data)
	if err != nil {
		return nil, wasm.Limits{}, err
	}
	if len(m.Memories) != 1 {
		return nil, wasm.Limits{}, fmt.Errorf("%d memories, one is expected", len(m.Memories))
	}
	memory := m.Memories[0]
	m.Imports = append(m.Imports, wasm.Import{Module: memoryModule, Name: memoryName, Kind: wasm.KindMemory, Memory: memory})
	m.Memories = nil
	return m.Encode(), memory, nil
}

// await waits for a promise and returns what it came to, while the page runs on.
func await(promise js.Value) (js.Value, error) {
	type outcome struct {
		value js.Value
		err   error
	}
	done := make(chan outcome, 1)
	kept := js.FuncOf(func(_ js.Value, args []js.Value) any {
		done <- outcome{value: args[0]}
		return nil
	})
	defer kept.Release()
	broken := js.FuncOf(func(_ js.Value, args []js.Value) any {
		done <- outcome{err: errors.New(args[0].Call("toString").String())}
		return nil
	})
	defer broken.Release()
	promise.Call("then", kept, broken)
	o := <-done
	return o.value, o.err
}
