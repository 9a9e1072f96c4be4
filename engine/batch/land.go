package batch

import (
	"fmt"
	"slices"
	"time"
)

// land waits for the oldest step in flight, with the lock free meanwhile, and gives
// out what it brings.
func (s *Scheduler) land() {
	f := s.air[0]
	s.prepare(f)
	s.mu.Unlock()
	err := f.executable.Wait(&f.result)
	s.mu.Lock()
	if len(s.air) == 0 || s.air[0] != f {
		return // the device was given up meanwhile
	}
	if err != nil {
		// The results of later steps rest on this one's.
		if err = fmt.Errorf("engine: step: %w", err); !s.lose(err) {
			s.failAll(err)
		}
		return
	}
	s.air = s.air[:copy(s.air, s.air[1:])]
	f.inAir = false
	s.futile = 0
	now := time.Now()
	began := f.submitted
	if s.landed.After(began) {
		began = s.landed // it waited for the one before it
	}
	s.landed = now
	f.model.cost.observe(f.rows, now.Sub(began))
	for i := range f.entries {
		if e := &f.entries[i]; e.epoch == e.run.epoch {
			s.receive(f, e, now)
		}
	}
}

// prepare finds out what is possible as the next tokens while the device computes.
func (s *Scheduler) prepare(f *flight) {
	for i := range f.entries {
		e := &f.entries[i]
		if r := e.run; e.epoch == r.epoch && e.outputs > 0 && r.limit > 0 {
			if err := r.chooser.prepare(r.model.vocab); err != nil {
				s.end(r, fmt.Errorf("engine: constraint: %w", err))
			}
		}
	}
}

// receive gives a run what its entry brought.
func (s *Scheduler) receive(f *flight, e *entry, now time.Time) {
	r := e.run
	r.ahead -= e.outputs
	if e.outputs == 0 && !e.final {
		return
	}
	if r.stats.Prefill == 0 {
		r.stats.Prefill = now.Sub(r.start)
	}
	var err error
	if r.limit == 0 {
		err = s.giveRows(f, e)
	} else {
		err = s.judge(f, e, now)
	}
	if err != nil {
		if !s.lose(err) {
			s.end(r, err)
		}
		return
	}
	r.losses = 0
	if r.spec != nil && r.state == running {
		r.spec.observe(r)
		if r.ahead == 0 {
			r.spec.draft(s, r)
		}
	}
	s.notify(r)
}

// giveRows gives out what a run that only reads asked for.
func (s *Scheduler) giveRows(f *flight, e *entry) error {
	r := e.run
	for i := range e.outputs {
		o := r.push()
		o.Token, o.Index = NoToken, e.to-e.outputs+i
		if err := r.fill(o, row{f, e.first + i}); err != nil {
			r.ready--
			return err
		}
		r.request.From = o.Index + 1 // it is not given again, should the text be read again
	}
	if !e.final {
		return nil
	}
	if e.outputs == 0 {
		o := r.push()
		o.Token, o.Index = NoToken, e.to-1
	}
	r.reason = FinishLength
	s.end(r, nil)
	return nil
}

// judge chooses the tokens of an entry's rows: the one that comes next, or where
// the last of its tokens are drafts, as many of them as are what is chosen, and
// one more.
func (s *Scheduler) judge(f *flight, e *entry, now time.Time) error {
	r, q := e.run, e.run.sequence
	drafts := e.outputs - 1
	base := e.to - drafts // the place of the first token to be chosen
	for i := 0; i <= drafts; i++ {
		at, w := base+i, row{f, e.first + i}
		c, err := s.choose(r, w, at)
		if err != nil {
			return err
		}
		if c.unread {
			// The row is made again, with what is drafted behind it, and kept.
			r.void()
			q.reread(at - 1)
			r.exact = true
			return nil
		}
		accepted := i < drafts && q.tokens[at] == c.id
		if !accepted {
			q.tokens = append(q.tokens[:at], c.id)
			r.rejected()
		} else {
			r.verify--
			r.accepted()
		}
		ends, err := s.give(r, c, w, accepted, now)
		if err != nil {
			q.tokens = q.tokens[:at]
			q.reread(at)
			r.verify = 0
			return err
		}
		if ends {
			r.rejected()
			q.tokens = q.tokens[:at+1]
			q.reread(at + 1)
			s.end(r, nil)
			return nil
		}
		if accepted {
			continue
		}
		switch {
		case r.ahead > 0 && c.missed:
			r.void() // the next row began with another token
		case r.ahead > 0:
			q.read = at + 1 // by the step that is in flight
		default:
			q.reread(at)
		}
		break
	}
	if r.verify == 0 {
		q.publish()
	}
	return nil
}

// void makes the rows that are in flight ones that nobody wants.
func (r *Run) void() {
	r.epoch++
	r.ahead = 0
}

// accepted counts a draft that was what the sampler chose.
func (r *Run) accepted() {
	r.stats.Accepted++
	if r.extra > 0 {
		r.extra--
		r.limit++ // drafts of the request do not count
	}
}

// rejected takes note that the drafts that are left are not judged any more.
func (r *Run) rejected() { r.verify, r.extra = 0, 0 }

// rejectAll takes the drafts out of the sequence of a run that does not get to
// judge them.
func (r *Run) rejectAll() {
	r.sequence.cut(len(r.sequence.tokens) - r.verify)
	r.verify = 0
}

// give goes on past a token that was chosen and is in the sequence, and gives it
// out. It reports whether the run ends with it; reason says why.
func (s *Scheduler) give(r *Run, c chosen, w row, draft bool, now time.Time) (ends bool, err error) {
	o := r.push()
	o.Token, o.Index, o.Logprob, o.Draft = c.id, 0, c.logprob, draft
	if err = r.fill(o, w); err == nil {
		err = r.chooser.accept(c.id)
	}
	if err != nil {
		r.ready--
		return false, err
	}
	if n := min(r.request.TopK, r.model.vocab); n > 0 {
		o.Top, _ = w.list().TopLogprobs(o.Top, n)
	}
	r.stats.GeneratedTokens++
	if r.stats.GeneratedTokens == 1 {
		r.first, r.stats.FirstToken = now, now.Sub(r.start)
	} else {
		r.stats.Decode = now.Sub(r.first)
	}
	r.charge(0, 1)
	o.Index = r.stats.PromptTokens + r.stats.GeneratedTokens - 1
	o.Accepted, o.Proposed = r.stats.Accepted, r.stats.Proposed
	switch {
	case slices.Contains(r.request.Stop, c.id):
		r.reason = FinishStop
	case r.stats.GeneratedTokens >= r.limit:
		r.reason = FinishLength
	case o.Index+1 == r.model.context:
		r.reason = FinishContext
	}
	return r.reason != "", nil
}

// fill copies the rows that the request asks for to an output.
func (r *Run) fill(o *Output, w row) error {
	x := w.flight.executable
	if r.request.Hidden {
		o.Hidden = slices.Grow(o.Hidden[:0], r.model.width)[:r.model.width]
		if err := x.Read(x.hidden, w.output, o.Hidden); err != nil {
			return err
		}
	}
	if r.request.Logits {
		o.Logits = slices.Grow(o.Logits[:0], r.model.vocab)[:r.model.vocab]
		return x.Read(x.logits, w.output, o.Logits)
	}
	return nil
}
