package batch

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/realm-webgpu/realm/engine/device"
)

// Options are the bounds of a scheduler. Zeros are the defaults.
type Options struct {
	// QueueLimit bounds the runs of all tenants that wait to be taken in; one more
	// is refused with ErrQueueFull. 0: DefaultQueueLimit.
	QueueLimit int
	// Reopen opens the device again when it is lost. nil: all runs end then.
	Reopen Reopen
	// LoseAfter has the device be lost, where it is a device.Losable, after so many
	// steps were submitted, once: for tests. 0: never.
	LoseAfter uint64
}

// DefaultQueueLimit is the QueueLimit of options that do not say.
const DefaultQueueLimit = 4096

// Scheduler puts together the steps of a device.
type Scheduler struct {
	device  device.Device
	options Options
	awake   chan struct{} // has one when there may be something to do
	done    chan struct{} // closed when the loop has ended

	mu      sync.Mutex
	closed  bool
	err     error         // why the device is of no use any more
	lost    error         // why it is to be opened again; nil: it is not
	over    chan struct{} // closed when that is done
	timeout time.Duration // of runs that wait; 0: none
	models  map[*Model]struct{}
	tenant  *Tenant   // the default one
	tenants []*Tenant // those that have runs
	turns   []*turn
	running []*Run // taken in
	queued  int    // runs that wait
	due     []*Run // whose Notify is to be called

	idleCounter float64 // of the last tenant that had runs
	generation  uint64  // how often the device was opened again
	numbers     uint64  // of tenants and runs
	steps       uint64
	plans       uint64

	// Of the loop:
	air     []*flight // submitted and not yet waited for, oldest first
	flights [device.InFlight + 1]flight
	last    *flight // the last one submitted
	step    step
	entries []entry
	calls   []*Run // whose Notify is being called
	landed  time.Time
	futile  int // losses of the device since a step has landed
	totals  Totals
}

// Totals count what a scheduler has done.
type Totals struct {
	Steps       int64 // submitted
	Rows        int64 // of all steps
	Sequences   int64 // of all steps
	Preemptions int64
	Compiles    int64
	Recoveries  int64 // of a device that was lost
}

// New returns the scheduler of a device, which nothing else gives steps to.
func New(d device.Device, o Options) *Scheduler {
	if o.QueueLimit == 0 {
		o.QueueLimit = DefaultQueueLimit
	}
	s := &Scheduler{
		device:  d,
		options: o,
		awake:   make(chan struct{}, 1),
		done:    make(chan struct{}),
		models:  map[*Model]struct{}{},
		air:     make([]*flight, 0, device.InFlight),
	}
	s.tenant = s.newTenant(TenantOptions{Name: "default", Weight: 1})
	go s.loop()
	return s
}

// Totals returns what was done so far.
func (s *Scheduler) Totals() Totals {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.totals
}

// SetQueueTimeout bounds how long runs that are started from now on wait to be taken
// in for the first time. Those that wait longer end with ErrQueueTimeout. 0: no bound.
func (s *Scheduler) SetQueueTimeout(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.timeout = d
}

// Load returns how many runs are taken into steps, and how many wait.
func (s *Scheduler) Load() (running, waiting int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.running), s.queued
}

// Close ends all runs with ErrClosed and closes the models, once nothing is in
// flight. The device stays open.
func (s *Scheduler) Close() {
	s.alone(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.closed = true
		for m := range s.models {
			s.closeModel(m)
		}
	})
	s.signal()
	<-s.done
}

// signal wakes the loop.
func (s *Scheduler) signal() {
	select {
	case s.awake <- struct{}{}:
	default:
	}
}

// turn is someone's time alone with the device.
type turn struct {
	granted chan struct{}
	over    chan struct{}
	always  bool // of a device that is of no use any more, too
	err     error
}

// Exclusive calls f while nothing is in flight: f may submit steps of its own, and
// waits for them. Errors: those of f, ErrClosed, what ended the device, and
// ctx.Err() where f has not been called.
func (s *Scheduler) Exclusive(ctx context.Context, f func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	t := &turn{granted: make(chan struct{}), over: make(chan struct{})}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return fmt.Errorf("engine: %w", ErrClosed)
	}
	if s.lost != nil {
		// Who waits may hold what opening the device again needs.
		defer s.mu.Unlock()
		return fmt.Errorf("engine: %w", s.lost)
	}
	s.turns = append(s.turns, t)
	s.mu.Unlock()
	s.signal()
	defer close(t.over)
	select {
	case <-t.granted:
	case <-ctx.Done():
		return ctx.Err() // the turn is over when it comes
	}
	if t.err != nil {
		return t.err
	}
	err := f()
	if errors.Is(err, device.ErrLost) {
		s.mu.Lock()
		s.lose(err)
		s.mu.Unlock()
	}
	return err
}

// alone is Exclusive for those who give back what was taken: it always comes to
// its turn.
func (s *Scheduler) alone(f func()) {
	t := &turn{granted: make(chan struct{}), over: make(chan struct{}), always: true}
	s.mu.Lock()
	s.turns = append(s.turns, t)
	s.mu.Unlock()
	s.signal()
	select {
	case <-t.granted:
	case <-s.done: // nobody gives turns any more, nor steps
	}
	defer close(t.over)
	f()
}

// loop is the scheduler's goroutine: it lands the oldest step in flight once there
// are as many as there can be, or nothing more to submit.
func (s *Scheduler) loop() {
	defer close(s.done)
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		s.tell()
		switch {
		case s.lost != nil && s.options.Reopen != nil && !s.closed:
			s.recover()
		case s.lost != nil:
			s.giveUp()
		case len(s.turns) > 0:
			s.giveTurn()
		case s.closed:
			return
		case len(s.air) < device.InFlight && s.submit():
		case len(s.air) > 0:
			s.land()
		case len(s.due) == 0:
			s.mu.Unlock()
			<-s.awake
			s.mu.Lock()
		}
	}
}

// giveTurn lands what is in flight and waits for the end of a turn.
func (s *Scheduler) giveTurn() {
	for len(s.air) > 0 {
		s.land()
	}
	s.last = nil
	t := s.turns[0]
	s.turns = s.turns[:copy(s.turns, s.turns[1:])]
	if s.err != nil && !t.always {
		t.err = s.err
	}
	s.mu.Unlock()
	close(t.granted)
	<-t.over
	s.mu.Lock()
}

// tell calls the Notify functions that are due.
func (s *Scheduler) tell() {
	if len(s.due) == 0 {
		return
	}
	s.calls, s.due = s.due, s.calls[:0]
	for _, r := range s.calls {
		r.notified = false
	}
	s.mu.Unlock()
	for i, r := range s.calls {
		r.request.Notify()
		s.calls[i] = nil
	}
	s.mu.Lock()
}

// submit puts a step together and gives it to the device. It reports whether there
// is anything new to look at.
func (s *Scheduler) submit() bool {
	if s.err != nil || s.lost != nil {
		return false
	}
	for _, f := range s.air {
		if f.exact {
			return false
		}
	}
	m, key := s.plan()
	if m == nil {
		return false
	}
	x, ok := m.programs[key]
	if !ok {
		s.compile(m, key)
		return true // the world has gone on meanwhile
	}
	if !s.takePages() {
		return s.lost != nil
	}
	f := s.spare()
	s.steps++
	if s.steps == s.options.LoseAfter {
		if d, ok := s.device.(device.Losable); ok {
			d.Lose()
		}
	}
	s.step.reset()
	f.exact = false
	for i := range s.entries {
		e := &s.entries[i]
		s.step.add(e, key)
		r := e.run
		e.epoch = r.epoch
		f.exact = f.exact || e.outputs > 0 && (r.exact || r.request.Hidden || r.request.Logits)
	}
	// A driver may take its time. Pages that are let go of meanwhile are taken again
	// by later steps only, and those come after this one on the device.
	s.mu.Unlock()
	err := x.Submit(&s.step.Step)
	s.mu.Lock()
	if err != nil {
		s.fail(err)
		return true
	}
	f.model, f.executable, f.inAir, f.rows, f.submitted = m, x, true, len(s.step.Tokens), time.Now()
	f.entries = append(f.entries[:0], s.entries...)
	s.air = append(s.air, f)
	s.last, m.last = f, f
	s.totals.Steps++
	s.totals.Rows += int64(f.rows)
	s.totals.Sequences += int64(len(f.entries))
	for i := range f.entries {
		if e := &f.entries[i]; e.epoch == e.run.epoch { // it has not ended meanwhile
			s.sent(f, e)
		}
	}
	return true
}

// spare returns a flight that is not in the air, and not the last one, whose rows
// may still be asked for.
func (s *Scheduler) spare() *flight {
	for i := range s.flights {
		if f := &s.flights[i]; !f.inAir && f != s.last {
			return f
		}
	}
	panic("batch: more flights than can be in the air")
}

// sent takes note of an entry that was submitted.
func (s *Scheduler) sent(f *flight, e *entry) {
	r, q := e.run, e.run.sequence
	if r.stats.Queued == 0 {
		r.stats.Queued = f.submitted.Sub(r.start)
	}
	r.turn, q.used = s.steps, s.steps
	r.flight = f
	r.exact = false
	r.ahead += e.outputs
	if e.outputs > 0 {
		r.lastRow = e.first + e.outputs - 1
	}
	if e.chosen {
		return
	}
	if to := min(e.to, r.stats.PromptTokens); to > r.charged {
		r.charge(to-r.charged, 0)
		r.charged = to
	}
	q.read = e.to
	if r.verify == 0 {
		q.publish()
	}
}

// compile makes a program while the lock is free, at the cost of others where there
// is no memory for all. A program that cannot be made ends the runs that want it.
func (s *Scheduler) compile(m *Model, key programKey) {
	s.mu.Unlock()
	x, err := m.compile(key)
	s.mu.Lock()
	if s.lose(err) {
		return
	}
	if errors.Is(err, device.ErrMemory) && s.shed() {
		s.mu.Unlock()
		x, err = m.compile(key)
		s.mu.Lock()
	}
	if err != nil {
		s.failEntries(err)
		return
	}
	s.totals.Compiles++
	if m.closed {
		x.Release()
		return
	}
	m.programs[key] = x
}

// shed releases the programs of all models whose results nobody waits for, which are
// made again when they are wanted. It reports whether there were any.
func (s *Scheduler) shed() bool {
	wanted := func(x *executable) bool {
		for _, f := range s.air {
			if f.executable == x {
				return true
			}
		}
		return s.last != nil && s.last.executable == x
	}
	any := false
	for m := range s.models {
		for key, x := range m.programs {
			if !wanted(x) {
				x.Release()
				delete(m.programs, key)
				any = true
			}
		}
	}
	return any
}

// fail ends the runs of the step that was put together, or where the device is of
// no use any more, all of them.
func (s *Scheduler) fail(err error) {
	err = fmt.Errorf("engine: step: %w", err)
	if s.lose(err) {
		return
	}
	if errors.Is(err, device.ErrClosed) {
		s.failAll(err)
		return
	}
	s.failEntries(err)
}

func (s *Scheduler) failEntries(err error) {
	for i := range s.entries {
		s.end(s.entries[i].run, err) // nothing, where it has ended meanwhile
	}
}

// giveUp ends all runs, of a device that is lost and not to be opened again.
func (s *Scheduler) giveUp() {
	s.failAll(s.lost)
	s.lost = nil
	close(s.over)
}

// failAll ends all runs: the device is of no use any more.
func (s *Scheduler) failAll(err error) {
	s.err = err
	for _, f := range s.air {
		f.inAir = false
	}
	s.air = s.air[:0]
	s.last = nil
	for _, r := range s.all() {
		s.end(r, err)
	}
	for m := range s.models {
		m.last = nil
		for q := range m.sequences {
			q.evict()
		}
		m.pool.Forget()
	}
}

// all returns the runs that have not ended.
func (s *Scheduler) all() []*Run {
	all := append([]*Run(nil), s.running...)
	for _, t := range s.tenants {
		all = append(all, t.queue...)
	}
	return all
}

// readable reports whether the rows of a flight that has landed are still there.
func (s *Scheduler) readable(f *flight) bool { return s.last == f && !f.inAir }
