package webgpu

import (
	"cmp"
	"fmt"
	"math"

	"github.com/realm-webgpu/realm/engine/device"
)

// executable replays the dispatches of a program.
type executable struct {
	device      *Device
	program     *device.Program
	cache       *cache
	layout      stepLayout
	held        []*buffer // what Release gives back
	step        *buffer
	results     *buffer // nil without a TopK
	resultWords int     // of an output: see topk_rank.wgsl
	k           int
	plan        plan
	slots       []*buffer

	recording *recording
	groups    []group
	grids     []grid
	readbacks []*readback
	host      []uint32 // the step's data
	back      []uint32 // what came back

	flight   [device.InFlight]int // outputs of the steps in flight
	oldest   int
	inFlight int
	released bool
}

// Submit writes the step and replays the dispatches.
func (e *executable) Submit(s *device.Step) error {
	if err := e.program.CheckStep(s); err != nil {
		return err
	}
	d := e.device
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.check(); err != nil {
		return err
	}
	if e.released {
		return fmt.Errorf("webgpu: submit %q: %w", e.program.Name, device.ErrClosed)
	}
	if e.inFlight == device.InFlight {
		return fmt.Errorf("webgpu: submit %q: %d steps are in flight already: %w", e.program.Name, e.inFlight, device.ErrStep)
	}
	data := e.layout.write(e.host, s)
	rows, outputs, chunks := uint32(len(s.Tokens)), uint32(len(s.Outputs)), e.host[stepChunks]
	for i := range e.grids {
		x, y, z := e.grids[i].size(rows, outputs, chunks)
		e.recording.size(i, x, y, z)
		if x > 0 && y > 0 && z > 0 {
			d.counters.Dispatches++
		}
	}
	at := (e.oldest + e.inFlight) % device.InFlight
	results := d.idle
	if e.results != nil {
		results = e.results
		if e.cache != nil && !e.program.Aside {
			e.cache.choices = int(outputs)
		}
	}
	size := int64(outputs) * int64(e.resultWords) * 4 // no words without a TopK
	d.gpu.submit(e.recording, e.step.raw, data, results.raw, size, e.readbacks[at])
	e.flight[at] = int(outputs)
	e.inFlight++
	d.counters.Submits++
	d.counters.Written += uint64(len(data)) * 4
	d.counters.ReadBack += uint64(size)
	return nil
}

// Wait blocks until the oldest step is done.
func (e *executable) Wait(r *device.Result) error {
	if e.inFlight == 0 {
		return fmt.Errorf("webgpu: wait %q: no step is in flight: %w", e.program.Name, device.ErrStep)
	}
	d := e.device
	d.mu.Lock()
	closed, err := d.closed, d.check()
	d.mu.Unlock()
	if closed {
		e.inFlight = 0
		return fmt.Errorf("webgpu: wait %q: %w", e.program.Name, err)
	}
	outputs := e.flight[e.oldest]
	// The driver is to be done with the memory of a step that is lost, too.
	err = cmp.Or(d.gpu.wait(e.readbacks[e.oldest], e.back[:outputs*e.resultWords]), err)
	e.oldest = (e.oldest + 1) % device.InFlight
	e.inFlight--
	if err != nil {
		return fmt.Errorf("webgpu: wait %q: %w", e.program.Name, err)
	}
	e.unpack(r, outputs)
	return nil
}

// unpack fills r from the words that came back.
func (e *executable) unpack(r *device.Result, outputs int) {
	r.Chosen, r.IDs, r.Logits, r.LogSumExp = r.Chosen[:0], r.IDs[:0], r.Logits[:0], r.LogSumExp[:0]
	if e.results == nil {
		return
	}
	for i := range outputs {
		row := e.back[i*e.resultWords : (i+1)*e.resultWords]
		r.Chosen = append(r.Chosen, int32(row[0]))
		r.LogSumExp = append(r.LogSumExp, math.Float32frombits(row[1]))
		for _, id := range row[4 : 4+e.k] {
			r.IDs = append(r.IDs, int32(id))
		}
		for _, logit := range row[4+e.k : 4+2*e.k] {
			r.Logits = append(r.Logits, math.Float32frombits(logit))
		}
	}
}

// Read copies one row of an output buffer to the host.
func (e *executable) Read(v device.View, row int, dst []float32) error {
	p := e.program
	if v.Buffer < 0 || int(v.Buffer) >= len(p.Buffers) || !p.Buffers[v.Buffer].Outputs || e.plan.slot[v.Buffer] < 0 || p.Buffers[v.Buffer].Storage != nil ||
		row < 0 || row >= p.Outputs || v.Offset < 0 || v.Width < 0 || v.Offset+v.Width > p.Buffers[v.Buffer].Width || len(dst) != v.Width {
		return fmt.Errorf("webgpu: read %q: row %d of %+v into %d elements: %w", p.Name, row, v, len(dst), device.ErrStep)
	}
	offset := int64(row*p.Buffers[v.Buffer].Width+v.Offset) * 4
	return e.device.readFloats(e.slots[e.plan.slot[v.Buffer]], offset, dst)
}

// readFloats reads a range of a buffer through the device's staging memory.
func (d *Device) readFloats(b *buffer, offset int64, dst []float32) error {
	words := make([]uint32, len(dst))
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.check(); err != nil {
		return err
	}
	size := int64(len(dst)) * 4
	if d.reader.size < size {
		grown, err := d.newReadback(size)
		if err != nil {
			return err
		}
		d.releaseReadback(d.reader)
		d.reader = grown
	}
	if err := d.gpu.read(b.raw, offset, d.reader, words); err != nil {
		return fmt.Errorf("webgpu: read: %w", err)
	}
	for i, w := range words {
		dst[i] = math.Float32frombits(w)
	}
	d.counters.Submits++
	d.counters.ReadBack += uint64(size)
	return nil
}

// Release gives back what Compile took.
func (e *executable) Release() {
	if e.released {
		return
	}
	e.released = true
	for e.inFlight > 0 {
		// The results have nowhere to go, and a failure nobody to hear of it, but
		// the driver must be done with the memory that they come back to.
		var r device.Result
		_ = e.Wait(&r)
	}
	d := e.device
	d.mu.Lock()
	if !d.closed {
		for _, g := range e.groups {
			g.release()
		}
	}
	for _, r := range e.readbacks {
		d.releaseReadback(r)
	}
	d.mu.Unlock()
	if e.recording != nil {
		e.recording.release()
	}
	for _, b := range e.held {
		b.release()
	}
}
