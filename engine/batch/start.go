package batch

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/realm-webgpu/realm/engine/draft"
)

// errNoSequence is what is wrong with a request of nothing.
var errNoSequence = errors.New("no sequence")

// Start starts requests, each on a sequence of its own, and returns a run for
// each, in order. It does not wait. Those of one call ride in the same step as far
// as they fit. Each run has its own error; ctx, when it is done, ends all of them.
func (s *Scheduler) Start(ctx context.Context, requests ...Request) []*Run {
	runs := make([]*Run, len(requests))
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range requests {
		runs[i] = s.start(ctx, requests[i], false)
	}
	s.signal()
	return runs
}

// StartHeld starts a request of the loop that holds its sequence.
func (s *Scheduler) StartHeld(ctx context.Context, request Request) *Run {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.signal()
	return s.start(ctx, request, true)
}

// start is Start of one request. The caller holds the lock.
func (s *Scheduler) start(ctx context.Context, request Request, held bool) *Run {
	s.numbers++
	r := &Run{scheduler: s, request: request, number: s.numbers, ctx: ctx, wake: make(chan struct{}, 1), start: time.Now()}
	if err := r.begin(held); err != nil {
		r.state, r.err, r.left = ended, err, true
		s.notify(r)
		return r
	}
	s.arrive(r.tenant)
	s.queue(r, false)
	if after := s.timeout; after > 0 {
		r.patience = time.AfterFunc(after, func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			if r.state == waiting && r.admitted == 0 {
				s.end(r, &QueueTimeoutError{After: after})
			}
		})
	}
	if ctx.Done() != nil {
		r.unwatch = context.AfterFunc(ctx, func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.cancel(r, ctx.Err())
		})
	}
	return r
}

// begin checks a run against its sequence as it is, and makes the sequence its own.
func (r *Run) begin(held bool) error {
	if err := r.ctx.Err(); err != nil {
		return err
	}
	q, o := r.request.Sequence, &r.request
	if q == nil {
		return fmt.Errorf("engine: start: %w: %w", errNoSequence, ErrOption)
	}
	m := q.model
	if m.scheduler != r.scheduler {
		return fmt.Errorf("engine: start: a sequence of another engine: %w", ErrOption)
	}
	if err := m.usable(); err != nil {
		return err
	}
	if q.run != nil || q.held != held || q.closed && !held {
		if err := q.free(); err != nil {
			return err
		}
	}
	if err := o.check(m); err != nil {
		return fmt.Errorf("engine: start: %w", err)
	}
	n := len(q.tokens) + len(o.Tokens)
	switch {
	case n-o.Verify < 1:
		return fmt.Errorf("engine: start: %w", ErrEmpty)
	case n > m.context:
		return &ContextError{Need: n, Limit: m.context}
	case o.MaxTokens > 0 && n-o.Verify >= m.context:
		return &ContextError{Need: n - o.Verify + 1, Limit: m.context}
	case m.whole && n > m.chunk:
		return &ContextError{Need: n, Limit: m.chunk}
	case o.Each && o.From >= n:
		return fmt.Errorf("engine: start: from %d of %d tokens: %w", o.From, n, ErrOption)
	}
	r.sequence, r.model, r.tenant = q, m, q.tenant
	r.priority = q.tenant.options.Priority + o.Priority
	if err := r.scheduler.admits(r.tenant); err != nil {
		return err
	}
	if o.MaxTokens > 0 {
		var err error
		if r.chooser, err = m.newChooser(o); err != nil {
			return fmt.Errorf("engine: start: %w", err)
		}
	}
	r.limit = o.MaxTokens
	if o.MaxTokens > 1 && o.Draft.Mode != draft.None {
		if err := r.speculate(); err != nil {
			return err
		}
	}
	q.run = r
	q.shown = n - o.Verify
	q.tokens = append(q.tokens, o.Tokens...)
	r.verify = o.Verify
	if drafts := min(r.verify, m.chunk-1, m.context-q.shown); drafts < r.verify {
		// A step has no room for the others.
		q.tokens = q.tokens[:q.shown+drafts]
		r.verify = drafts
	}
	r.stats.Proposed, r.extra = r.verify, r.verify
	if o.Each {
		q.reread(min(q.read, o.From))
	}
	// Where all was read, the last token is read again for what comes after it.
	q.reread(min(q.read, q.shown-1))
	r.stats.PromptTokens = q.shown
	most := 1
	switch {
	case o.Each:
		most = n - o.From
	case o.MaxTokens > 0:
		most = min(o.MaxTokens, math.MaxInt-draft.MaxTokens) + o.Verify
	}
	r.makeSlots(most)
	return nil
}

// admits reports whether one more run may wait.
func (s *Scheduler) admits(t *Tenant) error {
	if most := t.options.QueueLimit; most > 0 && len(t.queue) >= most {
		return &QueueError{Tenant: t.options.Name, Limit: most}
	}
	if s.queued >= s.options.QueueLimit {
		return &QueueError{Limit: s.options.QueueLimit}
	}
	return nil
}
