package webgpu

import (
	"errors"
	"fmt"
	"syscall/js"
	"unsafe"

	"github.com/realm-webgpu/realm/engine/device"
)

// gpu is the platform's WebGPU: the few calls that the device is written on.
// This file has those of a page, through shim/shim.js. What they wait for lets
// other goroutines, and the page, run on.
type gpu struct {
	shim    js.Value // globalThis.realmWebGPU
	submits js.Value // its function submit: a look-up less for each step
	device  js.Value // GPUDevice
	queue   js.Value // GPUQueue
	bytes   js.Value // Uint8Array: what is written, on its way out of Go's memory
	room    int      // of bytes
	pending int      // bytes written since flush
	onFault js.Func
	fault   error // the first that was reported
}

// moreLimits are the limits that are asked for beyond WebGPU's defaults, which
// are enough for every kernel: matrices are split less.
var moreLimits = [...]string{"maxStorageBufferBindingSize", "maxBufferSize"}

// listAdapters lists the adapter that the browser gives to this page, if any.
func listAdapters() []Adapter {
	_, _, list, err := requestAdapter()
	if err != nil {
		return nil
	}
	return list
}

// requestAdapter returns the shim, the adapter that the browser gives to this
// page and the list of it; the list is empty where there is none.
func requestAdapter() (shim, adapter js.Value, list []Adapter, err error) {
	shim = js.Global().Get("realmWebGPU")
	if shim.IsUndefined() {
		return shim, adapter, nil, fmt.Errorf("webgpu: open: the page has not loaded shim.js: %w", device.ErrNotFound)
	}
	if !js.Global().Get("navigator").Get("gpu").Truthy() {
		return shim, adapter, nil, fmt.Errorf("webgpu: open: this browser has no WebGPU, or not for this page: %w", device.ErrNotFound)
	}
	adapter, err = await(shim.Call("adapter"))
	if err != nil {
		return shim, adapter, nil, fmt.Errorf("webgpu: open: adapter: %w: %w", device.ErrNotFound, err)
	}
	if adapter.IsNull() {
		return shim, adapter, nil, nil
	}
	return shim, adapter, []Adapter{describe(adapter)}, nil
}

// openGPU opens the browser's adapter, if choose takes it.
func openGPU(choose func([]Adapter) (*Adapter, error)) (*gpu, *Adapter, error) {
	shim, adapter, list, err := requestAdapter()
	if err != nil {
		return nil, nil, err
	}
	chosen, err := choose(list)
	if err != nil {
		return nil, nil, err
	}
	g := &gpu{shim: shim, submits: shim.Get("submit")}
	g.onFault = js.FuncOf(func(_ js.Value, args []js.Value) any {
		if g.fault == nil {
			g.fault = errors.New(args[0].String())
		}
		return nil
	})
	names := make([]any, len(moreLimits))
	for i, name := range moreLimits {
		names[i] = name
	}
	g.device, err = await(shim.Call("open", adapter, names, g.onFault))
	if err != nil {
		g.onFault.Release()
		return nil, nil, fmt.Errorf("webgpu: open %s: no device: %w", chosen.Name, err)
	}
	g.queue = g.device.Get("queue")
	chosen.Limits = limitsOf(g.device.Get("limits"))
	return g, chosen, nil
}

func (g *gpu) close() {
	lost := g.device.Get("lost")
	g.device.Call("destroy")
	// Its loss is the last that is heard of it, and cannot fail.
	_, _ = await(lost)
	g.onFault.Release()
}

// err returns the first error that the browser reported outside of any call.
func (g *gpu) err() error { return g.fault }

// usage says what a buffer is for: GPUBufferUsage.
type usage = int

const (
	usageMapRead = 0x1
	usageCopySrc = 0x4
	usageCopyDst = 0x8

	usageStorage = 0x80 | usageCopyDst | usageCopySrc
	usageUniform = 0x40 | usageCopyDst
	usageStaging = usageMapRead | usageCopyDst
)

// rawBuffer is device memory.
type rawBuffer struct{ b js.Value }

// newBuffer waits for the browser's word that there is memory for it.
func (g *gpu) newBuffer(label string, size int64, u usage) (rawBuffer, error) {
	b, err := await(g.shim.Call("buffer", g.device, label, size, u))
	if err != nil {
		return rawBuffer{}, err
	}
	if g.fault != nil {
		b.Call("destroy")
		return rawBuffer{}, g.fault
	}
	return rawBuffer{b}, nil
}

func (b rawBuffer) release() { b.b.Call("destroy") }

// write copies out of Go's memory, and then to the browser's process. What is on
// its way there is bounded, however much is written.
func (g *gpu) write(b rawBuffer, offset int64, data []byte) error {
	const most = 4 << 20
	for at := 0; at < len(data); at += most {
		piece := data[at:min(at+most, len(data))]
		g.stage(piece)
		g.queue.Call("writeBuffer", b.b, offset+int64(at), g.bytes, 0, len(piece))
		if g.pending += len(piece); g.pending >= writeBytes {
			g.flush()
		}
	}
	return nil
}

// stage copies data to bytes.
func (g *gpu) stage(data []byte) {
	if len(data) > g.room {
		g.room = len(data)
		g.bytes = js.Global().Get("Uint8Array").New(g.room)
	}
	js.CopyBytesToJS(g.bytes, data)
}

// flush waits until the writes so far are done, so that their staging memory is
// bounded.
func (g *gpu) flush() {
	g.pending = 0
	// A loss is reported as a fault.
	_, _ = await(g.queue.Call("onSubmittedWorkDone"))
}

func (g *gpu) copy(src rawBuffer, srcOffset int64, dst rawBuffer, dstOffset, size int64) {
	g.shim.Call("copy", g.device, src.b, srcOffset, dst.b, dstOffset, size)
}

// pipeline is a kernel that is compiled, or being compiled.
type pipeline struct{ c *compilation }

type compilation struct {
	done  chan struct{} // closed when there is a value or an error
	value js.Value      // GPUComputePipeline
	err   error
}

// compilesAside is true where newPipeline does not wait.
const compilesAside = true

// newPipeline begins to compile a kernel.
func (g *gpu) newPipeline(label, wgsl string) (pipeline, error) {
	c := &compilation{done: make(chan struct{})}
	promise := g.shim.Call("pipeline", g.device, label, wgsl)
	go func() {
		c.value, c.err = await(promise)
		close(c.done)
	}()
	return pipeline{c}, nil
}

// ready waits until the kernel is compiled.
func (p pipeline) ready() error {
	<-p.c.done
	return p.c.err
}

func (p pipeline) release() {}

// binding is a range of a buffer for a kernel.
type binding struct {
	buffer       rawBuffer
	offset, size int64
}

// group is the bindings of one dispatch, in the order of their numbers.
type group struct{ g js.Value }

// newGroup binds buffers to a pipeline that is ready. The browser reports what is
// wrong with them as a fault.
func (g *gpu) newGroup(p pipeline, bindings []binding) (group, error) {
	args := []any{g.device, p.c.value}
	for _, b := range bindings {
		args = append(args, b.buffer.b, b.offset, b.size)
	}
	return group{g.shim.Call("group", args...)}, nil
}

func (b group) release() {}

// recording is the dispatches of a program, to be replayed.
type recording struct {
	shim  js.Value
	value js.Value // see recording in shim.js
	bytes js.Value // its sizes
	sizes []uint32 // the same, on this side
}

func (g *gpu) newRecording(n int) *recording {
	v := g.shim.Call("recording", n)
	return &recording{g.shim, v, v.Get("bytes"), make([]uint32, 3*n)}
}

func (r *recording) set(i int, p pipeline, g group) {
	r.shim.Call("record", r.value, i, p.c.value, g.g)
}

// size sets the workgroups of dispatch i; a zero passes over it.
func (r *recording) size(i int, x, y, z uint32) {
	r.sizes[3*i], r.sizes[3*i+1], r.sizes[3*i+2] = x, y, z
}

func (r *recording) release() {}

// readback is a staging buffer and what came back through it.
type readback struct {
	size    int64
	staging rawBuffer
	value   js.Value // see readback in shim.js
	bytes   js.Value // its bytes
	settled js.Func
	done    chan error // one for each that was started
}

func (g *gpu) newReadback(size int64) (*readback, error) {
	staging, err := g.newBuffer("read-back", size, usageStaging)
	if err != nil {
		return nil, err
	}
	r := &readback{size: size, staging: staging, done: make(chan error, 1)}
	r.settled = js.FuncOf(func(_ js.Value, args []js.Value) any {
		var err error
		if len(args) > 0 {
			err = errors.New(args[0].String())
		}
		r.done <- err // has room: it is waited for before the next is started
		return nil
	})
	r.value = g.shim.Call("readback", staging.b, size, r.settled)
	r.bytes = r.value.Get("bytes")
	return r, nil
}

func (r *readback) release() {
	r.staging.release()
	r.settled.Release()
}

// submit writes the step's data, replays the recording and starts to read size
// bytes of results back: one call of the shim, one submission.
func (g *gpu) submit(r *recording, step rawBuffer, data []uint32, results rawBuffer, size int64, to *readback) {
	g.stage(bytesOf(data))
	js.CopyBytesToJS(r.bytes, bytesOf(r.sizes))
	g.submits.Invoke(g.device, r.value, step.b, g.bytes, len(data)*4, results.b, size, to.value)
}

// wait blocks until the submission is done and fills dst with what came back.
func (g *gpu) wait(r *readback, dst []uint32) error {
	if err := <-r.done; err != nil {
		return fmt.Errorf("read-back: %w: %w", device.ErrLost, err)
	}
	js.CopyBytesToGo(bytesOf(dst), r.bytes)
	return nil
}

// read copies a range of a buffer to the host.
func (g *gpu) read(src rawBuffer, offset int64, to *readback, dst []uint32) error {
	g.startRead(src, offset, to, int64(len(dst))*4)
	return g.wait(to, dst)
}

// startRead starts to copy size bytes of a buffer, for wait.
func (g *gpu) startRead(src rawBuffer, offset int64, to *readback, size int64) {
	g.shim.Call("read", g.device, src.b, offset, size, to.value)
}

func bytesOf(words []uint32) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(words))), len(words)*4)
}
