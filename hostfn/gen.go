package hostfn

import (
	"github.com/realm-webgpu/realm/engine"
	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/hostfn/abi"
)

// gen implements realm1.gen(rows, n, ticket).
func (c call) gen(a []uint64) abi.Errno {
	if e := c.room(a[2]); e != abi.OK {
		return e
	}
	rows, requests, e := c.rows(a[0], a[1], true)
	if e != abi.OK {
		return e
	}
	c.start(rows, requests)
	for _, r := range rows {
		r.look() // those that are refused need not be kept
	}
	return c.issue(a[2], &genTicket{rows: rows, largest: largestEvent(rows)})
}

// genTicket is a gen under way.
type genTicket struct {
	rows  []*row
	start int // the row that is asked first, so that none is left behind
	event abi.Event

	largest int // bytes that an event takes at most
}

// look reports whether the row has something to tell.
func (r *row) look() bool {
	if !r.has && !r.ended {
		r.ahead, r.has = r.next()
	}
	return r.has || r.ended && !r.told
}

// find returns a row that has something to tell, or -1.
func (t *genTicket) find() int {
	for i := range t.rows {
		if n := (t.start + i) % len(t.rows); t.rows[n].look() {
			return n
		}
	}
	return -1
}

// done reports whether there is an event, or none will come any more.
func (t *genTicket) done() bool {
	if t.find() >= 0 {
		return true
	}
	for _, r := range t.rows {
		if !r.told {
			return false
		}
	}
	return true
}

func (t *genTicket) cancel() {
	for _, r := range t.rows {
		r.cancel()
	}
}

func (t *genTicket) deliver(call) (bool, abi.Errno) { return true, abi.OK }

func (t *genTicket) release() {
	for _, r := range t.rows {
		r.settle()
	}
}

// genNext implements realm1.gen_next(ticket, events, cap, count).
func (c call) genNext(a []uint64) abi.Errno {
	t, ok := c.tickets.open[a[0]].(*genTicket)
	if !ok {
		return abi.Badf
	}
	if !inside(c.m, a[1], a[2]) || !inside(c.m, a[3], 8) {
		return abi.Fault
	}
	c.Guest.waited = append(c.waited[:0], a[0])
	if _, e := c.first(c.Guest.waited, abi.Forever); e != abi.OK {
		return e
	}
	c.Guest.out = c.out[:0]
	count, n := uint64(0), -1
	// A token that is looked at is part of its sequence: only what can be told is.
	for count == 0 || uint64(len(c.out)+t.largest) <= a[2] {
		if n = t.find(); n < 0 {
			break
		}
		t.tell(n)
		if uint64(len(c.out)+t.event.Bytes()) > a[2] {
			break
		}
		c.Guest.out = t.event.Append(c.Guest.out)
		t.taken(c.Guest, n)
		count++
	}
	switch {
	case count > 0:
	case n >= 0:
		if e := c.u64(a[3], uint64(t.event.Bytes())); e != abi.OK {
			return e
		}
		return abi.Toobig
	default:
		c.drop(a[0])
		if e := c.u64(a[3], 0); e != abi.OK {
			return e
		}
		return abi.Noent
	}
	if e := c.store(a[1], c.out); e != abi.OK {
		return e
	}
	return c.u64(a[3], count)
}

// largestEvent returns the most bytes that an event of the rows takes.
func largestEvent(rows []*row) int {
	candidates := uint32(0)
	for _, r := range rows {
		if r.Flags&abi.RowTopK != 0 {
			candidates = max(candidates, r.TopK)
		}
	}
	return abi.EventSize + int(candidates)*abi.CandidateSize
}

// tell makes event what a row has to tell.
func (t *genTicket) tell(n int) {
	r := t.rows[n]
	t.event = abi.Event{Row: uint32(n), Candidates: t.event.Candidates[:0]}
	if !r.has {
		t.event.Kind, t.event.Error, t.event.Finish = abi.EventEnd, errnoOf(r.err), r.finish()
		return
	}
	t.event.Kind, t.event.Token = abi.EventToken, r.ahead.Token
	if r.Flags&abi.RowLogprobs != 0 {
		t.event.Logprob = r.ahead.Logprob
	}
	if r.Flags&abi.RowTopK != 0 {
		t.event.Candidates = candidates(t.event.Candidates, r.ahead.Top)
	}
}

// exhaust ends the rows, as there is nothing left for them. Those that have ended by
// themselves, and all of whose tokens were taken, end well.
func (t *genTicket) exhaust(err error) {
	for _, r := range t.rows {
		if r.ended {
			continue
		}
		r.run.Cancel() // drops the tokens that wait to be taken, and the reason with them
		if r.run.Reason() == engine.FinishReason("") {
			r.end()
			r.err = err
		}
	}
}

// taken notes that the guest has been given the event of a row.
func (t *genTicket) taken(g *Guest, n int) {
	r := t.rows[n]
	if !r.has {
		r.told = true
		if r.err != nil {
			g.complain("gen", r.err)
		}
		return
	}
	r.has = false
	t.start = (n + 1) % len(t.rows)
	g.tokens++
	if g.tokens >= g.limits.Tokens {
		t.exhaust(errTokens)
	}
	if r.sequence.Len()%device.PageTokens == 1 && g.pages() > g.limits.Pages {
		t.exhaust(errPages)
	}
}
