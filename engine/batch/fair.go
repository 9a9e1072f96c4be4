package batch

import "cmp"

// The virtual token counter of Sheng et al., "Fairness in Serving Large Language
// Models" (OSDI 2024, https://arxiv.org/abs/2401.00588): a tenant's counter is the
// service that it has received over its weight, and who has the lowest goes first.
// One that comes back after it wanted nothing is lifted to the lowest of those that
// are there: time that was not used is not saved up.

// What a token counts. A token chosen takes a pass over the weights of its own,
// tokens read share one: the paper's weights.
const (
	readCost   = 1
	chosenCost = 2
)

// charge counts what a run has received for its tenant.
func (r *Run) charge(read, chosen int) {
	if r.unpaid {
		return
	}
	t := r.tenant
	t.served.Read += int64(read)
	t.served.Chosen += int64(chosen)
	t.counter += (readCost*float64(read) + chosenCost*float64(chosen)) / t.options.Weight
}

// arrive makes a tenant one of those that want the device.
func (s *Scheduler) arrive(t *Tenant) {
	t.active++
	if t.active > 1 {
		return
	}
	if len(s.tenants) > 0 {
		lowest := s.tenants[0].counter
		for _, other := range s.tenants[1:] {
			lowest = min(lowest, other.counter)
		}
		t.counter = max(t.counter, lowest)
	} else {
		t.counter = max(t.counter, s.idleCounter)
	}
	s.tenants = append(s.tenants, t)
}

// depart ends arrive.
func (s *Scheduler) depart(t *Tenant) {
	t.active--
	if t.active > 0 {
		return
	}
	for i, other := range s.tenants {
		if other == t {
			s.tenants = append(s.tenants[:i], s.tenants[i+1:]...)
			break
		}
	}
	if len(s.tenants) == 0 {
		s.idleCounter = t.counter
	}
}

// leeway is how much service a tenant may be ahead of another before that is bounded to
// what rides along: those that are treated alike are ahead of each other by turns.
const leeway = 128

// isAheadOf reports whether a tenant has received so much more than another, which wants
// the device too, that its rows may no longer make the steps of the other long: in a step
// together they take the time of a prompt that rides along at most.
func (t *Tenant) isAheadOf(other *Tenant) bool { return t.counter-other.counter > leeway }

// before reports which of two runs goes first: by priority, then by the counters
// of their tenants. Of the same tenant, those that write come before those that
// read, the former in turns, the latter in the order of their start.
func before(a, b *Run) int {
	if c := outranks(a, b); c != 0 {
		return c
	}
	writes := a.writes()
	switch {
	case writes != b.writes():
		if writes {
			return -1
		}
		return 1
	case writes && a.turn != b.turn:
		return cmp.Compare(a.turn, b.turn)
	}
	return cmp.Compare(a.number, b.number)
}

// rivals is before for runs that may be of several models, which take turns.
func rivals(a, b *Run) int {
	if c := outranks(a, b); c != 0 || a.model == b.model {
		return c
	}
	return cmp.Compare(a.model.turn, b.model.turn)
}

// outranks compares runs by priority and by the counters of their tenants.
func outranks(a, b *Run) int {
	if a.priority != b.priority {
		return cmp.Compare(b.priority, a.priority)
	}
	return cmp.Compare(a.tenant.counter, b.tenant.counter)
}

// seniority orders runs by who gives pages to whom: those of lower priority to
// those of higher, and those that came later to those that came before.
func seniority(a, b *Run) int {
	if a.priority != b.priority {
		return cmp.Compare(b.priority, a.priority)
	}
	return cmp.Compare(a.number, b.number)
}
