package webgpu

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/realm-webgpu/realm/engine/device"
)

// Options say which adapter to open and how.
type Options struct {
	// Adapter is an index in Adapters, or part of an adapter's name; empty is
	// the best there is.
	Adapter string
	// Budget bounds the bytes taken of all kinds; 0 takes as much as the
	// driver gives.
	Budget int64
	// MaxBinding lowers the largest binding, to try how tensors are split.
	MaxBinding int64
	// TuningDir is where Tune remembers what it measured; empty for nowhere.
	TuningDir string
	// Tuning overrides the defaults of the adapter's class, by its fields that
	// are not zero.
	Tuning Tuning
}

// Limits are those of an adapter that matter here: bytes, and counts.
type Limits struct {
	StorageBinding         int64 `json:"storage_binding_bytes"`
	Buffer                 int64 `json:"buffer_bytes"`
	WorkgroupInvocations   int   `json:"workgroup_invocations"`
	WorkgroupMemory        int   `json:"workgroup_memory_bytes"`
	StorageBuffers         int   `json:"storage_buffers"`
	WorkgroupsPerDimension int   `json:"workgroups_per_dimension"`
}

// Adapter describes an adapter that could be opened.
type Adapter struct {
	Index    int    `json:"index"`
	Name     string `json:"name"`
	Driver   string `json:"driver"`
	API      string `json:"api"`  // "vulkan", "metal", "d3d12"
	Kind     string `json:"kind"` // "discrete-gpu", "integrated-gpu", "cpu", ...
	Software bool   `json:"software"`
	Class    string `json:"class"`
	Limits   Limits `json:"limits"`
	// Features are those of WebGPU's optional ones that kernels could be written
	// for, by their names in the specification. The native library has none.
	Features []string `json:"features,omitempty"`
}

// Adapters lists the adapters, in the driver's order.
func Adapters() []Adapter { return listAdapters() }

// choose returns the adapter that the option names, or the best: discrete,
// then integrated, then software.
func choose(list []Adapter, option string) (*Adapter, error) {
	var best *Adapter
	rank := map[string]int{ClassDiscrete: 3, ClassIntegrated: 2, ClassSoftware: 1}
	for i := range list {
		a := &list[i]
		if option != "" && option != fmt.Sprint(a.Index) && !strings.Contains(strings.ToLower(a.Name), strings.ToLower(option)) {
			continue
		}
		if best == nil || rank[a.Class] > rank[best.Class] {
			best = a
		}
	}
	if best == nil {
		if option != "" && len(list) > 0 {
			return nil, fmt.Errorf("webgpu: open: adapter %q: %w (there are %d)", option, device.ErrNotFound, len(list))
		}
		return nil, fmt.Errorf("webgpu: open: no adapter: %w", device.ErrNotFound)
	}
	return best, nil
}

// Device is an open adapter.
type Device struct {
	gpu    *gpu
	info   device.Info
	limits Limits
	tuning Tuning

	mu       sync.Mutex // guards what follows, and the order of submissions
	closed   bool
	lost     error // what the driver said, or that Lose was called; nil: nothing
	account  device.Memory
	kernels  map[string]*kernel
	scratch  []*buffer // slots that programs share, see plan.go
	counters device.Counters
	idle     *buffer // bound where a program has nothing to bind
	reader   *readback
}

var (
	_ device.Device  = (*Device)(nil)
	_ device.Counted = (*Device)(nil)
	_ device.Losable = (*Device)(nil)
)

// Open opens an adapter. Errors: device.ErrNotFound where there is none, or
// none of that name.
func Open(o Options) (*Device, error) {
	g, a, err := openGPU(func(list []Adapter) (*Adapter, error) { return choose(list, o.Adapter) })
	if err != nil {
		return nil, err
	}
	d := &Device{gpu: g, limits: a.Limits, kernels: map[string]*kernel{}, tuning: defaults(a.Class).with(remembered(o.TuningDir, a.Name, a.Driver)).with(o.Tuning)}
	if o.MaxBinding > 0 {
		d.limits.StorageBinding = min(d.limits.StorageBinding, o.MaxBinding)
	}
	d.account.Budget = o.Budget
	d.info = device.Info{
		Backend: "webgpu", Name: a.Name, Driver: a.Driver, Software: a.Software, Class: a.Class,
		MaxBinding: d.limits.StorageBinding, MaxBuffer: d.limits.Buffer, MaxRows: d.tuning.MaxRows,
		Features: a.Features,
	}
	if d.idle, err = d.newBuffer("idle", device.KindScratch, 256, usageStorage); err == nil {
		d.reader, err = d.newReadback(256)
	}
	if err != nil {
		g.close()
		return nil, fmt.Errorf("webgpu: open %s: %w", a.Name, err)
	}
	return d, nil
}

// Info describes the adapter.
func (d *Device) Info() device.Info { return d.info }

// Memory returns the account.
func (d *Device) Memory() device.Memory {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.account
}

// Counters returns the totals since Open.
func (d *Device) Counters() device.Counters {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.counters
}

// Close releases the device. What was made from it must not be used again.
func (d *Device) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil
	}
	d.closed = true
	for _, b := range d.scratch {
		if b != nil {
			b.raw.release()
		}
	}
	for _, k := range d.kernels {
		if k.err == nil {
			k.pipeline.release()
		}
	}
	d.reader.release()
	d.idle.raw.release()
	d.gpu.close()
	return nil
}

// check reports a device that is closed, or whose driver reported a fault.
func (d *Device) check() error {
	if d.lost == nil && !d.closed {
		d.lost = d.gpu.err()
	}
	switch {
	case d.lost != nil:
		return fmt.Errorf("webgpu: %w: %w", device.ErrLost, d.lost)
	case d.closed:
		return fmt.Errorf("webgpu: %w", device.ErrClosed)
	}
	return nil
}

// Lose implements [device.Losable]. The driver goes on, and nobody listens to it.
func (d *Device) Lose() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.lost == nil && !d.closed {
		d.lost = errors.New("a test has lost it")
	}
}
