// Package cpu is the CPU as a compute backend: the fallback where no GPU is, and
// with Options.Exact the oracle that other backends are compared with.
//
// # Fast
//
// Where package simd has kernels for the processor, weights are packed for them at
// Upload, and activations are rounded to signed bytes, 32 with a scale, before they
// are multiplied with quantised weights: sums of integers are exact in any order,
// and what is left to float32 is added up in one order.
//
// # Exact
//
// Otherwise all is plain Go. Weights keep the bytes of their format and are decoded
// a row at a time, to float32, when they are used. Products and sums of a matrix
// product are float32, in four partial sums over every fourth column. Reductions
// that are not products of matrices (the mean square of a norm, the softmax and the
// weighted sum of values of attention, logsumexp) run in float64, in order.
//
// In both no product is fused with an addition, and a row has the same value to the
// bit whatever is computed beside it, and on every architecture.
//
// Steps run one after another on a goroutine of the device; an operation
// spreads over Options.Workers goroutines, which sleep between steps. A
// step allocates nothing.
package cpu

import (
	"fmt"
	"math"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/engine/device/cpu/simd"
	"github.com/realm-webgpu/realm/shaders/quant"
)

// maxRows is the largest bucket of a Program. A weight row is decoded once for
// all rows of a step; past some hundred rows, decoding is no longer what costs.
const maxRows = 512

// Options are the choices of [New]. The zero value is good.
type Options struct {
	// Budget bounds the memory of all kinds together, in bytes. 0: none.
	Budget int64
	// Workers is the number of goroutines that compute. 0: GOMAXPROCS, which is no
	// more than the quota of the control group that the program runs in.
	Workers int
	// Exact computes in plain Go, in float32 throughout.
	Exact bool
}

// Device is the CPU as a [device.Device].
type Device struct {
	memory account
	pool   *pool
	// arithmetic is that of kernels where the processor has some and Exact was not
	// asked for; kernels is nil otherwise.
	arithmetic arithmetic
	kernels    simd.Kernels
	arena      arena
	f32        *quant.Format
	count      counters

	mu     sync.Mutex
	queue  queue
	closed bool
	lost   atomic.Bool // by Lose
	stop   atomic.Bool // tells the running step that the device is closing, or lost
}

var (
	_ device.Device  = (*Device)(nil)
	_ device.Counted = (*Device)(nil)
	_ device.Sized   = (*Device)(nil)
	_ device.Settler = (*Device)(nil)
	_ device.Losable = (*Device)(nil)
)

// New returns a device, whose goroutines run until Close.
func New(o Options) (*Device, error) {
	if all := simd.All(); len(all) > 0 && !o.Exact {
		return newDevice(o, all[0])
	}
	return newDevice(o, nil)
}

// Arithmetic names what a device computes with unless it is exact: the vector
// instructions of the processor, or plain Go.
func Arithmetic() string {
	if all := simd.All(); len(all) > 0 {
		return all[0].Name()
	}
	return exact{}.Name()
}

// Vectors reports whether Arithmetic is that of vector instructions.
func Vectors() bool { return len(simd.All()) > 0 }

// newDevice returns a device that computes with some kernels, or in plain Go.
func newDevice(o Options, kernels simd.Kernels) (*Device, error) {
	f32, ok := quant.ByName("F32")
	if !ok {
		return nil, fmt.Errorf("cpu: open: %w: shaders/quant has no F32", device.ErrUnsupported)
	}
	workers := o.Workers
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	d := &Device{f32: f32, arithmetic: exact{}}
	if kernels != nil {
		d.kernels, d.arithmetic = kernels, kernels
	}
	d.pool = newPool(workers, d.arithmetic.Pause)
	d.memory.budget = o.Budget
	d.queue.init(&d.mu)
	go d.work()
	return d, nil
}

// Info implements [device.Device].
func (d *Device) Info() device.Info {
	return device.Info{
		Backend:    "cpu",
		Name:       fmt.Sprintf("%s, %s, %d workers", runtime.GOARCH, d.arithmetic.Name(), d.pool.size),
		Driver:     runtime.Version(),
		Software:   true,
		Class:      "cpu",
		MaxBinding: math.MaxInt,
		MaxBuffer:  math.MaxInt,
		MaxRows:    maxRows,

		Int8Activations: d.kernels != nil,
	}
}

// Memory implements [device.Device]. Weights count in full, also where their
// bytes are those of a mapped file.
func (d *Device) Memory() device.Memory { return d.memory.state() }

// Counters implements [device.Counted]. A dispatch is an operation on the rows
// of a step; what is read back and written is copied.
func (d *Device) Counters() device.Counters { return d.count.state() }

// Close stops the device after the operation it is at. Steps in flight are
// lost: waiting for them gives ErrClosed, as does all use of the device and of
// what was made from it.
func (d *Device) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil
	}
	d.closed = true
	d.stop.Store(true)
	d.queue.close()
	d.pool.close()
	d.memory.clear()
	return nil
}

// Lose implements [device.Losable].
func (d *Device) Lose() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.closed {
		d.lost.Store(true)
		d.stop.Store(true)
	}
}

// usable returns ErrLost after Lose and ErrClosed after Close. The caller holds d.mu.
func (d *Device) usable(operation string) error {
	if d.lost.Load() {
		return fmt.Errorf("cpu: %s: %w", operation, device.ErrLost)
	}
	if d.closed {
		return fmt.Errorf("cpu: %s: device: %w", operation, device.ErrClosed)
	}
	return nil
}

// open is usable for those that do not hold d.mu.
func (d *Device) open(operation string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.usable(operation)
}

// counters are device.Counters that goroutines share.
type counters struct {
	submits, dispatches, readBack, written atomic.Uint64
}

func (c *counters) state() device.Counters {
	return device.Counters{
		Submits:    c.submits.Load(),
		Dispatches: c.dispatches.Load(),
		ReadBack:   c.readBack.Load(),
		Written:    c.written.Load(),
	}
}
