package hostfn

import (
	"errors"
	"io"

	"github.com/realm-webgpu/realm/engine"
	"github.com/realm-webgpu/realm/hostfn/abi"
)

// draft implements realm1.draft(sequences, n, k, mode, out, ticket).
func (c call) draft(a []uint64) abi.Errno {
	if e := c.room(a[5]); e != abi.OK {
		return e
	}
	n, k := a[1], uint32(a[2])
	if n < 1 || n > maxDraftRows || k < 1 || k > abi.MaxDrafts {
		return abi.Inval
	}
	mode := engine.DraftLookup
	switch uint32(a[3]) {
	case abi.DraftLookup:
	case abi.DraftModel:
		mode = engine.DraftModel
	default:
		return abi.Inval
	}
	size, e := c.declared(a[4])
	if e != abi.OK {
		return e
	}
	if size < abi.DraftSize {
		return abi.Inval
	}
	if !inside(c.m, a[4], n*size) {
		return abi.Fault
	}
	if c.Guest.ids, e = c.ints(c.Guest.ids[:0], a[0], n, maxDraftRows); e != abi.OK {
		return e
	}
	requests := make([]engine.DraftRequest, n)
	for i, h := range c.ids {
		s, e := find[*sequence](c.Guest, uint32(h))
		switch {
		case e != abi.OK:
			return e
		case s.tensor != nil:
			return abi.Inval
		case mode == engine.DraftModel && !s.model.Draft:
			return abi.Noent
		}
		requests[i] = engine.DraftRequest{Sequence: s.Sequence, Mode: mode, Tokens: int(k), Notify: c.notify}
	}
	t := &draftTicket{at: a[4], size: size, drafts: make([]abi.Draft, n)}
	t.runs = c.config.Engine.StartDraft(c.ctx, requests...)
	return c.issue(a[5], t)
}

// draftTicket is proposals under way.
type draftTicket struct {
	runs     []*engine.Run // nil: it has ended
	drafts   []abi.Draft
	at, size uint64
}

func (t *draftTicket) done() bool {
	all := true
	for i, run := range t.runs {
		for run != nil {
			o, ok, err := run.Poll()
			if ok {
				t.drafts[i].Tokens = append(t.drafts[i].Tokens, o.Token)
				continue
			}
			if err == nil {
				all = false
				break
			}
			if !errors.Is(err, io.EOF) {
				t.drafts[i].Error = errnoOf(err)
			}
			t.runs[i], run = nil, nil
		}
	}
	return all
}

func (t *draftTicket) cancel() {
	for _, run := range t.runs {
		if run != nil {
			run.Cancel()
		}
	}
}

// deliver writes what was proposed.
func (t *draftTicket) deliver(c call) (bool, abi.Errno) {
	for i := range t.drafts {
		if e := c.head(t.at+uint64(i)*t.size, t.size, t.drafts[i].Append(c.out[:0])); e != abi.OK {
			return false, e
		}
	}
	return false, abi.OK
}

func (t *draftTicket) release() { t.cancel() }
