package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/realm-webgpu/realm/engine/batch"
	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/engine/model"
)

// Options say which device to open and how.
type Options struct {
	// Device is "" or "auto" for the best GPU, or the CPU where there is none;
	// "webgpu" for the best adapter, one that is software too; "webgpu:" and the
	// index of an adapter or part of its name; "cpu"; or "cpu:exact" for the CPU in
	// float32 throughout. Devices lists what there is.
	Device string
	// Memory bounds what is taken on the device, in bytes: what would pass it is a
	// device.MemoryError, before anything of it is taken. 0: no bound, or of the CPU
	// what the machine, or its control group, has.
	Memory int64
	// CacheMemory bounds what the keys and values of all models take on the device, in
	// bytes. 0: no bound but Memory.
	CacheMemory int64
	// AdapterMemory bounds what the adapters of all models take on the device, in
	// bytes: those that nobody uses give way to others. 0: no bound but Memory.
	AdapterMemory int64
	// Threads is the number of goroutines that the CPU device computes with.
	// 0: GOMAXPROCS.
	Threads int
	// CacheDir is the folder for what is remembered from one time to the next:
	// what Tune measured. "": the folder realm in the user's caches; NoCache: none.
	CacheDir string
	// QueueLimit bounds the runs of all tenants that wait for the device; one more is
	// refused with ErrQueueFull. 0: 4096.
	QueueLimit int
	// QueueTimeout bounds how long a run waits to be taken in; see SetQueueTimeout.
	QueueTimeout time.Duration
	// LoseDeviceAfter has the device be lost after so many steps, once, as if its driver
	// had been reset: for tests of what comes then. 0: never.
	LoseDeviceAfter uint64
	// Notice, unless nil, is told of each fallback as it happens: one line that
	// says what was lost and why. Notices has them too.
	Notice func(line string)
}

// Engine is an open device and the models on it.
type Engine struct {
	options       Options
	scheduler     *batch.Scheduler
	notice        func(string)
	adapterBudget *model.AdapterBudget
	cacheBudget   *cacheBudget
	ctx           context.Context // ends with Close
	cancel        context.CancelFunc
	// loading is held to read by what uses the device and the weights on it beside the
	// scheduler's steps and turns, and to write while a lost device is opened again.
	loading sync.RWMutex

	mu      sync.Mutex
	device  device.Device
	closed  bool
	models  []*Model // open, in the order of their loads
	notices []string
}

// Open opens a device. Errors: ErrDevice for a name that is none, naming the
// choices; ErrOption; device.ErrNotFound for an adapter that is not there; and
// what the driver says.
func Open(o Options) (*Engine, error) {
	if o.Memory < 0 || o.CacheMemory < 0 || o.AdapterMemory < 0 || o.Threads < 0 || o.QueueLimit < 0 || o.QueueTimeout < 0 {
		return nil, fmt.Errorf("engine: open: Memory %d, CacheMemory %d, AdapterMemory %d, Threads %d, QueueLimit %d, QueueTimeout %s: %w", o.Memory, o.CacheMemory, o.AdapterMemory, o.Threads, o.QueueLimit, o.QueueTimeout, ErrOption)
	}
	e := &Engine{options: o, notice: o.Notice, adapterBudget: model.NewAdapterBudget(o.AdapterMemory), cacheBudget: &cacheBudget{limit: o.CacheMemory}}
	var err error
	if e.device, err = e.open(o); err != nil {
		return nil, fmt.Errorf("engine: open: %w", err)
	}
	e.ctx, e.cancel = context.WithCancel(context.Background())
	e.scheduler = batch.New(e.device, batch.Options{QueueLimit: o.QueueLimit, Reopen: e.reopen, LoseAfter: o.LoseDeviceAfter})
	e.scheduler.SetQueueTimeout(o.QueueTimeout)
	return e, nil
}

// Device describes the device.
func (e *Engine) Device() device.Info { return e.current().Info() }

// Memory returns what is taken on the device now, and the bound.
func (e *Engine) Memory() device.Memory { return e.current().Memory() }

// Counters returns the device's totals since it was opened, or opened again, all zero
// where it does not count.
func (e *Engine) Counters() device.Counters {
	if d, ok := e.current().(device.Counted); ok {
		return d.Counters()
	}
	return device.Counters{}
}

// SetQueueTimeout bounds how long runs that are started from now on wait to be taken
// in; those that wait longer end with ErrQueueTimeout. 0: no bound.
func (e *Engine) SetQueueTimeout(d time.Duration) { e.scheduler.SetQueueTimeout(d) }

// Notices returns the fallbacks so far, a line each: what was lost and why.
func (e *Engine) Notices() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.notices)
}

// say records a fallback.
func (e *Engine) say(line string) {
	e.mu.Lock()
	e.notices = append(e.notices, line)
	e.mu.Unlock()
	if e.notice != nil {
		e.notice(line)
	}
}

// Close closes the models that are still open, and the device.
func (e *Engine) Close() error {
	e.mu.Lock()
	closed, models := e.closed, e.models
	e.closed, e.models = true, nil
	e.mu.Unlock()
	if closed {
		return nil
	}
	e.cancel()
	var errs []error
	for _, m := range slices.Backward(models) {
		errs = append(errs, m.Close())
	}
	e.scheduler.Close()
	return errors.Join(append(errs, e.current().Close())...)
}

// exclusive calls f while no step of a model is in flight: f may submit steps of
// its own programs, and waits for them. Errors: those of f, ErrClosed, what ended
// the device, and ctx.Err() where f was not called.
func (e *Engine) exclusive(ctx context.Context, f func() error) error {
	return e.scheduler.Exclusive(ctx, f)
}

// adopt adds a model to those that Close closes.
func (e *Engine) adopt(m *Model) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return ErrClosed
	}
	e.models = append(e.models, m)
	return nil
}

// forget takes a model out of those that Close closes.
func (e *Engine) forget(m *Model) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if i := slices.Index(e.models, m); i >= 0 {
		e.models = slices.Delete(e.models, i, i+1)
	}
}
