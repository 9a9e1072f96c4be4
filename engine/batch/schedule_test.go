package batch_test

import (
	"context"
	"errors"
	"io"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/realm-webgpu/realm/engine"
)

// TestFairness floods the device for one tenant, and counts what another one has
// received by the time that its own few texts are done.
func TestFairness(t *testing.T) {
	const flood, few, tokens = 24, 12, 40
	for _, c := range []struct {
		name   string
		weight float64
		share  float64 // of the flooding tenant's service in that of the other
	}{{"alike", 1, 1}, {"three times the weight", 3, 1.0 / 3}} {
		t.Run(c.name, func(t *testing.T) {
			e := open(t, engine.Options{Device: "cpu"})
			m := load(t, e, engine.LoadOptions{CacheTokens: 1 << 14, StepTokens: 4})
			tenant := func(o engine.TenantOptions, n int, notify func()) (*engine.Tenant, []engine.Request) {
				tenant, err := e.NewTenant(o)
				if err != nil {
					t.Fatal(err)
				}
				var requests []engine.Request
				for range n {
					s, err := tenant.NewSequence(m)
					if err != nil {
						t.Fatal(err)
					}
					requests = append(requests, engine.Request{Sequence: s, Tokens: m.Encode(question, true), MaxTokens: tokens, Notify: notify})
				}
				return tenant, requests
			}
			var mu sync.Mutex
			var few1, flood1 *engine.Tenant
			var received0, given0, received, given float64
			service := func(t *engine.Tenant) float64 {
				s := t.Service()
				return float64(s.Read + 2*s.Chosen)
			}
			flood1, all := tenant(engine.TenantOptions{Name: "flood"}, flood, nil)
			few1, some := tenant(engine.TenantOptions{Name: "few", Weight: c.weight}, few, func() {
				mu.Lock()
				defer mu.Unlock()
				// Between two steps, while both want more of the device than they get.
				switch n := few1.Service().Chosen; {
				case n <= 16:
					received0, given0 = service(few1), service(flood1)
				case n <= few*tokens/2:
					received, given = service(few1)-received0, service(flood1)-given0
				}
			})
			runs := e.Start(t.Context(), append(all, some...)...)
			for _, run := range runs {
				finish(t, run)
			}
			mu.Lock()
			defer mu.Unlock()
			// A step is 4 rows of one of the two, and two are in flight.
			if got := given / received; math.Abs(got-c.share) > 0.15*c.share {
				t.Errorf("the flooding tenant received %v while the other received %v: %.2f, want %.2f", given, received, got, c.share)
			}
		})
	}
}

// TestPriority has runs of a higher priority done before others begin.
func TestPriority(t *testing.T) {
	e := open(t, engine.Options{Device: "cpu"})
	m := load(t, e, engine.LoadOptions{CacheTokens: 1 << 13, StepTokens: 2})
	var order []int
	var requests []engine.Request
	for i := range 6 {
		r := engine.Request{Sequence: ask(t, m, question), MaxTokens: 5, Priority: i % 3}
		r.Notify = func() {
			if r.Sequence.Len() >= 0 && !slices.Contains(order, i) {
				order = append(order, i) // by the scheduler alone
			}
		}
		requests = append(requests, r)
	}
	for _, run := range e.Start(t.Context(), requests...) {
		finish(t, run)
	}
	if err := e.Close(); err != nil { // the scheduler is done with order
		t.Fatal(err)
	}
	if want := []int{2, 5, 1, 4, 0, 3}; !slices.Equal(order, want) {
		t.Errorf("order %v, want %v", order, want)
	}
}

func TestQueueFull(t *testing.T) {
	e := open(t, engine.Options{Device: "cpu", QueueLimit: 5})
	m := load(t, e, engine.LoadOptions{CacheTokens: 1 << 13})
	tenant, err := e.NewTenant(engine.TenantOptions{Name: "small", MaxSequences: 1, QueueLimit: 2})
	if err != nil {
		t.Fatal(err)
	}
	start := func(sequence func() (*engine.Sequence, error), n int) []*engine.Run {
		var requests []engine.Request
		for range n {
			s, err := sequence()
			if err != nil {
				t.Fatal(err)
			}
			requests = append(requests, engine.Request{Sequence: s, Tokens: []int32{1, 2, 3}, MaxTokens: 3})
		}
		return e.Start(t.Context(), requests...)
	}
	for _, c := range []struct {
		sequence func() (*engine.Sequence, error)
		want     engine.QueueError
	}{
		{func() (*engine.Sequence, error) { return tenant.NewSequence(m) }, engine.QueueError{Tenant: "small", Limit: 2}},
		{m.NewSequence, engine.QueueError{Limit: 5}},
	} {
		// Those of one call all come before the first is taken in.
		for i, run := range start(c.sequence, 7) {
			_, err := drain(t.Context(), run)
			var full *engine.QueueError
			if i < c.want.Limit {
				if err != nil {
					t.Errorf("%d: %v", i, err)
				}
			} else if !errors.As(err, &full) || *full != c.want || !errors.Is(err, engine.ErrQueueFull) {
				t.Errorf("%d: %v, want %+v", i, err, c.want)
			}
		}
	}
	if running, waiting := tenant.Load(); running != 0 || waiting != 0 {
		t.Errorf("%d run and %d wait in the end", running, waiting)
	}
}

// TestQueueTimeout has a run wait for another one that nobody takes from, and ends it
// when it has waited too long. Those that were taken in are let be.
func TestQueueTimeout(t *testing.T) {
	e := open(t, engine.Options{Device: "cpu"})
	m := load(t, e, engine.LoadOptions{CacheTokens: 1024})
	tenant, err := e.NewTenant(engine.TenantOptions{Name: "one at a time", MaxSequences: 1})
	if err != nil {
		t.Fatal(err)
	}
	start := func() *engine.Run {
		s, err := tenant.NewSequence(m)
		if err != nil {
			t.Fatal(err)
		}
		return e.Start(t.Context(), engine.Request{Sequence: s, Tokens: m.Encode(question, true), MaxTokens: 100})[0]
	}
	first := start()
	for running, _ := tenant.Load(); running == 0; running, _ = tenant.Load() {
		runtime.Gosched()
	}
	const after = 20 * time.Millisecond
	e.SetQueueTimeout(after)
	_, err = drain(t.Context(), start())
	var late *engine.QueueTimeoutError
	if !errors.As(err, &late) || late.After != after || !errors.Is(err, engine.ErrQueueTimeout) {
		t.Errorf("waited: %v", err)
	}
	if got := finish(t, first); len(got) != 100 {
		t.Errorf("the one before: %d tokens", len(got))
	}
	if running, waiting := tenant.Load(); running != 0 || waiting != 0 {
		t.Errorf("%d run and %d wait in the end", running, waiting)
	}
}

// TestQueueTimeoutPreempted has a run give its pages to another, and its turn to a third
// that nobody takes from. However long it waits, it was taken in before, and goes on. The
// clock is the test's.
func TestQueueTimeoutPreempted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := open(t, engine.Options{Device: "cpu", Threads: 1})
		m := load(t, e, engine.LoadOptions{CacheTokens: 4 * 32})
		e.SetQueueTimeout(time.Second)
		tenant, err := e.NewTenant(engine.TenantOptions{MaxSequences: 1})
		if err != nil {
			t.Fatal(err)
		}
		request := func(sequence func() (*engine.Sequence, error), priority, tokens int) engine.Request {
			s, err := sequence()
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(s.Close)
			return engine.Request{Sequence: s, Tokens: m.Encode(question, true), MaxTokens: tokens, Priority: priority}
		}
		ours := func() (*engine.Sequence, error) { return tenant.NewSequence(m) }
		patient, greedy, slow := request(ours, 0, 60), request(m.NewSequence, 1, 60), request(ours, 1, 70)
		var runs []*engine.Run
		var last *engine.Run
		started := make(chan struct{})
		greedy.Notify = func() {
			<-started
			if last == nil && runs[0].Stats().Preemptions > 0 {
				last = e.Start(t.Context(), slow)[0]
			}
		}
		runs = e.Start(t.Context(), patient, greedy)
		close(started)
		synctest.Wait() // until nothing can be done but to take
		if running, waiting := tenant.Load(); last == nil || running != 1 || waiting != 1 {
			t.Fatalf("%d run and %d wait: the test is of nothing", running, waiting)
		}
		time.Sleep(time.Hour)
		for _, run := range append([]*engine.Run{last}, runs...) {
			if got := finish(t, run); len(got) < 60 {
				t.Errorf("%d tokens", len(got))
			}
		}
	})
}

// TestSlowTaker takes nothing from one run while another one goes on.
func TestSlowTaker(t *testing.T) {
	const tokens = 200
	eachDevice(t, func(t *testing.T, e *engine.Engine) {
		m := load(t, e, engine.LoadOptions{CacheTokens: 2048})
		want := finish(t, e.Start(t.Context(), engine.Request{Sequence: ask(t, m, question), MaxTokens: tokens})[0])
		runs := e.Start(t.Context(),
			engine.Request{Sequence: ask(t, m, question), MaxTokens: tokens},
			engine.Request{Sequence: ask(t, m, question), MaxTokens: tokens})
		if got := finish(t, runs[1]); !slices.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
		if n := runs[0].Stats().GeneratedTokens; n < 32 || n > 80 {
			t.Errorf("%d tokens wait to be taken", n)
		}
		if got := finish(t, runs[0]); !slices.Equal(got, want) {
			t.Errorf("late: %v, want %v", got, want)
		}
	})
}

// TestPoll takes outputs as Notify says.
func TestPoll(t *testing.T) {
	e := open(t, engine.Options{Device: "cpu"})
	m := load(t, e, engine.LoadOptions{})
	told := make(chan struct{}, 1)
	run := e.Start(t.Context(), engine.Request{Sequence: ask(t, m, question), MaxTokens: 10, Notify: func() {
		select {
		case told <- struct{}{}:
		default:
		}
	}})[0]
	for n := 0; ; {
		o, ok, err := run.Poll()
		switch {
		case err == io.EOF:
			if n != 10 {
				t.Errorf("%d tokens", n)
			}
			return
		case err != nil:
			t.Fatal(err)
		case ok:
			n++
			if o.Token < 0 {
				t.Errorf("%+v", o)
			}
		default:
			<-told
		}
	}
}

// TestCancel ends runs while they wait, read and write: their pages are free at
// once, and their sequences can be used.
func TestCancel(t *testing.T) {
	eachDevice(t, func(t *testing.T, e *engine.Engine) {
		m := load(t, e, engine.LoadOptions{CacheTokens: 2048, StepTokens: 8})
		tenant, err := e.NewTenant(engine.TenantOptions{MaxSequences: 1})
		if err != nil {
			t.Fatal(err)
		}
		for _, byContext := range []bool{false, true} {
			for _, when := range []string{"at once", "waiting", "reading", "writing", "done"} {
				ctx, cancel := context.WithCancel(t.Context())
				var requests []engine.Request
				for range 3 {
					s, err := tenant.NewSequence(m)
					if err != nil {
						t.Fatal(err)
					}
					requests = append(requests, engine.Request{Sequence: s, Tokens: m.Encode(strings.Repeat(question, 8), true), MaxTokens: 60})
				}
				prompt := len(requests[0].Tokens)
				runs := e.Start(ctx, requests...)
				taken := 0
				switch when {
				case "waiting":
					for running, _ := tenant.Load(); running == 0; running, _ = tenant.Load() {
						runtime.Gosched()
					}
				case "reading":
					for requests[0].Sequence.Cached() == 0 {
						runtime.Gosched()
					}
				case "writing":
					for taken < 3 {
						if _, err := runs[0].Next(ctx); err != nil {
							t.Fatal(err)
						}
						taken++
					}
				case "done":
					for runs[0].Reason() == "" {
						runtime.Gosched()
					}
				}
				if byContext {
					cancel()
				}
				for i, run := range runs {
					want := engine.ErrCancelled
					if byContext {
						want = context.Canceled
						for _, err = run.Next(t.Context()); err == nil; _, err = run.Next(t.Context()) {
							// The watch of a context may come a little later.
						}
					} else {
						run.Cancel()
						_, err = run.Next(t.Context())
					}
					if !errors.Is(err, want) && !(when == "done" && i == 0 && err == io.EOF) {
						t.Errorf("%s: %v", when, err)
					}
					s := requests[i].Sequence
					if n := s.Len() - prompt; !byContext && (i > 0 && n != 0 || i == 0 && n != taken) {
						t.Errorf("%s: run %d left %d tokens, %d were taken", when, i, n, taken)
					}
					if err := s.Append(1); err != nil {
						t.Errorf("%s: %v", when, err)
					}
					s.Close()
				}
				cancel()
				if u := m.CacheUsage(); u.Free != u.Pages {
					t.Errorf("%s: %+v", when, u)
				}
				if running, waiting := e.Runs(); running != 0 || waiting != 0 {
					t.Errorf("%s: %d run, %d wait", when, running, waiting)
				}
			}
		}
	})
}

// TestThousandCycles opens, runs and closes, some of them in the middle, and
// compares what is left with what there was.
func TestThousandCycles(t *testing.T) {
	e := open(t, engine.Options{Device: "cpu"})
	m := load(t, e, engine.LoadOptions{CacheTokens: 256})
	cycle := func(i int) {
		s, err := m.NewSequence()
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		run := e.Start(ctx, engine.Request{Sequence: s, Tokens: []int32{1, int32(i % 100), 3}, MaxTokens: 1 + i%3})[0]
		switch i % 4 {
		case 0:
			finish(t, run)
		case 1:
			if _, err := run.Next(ctx); err != nil {
				t.Fatal(err)
			}
		case 2:
			run.Cancel()
		}
	}
	for i := range 24 {
		cycle(i)
	}
	goroutines, memory := runtime.NumGoroutine(), e.Memory()
	for i := range 1000 {
		cycle(i)
	}
	// Those of contexts that were cancelled end by themselves.
	for end := time.Now().Add(time.Minute); runtime.NumGoroutine() > goroutines; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d goroutines, there were %d", runtime.NumGoroutine(), goroutines)
		}
	}
	if now := e.Memory(); now != memory {
		t.Errorf("memory %+v, was %+v", now, memory)
	}
	if u := m.CacheUsage(); u.Free != u.Pages {
		t.Errorf("%+v", u)
	}
}

// TestTwoModels lets sequences of two models write at the same time.
func TestTwoModels(t *testing.T) {
	eachDevice(t, func(t *testing.T, e *engine.Engine) {
		a, b := load(t, e, engine.LoadOptions{CacheTokens: 1024}), load(t, e, engine.LoadOptions{CacheTokens: 1024, StepTokens: 7})
		var requests []engine.Request
		var want [][]int32
		for i := range 6 {
			m := a
			if i%2 == 1 {
				m = b
			}
			want = append(want, finish(t, e.Start(t.Context(), request(t, m, i, 20))[0]))
			requests = append(requests, request(t, m, i, 20))
		}
		for i, run := range e.Start(t.Context(), requests...) {
			if got := finish(t, run); !slices.Equal(got, want[i]) {
				t.Errorf("%d: %v, want %v", i, got, want[i])
			}
		}
	})
}

// TestRefused starts requests that cannot be.
func TestRefused(t *testing.T) {
	e := open(t, engine.Options{Device: "cpu"})
	m := load(t, e, engine.LoadOptions{Context: 64})
	s := ask(t, m, question)
	empty, err := m.NewSequence()
	if err != nil {
		t.Fatal(err)
	}
	busy := ask(t, m, question)
	held := e.Start(t.Context(), engine.Request{Sequence: busy, MaxTokens: 30})[0]
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range []struct {
		name    string
		ctx     context.Context
		request engine.Request
		want    error
	}{
		{"nothing", t.Context(), engine.Request{}, engine.ErrOption},
		{"empty", t.Context(), engine.Request{Sequence: empty, MaxTokens: 1}, engine.ErrEmpty},
		{"busy", t.Context(), engine.Request{Sequence: busy, MaxTokens: 1}, engine.ErrBusy},
		{"no token", t.Context(), engine.Request{Sequence: s, Tokens: []int32{-2}}, engine.ErrToken},
		{"too long", t.Context(), engine.Request{Sequence: s, Tokens: make([]int32, 64)}, engine.ErrContext},
		{"negative", t.Context(), engine.Request{Sequence: s, MaxTokens: -1}, engine.ErrOption},
		{"candidates", t.Context(), engine.Request{Sequence: s, MaxTokens: 1, TopK: 65}, engine.ErrOption},
		{"drafts that are not there", t.Context(), engine.Request{Sequence: s, MaxTokens: 1, Verify: 1}, engine.ErrOption},
		{"drafts of nobody", t.Context(), engine.Request{Sequence: s, MaxTokens: 9, Draft: engine.DraftOptions{Mode: engine.DraftModel}}, engine.ErrOption},
		{"each of nothing", t.Context(), engine.Request{Sequence: s, Each: true}, engine.ErrOption},
		{"cancelled", cancelled, engine.Request{Sequence: s, MaxTokens: 1}, context.Canceled},
	} {
		before := s.Tokens()
		run := e.Start(c.ctx, c.request)[0]
		if _, err := run.Next(t.Context()); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
		if _, _, err := run.Poll(); !errors.Is(err, c.want) {
			t.Errorf("%s, asked again: %v", c.name, err)
		}
		if !slices.Equal(s.Tokens(), before) {
			t.Errorf("%s: it changed the sequence", c.name)
		}
	}
	held.Cancel()
	if got := finish(t, e.Start(t.Context(), engine.Request{Sequence: s, MaxTokens: 2})[0]); len(got) != 2 {
		t.Errorf("afterwards: %v", got)
	}
}
