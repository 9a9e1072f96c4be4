package cpu

import (
	"runtime"
	"sync/atomic"
)

// pool spreads the items of one task at a time over goroutines. Between tasks a
// goroutine looks out for the next for some tens of microseconds, which is longer
// than most operations of a step are apart; then it sleeps on a channel.
type pool struct {
	size  int    // workers, the caller of run among them
	pause func() // lets some nanoseconds pass
	wake  chan struct{}
	quit  chan struct{}

	// open has the number of the task in its upper half, so that no two states are
	// the same, and in the lower one how many chunks nobody has taken yet. What
	// follows stays as it is until all chunks are done.
	open   atomic.Uint64
	task   task
	items  int
	grain  int
	chunks int

	undone atomic.Int64 // chunks that are not done
	asleep atomic.Int64 // goroutines that sleep, or are about to
}

// task is work on items that do not depend on each other.
type task interface {
	// do works on the items [first, last). No two calls at a time have the
	// same worker, which is below the size of the pool.
	do(worker, first, last int)
}

func newPool(size int, pause func()) *pool {
	p := &pool{size: size, pause: pause, wake: make(chan struct{}, size), quit: make(chan struct{})}
	for worker := 1; worker < size; worker++ {
		go p.help(worker)
	}
	return p
}

// run does a task of some items, which are handed out grain at a time, and
// returns when all are done. It is called by one goroutine at a time.
func (p *pool) run(t task, items, grain int) {
	chunks := (items + grain - 1) / grain
	if chunks <= 1 || p.size == 1 {
		if items > 0 {
			t.do(0, 0, items)
		}
		return
	}
	p.task, p.items, p.grain, p.chunks = t, items, grain, chunks
	p.undone.Store(int64(chunks))
	p.open.Store((p.open.Load()>>32+1)<<32 | uint64(chunks))
	for range min(p.asleep.Load(), int64(chunks-1)) {
		select {
		case p.wake <- struct{}{}:
		default: // as many are on their way
		}
	}
	for p.take(0) {
	}
	p.wait(&p.undone)
	p.task = nil
}

// wait returns when a count that others bring down is 0.
func (p *pool) wait(count *atomic.Int64) {
	for i := 1; count.Load() > 0; i++ {
		if i%patience == 0 {
			runtime.Gosched() // the one that is not done may have lost its thread
		}
		p.pause()
	}
}

// patience is how many pauses a goroutine looks out for.
const patience = 300

// help works on tasks until the pool is closed.
func (p *pool) help(worker int) {
	for {
		for i := 0; i < patience; i++ {
			if p.take(worker) {
				i = 0
			}
			p.pause()
		}
		p.asleep.Add(1)
		if uint32(p.open.Load()) == 0 {
			select {
			case <-p.wake:
			case <-p.quit:
				return
			}
		}
		p.asleep.Add(-1)
	}
}

// take does a chunk that nobody has taken, if there is one.
func (p *pool) take(worker int) bool {
	for {
		open := p.open.Load()
		if uint32(open) == 0 {
			return false
		}
		if !p.open.CompareAndSwap(open, open-1) {
			continue
		}
		first := (p.chunks - int(uint32(open))) * p.grain
		p.task.do(worker, first, min(first+p.grain, p.items))
		p.undone.Add(-1)
		return true
	}
}

// close ends the helpers. No task may be running.
func (p *pool) close() { close(p.quit) }
