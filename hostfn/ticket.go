package hostfn

import (
	"time"

	"github.com/realm-webgpu/realm/hostfn/abi"
)

// tickets are the work that a guest has under way. Numbers are never given out
// again.
type tickets struct {
	open map[uint64]ticket
	last uint64
}

// ticket is work under way.
type ticket interface {
	// done reports whether wait may return it.
	done() bool
	// cancel ends the work early.
	cancel()
	// deliver writes the results of work that is done to the guest. keep says that
	// the ticket lives on: gen_next delivers.
	deliver(c call) (keep bool, e abi.Errno)
	// release gives back what the work holds, once it is over. It waits for that.
	release()
}

// issue makes a ticket and stores its number for the guest.
func (c call) issue(out uint64, t ticket) abi.Errno {
	if c.tickets.open == nil {
		c.Guest.tickets.open = map[uint64]ticket{}
	}
	c.Guest.tickets.last++
	c.tickets.open[c.tickets.last] = t
	return c.u64(out, c.tickets.last)
}

// room reports whether there may be one more ticket, and a place to store it.
func (c call) room(out uint64) abi.Errno {
	if !inside(c.m, out, 8) {
		return abi.Fault
	}
	if len(c.tickets.open) >= c.limits.Tickets {
		return abi.Quota
	}
	return abi.OK
}

// drop forgets a ticket.
func (g *Guest) drop(n uint64) {
	g.tickets.open[n].release()
	delete(g.tickets.open, n)
}

func (t *tickets) close() {
	for n, x := range t.open {
		x.cancel()
		x.release()
		delete(t.open, n)
	}
}

// cancelTicket implements realm1.cancel(ticket).
func (c call) cancelTicket(a []uint64) abi.Errno {
	t, ok := c.tickets.open[a[0]]
	if !ok {
		return abi.Badf
	}
	t.cancel()
	return abi.OK
}

// wait implements realm1.wait(tickets, n, us, which).
func (c call) wait(a []uint64) abi.Errno {
	n := a[1]
	if n < 1 || n > maxWait {
		return abi.Inval
	}
	if !inside(c.m, a[3], 8) {
		return abi.Fault
	}
	b, e := c.bytes(a[0], 8*n, 8*maxWait)
	if e != abi.OK {
		return e
	}
	waited := c.waited[:0]
	for ; len(b) > 0; b = b[8:] {
		number := leU64(b)
		if _, ok := c.tickets.open[number]; !ok {
			return abi.Badf
		}
		waited = append(waited, number)
	}
	c.Guest.waited = waited
	which, e := c.first(waited, a[2])
	if e != abi.OK {
		return e
	}
	if e := c.u64(a[3], uint64(which)); e != abi.OK {
		return e
	}
	t := c.tickets.open[waited[which]]
	keep, e := t.deliver(c)
	if !keep {
		c.drop(waited[which])
	}
	return e
}

// first waits until one of the tickets is done.
func (c call) first(waited []uint64, us uint64) (int, abi.Errno) {
	var timeout <-chan time.Time
	for {
		for i, n := range waited {
			if c.tickets.open[n].done() {
				return i, abi.OK
			}
		}
		if us == 0 {
			return 0, abi.Timedout
		}
		if timeout == nil && us < uint64(c.limits.WallTime/time.Microsecond) {
			timer := time.NewTimer(time.Duration(us) * time.Microsecond)
			defer timer.Stop()
			timeout = timer.C
		}
		since := time.Now()
		select {
		case <-c.wake:
		case <-timeout:
			us = 0
		case <-c.ctx.Done():
		}
		c.usage.Waited += time.Since(since)
		if err := c.alive(); err != nil {
			panic(&Abort{err})
		}
	}
}
