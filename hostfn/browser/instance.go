//go:build js

package browser

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"syscall/js"

	"github.com/realm-webgpu/realm/hostfn"
	"github.com/realm-webgpu/realm/hostfn/abi"
)

// pageShift is that of a page of WebAssembly's, 64 KiB.
const pageShift = 16

// maxPages is the most that a memory may have: what hostfn.Limits bounds it to.
const maxPages = 1<<16 - 1

// instance is a guest that runs. It is the guest's memory for host functions.
type instance struct {
	host   *Host
	guest  *hostfn.Guest
	object js.Value // the script's
	memory js.Value // WebAssembly.Memory
	bytes  js.Value // all of it, as it was when size was taken
	size   uint64
	most   uint64 // bytes that it may have

	called chan int     // the number of a host function that waits for its result
	ended  chan outcome // of the export that runs
	abort  error        // why the host has ended the guest
}

// outcome is what an export came to.
type outcome struct {
	code int32
	err  error
}

// Run runs the guest's whole life in an instance of its own. The guest is closed by
// the caller, whatever comes of it. Errors: hostfn.LimitError, hostfn.ExitError, those
// of the guest's context, and hostfn.ErrTrap.
func (m *Module) Run(g *hostfn.Guest) error {
	g.Require(m.report.Required)
	limit := &hostfn.LimitError{Name: "memory", Limit: fmt.Sprintf("%d bytes", g.Limits().Memory)}
	i := &instance{host: m.host, guest: g, called: make(chan int, 1), ended: make(chan outcome, 1)}
	pages := min(g.Limits().Memory>>pageShift, maxPages)
	if m.memory.HasMax {
		pages = min(pages, m.memory.Max)
	}
	if m.memory.Min > pages {
		limit.Limit += fmt.Sprintf(" (it begins with %d)", m.memory.Min<<pageShift)
		return g.Finish(0, limit)
	}
	i.most = pages << pageShift
	// It is called with the guest suspended, and must not wait: there is room, as the
	// guest makes one call at a time.
	call := js.FuncOf(func(_ js.Value, args []js.Value) any {
		i.called <- args[0].Int()
		return nil
	})
	defer call.Release()
	object, err := await(m.host.script.Call("instantiate", m.compiled, m.host.imports, map[string]any{
		"module": memoryModule, "name": memoryName, "wide": m.memory.Is64, "initial": m.memory.Min, "maximum": pages,
	}, call))
	if err != nil {
		return g.Finish(0, trap(err))
	}
	i.object, i.memory = object, object.Get("memory")
	code, err := i.live(m)
	switch {
	case i.abort != nil:
		var abort *hostfn.Abort
		errors.As(i.abort, &abort)
		err = abort.Err
	case err != nil && !errors.Is(err, hostfn.ErrModule) && i.most == i.Size() && i.most>>pageShift == g.Limits().Memory>>pageShift:
		err = limit // it has all that it may have, and failed
	}
	return g.Finish(code, err)
}

// live calls what the module exports.
func (i *instance) live(m *Module) (int32, error) {
	exports := map[string]bool{}
	for _, name := range m.report.Exports {
		exports[name] = true
	}
	if exports[abi.ExportInitialize] {
		if _, err := i.run(abi.ExportInitialize); err != nil {
			return 0, err
		}
	}
	if exports[abi.ExportABI] {
		version, err := i.run(abi.ExportABI)
		if err != nil {
			return 0, err
		}
		if major := uint32(version) >> 16; major != abi.Major {
			return 0, fmt.Errorf("%w: it was built for version %d of the guest interface, this host has %d", hostfn.ErrModule, major, abi.Major)
		}
	}
	if !exports[abi.ExportRun] {
		_, err := i.run(abi.ExportStart)
		return 0, err
	}
	return i.run(abi.ExportRun)
}

// run calls an export, and the host functions that it calls.
func (i *instance) run(name string) (int32, error) {
	ended := js.FuncOf(func(_ js.Value, args []js.Value) any {
		o := outcome{code: int32(args[0].Int())}
		if len(args) > 1 {
			o.err = trap(errors.New(args[1].String()))
		}
		i.ended <- o
		return nil
	})
	defer ended.Release()
	i.object.Call("run", name, ended)
	for {
		select {
		case number := <-i.called:
			result, err := i.serve(number)
			if err != nil {
				i.abort = err
				i.object.Call("abort")
				continue
			}
			i.object.Call("resume", result)
		case o := <-i.ended:
			return o.code, o.err
		}
	}
}

// serve calls a host function, or gives fuel. An error, which is a *hostfn.Abort, ends
// the guest.
func (i *instance) serve(number int) (result any, err error) {
	defer func() {
		switch p := recover().(type) {
		case nil:
		case *hostfn.Abort:
			err = p
		default:
			panic(p)
		}
	}()
	if number == len(i.host.functions) {
		units, err := i.guest.Refill()
		if err != nil {
			return nil, &hostfn.Abort{Err: err}
		}
		return units, nil
	}
	f := &i.host.functions[number]
	var raw [16 * 8]byte
	js.CopyBytesToGo(raw[:8*len(f.Params)], i.object.Get("args"))
	var args [16]uint64
	for n := range f.Params {
		args[n] = binary.LittleEndian.Uint64(raw[8*n:])
	}
	return f.Call(i.guest, i, args[:len(f.Params)]), nil
}

// Size implements hostfn.Memory.
func (i *instance) Size() uint64 {
	// A memory that has grown has another buffer, and the one from before has no bytes.
	buffer := i.memory.Get("buffer")
	if n := uint64(buffer.Get("byteLength").Float()); n != i.size || i.bytes.IsUndefined() {
		i.bytes, i.size = js.Global().Get("Uint8Array").New(buffer), n
	}
	return i.size
}

// view returns n bytes at offset, the guest's own.
func (i *instance) view(offset uint64, n int) (js.Value, bool) {
	size := i.Size()
	if uint64(n) > size || offset > size-uint64(n) {
		return js.Value{}, false
	}
	return i.bytes.Call("subarray", offset, offset+uint64(n)), true
}

// Read implements hostfn.Memory.
func (i *instance) Read(offset uint64, p []byte) bool {
	view, ok := i.view(offset, len(p))
	if ok {
		js.CopyBytesToGo(p, view)
	}
	return ok
}

// Write implements hostfn.Memory.
func (i *instance) Write(offset uint64, p []byte) bool {
	view, ok := i.view(offset, len(p))
	if ok {
		js.CopyBytesToJS(view, p)
	}
	return ok
}

// trap makes an error of the browser's an ErrTrap of one line.
func trap(err error) error {
	text, _, _ := strings.Cut(err.Error(), "\n")
	return fmt.Errorf("browser: guest: %w: %s", hostfn.ErrTrap, strings.TrimPrefix(text, "RuntimeError: "))
}
