package cpu

import (
	"fmt"

	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/engine/device/cpu/simd"
)

// executable is a compiled program: kernels with their places in scratch
// memory.
type executable struct {
	device  *Device
	program device.Program // a copy: what the caller changes later does nothing
	topK    int            // of the TopK operation; 0: none
	bytes   int64

	scratch []float32
	offsets []int // of each buffer in scratch
	lanes   []lane
	mixture mixture // of Experts operations
	// activations are rounded by a product that takes them so, for itself.
	activations simd.Activations
	narrow      []float32 // of rows between the halves of their adapters
	kernels     []kernel
	weights     []*weights // those that the kernels read
	cache       *cache     // nil: none
	held        []*storage // that buffers are in

	// Under the device's lock:
	steps    [device.InFlight]*step
	oldest   int // in steps
	inFlight int
	last     *step // the last one waited for
	released bool
}

// Compile implements [device.Device].
func (d *Device) Compile(p *device.Program) (device.Executable, error) {
	if err := d.open("compile"); err != nil {
		return nil, err
	}
	if err := p.Check(maxRows); err != nil {
		return nil, fmt.Errorf("cpu: compile: %w", err)
	}
	e := &executable{device: d, program: *p}
	for _, op := range p.Ops {
		if o, ok := op.(*device.TopK); ok {
			e.topK = o.K
		}
	}
	var elements int
	e.offsets, elements = plan(p)
	size, slots, rounded := laneSizeOf(p), mixtureSizeOf(p), 0
	if d.kernels != nil {
		rounded = activationsOf(p)
	}
	narrow := narrowOf(p)
	e.bytes = 4*int64(elements+narrow) + int64(d.pool.size)*size.bytes() + slots.bytes() + simd.ActivationBytes(rounded) + device.InFlight*stepBytes(p, e.topK)
	if err := d.take(device.KindScratch, p.Name, e.bytes); err != nil {
		return nil, fmt.Errorf("cpu: compile: %w", err)
	}
	e.scratch = make([]float32, elements)
	for range d.pool.size {
		e.lanes = append(e.lanes, size.lane())
	}
	e.mixture = slots.mixture()
	e.activations = simd.NewActivations(rounded)
	e.narrow = make([]float32, narrow)
	for i := range e.steps {
		e.steps[i] = newStep(e)
	}
	if err := e.bind(); err != nil {
		e.unhold()
		d.memory.give(device.KindScratch, e.bytes)
		return nil, fmt.Errorf("cpu: compile %q: %w", p.Name, err)
	}
	return e, nil
}

// bind makes the kernels, from what is behind the program's interfaces.
func (e *executable) bind() error {
	if c := e.program.Cache; c != nil {
		own, ok := c.(*cache)
		if !ok || own.device != e.device {
			return fmt.Errorf("cache of another device: %w", device.ErrProgram)
		}
		e.cache = own
	}
	if err := e.hold(); err != nil {
		return err
	}
	for i, op := range e.program.Ops {
		k, err := e.kernel(op)
		if err != nil {
			return fmt.Errorf("op %d: %w", i, err)
		}
		e.kernels = append(e.kernels, k)
	}
	return e.unreleased()
}

// unreleased returns ErrClosed where the weights or the cache are no more.
func (e *executable) unreleased() error {
	for _, w := range e.weights {
		if w.gone() {
			return fmt.Errorf("weights: %w", device.ErrClosed)
		}
	}
	if e.cache != nil && e.cache.released.Load() {
		return fmt.Errorf("cache: %w", device.ErrClosed)
	}
	return nil
}

// Submit implements [device.Executable].
func (e *executable) Submit(s *device.Step) error {
	d := e.device
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := e.usable("submit"); err != nil {
		return err
	}
	if err := e.unreleased(); err != nil {
		return fmt.Errorf("cpu: submit: %w", err)
	}
	if e.inFlight == len(e.steps) {
		return fmt.Errorf("cpu: submit: %w: %d are in flight, the most there may be", device.ErrStep, e.inFlight)
	}
	if err := e.program.CheckStep(s); err != nil {
		return fmt.Errorf("cpu: submit: %w", err)
	}
	slot := e.steps[(e.oldest+e.inFlight)%len(e.steps)]
	slot.fill(s)
	e.inFlight++
	if e.cache != nil && !e.program.Aside {
		e.cache.choices.Store(int32(slot.choices()))
	}
	d.count.submits.Add(1)
	d.count.written.Add(uint64(slot.written))
	d.queue.add(slot)
	return nil
}

// Wait implements [device.Executable]. ErrStep: nothing is in flight.
func (e *executable) Wait(r *device.Result) error {
	slot, err := e.await()
	if err != nil {
		return err
	}
	if err := <-slot.finished; err != nil {
		return err
	}
	d := e.device
	d.mu.Lock()
	defer d.mu.Unlock()
	e.oldest = (e.oldest + 1) % len(e.steps)
	e.inFlight--
	e.last = slot
	d.count.readBack.Add(uint64(slot.results(r)))
	return nil
}

// await returns the oldest step in flight.
func (e *executable) await() (*step, error) {
	e.device.mu.Lock()
	defer e.device.mu.Unlock()
	if err := e.usable("wait"); err != nil {
		return nil, err
	}
	if e.inFlight == 0 {
		return nil, fmt.Errorf("cpu: wait: %w: none is in flight", device.ErrStep)
	}
	return e.steps[e.oldest], nil
}

// Read implements [device.Executable]. ErrStep marks a view or a row that the
// last step does not have, and a step that is still in flight.
func (e *executable) Read(v device.View, row int, dst []float32) error {
	d := e.device
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := e.usable("read"); err != nil {
		return err
	}
	if e.inFlight > 0 || e.last == nil {
		return fmt.Errorf("cpu: read: %w: %d in flight, or none finished yet", device.ErrStep, e.inFlight)
	}
	if err := e.readable(v); err != nil {
		return fmt.Errorf("cpu: read: %w", err)
	}
	if m := len(e.last.outputs); row < 0 || row >= m || len(dst) != v.Width {
		return fmt.Errorf("cpu: read: %w: row %d of %d, %d elements of %d", device.ErrStep, row, m, len(dst), v.Width)
	}
	b := e.block(v)
	copy(dst, b.Row(row))
	d.count.readBack.Add(4 * uint64(v.Width))
	return nil
}

// readable checks a view that does not come from a checked program.
func (e *executable) readable(v device.View) error {
	buffers := e.program.Buffers
	if v.Buffer < 0 || int(v.Buffer) >= len(buffers) || !buffers[v.Buffer].Outputs || buffers[v.Buffer].Storage != nil {
		return fmt.Errorf("%w: buffer %d is not one of outputs", device.ErrStep, v.Buffer)
	}
	width := buffers[v.Buffer].Width
	if v.Offset < 0 || v.Width < 1 || v.Offset > width || v.Width > width-v.Offset {
		return fmt.Errorf("%w: columns %d to %d of %d", device.ErrStep, v.Offset, v.Offset+v.Width, width)
	}
	return nil
}

// usable returns ErrClosed once the executable or its device is no more. The
// caller holds the device's lock.
func (e *executable) usable(operation string) error {
	if err := e.device.usable(operation); err != nil {
		return err
	}
	if e.released {
		return fmt.Errorf("cpu: %s: executable: %w", operation, device.ErrClosed)
	}
	return nil
}

// Release implements [device.Executable].
func (e *executable) Release() {
	d := e.device
	d.mu.Lock()
	defer d.mu.Unlock()
	if e.released || d.closed {
		return
	}
	e.released = true
	d.queue.after(action(func() {
		e.scratch, e.lanes, e.mixture, e.kernels = nil, nil, mixture{}, nil
		e.activations, e.narrow = simd.Activations{}, nil
		e.unhold()
		d.memory.give(device.KindScratch, e.bytes)
	}))
}
