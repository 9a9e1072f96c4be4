package engine

import (
	"context"
	"fmt"

	"github.com/realm-webgpu/realm/engine/device"
)

// runner gives the device to one sequence at a time. A turn lasts for a step,
// and is never held while the caller of the package has control, so that what
// is done inside a Generate loop can have turns of its own. Steps may stay in
// flight from one turn to a later one.
type runner struct {
	turn chan struct{} // has one while someone has the turn; waiters are served in order

	// Guarded by turn:
	air  []*flight // submitted and not yet waited for, oldest first
	last *flight   // the last one submitted
	err  error     // why the device is of no use any more
}

// flight is a step that was submitted, and in the end its result.
type flight struct {
	executable *executable
	result     device.Result
	inAir      bool
}

func newRunner() *runner {
	return &runner{turn: make(chan struct{}, 1), air: make([]*flight, 0, device.InFlight)}
}

// enter waits for the turn. Errors: ctx.Err(), or what ended the device; the
// turn is then not held.
func (r *runner) enter(ctx context.Context) error {
	// A turn that is free must not win over a ctx that is done.
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case r.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := r.err; err != nil {
		r.leave()
		return err
	}
	return nil
}

// enterAlways waits for the turn, also of a device that is of no use any more,
// to give back what was taken on it.
func (r *runner) enterAlways() { r.turn <- struct{}{} }

// leave gives the turn to the next.
func (r *runner) leave() { <-r.turn }

// submit starts a step. A flight that is still in the air lands first: what it
// brings is lost. The caller has the turn.
func (r *runner) submit(f *flight, e *executable, s *device.Step) error {
	if err := r.land(f); err != nil {
		return err
	}
	if len(r.air) == device.InFlight {
		if err := r.land(r.air[0]); err != nil {
			return err
		}
	}
	if err := e.Submit(s); err != nil {
		return err
	}
	f.executable, f.inAir = e, true
	r.air = append(r.air, f)
	r.last = f
	return nil
}

// land waits for a flight, and for those before it. The caller has the turn.
func (r *runner) land(f *flight) error {
	for r.err == nil && f.inAir {
		next := r.air[0]
		r.air = r.air[:copy(r.air, r.air[1:])]
		if err := next.executable.Wait(&next.result); err != nil {
			// The results of later steps rest on this one's.
			r.err = fmt.Errorf("engine: step: %w", err)
			r.air = r.air[:0]
		}
		next.inAir = false
	}
	return r.err
}

// settle waits for all that is in the air. The caller has the turn.
func (r *runner) settle() {
	for r.err == nil && len(r.air) > 0 {
		r.land(r.air[0])
	}
}
