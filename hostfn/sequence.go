package hostfn

import (
	"encoding/binary"

	"github.com/realm-webgpu/realm/engine"
	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/hostfn/abi"
)

// sequence is a sequence that a guest has opened. It is for steps until operations
// use it, and for them alone from then on.
type sequence struct {
	*engine.Sequence
	guest  *Guest
	model  *Model
	cached int                    // tokens that the index of prefixes had for the last run
	rows   int                    // of steps and of gen, that have not ended
	closed bool                   // its handle
	tensor *engine.TensorSequence // nil: no operation has used it
	// reserved are the pages that operations under way may take it to.
	reserved int
}

// close gives the sequence back, once the rows that have it have ended.
func (s *sequence) close() {
	s.closed = true
	if s.rows > 0 {
		if s.guest.leaving == nil {
			s.guest.leaving = map[*sequence]struct{}{}
		}
		s.guest.leaving[s] = struct{}{}
		return
	}
	delete(s.guest.leaving, s)
	s.Sequence.Close()
	if s.tensor != nil {
		s.tensor.Close()
	}
}

// leave takes note of the end of a row.
func (s *sequence) leave() {
	s.rows--
	if s.closed && s.rows == 0 {
		s.close()
	}
}

// pages returns the cache pages that the sequence has, or is about to.
func (s *sequence) pages() int {
	n := pagesOf(s.Len())
	if s.tensor != nil {
		n += max(s.tensor.Pages(), s.reserved)
	}
	return n
}

// newSequence returns an empty sequence of the guest's tenant.
func (g *Guest) newSequence(m *Model) (*engine.Sequence, error) {
	if g.config.Tenant != nil {
		return g.config.Tenant.NewSequence(m.Engine)
	}
	return m.Engine.NewSequence()
}

// pages returns the cache pages that the guest's sequences have, shared ones
// counted each time.
func (g *Guest) pages() int {
	n := 0
	for _, h := range g.handles.open {
		if s, ok := h.(*sequence); ok {
			n += s.pages()
		}
	}
	for s := range g.leaving {
		n += s.pages()
	}
	return n
}

// seqOpen implements realm1.seq_open(model, flags, out).
func (c call) seqOpen(a []uint64) abi.Errno {
	m, e := find[openModel](c.Guest, uint32(a[0]))
	if e != abi.OK {
		return e
	}
	if uint32(a[1])&^abi.SeqNoPrefix != 0 {
		return abi.Inval
	}
	s, err := c.newSequence(m.Model)
	if err != nil {
		return errnoOf(err)
	}
	if uint32(a[1])&abi.SeqNoPrefix != 0 {
		s.NoPrefix()
	}
	return c.addTo(a[2], &sequence{Sequence: s, guest: c.Guest, model: m.Model})
}

// seqFork implements realm1.seq_fork(sequence, n, outs).
func (c call) seqFork(a []uint64) abi.Errno {
	s, e := find[*sequence](c.Guest, uint32(a[0]))
	if e != abi.OK {
		return e
	}
	n := a[1]
	if n < 1 || n > maxForks {
		return abi.Inval
	}
	if !inside(c.m, a[2], 4*n) {
		return abi.Fault
	}
	if c.handleCount()+int(n) > c.limits.Handles || c.pages()+int(n)*s.pages() > c.limits.Pages {
		return abi.Quota
	}
	c.Guest.out = c.Guest.out[:0]
	var made []uint32
	undo := func(e abi.Errno) abi.Errno {
		for _, h := range made {
			c.remove(h)
		}
		return e
	}
	for range n {
		fork, err := s.fork()
		if err != nil {
			return undo(errnoOf(err))
		}
		h, e := c.add(fork)
		if e != abi.OK {
			fork.close()
			return undo(e)
		}
		made = append(made, h)
		c.Guest.out = binary.LittleEndian.AppendUint32(c.Guest.out, h)
	}
	return c.store(a[2], c.out)
}

// fork returns a sequence of the same tokens.
func (s *sequence) fork() (*sequence, error) {
	f, err := s.Sequence.Fork()
	if err != nil {
		return nil, err
	}
	fork := &sequence{Sequence: f, guest: s.guest, model: s.model, cached: s.cached}
	if s.tensor != nil {
		if fork.tensor, err = s.tensor.Fork(); err != nil {
			f.Close()
			return nil, err
		}
	}
	return fork, nil
}

func pagesOf(tokens int) int { return (tokens + device.PageTokens - 1) / device.PageTokens }

// seqTruncate implements realm1.seq_truncate(sequence, len).
func (c call) seqTruncate(a []uint64) abi.Errno {
	s, e := find[*sequence](c.Guest, uint32(a[0]))
	if e != abi.OK {
		return e
	}
	if s.tensor != nil {
		if a[1] > uint64(s.tensor.Len()) {
			return abi.Inval
		}
		return errnoOf(s.tensor.Truncate(int(a[1])))
	}
	if a[1] > uint64(s.Len()) {
		return abi.Inval
	}
	return errnoOf(s.Truncate(int(a[1])))
}

// seqStat implements realm1.seq_stat(sequences, n, out).
func (c call) seqStat(a []uint64) abi.Errno {
	n := a[1]
	if n < 1 || n > maxRows {
		return abi.Inval
	}
	size, e := c.declared(a[2])
	if e != abi.OK {
		return e
	}
	if !inside(c.m, a[2], n*size) {
		return abi.Fault
	}
	if c.Guest.ids, e = c.ints(c.Guest.ids[:0], a[0], n, maxRows); e != abi.OK {
		return e
	}
	for i, h := range c.ids {
		stat := abi.SeqStat{Error: abi.Badf}
		if s, e := find[*sequence](c.Guest, uint32(h)); e == abi.OK {
			stat = abi.SeqStat{Length: uint64(s.Len()), Read: uint64(s.Cached()), Cached: uint64(s.cached), Busy: s.Busy()}
			if s.tensor != nil {
				stat.Length = uint64(s.tensor.Len())
				stat.Read = stat.Length
			}
		}
		if e := c.head(a[2]+uint64(i)*size, size, stat.Append(c.out[:0])); e != abi.OK {
			return e
		}
	}
	return abi.OK
}

// seqSave implements realm1.seq_save(sequence, key, n, ttl).
func (c call) seqSave(a []uint64) abi.Errno {
	s, e := find[*sequence](c.Guest, uint32(a[0]))
	if e != abi.OK {
		return e
	}
	key, e := c.name(a[1], a[2])
	switch {
	case e != abi.OK:
		return e
	case key == "" || s.tensor != nil:
		return abi.Inval
	case c.config.Saved == nil:
		return abi.Perm
	}
	return errnoOf(c.config.Saved.put(s, key, a[3]))
}

// seqLoad implements realm1.seq_load(model, key, n, out).
func (c call) seqLoad(a []uint64) abi.Errno {
	m, e := find[openModel](c.Guest, uint32(a[0]))
	if e != abi.OK {
		return e
	}
	key, e := c.name(a[1], a[2])
	switch {
	case e != abi.OK:
		return e
	case key == "":
		return abi.Inval
	case c.config.Saved == nil:
		return abi.Perm
	}
	if !inside(c.m, a[3], 4) {
		return abi.Fault
	}
	s, e := c.config.Saved.take(m.Model, key)
	if e != abi.OK {
		return e
	}
	if c.pages()+pagesOf(s.Len()) > c.limits.Pages {
		s.Close()
		return abi.Quota
	}
	return c.addTo(a[3], &sequence{Sequence: s, guest: c.Guest, model: m.Model})
}
