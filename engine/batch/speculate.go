package batch

import (
	"context"
	"fmt"

	"github.com/realm-webgpu/realm/engine/draft"
	"github.com/realm-webgpu/realm/engine/sample"
)

// speculation drafts tokens for a run: it appends them to the sequence, where the
// next step reads and judges them.
type speculation struct {
	options  draft.Options
	length   draft.Length
	sampler  *sample.Sampler // of the draft model; nil: greedy
	drafter  *Run            // of the mirror, while it writes
	accepted int             // of the run when the last draft was made
	proposed int
	written  int
	buffer   []int32
}

// speculate makes a run one whose tokens are drafted. Errors: ErrOption where there
// is no draft model.
func (r *Run) speculate() error {
	o := r.request.Draft
	p := &speculation{options: o, length: draft.NewLength(o)}
	if o.Mode == draft.Model {
		d := r.model.draft
		if d == nil {
			return fmt.Errorf("engine: start: drafts of a model, and it has no draft model: %w", ErrOption)
		}
		var err error
		if p.sampler, err = d.draftSampler(r.request.Sampler); err != nil {
			return err
		}
	}
	r.spec = p
	return nil
}

// draftSampler returns a sampler that draws with the numbers of another: where the
// two models agree about a token, so do the draws.
func (m *Model) draftSampler(of *sample.Sampler) (*sample.Sampler, error) {
	if of == nil {
		return nil, nil
	}
	spec := of.Spec()
	// What depends on the text is judged, not drafted.
	spec.RepetitionPenalty, spec.FrequencyPenalty, spec.PresencePenalty, spec.PenaltyWindow = 0, 0, 0, 0
	spec.LogitBias = nil
	return m.NewSampler(spec)
}

// eager reports whether the next token is to be known before the next step is put
// together, so that more can be drafted behind it.
func (p *speculation) eager() bool { return !p.length.Paused() }

// drafting reports whether a draft is being made.
func (r *Run) drafting() bool { return r.spec != nil && r.spec.drafter != nil }

// drafts reports whether the run drafts for another, of the scheduler's own accord.
func (r *Run) drafts() bool { return r.onEnd != nil }

// observe takes note of what a run has written.
func (p *speculation) observe(r *Run) {
	if r.verify > 0 {
		return // not all of the draft is judged
	}
	p.length.Observe(r.stats.Accepted-p.accepted, r.stats.Proposed-p.proposed)
	p.length.Wrote(r.stats.GeneratedTokens - p.written)
	p.accepted, p.proposed, p.written = r.stats.Accepted, r.stats.Proposed, r.stats.GeneratedTokens
}

// draft drafts what comes after the tokens of a run, all of which are known. The
// caller holds the lock.
func (p *speculation) draft(s *Scheduler, r *Run) {
	q, m := r.sequence, r.model
	n := len(q.tokens)
	most := min(r.limit-r.stats.GeneratedTokens-1, m.context-n-1, m.chunk-1)
	if r.verify > 0 || r.unread() != 1 || most < 1 {
		return
	}
	writing := max(1, m.running)
	base := m.cost.of(writing)
	row := max(0, m.cost.of(writing+1)-base)
	each := 0.0
	if p.options.Mode == draft.Model {
		if m.draft == nil {
			return // it was closed; the text goes on without
		}
		each = m.draft.cost.of(1)
	}
	k := min(most, p.length.Next(base, row, each))
	if k < 1 {
		return
	}
	if p.options.Mode == draft.Lookup {
		p.buffer = draft.Find(p.buffer[:0], q.tokens, k)
		r.propose(p.buffer)
		return
	}
	p.drafter = s.startMirror(context.Background(), q, n, Request{MaxTokens: k, Sampler: p.sampler, Priority: r.request.Priority}, func() {
		d := p.drafter
		p.drafter = nil
		if r.state == ended || d == nil {
			return
		}
		p.buffer = p.buffer[:0]
		for i := range d.ready {
			p.buffer = append(p.buffer, d.slots[(d.next+i)%len(d.slots)].Token)
		}
		// Nobody takes them from the run.
		d.ready = 0
		s.leave(d)
		r.propose(p.buffer)
	})
	if p.drafter != nil && p.drafter.state == ended {
		p.drafter = nil // there is no drafting, and no harm
	}
}

// propose appends drafts to the sequence, to be judged.
func (r *Run) propose(drafts []int32) {
	q := r.sequence
	if q.read != len(q.tokens)-1 && q.read != 0 {
		return
	}
	q.tokens = append(q.tokens, drafts...)
	r.verify = len(drafts)
	r.stats.Proposed += len(drafts)
}

// stop ends the drafting of a run that ends.
func (p *speculation) stop(s *Scheduler) {
	if d := p.drafter; d != nil {
		s.cancel(d, ErrCancelled)
		p.drafter = nil
	}
}

// mirror is a sequence of the draft model that has the tokens of another.
type mirror struct {
	sequence *Sequence
}

// SetDraft makes another model the one that drafts for this one; nil: none does.
// Errors: ErrVocabulary where the two have not as many tokens, ErrOption for the
// model itself or one of another scheduler, ErrClosed.
func (m *Model) SetDraft(d *Model) error {
	s := m.scheduler
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := m.usable(); err != nil {
		return err
	}
	if d != nil {
		if d == m || d.scheduler != s || d.encoder {
			return fmt.Errorf("engine: set draft: %w", ErrOption)
		}
		if err := d.usable(); err != nil {
			return err
		}
		if d.vocab != m.vocab {
			return fmt.Errorf("engine: set draft: %d tokens and %d: %w", d.vocab, m.vocab, ErrVocabulary)
		}
	}
	m.dropMirrors()
	m.draft = d
	return nil
}

// HasDraft reports whether there is a model that drafts for this one now.
func (m *Model) HasDraft() bool {
	m.scheduler.mu.Lock()
	defer m.scheduler.mu.Unlock()
	return m.draft != nil
}

// startMirror starts a request on the mirror of a sequence, once that has the first
// n tokens of the sequence. onEnd is called with the lock held, which the caller
// holds too.
func (s *Scheduler) startMirror(ctx context.Context, q *Sequence, n int, request Request, onEnd func()) *Run {
	d := q.model.draft
	if q.mirror == nil {
		q.mirror = &mirror{sequence: d.newSequence(q.tenant)}
	}
	x := q.mirror.sequence
	request.Sequence = x
	if x.run == nil {
		same := 0
		for same < min(n, len(x.tokens)) && x.tokens[same] == q.tokens[same] {
			same++
		}
		x.cut(same)
		request.Tokens = q.tokens[same:n:n]
	}
	r := s.start(ctx, request, false)
	if r.state != ended {
		r.onEnd = onEnd
		r.unpaid = onEnd != nil
	}
	s.signal()
	return r
}

// dropMirror closes the mirror of a sequence.
func (q *Sequence) dropMirror() {
	if q.mirror == nil {
		return
	}
	x := q.mirror.sequence
	q.mirror = nil
	if x.run != nil {
		q.model.scheduler.cancel(x.run, fmt.Errorf("engine: draft: %w", ErrClosed))
	}
	x.closed = true
	x.drop()
}

// dropMirrors closes the mirrors of all sequences of a model.
func (m *Model) dropMirrors() {
	for q := range m.sequences {
		q.dropMirror()
	}
}

// DraftRequest asks for tokens that may come after a sequence, which stays as it is.
type DraftRequest struct {
	Sequence *Sequence
	Mode     draft.Mode // Lookup, or Model
	Tokens   int        // the most, 1 to draft.MaxTokens
	// Sampler, unless nil, draws the tokens that a draft model writes. It is the
	// run's alone while that lasts.
	Sampler *sample.Sampler
	// Notify is that of a Request.
	Notify func()
}

// StartDraft starts drafts, whose runs give the drafted tokens out, and ride in the
// same steps of the draft model as far as they fit. Errors of a run: ErrOption for
// other modes, lengths, or a model without a draft model; ErrBusy while another draft
// of the sequence is made, or a run with Request.Draft writes on it; ErrEmpty,
// ErrClosed, and those of Start.
func (s *Scheduler) StartDraft(ctx context.Context, requests ...DraftRequest) []*Run {
	runs := make([]*Run, len(requests))
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range requests {
		runs[i] = s.startDraft(ctx, &requests[i])
	}
	return runs
}

func (s *Scheduler) startDraft(ctx context.Context, d *DraftRequest) *Run {
	q := d.Sequence
	failed := func(err error) *Run {
		s.numbers++
		r := &Run{scheduler: s, number: s.numbers, wake: make(chan struct{}, 1), state: ended, left: true, err: err}
		r.request.Notify = d.Notify
		s.notify(r)
		return r
	}
	switch {
	case q == nil || q.model.scheduler != s || d.Tokens < 1 || d.Tokens > draft.MaxTokens ||
		d.Mode != draft.Lookup && d.Mode != draft.Model || d.Mode == draft.Model && q.model.draft == nil:
		return failed(fmt.Errorf("engine: draft: %d tokens of mode %v: %w", d.Tokens, d.Mode, ErrOption))
	case q.closed:
		return failed(fmt.Errorf("engine: draft: sequence: %w", ErrClosed))
	case q.shown == 0:
		return failed(fmt.Errorf("engine: draft: %w", ErrEmpty))
	}
	if err := q.model.usable(); err != nil {
		return failed(err)
	}
	if d.Mode == draft.Model {
		return s.startMirror(ctx, q, q.shown, Request{MaxTokens: d.Tokens, Sampler: d.Sampler, Notify: d.Notify}, nil)
	}
	r := failed(nil)
	r.reason = FinishLength
	for i, token := range draft.Find(nil, q.tokens[:q.shown], d.Tokens) {
		r.slots = append(r.slots, Output{Token: token, Index: q.shown + i})
	}
	r.ready = len(r.slots)
	return r
}
