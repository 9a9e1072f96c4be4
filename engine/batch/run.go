package batch

import (
	"context"
	"fmt"
	"io"
	"time"
)

// maxWaiting is how many outputs of a run wait to be taken. A run that has so many
// rests until some are.
const maxWaiting = 64

// maxRowBytes bounds the rows of logits that wait to be taken, of one run.
const maxRowBytes = 32 << 20

// Run is a Request on its way. Its methods may be called from many goroutines,
// Next and Poll from one at a time.
type Run struct {
	scheduler *Scheduler
	request   Request
	sequence  *Sequence
	model     *Model
	tenant    *Tenant
	priority  int
	number    uint64        // in the order of Start
	wake      chan struct{} // has one when there may be something to take
	unwatch   func() bool   // ends the watch of the context
	patience  *time.Timer   // ends it unless it is taken in before; nil: it may wait
	ctx       context.Context

	// Guarded by the scheduler's lock:
	state    runState
	chooser  chooser
	spec     *speculation // nil: nothing is drafted
	verify   int          // drafts among the last tokens, to be judged
	limit    int          // the tokens that may be chosen; accepted Verify drafts are more
	turn     uint64       // the last step that it was in
	admitted uint64       // the step that it was taken in before
	paged    uint64       // the last plan that took pages for it
	epoch    int          // rows in flight of an older one are void
	ahead    int          // outputs in flight
	lastRow  int          // of those, the place of the last in flight
	flight   *flight      // that it is in
	exact    bool         // the next row must be readable when it lands
	losses   int          // of the device while it was in flight, since something landed
	charged  int          // tokens of the sequence that the tenant was charged for reading
	err      error        // why it ended; nil: well
	reason   FinishReason
	left     bool // the sequence is free of it
	stats    Stats
	start    time.Time
	first    time.Time // when the first token was chosen
	notified bool      // Notify is due
	onEnd    func()    // of a run of the scheduler's own
	unpaid   bool      // no tenant is charged for it
	extra    int       // accepted drafts that do not count: those of Request.Verify

	slots []Output // a ring
	next  int      // the slot to be taken next
	ready int      // slots to be taken
	taken bool     // the slot before next is still in the taker's hands
}

// runState says where a run is.
type runState int

const (
	waiting runState = iota // in its tenant's queue
	running                 // taken in
	ended
)

// Next waits for the next output. Its error is io.EOF once all have been taken of
// a run that ended well, ErrCancelled of one that was cancelled, else what ended
// it; or ctx.Err(), after which Next can be called again.
func (r *Run) Next(ctx context.Context) (Output, error) {
	for {
		if err := ctx.Err(); err != nil {
			return Output{}, err
		}
		o, ok, err := r.Poll()
		if ok || err != nil {
			return o, err
		}
		select {
		case <-r.wake:
		case <-ctx.Done():
			return Output{}, ctx.Err()
		}
	}
}

// Poll returns the next output if there is one, and does not wait. Errors are
// those of Next.
func (r *Run) Poll() (o Output, ok bool, err error) {
	s := r.scheduler
	s.mu.Lock()
	defer s.mu.Unlock()
	full := r.state != ended && r.full()
	r.taken = false
	if r.ready > 0 {
		o = r.slots[r.next]
		r.next = (r.next + 1) % len(r.slots)
		r.ready--
		r.taken = true
		if o.Token != NoToken && r.sequence != nil {
			r.sequence.shown = o.Index + 1
		}
		if r.state == ended && r.ready == 0 {
			s.leave(r)
		}
		if full {
			s.signal()
		}
		return o, true, nil
	}
	if full {
		s.signal()
	}
	if r.state != ended {
		return Output{}, false, nil
	}
	s.leave(r)
	if r.err != nil {
		return Output{}, false, r.err
	}
	return Output{}, false, io.EOF
}

// Cancel ends the run at once, wherever it is. Outputs that were not taken are
// gone, from the sequence too, and the sampler and the constraint are taken back
// to where it ends. It does nothing to a run that has come to its end.
func (r *Run) Cancel() {
	s := r.scheduler
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cancel(r, fmt.Errorf("engine: run: %w", ErrCancelled))
}

// Reason says why the run ended; "" while it has not, and where it did not end well.
func (r *Run) Reason() FinishReason {
	s := r.scheduler
	s.mu.Lock()
	defer s.mu.Unlock()
	return r.reason
}

// Stats returns the measurements so far.
func (r *Run) Stats() Stats {
	s := r.scheduler
	s.mu.Lock()
	defer s.mu.Unlock()
	return r.stats
}

// Sequence returns the sequence of the run.
func (r *Run) Sequence() *Sequence { return r.sequence }

// full reports whether there is no room for another output.
func (r *Run) full() bool { return r.room() <= 0 }

// room returns how many more outputs there is room for, those in flight counted.
func (r *Run) room() int {
	n := len(r.slots) - r.ready - r.ahead
	if r.taken {
		n--
	}
	return n
}

// push returns the next free slot.
func (r *Run) push() *Output {
	o := &r.slots[(r.next+r.ready)%len(r.slots)]
	r.ready++
	*o = Output{Top: o.Top[:0], Hidden: o.Hidden[:0], Logits: o.Logits[:0]}
	return o
}

// makeSlots makes the ring, for as many outputs as may come at most.
func (r *Run) makeSlots(most int) {
	n := min(most, maxWaiting)
	if r.request.Logits {
		n = min(n, max(1, maxRowBytes/(4*r.model.vocab)))
	}
	if r.request.Each && r.model.whole {
		n = most // one step brings them all
	}
	// The one in the taker's hands is kept; a step may bring a draft and one more.
	n = max(n, r.burst()) + 1
	r.slots = make([]Output, n)
}

// burst is the most outputs that a step that chooses must have room for.
func (r *Run) burst() int {
	n := 1 + r.request.Verify
	if r.spec != nil {
		n = max(n, 1+r.spec.length.Most())
	}
	return n
}

// unread returns how many tokens are to be read before the next can be chosen.
func (r *Run) unread() int { return len(r.sequence.tokens) - r.sequence.read }

// notify tells the taker that there is something new. The caller holds the lock.
func (s *Scheduler) notify(r *Run) {
	select {
	case r.wake <- struct{}{}:
	default:
	}
	if r.request.Notify != nil && !r.notified {
		r.notified = true
		s.due = append(s.due, r)
		s.signal()
	}
}

// end takes a run out of the schedule: well, where err is nil and reason is set.
// What it has brought can still be taken. The caller holds the lock.
func (s *Scheduler) end(r *Run, err error) {
	switch r.state {
	case ended:
		return
	case waiting:
		s.unqueue(r)
	case running:
		s.remove(r)
	}
	r.state = ended
	r.err = err
	r.epoch++
	r.ahead = 0
	if r.unwatch != nil {
		r.unwatch()
	}
	r.calm()
	if err != nil && r.verify > 0 {
		r.rejectAll()
	}
	if r.spec != nil {
		r.spec.stop(s)
	}
	q := r.sequence
	q.table.Truncate(q.read)
	q.account()
	s.depart(r.tenant)
	if r.onEnd != nil {
		r.onEnd()
	}
	s.notify(r)
	s.signal()
}

// calm ends the time that a run may wait. The caller holds the lock.
func (r *Run) calm() {
	if r.patience != nil {
		r.patience.Stop()
		r.patience = nil
	}
}

// leave frees the sequence of a run that has ended. The caller holds the lock.
func (s *Scheduler) leave(r *Run) {
	if r.left {
		return
	}
	r.left = true
	q := r.sequence
	if q == nil || q.run != r {
		return
	}
	q.run = nil
	q.shown = len(q.tokens)
}

// cancel ends a run and drops what was not taken. The caller holds the lock.
func (s *Scheduler) cancel(r *Run, err error) {
	s.end(r, err)
	if r.left {
		return
	}
	untaken := 0
	for i := range r.ready {
		if r.slots[(r.next+i)%len(r.slots)].Token != NoToken {
			untaken++
		}
	}
	if r.err == nil && r.ready > 0 {
		r.reason, r.err = "", err
	}
	r.ready = 0
	q := r.sequence
	if untaken > 0 {
		q.cut(len(q.tokens) - untaken)
		r.chooser.rewind(untaken)
	}
	s.leave(r)
}
