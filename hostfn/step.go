package hostfn

import (
	"encoding/binary"
	"math"

	"github.com/realm-webgpu/realm/engine"
	"github.com/realm-webgpu/realm/hostfn/abi"
)

// step implements realm1.step(rows, n, ticket).
func (c call) step(a []uint64) abi.Errno {
	if e := c.room(a[2]); e != abi.OK {
		return e
	}
	rows, requests, e := c.rows(a[0], a[1], false)
	if e != abi.OK {
		return e
	}
	c.start(rows, requests)
	t := &stepTicket{guest: c.Guest, rows: rows}
	for _, r := range rows {
		if r.Flags&abi.RowLogits != 0 {
			t.logitBytes += r.logitBytes()
		}
	}
	c.Guest.logitBytes += t.logitBytes
	t.done() // those that are refused need not be kept
	e = c.issue(a[2], t)
	t.number = c.tickets.last
	return e
}

// stepTicket is a step under way.
type stepTicket struct {
	guest      *Guest
	number     uint64
	rows       []*row
	logits     [][][]float32 // [rows][tokens][vocab]
	logitBytes uint64        // that those may take
}

func (t *stepTicket) done() bool {
	all := true
	for i, r := range t.rows {
		for {
			o, ok := r.next()
			if !ok {
				break
			}
			t.collect(i, r, o)
		}
		all = all && r.ended
	}
	return all
}

// collect keeps what an output says, which is valid until the next.
func (t *stepTicket) collect(i int, r *row, o engine.Output) {
	r.accepted = o.Accepted
	if o.Token != engine.NoToken && !r.peeked {
		r.result.Tokens = append(r.result.Tokens, o.Token)
		if r.Flags&abi.RowLogprobs != 0 {
			r.result.Logprobs = append(r.result.Logprobs, o.Logprob)
		}
	}
	if r.Flags&abi.RowTopK != 0 {
		r.result.TopK = len(o.Top)
		r.result.Candidates = candidates(r.result.Candidates, o.Top)
	}
	if r.Flags&abi.RowHidden != 0 {
		r.result.Hidden = append(r.result.Hidden[:0], o.Hidden...)
	}
	if r.Flags&abi.RowLogits != 0 && len(o.Logits) > 0 {
		if t.logits == nil {
			t.logits = make([][][]float32, len(t.rows))
		}
		t.logits[i] = append(t.logits[i], append([]float32(nil), o.Logits...))
	}
}

func (t *stepTicket) cancel() {
	for _, r := range t.rows {
		r.cancel()
	}
}

// deliver writes a result to each row's out.
func (t *stepTicket) deliver(c call) (bool, abi.Errno) {
	var worst abi.Errno
	for _, r := range t.rows {
		c.Guest.tokens += uint64(max(0, len(r.result.Tokens)-1))
		r.result.Error, r.result.Accepted, r.result.Finish = errnoOf(r.err), uint32(r.accepted), r.finish()
		if r.result.Finish == abi.FinishLength {
			r.result.Finish = abi.FinishNone // a step chooses one token, and goes on
		}
		if r.err != nil {
			c.complain("step", r.err)
		}
		if r.Out == 0 && r.Cap == 0 {
			continue
		}
		if r.Cap < abi.ResultSize {
			worst = abi.Inval
			continue
		}
		c.Guest.out = r.result.Append(c.out[:0], r.Cap)
		if e := c.store(r.Out, c.out); e != abi.OK {
			worst = e
		}
	}
	if t.logits != nil {
		if c.logits != nil {
			c.Guest.logitBytes -= c.logits.bytes
		}
		c.Guest.logits = &logits{t.number, t.logits, t.logitBytes}
		t.logitBytes = 0
	}
	return false, worst
}

func (t *stepTicket) release() {
	for _, r := range t.rows {
		r.settle()
	}
	t.guest.logitBytes -= t.logitBytes
}

// logits are the rows that a step has left.
type logits struct {
	ticket uint64
	rows   [][][]float32
	bytes  uint64
}

// readLogits implements realm1.logits(ticket, row, pos, buf, cap).
func (c call) readLogits(a []uint64) abi.Errno {
	i, pos := uint32(a[1]), uint32(a[2])
	if c.logits != nil && a[0] != c.logits.ticket {
		return abi.Badf
	}
	if c.logits == nil || uint64(i) >= uint64(len(c.logits.rows)) || uint64(pos) >= uint64(len(c.logits.rows[i])) {
		return abi.Noent
	}
	row := c.logits.rows[i][pos]
	if a[4] < uint64(4*len(row)) {
		return abi.Toobig
	}
	c.Guest.out = c.out[:0]
	for _, v := range row {
		c.Guest.out = binary.LittleEndian.AppendUint32(c.Guest.out, math.Float32bits(v))
	}
	return c.store(a[3], c.out)
}

func leU32(b []byte) uint32 { return binary.LittleEndian.Uint32(b) }

func leU64(b []byte) uint64 { return binary.LittleEndian.Uint64(b) }
