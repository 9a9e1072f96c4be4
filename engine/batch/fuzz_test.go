package batch_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/realm-webgpu/realm/engine"
	"github.com/realm-webgpu/realm/engine/sample"
)

// schedule is a device that is shared in whatever order a fuzzer thinks of.
type schedule struct {
	t       *testing.T
	ctx     context.Context
	engine  *engine.Engine
	crowded *engine.Model // few pages and short steps
	roomy   *engine.Model // for each text alone
	tenants []*engine.Tenant
	slots   [6]*slot
	alone   []aloneRun
	data    []byte
}

// slot is a sequence, and the run that writes on it.
type slot struct {
	sequence *engine.Sequence
	tokens   []int32 // that it must have
	run      *engine.Run
	record   aloneRun
}

// aloneRun is a run that is to be made again alone.
type aloneRun struct {
	before []int32
	spec   sample.Spec
	got    []int32
}

// next returns the next number of the fuzzer's below n.
func (f *schedule) next(n int) int {
	if len(f.data) == 0 {
		return 0
	}
	b := f.data[0]
	f.data = f.data[1:]
	return int(b) % n
}

// scheduleContext is the most tokens of a sequence of a schedule: two pages.
const scheduleContext = 64

// do takes one step of the schedule.
func (f *schedule) do() {
	i := f.next(len(f.slots))
	s := f.slots[i]
	op := f.next(10)
	if s == nil {
		if op < 7 {
			f.open(i)
		}
		return
	}
	switch {
	case op == 0:
		f.end(s)
		s.sequence.Close()
		f.slots[i] = nil
	case op == 1:
		f.end(s)
	case op == 2:
		f.fork(s, f.next(len(f.slots)))
	case op == 3:
		f.end(s)
		n := f.next(len(s.tokens) + 1)
		if err := s.sequence.Truncate(n); err != nil {
			f.t.Fatalf("truncate to %d of %d: %v", n, len(s.tokens), err)
		}
		s.tokens = s.tokens[:n]
	case s.run == nil:
		f.start(s)
	default:
		f.take(s)
	}
}

// open makes a sequence.
func (f *schedule) open(i int) {
	q, err := f.tenants[f.next(len(f.tenants))].NewSequence(f.crowded)
	if err != nil {
		f.t.Fatal(err)
	}
	f.slots[i] = &slot{sequence: q}
	f.start(f.slots[i])
}

// start has a sequence read some tokens and write some.
func (f *schedule) start(s *slot) {
	spec := ways[f.next(len(ways))]
	r := engine.Request{
		Sequence: s.sequence, MaxTokens: 1 + f.next(12), Priority: f.next(2),
		Draft: engine.DraftOptions{Mode: engine.DraftMode(f.next(3)), Tokens: f.next(5), Fixed: f.next(2) == 1},
	}
	for range f.next(40) {
		r.Tokens = append(r.Tokens, int32(f.next(256)))
	}
	if r.Draft.Tokens == 0 {
		r.Draft.Fixed = false
	}
	var err error
	if r.Sampler, err = f.crowded.NewSampler(spec); err != nil {
		f.t.Fatal(err)
	}
	if n := len(s.tokens) + len(r.Tokens); n == 0 || n >= scheduleContext {
		run := f.engine.Start(f.ctx, r)[0]
		if _, err := run.Next(f.ctx); !errors.Is(err, engine.ErrEmpty) && !errors.Is(err, engine.ErrContext) {
			f.t.Fatalf("%d tokens and %d: %v", len(s.tokens), len(r.Tokens), err)
		}
		return
	}
	s.tokens = append(s.tokens, r.Tokens...)
	s.record = aloneRun{before: slices.Clone(s.tokens), spec: spec}
	s.run = f.engine.Start(f.ctx, r)[0]
}

// take takes a token of a run.
func (f *schedule) take(s *slot) {
	o, err := s.run.Next(f.ctx)
	switch {
	case err == io.EOF:
		f.alone = append(f.alone, s.record)
		s.run = nil
	case err != nil:
		f.t.Fatalf("after %d tokens: %v", len(s.record.got), err)
	default:
		if o.Index != len(s.tokens) {
			f.t.Fatalf("token %d of the sequence is called number %d", len(s.tokens), o.Index)
		}
		s.tokens = append(s.tokens, o.Token)
		s.record.got = append(s.record.got, o.Token)
	}
}

// end cancels a run, and looks at what is left.
func (f *schedule) end(s *slot) {
	if s.run != nil {
		s.run.Cancel()
		f.alone = append(f.alone, s.record)
		s.run = nil
	}
	if got := s.sequence.Tokens(); !slices.Equal(got, s.tokens) {
		f.t.Fatalf("the sequence has %v, want %v", got, s.tokens)
	}
}

// fork forks a sequence, whatever it does, into a slot.
func (f *schedule) fork(s *slot, to int) {
	if f.slots[to] != nil {
		return
	}
	q, err := s.sequence.Fork()
	if err != nil {
		f.t.Fatal(err)
	}
	f.slots[to] = &slot{sequence: q, tokens: slices.Clone(s.tokens)}
	f.end(f.slots[to])
}

// finish ends everything, and holds what was written to what each run writes alone.
func (f *schedule) finish() {
	for _, s := range f.slots {
		if s != nil {
			f.end(s)
			s.sequence.Close()
		}
	}
	if running, waiting := f.engine.Runs(); running != 0 || waiting != 0 {
		f.t.Errorf("in the end %d runs are taken in and %d wait", running, waiting)
	}
	if u := f.crowded.CacheUsage(); u.Free != u.Pages {
		f.t.Errorf("in the end %d of %d pages are free", u.Free, u.Pages)
	}
	for _, a := range f.alone {
		if len(a.got) == 0 {
			continue
		}
		q, err := f.roomy.NewSequence()
		if err != nil {
			f.t.Fatal(err)
		}
		q.NoPrefix()
		sampler, err := f.roomy.NewSampler(a.spec)
		if err != nil {
			f.t.Fatal(err)
		}
		want, err := drain(f.ctx, f.engine.Start(f.ctx, engine.Request{Sequence: q, Tokens: a.before, MaxTokens: len(a.got), Sampler: sampler})[0])
		if err != nil || !slices.Equal(a.got, want) {
			f.t.Errorf("behind %v, %+v: %v, alone %v (%v)", a.before, a.spec, a.got, want, err)
		}
		q.Close()
	}
}

// FuzzSchedule starts, takes, cancels, forks, truncates and closes in any order, with
// drafts and without, where there are fewer pages than are wanted. Every text is what
// it is alone, and nothing is left.
func FuzzSchedule(f *testing.F) {
	const tiny = "../model/testdata/llama.gguf"
	e := open(f, engine.Options{Device: "cpu", Threads: 1})
	crowded := loadFile(f, e, tiny, engine.LoadOptions{Context: scheduleContext, CacheTokens: 3 * 32, StepTokens: 7})
	roomy := loadFile(f, e, tiny, engine.LoadOptions{Context: scheduleContext})
	if err := crowded.SetDraft(loadFile(f, e, tiny, engine.LoadOptions{Context: scheduleContext - 8, CacheTokens: 2 * 32})); err != nil {
		f.Fatal(err)
	}
	var tenants []*engine.Tenant
	for i, o := range []engine.TenantOptions{{}, {Weight: 3, MaxSequences: 2}, {Priority: 1}} {
		o.Name = fmt.Sprint(i)
		tenant, err := e.NewTenant(o)
		if err != nil {
			f.Fatal(err)
		}
		tenants = append(tenants, tenant)
	}
	for i := range 6 {
		random := rand.New(rand.NewPCG(uint64(i), 0))
		data := make([]byte, 600)
		for j := range data {
			data[j] = byte(random.Uint32())
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute) // nothing waits for ever
		defer cancel()
		s := &schedule{t: t, ctx: ctx, engine: e, crowded: crowded, roomy: roomy, tenants: tenants, data: data[:min(len(data), 600)]}
		for len(s.data) > 0 {
			s.do()
		}
		s.finish()
		t.Logf("%d runs, %+v", len(s.alone), e.Totals())
	})
}
