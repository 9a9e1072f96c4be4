package cpu

import (
	"sync"
	"sync/atomic"
)

// pool spreads the items of one task at a time over goroutines that sleep on a
// channel between tasks.
type pool struct {
	size int // workers, the caller of run among them
	wake chan int
	done sync.WaitGroup

	task  task
	items int
	grain int
	next  atomic.Int64 // the first item that nobody has taken
}

// task is work on items that do not depend on each other.
type task interface {
	// do works on the items [first, last). No two calls at a time have the
	// same worker, which is below the size of the pool.
	do(worker, first, last int)
}

func newPool(size int) *pool {
	p := &pool{size: size, wake: make(chan int)}
	for range size - 1 {
		go p.help()
	}
	return p
}

// run does a task of some items, which are handed out grain at a time, and
// returns when all are done. It is called by one goroutine at a time.
func (p *pool) run(t task, items, grain int) {
	chunks := (items + grain - 1) / grain
	helpers := min(p.size, chunks) - 1
	if helpers <= 0 {
		t.do(0, 0, items)
		return
	}
	p.task, p.items, p.grain = t, items, grain
	p.next.Store(0)
	p.done.Add(helpers)
	for worker := range helpers {
		p.wake <- worker + 1
	}
	p.take(0)
	p.done.Wait()
	p.task = nil
}

// help waits for tasks until the pool is closed. A helper may take the part of
// any worker: there is one of each number in a task.
func (p *pool) help() {
	for worker := range p.wake {
		p.take(worker)
		p.done.Done()
	}
}

func (p *pool) take(worker int) {
	for {
		last := int(p.next.Add(int64(p.grain)))
		first := last - p.grain
		if first >= p.items {
			return
		}
		p.task.do(worker, first, min(last, p.items))
	}
}

// close ends the helpers. No task may be running.
func (p *pool) close() { close(p.wake) }
