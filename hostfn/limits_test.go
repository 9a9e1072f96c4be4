package hostfn_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/realm-webgpu/realm/hostfn"
	"github.com/realm-webgpu/realm/hostfn/abi"
)

func TestNewGuestRefuses(t *testing.T) {
	h := open(t)
	fine := hostfn.Config{Engine: h.engine, Models: hostfn.OneModel("atlas", h.model), Emit: func(context.Context, uint32, []byte) error { return nil }}
	for name, change := range map[string]func(*hostfn.Config){
		"no engine":         func(c *hostfn.Config) { c.Engine = nil },
		"no models":         func(c *hostfn.Config) { c.Models = nil },
		"nowhere to emit":   func(c *hostfn.Config) { c.Emit = nil },
		"too much memory":   limits(hostfn.Limits{Memory: 4 << 30}),
		"too many rows":     limits(hostfn.Limits{Rows: 1025}),
		"negative handles":  limits(hostfn.Limits{Handles: -1}),
		"negative time":     limits(hostfn.Limits{WallTime: -1}),
		"negative pages":    limits(hostfn.Limits{Pages: -1}),
		"negative calls":    limits(hostfn.Limits{CallsPerSecond: -1}),
		"negative tickets":  limits(hostfn.Limits{Tickets: -1}),
		"negative row":      limits(hostfn.Limits{Rows: -1}),
		"nothing is amiss":  func(*hostfn.Config) {},
		"all of the memory": limits(hostfn.Limits{Memory: 4<<30 - 1<<16}),
	} {
		c := fine
		change(&c)
		g, err := hostfn.NewGuest(t.Context(), c)
		if want := name != "nothing is amiss" && name != "all of the memory"; (err != nil) != want {
			t.Errorf("%s: %v", name, err)
		}
		if g != nil {
			g.Close()
		}
	}
}

func TestRefill(t *testing.T) {
	h := open(t)
	const fuel = 1<<20 + 5
	r := h.guest(t, limits(hostfn.Limits{Fuel: fuel}))
	given := int64(0)
	for {
		n, err := r.guest.Refill()
		if err != nil {
			var limit *hostfn.LimitError
			if !errors.As(err, &limit) || limit.Name != "fuel" || !errors.Is(r.guest.Finish(0, nil), hostfn.ErrLimit) {
				t.Errorf("it ended with %v", err)
			}
			break
		}
		if n < 1 || n > fuel {
			t.Fatalf("%d units were given", n)
		}
		given += n
	}
	if given != fuel {
		t.Errorf("%d units were given, want %d", given, fuel)
	}
	// A guest that has no fuel any more calls nothing either.
	if err := aborted(t, func() { r.call("sched_yield") }); !errors.Is(err, hostfn.ErrLimit) {
		t.Errorf("a call ended with %v", err)
	}
	slow := h.guest(t, limits(hostfn.Limits{WallTime: time.Nanosecond}))
	if _, err := slow.guest.Refill(); !errors.Is(err, hostfn.ErrLimit) {
		t.Errorf("a guest whose time is over is given fuel: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	g, err := hostfn.NewGuest(ctx, hostfn.Config{Engine: h.engine, Models: hostfn.OneModel("atlas", h.model), Emit: func(context.Context, uint32, []byte) error { return nil }})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	if _, err := g.Refill(); !errors.Is(err, context.Canceled) {
		t.Errorf("a guest that was cancelled is given fuel: %v", err)
	}
}

// TestPace slows down a guest that calls too often, and no other. The clock is the test's.
func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		// 2000 calls a second are 100 in each window of 50 ms.
		for calls, want := range map[int]time.Duration{2000: 300 * time.Millisecond, 0: 0} {
			r := h.guest(t, limits(hostfn.Limits{CallsPerSecond: calls}))
			start := time.Now()
			for range 600 {
				r.call("sched_yield")
			}
			if d := time.Since(start); d != want {
				t.Errorf("600 calls at %d a second took %v, want %v", calls, d, want)
			}
		}
		// One that is slowed down ends with its time all the same.
		r := h.guest(t, limits(hostfn.Limits{CallsPerSecond: 20, WallTime: 10 * time.Millisecond}))
		start := time.Now()
		if err := aborted(t, func() {
			for range 100 {
				r.call("sched_yield")
			}
		}); !errors.Is(err, hostfn.ErrLimit) || time.Since(start) != 10*time.Millisecond {
			t.Errorf("it ended after %v with %v", time.Since(start), err)
		}
	})
}

func TestHandles(t *testing.T) {
	r := begin(t, limits(hostfn.Limits{Handles: 3}))
	m := r.open()
	r.sequence(m)
	last := r.handle("sampler_new", m, r.put(encode("sampler", fields{})), abi.SamplerSize)
	out := r.alloc(4)
	spec := r.put(encode("sampler", fields{}))
	text, n := r.text("a")
	for name, args := range map[string][]uint64{
		"model_open": {0, 0, out}, "seq_open": {m, 0, out}, "seq_fork": {2, 1, out}, "sampler_new": {m, spec, abi.SamplerSize, out},
		"grammar_new": {m, abi.GrammarRegex, text, n, out}, "buf_new": {16, 0, out},
	} {
		if e := r.call(name, args...); e != abi.Quota {
			t.Errorf("%s is %v", name, e)
		}
		r.only()
	}
	r.must("close", last)
	r.sequence(m)
}

// TestTickets has a guest that waits for nothing.
func TestTickets(t *testing.T) {
	r := begin(t, limits(hostfn.Limits{Tickets: 5}))
	m := r.open()
	s := r.sequence(m)
	row := r.put(encode("row", fields{"sequence": s}))
	out := r.alloc(8)
	for range 5 {
		r.must("step", row, 1, out)
	}
	handles, _ := r.ids([]int32{int32(s)})
	a := r.buffer(4)
	op := r.put(encode("op", fields{"op": abi.OpAdd, "rows": 1, "width": 4, "out": a, "x": a, "y": a}))
	for name, args := range map[string][]uint64{
		"step": {row, 1, out}, "gen": {row, 1, out}, "draft": {handles, 1, 4, 0, r.put(encode("draft", fields{})), out}, "ops": {op, 1, out},
	} {
		if e := r.call(name, args...); e != abi.Quota {
			t.Errorf("%s is %v", name, e)
		}
	}
	r.wait(r.u64(out))
	r.must("step", row, 1, out)
}

// TestRows has a step of too many rows.
func TestRows(t *testing.T) {
	r := begin(t, limits(hostfn.Limits{Rows: 2}))
	m := r.open()
	rows := []fields{{"sequence": r.sequence(m)}, {"sequence": r.sequence(m)}, {"sequence": r.sequence(m)}}
	r.must("step", r.put(encode("row", rows[:2]...)), 2, r.alloc(8))
	at := r.put(encode("row", rows...))
	for _, name := range []string{"step", "gen"} {
		for _, n := range []uint64{0, 3, 1 << 32, forever} {
			r.want(abi.Inval, name, at, n, r.alloc(8))
		}
	}
}

// TestLogitsKept has a guest that keeps too many rows of logits.
func TestLogitsKept(t *testing.T) {
	r := begin(t)
	m := r.open()
	row := 4 * 17 * r.house.model.Config().VocabularySize
	most := 64 << 20 / row
	var rows []fields
	at, _ := r.ids(make([]int32, 17))
	for range 200 {
		rows = append(rows, fields{"sequence": r.sequence(m), "tokens": at, "n": 17, "drafts": 16, "flags": abi.RowLogits | abi.RowVerify})
	}
	step, out := r.put(encode("row", rows...)), r.alloc(8)
	n := 0
	for r.call("step", step, 200, out) == abi.OK {
		n += 200
		r.must("cancel", r.u64(out))
	}
	if n > most || n < most-200 {
		t.Errorf("logits of %d rows are kept, want %d at most", n, most)
	}
}

// TestFinish says what became of guests.
func TestFinish(t *testing.T) {
	h := open(t)
	trap := errors.New("a trap")
	r := h.guest(t)
	if err := r.guest.Finish(0, nil); err != nil {
		t.Errorf("one that ended well: %v", err)
	}
	if err := r.guest.Finish(0, trap); !errors.Is(err, trap) {
		t.Errorf("one that trapped: %v", err)
	}
	var exit *hostfn.ExitError
	if err := r.guest.Finish(int32(abi.Nomem), nil); !errors.As(err, &exit) || exit.Exit || exit.Code != int32(abi.Nomem) || err.Error() != "hostfn: guest: NOMEM" {
		t.Errorf("one that returned NOMEM: %v", err)
	}
	// It may say more, in an event.
	at, n := r.text(`{"type": "error", "message": "the prompt is empty"}`)
	r.must("emit", abi.ChannelEvent, at, n)
	if err := r.guest.Finish(int32(abi.Inval), nil); err.Error() != "hostfn: guest: INVAL: the prompt is empty" {
		t.Errorf("one that says why: %v", err)
	}
	// The host knows more of a call that failed.
	m := r.open()
	at, n = r.text("(")
	r.want(abi.Grammar, "grammar_new", m, abi.GrammarRegex, at, n, r.alloc(4))
	if err := r.guest.Finish(int32(abi.Grammar), nil); !errors.As(err, &exit) || exit.Err == nil {
		t.Errorf("one whose grammar is none: %v", err)
	}
}
