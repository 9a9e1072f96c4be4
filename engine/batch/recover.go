package batch

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/engine/model"
)

// maxLosses is how often a run may be in flight when the device is lost, with nothing
// landed between. One that is once more ends: it may be what the device dies of. And
// it is how often a device may be lost before any step has landed.
const maxLosses = 3

// Reopen opens a device in place of one that was lost, puts the models back onto it
// (see Model.Restore) and gives it to SetDevice. It is called while nothing is in
// flight, from the goroutine that makes steps.
type Reopen func(lost error) error

// SetDevice has steps go to another device from now on. It is for Reopen.
func (s *Scheduler) SetDevice(d device.Device) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.device = d
}

// current returns the device.
func (s *Scheduler) current() device.Device {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.device
}

// Ready returns nil, or why nothing is computed now: a device.ErrLost while the device
// is being opened again, and for good where it could not be; ErrClosed.
func (s *Scheduler) Ready() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return fmt.Errorf("engine: %w", ErrClosed)
	case s.lost != nil:
		return fmt.Errorf("engine: the device is being opened again: %w", s.lost)
	}
	return s.err
}

// Generation returns how often the device was opened again.
func (s *Scheduler) Generation() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.generation
}

// Recover is for those who have met device.ErrLost with the device of a generation:
// it waits until there is another. Errors: that of opening it, ErrClosed, ctx.Err().
func (s *Scheduler) Recover(ctx context.Context, generation uint64, lost error) error {
	s.mu.Lock()
	if s.generation == generation && s.err == nil && !s.closed {
		s.lose(lost)
	}
	over := s.over
	if s.lost == nil {
		defer s.mu.Unlock()
		return s.err
	}
	s.mu.Unlock()
	s.signal()
	select {
	case <-over:
	case <-s.done:
		return fmt.Errorf("engine: %w", ErrClosed)
	case <-ctx.Done():
		return ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// lose takes note of an error that says that the device is lost, and reports whether
// it does. The caller holds the lock, and leaves runs as they are.
func (s *Scheduler) lose(err error) bool {
	if !errors.Is(err, device.ErrLost) {
		return false
	}
	if s.lost == nil && s.err == nil {
		s.lost, s.over = err, make(chan struct{})
	}
	return true
}

// recover has the device opened again. What was in flight is void; all runs go back to
// the queue, are read again from their tokens, and go on as if nothing had been. The
// caller holds the lock, which is free while the device is opened.
func (s *Scheduler) recover() {
	lost := s.lost
	for _, f := range s.air {
		f.inAir = false
		for i := range f.entries {
			if e := &f.entries[i]; e.epoch == e.run.epoch {
				e.run.losses++
			}
		}
	}
	s.air = s.air[:0]
	s.last = nil
	for _, r := range slices.Backward(slices.Clone(s.running)) {
		s.suspend(r)
		if r.losses > maxLosses {
			s.end(r, fmt.Errorf("engine: step: in flight in each of the last %d: %w", r.losses, lost))
		}
	}
	for _, t := range s.turns {
		if !t.always {
			t.err = lost
			close(t.granted)
		}
	}
	s.turns = slices.DeleteFunc(s.turns, func(t *turn) bool { return !t.always })
	programs := s.strip()
	s.mu.Unlock()
	for _, x := range programs {
		x.Release()
	}
	s.futile++
	err := fmt.Errorf("engine: lost %d times without a step between: %w", s.futile, lost)
	if s.futile <= maxLosses {
		err = s.options.Reopen(lost)
	}
	s.mu.Lock()
	s.generation++
	if err == nil {
		s.totals.Recoveries++
	} else {
		s.failAll(err)
	}
	s.lost = nil
	close(s.over)
}

// strip takes all that was on the device from the models: what was computed, and the
// programs, which it returns. The caller holds the lock.
func (s *Scheduler) strip() []*executable {
	var programs []*executable
	for m := range s.models {
		m.last = nil
		for q := range m.sequences {
			q.evict()
		}
		m.pool.Forget()
		for _, x := range m.programs {
			programs = append(programs, x)
		}
		clear(m.programs)
		m.banks = nil
	}
	return programs
}

// Restore gives a model the cache, and the banks, that were made on the device in
// place of the one that was lost. It is for Reopen.
func (m *Model) Restore(cache device.Cache, banks *model.Banks) {
	m.scheduler.mu.Lock()
	defer m.scheduler.mu.Unlock()
	m.cache, m.banks = cache, banks
	m.pool.SetCopier(cache)
}

// Closed reports whether the model was closed.
func (m *Model) Closed() bool {
	m.scheduler.mu.Lock()
	defer m.scheduler.mu.Unlock()
	return m.closed
}
