package batch

import (
	"errors"
	"fmt"
	"slices"

	"github.com/realm-webgpu/realm/engine/kv"
)

// readiness says whether a run can have rows in the next step.
type readiness int

const (
	rests   readiness = iota // it waits for its taker, or for its last token
	blocked                  // it waits for the step in flight
	ready
)

// plan puts the entries of the next step together, and returns its model and the
// program to be used; nil where no step is to be submitted now.
func (s *Scheduler) plan() (*Model, programKey) {
	s.plans++
	s.admit()
	slices.SortFunc(s.running, before)
	for {
		var first *Run
		for _, r := range s.running {
			if m := r.model; m.tried != s.plans && (first == nil || rivals(r, first) < 0) {
				if _, state := r.entry(m.chunk); state == ready {
					first = r
				}
			}
		}
		if first == nil {
			return nil, programKey{}
		}
		m := first.model
		if key, ok := s.fill(m); ok {
			m.turn = s.plans
			return m, key
		}
		m.tried = s.plans
	}
}

// fill puts a step of one model together: of the runs that write, a row or some
// drafts each, and chunks of the prompts of others as far as time allows.
func (s *Scheduler) fill(m *Model) (key programKey, ok bool) {
	s.entries = s.entries[:0]
	// Of all runs that write, in this step or beside it.
	writing, waiting := 0, 0
	for _, r := range s.running {
		if !r.writes() {
			continue
		}
		switch e, state := r.entry(m.chunk); {
		case state == ready:
			writing += e.to - e.from
		case state == blocked:
			writing++
			if r.model == m {
				waiting++
			}
		}
	}
	chunk := m.cost.chunk(writing, m.chunk) - writing
	if chunk < 1 {
		chunk = max(1, m.chunk/2) // a tenant that is owed service gets it, row for row
	}
	if m.whole {
		chunk = m.chunk
	}
	rows, writes := 0, 0
	var owed *Tenant // who comes first
	share := 0       // rows of a step in which others ride along; 0: none do yet
	for _, r := range s.running {
		if rows >= m.chunk || len(s.entries) >= maxSequences {
			break
		}
		if r.model != m {
			continue
		}
		most := m.chunk - rows
		if !r.writes() {
			most = min(most, chunk)
		}
		if owed != nil && r.tenant.isAheadOf(owed) {
			if share == 0 {
				share = m.cost.chunk(rows, m.chunk)
			}
			most = min(most, share-rows)
		}
		e, state := r.entry(most)
		if state != ready {
			continue
		}
		if owed == nil {
			owed = r.tenant
		}
		s.entries = append(s.entries, e)
		rows += e.to - e.from
		if r.writes() {
			writes++
		} else {
			chunk -= e.to - e.from
		}
	}
	// A step ahead of the one in flight leaves behind those that have to wait for it:
	// steps of half of the texts each take longer than those of all.
	if len(s.entries) == 0 || waiting > 0 && writes <= waiting {
		return programKey{}, false
	}
	return s.key(m, rows), true
}

// key returns the program that can do what the entries ask for.
func (s *Scheduler) key(m *Model, rows int) programKey {
	outputs, c := 0, states
	adapts := false
	for i := range s.entries {
		e := &s.entries[i]
		adapts = adapts || e.run.sequence.adapter != nil
		if e.outputs > 0 {
			outputs += e.outputs
			c = c.with(e.run.needed())
		}
	}
	key := programKey{rows: bucket(rows), adapts: adapts}
	if outputs > 0 {
		key.outputs, key.choice = bucket(outputs), c
	}
	return key
}

// writes reports whether the run writes: it is past its prompt, and its pages were
// not given to others.
func (r *Run) writes() bool {
	return r.ahead > 0 || r.unread() <= 1+r.verify && (r.sequence.read > 0 || r.unread() == 1)
}

// entry returns the rows that the run can have in the next step, most at most.
func (r *Run) entry(most int) (entry, readiness) {
	q := r.sequence
	n := len(q.tokens)
	e := entry{run: r}
	if r.state != running || r.drafting() || r.ahead == 0 && r.full() {
		return e, rests
	}
	if r.ahead > 0 {
		state := r.canLookAhead()
		if state == ready && most < 1 {
			state = rests
		}
		e.from, e.to, e.outputs, e.chosen, e.final = n+r.ahead-1, n+r.ahead, 1, true, true
		return e, state
	}
	e.from = q.read
	if e.from >= n {
		// All is read, and what comes after the last token was not asked for then.
		e.from = n - 1
	}
	outputs := 0 // at the end of the text
	if r.limit > 0 || r.request.Hidden || r.request.Logits {
		outputs = 1 + r.verify
	}
	e.to = min(n, e.from+most)
	if rest := n - e.to; rest > 0 && rest < outputs {
		e.to = n - outputs // those that are judged together stay so
	}
	if e.to <= e.from || r.model.whole && e.to < n {
		return e, rests
	}
	e.final = e.to == n
	room := r.room()
	switch {
	case r.request.Each:
		e.outputs = max(0, e.to-max(e.from, r.request.From))
		if over := e.outputs - room; over > 0 {
			e.to -= over
			e.outputs -= over
			e.final = false
		}
		if e.to <= e.from {
			return e, rests
		}
	case e.final:
		e.outputs = outputs
		if room < max(1, outputs) || e.to-e.from < outputs {
			return e, rests
		}
	}
	return e, ready
}

// canLookAhead reports whether a row can take the token that is in flight.
func (r *Run) canLookAhead() readiness {
	c := &r.chooser
	switch {
	case r.limit == 0 || r.stats.GeneratedTokens+r.ahead >= r.limit || len(r.sequence.tokens)+r.ahead >= r.model.context:
		return rests
	case r.room() < 1:
		return rests
	case r.verify > 0 || r.spec != nil && r.spec.eager() || !c.ahead || c.pause > 0 || c.first != nil ||
		r.request.Hidden || r.request.Logits:
		return blocked
	case r.flight == nil || r.flight != r.model.last || !r.flight.inAir:
		return blocked
	}
	return ready
}

// admit takes waiting runs in: those of the tenant that comes first, as long as
// there are pages for them.
func (s *Scheduler) admit() {
	for s.queued > 0 {
		var first *Run
		for _, t := range s.tenants {
			if r := s.candidate(t); r != nil && (first == nil || before(r, first) < 0) {
				first = r
			}
		}
		if first == nil {
			return
		}
		if !s.hasRoom(first) {
			first.model.full = s.plans
			continue
		}
		s.take(first)
	}
}

// candidate returns the run of a tenant that is to be taken in next: the first whose
// model may have room, and which the tenant may have beside the others; nil where
// there is none. Those that draft for a run that is taken in, which waits for them, do
// not wait for others in their turn.
func (s *Scheduler) candidate(t *Tenant) *Run {
	most := t.options.MaxSequences
	for _, r := range t.queue {
		if r.model.full != s.plans && (r.drafts() || most == 0 || t.running < most) {
			return r
		}
	}
	return nil
}

// hasRoom reports whether there are pages for a run that waits, those of sequences
// that nobody runs counted. A run that is alone finds out by itself.
func (s *Scheduler) hasRoom(r *Run) bool {
	m, q := r.model, r.sequence
	if m.running == 0 {
		return true
	}
	need := q.table.Missing(q.read, min(len(q.tokens)+1, m.context))
	for m.pool.Free() < need {
		if !s.evictIdle(m, nil, q) {
			return false
		}
	}
	return true
}

// take makes a waiting run a running one.
func (s *Scheduler) take(r *Run) {
	s.unqueue(r)
	r.calm()
	r.state = running
	s.running = append(s.running, r)
	if !r.drafts() {
		r.tenant.running++
	}
	r.model.running++
	q := r.sequence
	last := len(q.tokens) - 1 - r.verify
	if r.request.Each {
		last = min(last, r.request.From)
	}
	q.match(last)
	if r.admitted == 0 {
		r.stats.CachedTokens = min(q.read, last)
		r.charged = r.stats.CachedTokens
	}
	r.admitted = s.plans
}

// queue makes a run a waiting one: behind those of its priority, or where it has
// been taken in before, in front of them.
func (s *Scheduler) queue(r *Run, front bool) {
	t := r.tenant
	i := 0
	for i < len(t.queue) && (t.queue[i].priority > r.priority || !front && t.queue[i].priority == r.priority) {
		i++
	}
	t.queue = slices.Insert(t.queue, i, r)
	s.queued++
	r.state = waiting
}

// unqueue ends queue.
func (s *Scheduler) unqueue(r *Run) {
	t := r.tenant
	if i := slices.Index(t.queue, r); i >= 0 {
		t.queue = slices.Delete(t.queue, i, i+1)
		s.queued--
	}
}

// remove ends take.
func (s *Scheduler) remove(r *Run) {
	if i := slices.Index(s.running, r); i >= 0 {
		s.running = slices.Delete(s.running, i, i+1)
		if !r.drafts() {
			r.tenant.running--
		}
		r.model.running--
	}
}

// takePages makes the tokens of the entries their sequences' own. Entries that
// there are no pages for leave the step. It reports whether there are any left.
func (s *Scheduler) takePages() bool {
	// Those that give way last take theirs first.
	slices.SortFunc(s.entries, func(a, b entry) int { return seniority(a.run, b.run) })
	kept := s.entries[:0]
	for _, e := range s.entries {
		r := e.run
		if r.state != running {
			continue // it gave way to another
		}
		if !e.chosen {
			r.sequence.reread(e.from)
		}
		err := s.pages(r, &e)
		r.sequence.account()
		switch {
		case err == nil:
			r.paged = s.plans
			kept = append(kept, e)
		case s.lose(err):
			return false
		case !errors.Is(err, kv.ErrPages):
			s.end(r, err)
		case e.chosen:
			// The text may end with the token that is in flight: not yet an error.
		case r.state == running:
			s.end(r, err)
		}
	}
	s.entries = kept
	return len(kept) > 0
}

// pages takes the pages of an entry, from others where there are none free.
func (s *Scheduler) pages(r *Run, e *entry) error {
	q := r.sequence
	for {
		own, err := s.overLimit(r, e)
		if err == nil {
			if err = q.table.Write(e.from, e.to); err == nil || !errors.Is(err, kv.ErrPages) {
				return err
			}
		}
		if e.chosen {
			return err
		}
		if !s.reclaim(r, own) {
			return err
		}
		if r.state != running {
			return err // it has given way itself
		}
	}
}

// overLimit returns an error where the tenant would have more pages than it may,
// and the tenant, whose pages are then to be given back.
func (s *Scheduler) overLimit(r *Run, e *entry) (*Tenant, error) {
	t, q := r.tenant, r.sequence
	most := t.options.MaxPages
	if most == 0 {
		return nil, nil
	}
	held := 0
	for other := range r.model.sequences {
		if other.tenant == t {
			held += other.pages
		}
	}
	need := max(0, pagesOf(e.to)-len(q.table.Pages()))
	if held+need <= most {
		return nil, nil
	}
	return t, fmt.Errorf("engine: tenant %s: %w", t.options.Name, &kv.PagesError{Need: need, Free: max(0, most-held), Total: most})
}

// reclaim frees pages for a run: those of sequences that nobody runs, the least
// recently used first; of runs that wait for their takers; of the run that came
// last among those of lower or the same priority; and if that is the run itself
// while others go on, its own. With own, all are to be of that tenant. It reports
// whether there is anything to try again for.
func (s *Scheduler) reclaim(r *Run, own *Tenant) bool {
	m := r.model
	if s.evictIdle(m, own, r.sequence) {
		return true
	}
	var victim *Run
	others := false
	for _, x := range s.running {
		if x == r || x.model != m || own != nil && x.tenant != own || len(x.sequence.table.Pages()) == 0 {
			continue
		}
		others = true
		if x.paged == s.plans {
			continue // it is in the step already
		}
		if seniority(x, r) > 0 && (victim == nil || seniority(x, victim) > 0) {
			victim = x
		}
	}
	switch {
	case victim != nil:
		s.preempt(victim)
		return true
	case others:
		s.preempt(r)
		return true
	}
	return false
}

// evictIdle gives back the pages of the sequence that nobody runs, or whose run
// waits for its taker, and that was used the longest ago. It reports whether there
// was one.
func (s *Scheduler) evictIdle(m *Model, own *Tenant, but *Sequence) bool {
	var idle *Sequence
	for q := range m.sequences {
		if q == but || len(q.table.Pages()) == 0 || own != nil && q.tenant != own {
			continue
		}
		if r := q.run; r != nil && r.state == running && (r.ahead > 0 || !r.full()) {
			continue
		}
		if idle == nil || q.used < idle.used {
			idle = q
		}
	}
	if idle == nil {
		return false
	}
	idle.evict()
	return true
}

// preempt gives the pages of a run to others. It waits until there are pages again,
// is read again, and goes on as if nothing had been.
func (s *Scheduler) preempt(r *Run) {
	s.suspend(r)
	r.stats.Preemptions++
	s.totals.Preemptions++
}

// suspend makes a running run one that waits, without pages.
func (s *Scheduler) suspend(r *Run) {
	s.remove(r)
	r.epoch++
	r.ahead = 0
	r.flight = nil
	r.sequence.evict()
	s.queue(r, true)
	s.signal()
}
