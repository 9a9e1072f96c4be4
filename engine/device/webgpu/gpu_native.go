//go:build !js

package webgpu

/*
#include <stdlib.h>
#include "shim.h"
*/
import "C"

import (
	"cmp"
	"errors"
	"fmt"
	"sync/atomic"
	"unsafe"

	"github.com/cogentcore/webgpu/wgpu"

	"github.com/realm-webgpu/realm/engine/device"
)

// gpu is the platform's WebGPU: the few calls that the device is written on.
// This file has those of wgpu-native.
type gpu struct {
	instance *wgpu.Instance
	adapter  *wgpu.Adapter
	device   *wgpu.Device
	queue    *wgpu.Queue
	fault    *C.realm_fault
}

// The first field of each of the binding's structs is the C reference, or the
// device's and then its own; layout_test.go holds that to the pinned version.
func adapterRef(a *wgpu.Adapter) unsafe.Pointer {
	return *(*unsafe.Pointer)(unsafe.Pointer(a))
}
func deviceRef(d *wgpu.Device) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(d)) }
func queueRef(q *wgpu.Queue) unsafe.Pointer   { return (*[2]unsafe.Pointer)(unsafe.Pointer(q))[1] }
func bufferRef(b *wgpu.Buffer) unsafe.Pointer { return (*[2]unsafe.Pointer)(unsafe.Pointer(b))[1] }
func groupRef(g *wgpu.BindGroup) unsafe.Pointer {
	return *(*unsafe.Pointer)(unsafe.Pointer(g))
}
func pipelineRef(p *wgpu.ComputePipeline) unsafe.Pointer {
	return *(*unsafe.Pointer)(unsafe.Pointer(p))
}

func newInstance() *wgpu.Instance {
	wgpu.SetLogLevel(wgpu.LogLevelOff) // faults come back as errors
	ref := C.realm_instance()
	if ref == nil {
		return nil
	}
	instance := &wgpu.Instance{}
	*(*unsafe.Pointer)(unsafe.Pointer(instance)) = ref
	return instance
}

// enumerate returns the adapters of an instance, of the primary backends
// (OpenGL would list the same GPU again), and what there is to say of each.
func enumerate(instance *wgpu.Instance) ([]*wgpu.Adapter, []Adapter) {
	adapters := instance.EnumerateAdapters(&wgpu.InstanceEnumerateAdapterOptons{Backends: wgpu.InstanceBackendPrimary})
	list := make([]Adapter, len(adapters))
	for i, a := range adapters {
		info := a.GetInfo()
		list[i] = Adapter{
			// The binding's Name is the device's id as a number; its
			// DriverDescription is the name.
			Index: i, Name: info.DriverDescription, Driver: fmt.Sprintf("%s %s:%s", info.BackendType, info.VendorName, info.Name),
			API: info.BackendType.String(), Kind: info.AdapterType.String(),
			Software: info.AdapterType == wgpu.AdapterTypeCPU,
			Class:    classOf(info.AdapterType),
			Limits:   limitsOf(a.GetLimits().Limits),
		}
	}
	return adapters, list
}

// classOf names the class of device whose defaults fit an adapter.
func classOf(t wgpu.AdapterType) string {
	switch t {
	case wgpu.AdapterTypeCPU:
		return ClassSoftware
	case wgpu.AdapterTypeIntegratedGPU:
		return ClassIntegrated
	}
	return ClassDiscrete
}

func listAdapters() []Adapter {
	instance := newInstance()
	if instance == nil {
		return nil
	}
	defer instance.Release()
	adapters, list := enumerate(instance)
	for _, a := range adapters {
		a.Release()
	}
	return list
}

func limitsOf(l wgpu.Limits) Limits {
	return Limits{
		StorageBinding: int64(l.MaxStorageBufferBindingSize), Buffer: int64(l.MaxBufferSize),
		WorkgroupInvocations: int(l.MaxComputeInvocationsPerWorkgroup), WorkgroupMemory: int(l.MaxComputeWorkgroupStorageSize),
		StorageBuffers: int(l.MaxStorageBuffersPerShaderStage), WorkgroupsPerDimension: int(l.MaxComputeWorkgroupsPerDimension),
	}
}

// openGPU opens the adapter that choose takes from the list of all.
func openGPU(choose func([]Adapter) (*Adapter, error)) (*gpu, *Adapter, error) {
	instance := newInstance()
	if instance == nil {
		return nil, nil, fmt.Errorf("webgpu: open: no WebGPU instance: %w", device.ErrNotFound)
	}
	adapters, list := enumerate(instance)
	chosen, err := choose(list)
	for i, a := range adapters {
		if err != nil || i != chosen.Index {
			a.Release()
		}
	}
	if err != nil {
		instance.Release()
		return nil, nil, err
	}
	g := &gpu{instance: instance, adapter: adapters[chosen.Index]}
	g.fault = (*C.realm_fault)(C.calloc(1, C.sizeof_realm_fault))
	ref := C.realm_open(adapterRef(g.adapter), g.fault)
	if ref == nil {
		err := g.err()
		C.free(unsafe.Pointer(g.fault))
		g.adapter.Release()
		g.instance.Release()
		return nil, nil, fmt.Errorf("webgpu: open %s: no device: %w", chosen.Name, err)
	}
	g.device = &wgpu.Device{}
	*(*unsafe.Pointer)(unsafe.Pointer(g.device)) = ref
	g.queue = g.device.GetQueue()
	return g, chosen, nil
}

func (g *gpu) close() {
	g.device.Poll(true, nil)
	g.queue.Release()
	g.device.Release()
	g.adapter.Release()
	g.instance.Release()
	C.free(unsafe.Pointer(g.fault))
}

// err returns the first error that the driver reported outside of any call.
func (g *gpu) err() error {
	if atomic.LoadInt32((*int32)(&g.fault._type)) == 0 {
		return nil
	}
	return errors.New(C.GoString(&g.fault.message[0]))
}

// errorOutOfMemory is WGPUErrorType_OutOfMemory.
const errorOutOfMemory = 2

// shortage returns the driver's word that memory ran out, which leaves the
// device as it was, and forgets it.
func (g *gpu) shortage() error {
	if atomic.LoadInt32((*int32)(&g.fault._type)) != errorOutOfMemory {
		return nil
	}
	err := g.err()
	clear((*[1024]C.char)(&g.fault.message)[:])
	atomic.StoreInt32((*int32)(&g.fault._type), 0)
	return err
}

// usage says what a buffer is for.
type usage = wgpu.BufferUsage

const (
	usageStorage = wgpu.BufferUsageStorage | wgpu.BufferUsageCopyDst | wgpu.BufferUsageCopySrc
	usageUniform = wgpu.BufferUsageUniform | wgpu.BufferUsageCopyDst
	usageStaging = wgpu.BufferUsageMapRead | wgpu.BufferUsageCopyDst
)

// rawBuffer is device memory.
type rawBuffer struct{ b *wgpu.Buffer }

func (g *gpu) newBuffer(label string, size int64, u usage) (rawBuffer, error) {
	b, err := g.device.CreateBuffer(&wgpu.BufferDescriptor{Label: label, Size: uint64(size), Usage: u})
	if err != nil {
		return rawBuffer{}, err
	}
	if err := cmp.Or(g.shortage(), g.err()); err != nil {
		b.Release()
		return rawBuffer{}, err
	}
	return rawBuffer{b}, nil
}

func (b rawBuffer) release() { b.b.Release() }

func (g *gpu) write(b rawBuffer, offset int64, data []byte) error {
	return g.queue.WriteBuffer(b.b, uint64(offset), data)
}

// flush makes the queue take up the writes so far, so that their staging
// memory is bounded.
func (g *gpu) flush() {
	g.queue.Submit()
	g.device.Poll(true, nil)
}

func (g *gpu) copy(src rawBuffer, srcOffset int64, dst rawBuffer, dstOffset, size int64) {
	C.realm_copy(deviceRef(g.device), queueRef(g.queue), bufferRef(src.b), C.uint64_t(srcOffset), bufferRef(dst.b), C.uint64_t(dstOffset), C.uint64_t(size))
}

// pipeline is a compiled kernel.
type pipeline struct{ p *wgpu.ComputePipeline }

// compilesAside is true where newPipeline does not wait.
const compilesAside = false

func (g *gpu) newPipeline(label, wgsl string) (pipeline, error) {
	module, err := g.device.CreateShaderModule(&wgpu.ShaderModuleDescriptor{Label: label, WGSLDescriptor: &wgpu.ShaderModuleWGSLDescriptor{Code: wgsl}})
	if err != nil {
		return pipeline{}, err
	}
	defer module.Release()
	p, err := g.device.CreateComputePipeline(&wgpu.ComputePipelineDescriptor{Label: label, Compute: wgpu.ProgrammableStageDescriptor{Module: module, EntryPoint: "main"}})
	return pipeline{p}, err
}

// ready waits until the kernel is compiled, which newPipeline did.
func (p pipeline) ready() error { return nil }

func (p pipeline) release() { p.p.Release() }

// binding is a range of a buffer for a kernel.
type binding struct {
	buffer       rawBuffer
	offset, size int64
}

// group is the bindings of one dispatch, in the order of their numbers.
type group struct{ g *wgpu.BindGroup }

func (g *gpu) newGroup(p pipeline, bindings []binding) (group, error) {
	layout := p.p.GetBindGroupLayout(0)
	defer layout.Release()
	entries := make([]wgpu.BindGroupEntry, len(bindings))
	for i, b := range bindings {
		entries[i] = wgpu.BindGroupEntry{Binding: uint32(i), Buffer: b.buffer.b, Offset: uint64(b.offset), Size: uint64(b.size)}
	}
	bound, err := g.device.CreateBindGroup(&wgpu.BindGroupDescriptor{Layout: layout, Entries: entries})
	return group{bound}, err
}

func (b group) release() { b.g.Release() }

// recording is the dispatches of a program, in C memory, to be replayed.
type recording struct {
	dispatches []C.realm_dispatch
}

func (g *gpu) newRecording(n int) *recording {
	if n == 0 {
		return &recording{}
	}
	p := C.calloc(C.size_t(n), C.sizeof_realm_dispatch)
	return &recording{unsafe.Slice((*C.realm_dispatch)(p), n)}
}

func (r *recording) set(i int, p pipeline, g group) {
	r.dispatches[i].pipeline = pipelineRef(p.p)
	r.dispatches[i].group = groupRef(g.g)
}

// size sets the workgroups of dispatch i; a zero passes over it.
func (r *recording) size(i int, x, y, z uint32) {
	d := &r.dispatches[i]
	d.x, d.y, d.z = C.uint32_t(x), C.uint32_t(y), C.uint32_t(z)
}

func (r *recording) release() {
	if len(r.dispatches) > 0 {
		C.free(unsafe.Pointer(&r.dispatches[0]))
		r.dispatches = nil
	}
}

// readback is a staging buffer and the state of its mapping.
type readback struct {
	size    int64
	staging rawBuffer
	state   *C.realm_readback
}

func (g *gpu) newReadback(size int64) (*readback, error) {
	staging, err := g.newBuffer("read-back", size, usageStaging)
	if err != nil {
		return nil, err
	}
	return &readback{size, staging, (*C.realm_readback)(C.calloc(1, C.sizeof_realm_readback))}, nil
}

func (r *readback) release() {
	r.staging.release()
	C.free(unsafe.Pointer(r.state))
}

// submit writes the step's data, replays the recording and starts to read size
// bytes of results back: one call, one submission.
func (g *gpu) submit(r *recording, step rawBuffer, data []uint32, results rawBuffer, size int64, to *readback) {
	var first *C.realm_dispatch
	if len(r.dispatches) > 0 {
		first = &r.dispatches[0]
	}
	C.realm_submit(deviceRef(g.device), queueRef(g.queue), first, C.size_t(len(r.dispatches)),
		bufferRef(step.b), unsafe.Pointer(unsafe.SliceData(data)), C.size_t(len(data)*4),
		bufferRef(results.b), bufferRef(to.staging.b), C.size_t(size), to.state)
}

// wait blocks until the submission is done and fills dst with what came back.
func (g *gpu) wait(r *readback, dst []uint32) error {
	status := C.realm_wait(deviceRef(g.device), queueRef(g.queue), bufferRef(r.staging.b), C.size_t(len(dst)*4), unsafe.Pointer(unsafe.SliceData(dst)), r.state)
	if status != 0 {
		return fmt.Errorf("read-back ended with status %d: %w", status, device.ErrLost)
	}
	return nil
}

// read copies a range of a buffer to the host.
func (g *gpu) read(src rawBuffer, offset int64, to *readback, dst []uint32) error {
	g.startRead(src, offset, to, int64(len(dst))*4)
	return g.wait(to, dst)
}

// startRead starts to copy size bytes of a buffer, for wait.
func (g *gpu) startRead(src rawBuffer, offset int64, to *readback, size int64) {
	C.realm_read(deviceRef(g.device), queueRef(g.queue), bufferRef(src.b), C.uint64_t(offset), bufferRef(to.staging.b), C.size_t(size), to.state)
}
