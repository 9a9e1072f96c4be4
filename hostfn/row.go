package hostfn

import (
	"errors"
	"io"

	"github.com/realm-webgpu/realm/engine"
	"github.com/realm-webgpu/realm/engine/sample"
	"github.com/realm-webgpu/realm/hostfn/abi"
)

// row is a row of a step or of gen on its way.
type row struct {
	abi.Row
	usage    *Usage
	sequence *sequence
	sampler  *sampler
	grammar  *grammarState
	run      *engine.Run // nil: it has not begun, or has ended
	ended    bool
	err      error
	reason   engine.FinishReason
	ahead    engine.Output // of gen: the next to be told
	has      bool          // there is one
	told     bool          // the end
	peeked   bool          // the one token that the engine chooses is not the guest's
	seen     bool          // that token was given

	result   abi.Result
	accepted int
}

// rows reads rows of the guest, and what they point to, into requests.
func (c call) rows(at, n uint64, gen bool) ([]*row, []engine.Request, abi.Errno) {
	if n < 1 || n > uint64(c.limits.Rows) {
		return nil, nil, abi.Inval
	}
	size, e := c.declared(at)
	if e != abi.OK {
		return nil, nil, e
	}
	if !inside(c.m, at, n*size) {
		return nil, nil, abi.Fault
	}
	rows := make([]*row, 0, n)
	requests := make([]engine.Request, n)
	for i := range requests {
		b, e := c.bytes(at+uint64(i)*size, size, abi.MaxStruct)
		if e != abi.OK {
			letGo(rows)
			return nil, nil, e
		}
		r := &row{usage: &c.Guest.usage}
		r.Row.Decode(b)
		if e := c.request(r, &requests[i], gen); e != abi.OK {
			letGo(rows)
			return nil, nil, e
		}
		r.hold()
		rows = append(rows, r)
	}
	if e := c.afford(rows, requests, gen); e != abi.OK {
		letGo(rows)
		return nil, nil, e
	}
	return rows, requests, abi.OK
}

// hold takes what is the row's alone until it ends.
func (r *row) hold() {
	r.sequence.rows++
	if r.sampler != nil {
		r.sampler.rows++
	}
	if r.grammar != nil {
		r.grammar.busy = true
		r.grammar.of.use()
	}
}

// letGo ends hold.
func (r *row) letGo() {
	r.sequence.leave()
	if r.sampler != nil {
		r.sampler.rows--
	}
	if r.grammar != nil {
		r.grammar.busy = false
		r.grammar.of.drop()
	}
}

// letGo ends hold for rows that are not started.
func letGo(rows []*row) {
	for _, r := range rows {
		r.letGo()
	}
}

// request makes the request of a row.
func (c call) request(r *row, q *engine.Request, gen bool) abi.Errno {
	var e abi.Errno
	if r.sequence, e = find[*sequence](c.Guest, r.Sequence); e != abi.OK {
		return e
	}
	const known = abi.RowVerify | abi.RowTopK | abi.RowLogprobs | abi.RowHidden | abi.RowNoSample | abi.RowLogits
	switch {
	case r.sequence.tensor != nil, r.Flags&^known != 0,
		gen && r.Flags&(abi.RowVerify|abi.RowHidden|abi.RowNoSample|abi.RowLogits) != 0,
		r.Flags&abi.RowVerify != 0 && (r.Flags&abi.RowNoSample != 0 || r.Drafts < 1 || r.Drafts > abi.MaxDrafts || uint64(r.Drafts) > r.N),
		r.Flags&abi.RowTopK != 0 && (r.TopK < 1 || r.TopK > 64),
		r.StopCount > maxStops:
		return abi.Inval
	case r.Flags&abi.RowTopK != 0 && !c.has(abi.CapTopK),
		r.Flags&abi.RowHidden != 0 && !c.has(abi.CapHidden),
		r.Flags&abi.RowLogits != 0 && !c.has(abi.CapLogits):
		return abi.Perm
	}
	if !gen && (r.Out != 0 || r.Cap != 0) {
		if r.Cap < abi.ResultSize {
			return abi.Inval
		}
		if !inside(c.m, r.Out, r.Cap) {
			return abi.Fault
		}
	}
	*q = engine.Request{Sequence: r.sequence.Sequence, Notify: c.notify}
	if r.N > maxTokens {
		return abi.Inval
	}
	if !inside(c.m, r.Tokens, 4*r.N) {
		return abi.Fault
	}
	// What is past the context is refused by the engine, and need not be kept until then.
	if q.Tokens, e = c.ints(nil, r.Tokens, min(r.N, uint64(r.sequence.model.Engine.Context())+1), maxTokens); e != abi.OK {
		return e
	}
	if e := c.handlesOf(r, q); e != abi.OK {
		return e
	}
	if e := c.maskOf(r, q); e != abi.OK {
		return e
	}
	if q.Stop, e = c.ints(nil, r.Stop, uint64(r.StopCount), maxStops); e != abi.OK {
		return e
	}
	q.MaxTokens = 1
	if gen {
		left := c.limits.Tokens - min(c.tokens, c.limits.Tokens)
		if left == 0 {
			return abi.Quota
		}
		q.MaxTokens = int(min(left, 1<<30))
		if r.MaxTokens > 0 {
			q.MaxTokens = int(min(r.MaxTokens, uint64(q.MaxTokens)))
		}
	}
	if r.Flags&abi.RowVerify != 0 {
		q.Verify = int(r.Drafts)
	}
	if r.Flags&abi.RowTopK != 0 {
		q.TopK = int(r.TopK)
	}
	q.Logprobs = r.Flags&abi.RowLogprobs != 0
	q.Hidden = r.Flags&abi.RowHidden != 0
	q.Logits = r.Flags&abi.RowLogits != 0
	if r.Flags&abi.RowNoSample != 0 {
		// Candidates come with a token, which leaves the sequence again.
		r.peeked = q.TopK > 0
		q.Sampler, q.Constraint, q.Mask, r.sampler, r.grammar = nil, nil, nil, nil, nil
		if !r.peeked {
			q.MaxTokens = 0
		}
	}
	return abi.OK
}

// handlesOf finds the sampler, the grammar and the adapter of a row.
func (c call) handlesOf(r *row, q *engine.Request) abi.Errno {
	if r.Sampler != 0 {
		s, e := find[*sampler](c.Guest, r.Sampler)
		if e != abi.OK {
			return e
		}
		if s.ops > 0 {
			return abi.Busy
		}
		r.sampler, q.Sampler = s, s.Sampler
	}
	if r.Grammar != 0 {
		g, e := find[*grammarState](c.Guest, r.Grammar)
		if e != abi.OK {
			return e
		}
		if g.busy {
			return abi.Busy
		}
		r.grammar, q.Constraint = g, g.constraint()
	}
	return c.adapterOf(r)
}

// maskOf reads the mask of a row.
func (c call) maskOf(r *row, q *engine.Request) abi.Errno {
	if r.Mask == 0 {
		return abi.OK
	}
	q.Mask = sample.NewMask(r.sequence.model.Engine.Config().VocabularySize)
	b, e := c.bytes(r.Mask, uint64(4*len(q.Mask)), maxText)
	for i := range b[:len(b)&^3] {
		if i%4 == 0 {
			q.Mask[i/4] = leU32(b[i:])
		}
	}
	return e
}

// afford takes tokens of the quota, and looks at the pages and at the logits that
// are kept.
func (c call) afford(rows []*row, requests []engine.Request, gen bool) abi.Errno {
	var read, chosen, logits uint64
	pages := c.pages()
	for i, r := range rows {
		q := &requests[i]
		n := len(q.Tokens)
		if r.sequence.Len()+n > r.sequence.model.Engine.Context() {
			continue // it is going to be refused, and nothing of it read
		}
		read += uint64(n)
		if q.MaxTokens > 0 {
			n++
			chosen++
		}
		had := r.sequence.Len()
		pages += pagesOf(had+n) - pagesOf(had)
		if q.Logits {
			logits += r.logitBytes()
		}
	}
	switch {
	case read+chosen > c.limits.Tokens-min(c.tokens, c.limits.Tokens),
		pages > c.limits.Pages,
		logits > 0 && logits+c.logitBytes > maxLogits:
		return abi.Quota
	}
	c.Guest.tokens += read
	c.Guest.usage.Read += read
	if !gen { // gen counts them as they are taken
		c.Guest.tokens += chosen
	}
	return abi.OK
}

// logitBytes returns what the rows of logits of a row take.
func (r *row) logitBytes() uint64 {
	return 4 * uint64(r.sequence.model.Engine.Config().VocabularySize) * (1 + uint64(r.Drafts))
}

// start starts the requests of rows.
func (c call) start(rows []*row, requests []engine.Request) {
	for i, run := range c.config.Engine.Start(c.ctx, requests...) {
		rows[i].run = run
	}
}

// next returns the next output of the row. ok is false where there is none yet, or
// where the row has ended.
func (r *row) next() (o engine.Output, ok bool) {
	if r.ended {
		return o, false
	}
	o, ok, err := r.run.Poll()
	switch {
	case ok:
		r.seen = true
		return o, true
	case err == nil:
		return o, false
	case !errors.Is(err, io.EOF):
		r.err = r.inFull(err)
	}
	r.end()
	return o, false
}

// inFull makes an error of tokens past the context say how many there were: no more of
// them were kept than it takes to refuse them.
func (r *row) inFull(err error) error {
	var full *engine.ContextError
	if errors.As(err, &full) {
		return &engine.ContextError{Need: max(full.Need, r.sequence.Len()+int(r.N)), Limit: full.Limit}
	}
	return err
}

// end takes note of what became of the run, and lets go of what was the row's.
func (r *row) end() {
	r.ended = true
	r.reason = r.run.Reason()
	stats := r.run.Stats()
	r.sequence.cached = stats.CachedTokens
	if r.usage.Queued == 0 {
		r.usage.Queued = stats.Queued
	}
	if n := stats.GeneratedTokens - 1; n > 0 {
		r.usage.Later += uint64(n)
		r.usage.Decode = max(r.usage.Decode, stats.Decode)
	}
	// A run keeps the tokens that it read, and a ticket may lie for long.
	r.run = nil
	if r.peeked && r.seen && r.err == nil {
		// Before anyone else sees the token.
		r.err = r.sequence.Truncate(r.sequence.Len() - 1)
	}
	r.letGo()
}

// finish returns why the row has ended, REALM_FINISH_*.
func (r *row) finish() uint32 {
	switch r.reason {
	case engine.FinishStop:
		return abi.FinishStop
	case engine.FinishLength:
		return abi.FinishLength
	case engine.FinishContext:
		return abi.FinishContext
	}
	return abi.FinishNone
}

// cancel ends the run of a row early.
func (r *row) cancel() {
	if r.run != nil {
		r.run.Cancel()
	}
}

// settle ends a row that no one will ask any more.
func (r *row) settle() {
	if !r.ended {
		r.run.Cancel()
		r.end()
	}
}

// candidates appends what Top has.
func candidates(dst []abi.Candidate, top []sample.Logprob) []abi.Candidate {
	for _, t := range top {
		dst = append(dst, abi.Candidate{Token: t.Token, Value: t.Logprob})
	}
	return dst
}
