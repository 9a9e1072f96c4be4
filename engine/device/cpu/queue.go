package cpu

import (
	"sync"

	"github.com/realm-webgpu/realm/engine/device"
)

// job is a piece of work that has its place in the order of steps.
type job interface {
	run()
	tell() // what came of it to those who wait: with the device's lock held, and behind run
	drop() // instead of both, when the device is closed
}

// action is a job that nobody waits for.
type action func()

func (a action) run()  { a() }
func (a action) tell() {}
func (a action) drop() {}

// barrier is a job that is closed when those before it are over.
type barrier chan struct{}

func (b barrier) run()  {}
func (b barrier) tell() { close(b) }
func (b barrier) drop() { close(b) }

// queue holds jobs for the one goroutine that runs them in order. Its methods
// are called with the device's lock held.
type queue struct {
	ready   sync.Cond // jobs came, or the queue was closed
	idle    sync.Cond // the running job ended
	pending []job
	batch   []job // taken from pending together; the two change places
	running bool
	closed  bool
}

func (q *queue) init(mu *sync.Mutex) { q.ready.L, q.idle.L = mu, mu }

// add appends a job. It does not block.
func (q *queue) add(j job) {
	if q.closed {
		j.drop()
		return
	}
	q.pending = append(q.pending, j)
	q.ready.Signal()
}

// after runs a job that takes no time at once if the queue is empty, else after
// the jobs that are in it.
func (q *queue) after(j job) {
	if q.running || len(q.pending) > 0 {
		q.add(j)
		return
	}
	j.run()
	j.tell()
}

// close waits for the running job and drops the others.
func (q *queue) close() {
	q.closed = true
	q.ready.Signal()
	for q.running {
		q.idle.Wait()
	}
	for _, j := range q.pending {
		j.drop()
	}
	q.pending = nil
}

// work runs the jobs of the device's queue until it is closed.
func (d *Device) work() {
	q := &d.queue
	page := newTurn()
	defer page.end()
	d.mu.Lock()
	defer d.mu.Unlock()
	for {
		for len(q.pending) == 0 && !q.closed {
			q.ready.Wait()
		}
		if q.closed {
			return
		}
		q.pending, q.batch = q.batch[:0], q.pending
		q.running = true
		for i, j := range q.batch {
			q.batch[i] = nil
			if q.closed {
				j.drop()
				continue
			}
			d.mu.Unlock()
			j.run()
			d.mu.Lock()
			// Who has waited for the last job finds nothing running: what is released
			// then is given back at once.
			q.running = i+1 < len(q.batch)
			j.tell()
			d.mu.Unlock()
			page.give()
			d.mu.Lock()
		}
		q.running = false
		q.idle.Broadcast()
	}
}

// release runs an action that frees memory after the steps in flight.
func (d *Device) release(free action) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.closed {
		d.queue.after(free)
	}
}

// take books memory. Where there is too little, what was released behind the
// steps in flight is waited for.
func (d *Device) take(kind device.Kind, name string, n int64) error {
	if d.memory.take(kind, name, n) == nil {
		return nil
	}
	d.Settle()
	return d.memory.take(kind, name, n)
}

// Settle implements [device.Settler].
func (d *Device) Settle() {
	over := make(barrier)
	d.mu.Lock()
	d.queue.after(over)
	d.mu.Unlock()
	<-over
}
