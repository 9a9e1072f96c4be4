package batch_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/realm-webgpu/realm/engine"
	"github.com/realm-webgpu/realm/engine/kv"
)

// TestPreemption writes more at a time than there are pages for: pages are given
// to others and read again, and the texts are those of each alone.
func TestPreemption(t *testing.T) {
	const tokens = 70
	eachDevice(t, func(t *testing.T, e *engine.Engine) {
		m := load(t, e, engine.LoadOptions{})
		var want [][]int32
		for i := range 8 {
			r := request(t, m, i, tokens)
			want = append(want, finish(t, e.Start(t.Context(), r)[0]))
			r.Sequence.Close()
		}
		small := load(t, e, engine.LoadOptions{CacheTokens: 9 * 32})
		var requests []engine.Request
		for i := range want {
			r := request(t, small, i, tokens)
			if i == 7 {
				r.Priority = 1
			}
			requests = append(requests, r)
		}
		preempted := 0
		runs := e.Start(t.Context(), requests...)
		for i, run := range runs {
			if got := finish(t, run); !slices.Equal(got, want[i]) {
				t.Errorf("%d: %v, alone %v", i, got, want[i])
			}
			preempted += run.Stats().Preemptions
		}
		if preempted == 0 || runs[7].Stats().Preemptions != 0 || runs[0].Stats().Preemptions != 0 {
			t.Errorf("%d preemptions, of the first %d, of the one that comes before the others %d",
				preempted, runs[0].Stats().Preemptions, runs[7].Stats().Preemptions)
		}
		for _, r := range requests {
			r.Sequence.Close()
		}
		if u := small.CacheUsage(); u.Free != u.Pages {
			t.Errorf("%+v", u)
		}
	})
}

// TestIdleSequencesGiveWay keeps sequences that nobody runs, which have all pages.
func TestIdleSequencesGiveWay(t *testing.T) {
	e := open(t, engine.Options{Device: "cpu"})
	m := load(t, e, engine.LoadOptions{CacheTokens: 4 * 32})
	var kept []*engine.Sequence
	for i := range 4 {
		s := ask(t, m, about(countries[i]))
		finish(t, e.Start(t.Context(), engine.Request{Sequence: s, MaxTokens: 30})[0])
		kept = append(kept, s)
	}
	if last := kept[3]; last.Cached() != last.Len()-1 || kept[0].Cached() != 0 {
		t.Errorf("the last has %d of %d tokens in the cache, the first %d", last.Cached(), last.Len(), kept[0].Cached())
	}
	// One that cannot fit fails, and leaves the others their tokens.
	big := ask(t, m, strings.Repeat(question, 8))
	_, err := drain(t.Context(), e.Start(t.Context(), engine.Request{Sequence: big, MaxTokens: 1})[0])
	var pages *kv.PagesError
	if !errors.As(err, &pages) || pages.Total != 4 {
		t.Errorf("a sequence that does not fit: %v", err)
	}
	big.Close()
	for i, s := range kept {
		whole := ask(t, m, about(countries[i]))
		if got := finish(t, e.Start(t.Context(), engine.Request{Sequence: whole, MaxTokens: 40})[0]); len(got) != 40 {
			t.Fatal(got)
		}
		finish(t, e.Start(t.Context(), engine.Request{Sequence: s, MaxTokens: 10})[0])
		if !slices.Equal(s.Tokens(), whole.Tokens()) {
			t.Errorf("%d went on otherwise after its pages were gone", i)
		}
		whole.Close()
	}
}

// TestTenantPages bounds the pages of one tenant.
func TestTenantPages(t *testing.T) {
	e := open(t, engine.Options{Device: "cpu"})
	m := load(t, e, engine.LoadOptions{CacheTokens: 2048})
	tenant, err := e.NewTenant(engine.TenantOptions{Name: "small", MaxPages: 2})
	if err != nil {
		t.Fatal(err)
	}
	s, err := tenant.NewSequence(m)
	if err != nil {
		t.Fatal(err)
	}
	got, err := drain(t.Context(), e.Start(t.Context(), engine.Request{Sequence: s, Tokens: m.Encode(question, true), MaxTokens: 100})[0])
	var pages *kv.PagesError
	if !errors.As(err, &pages) || *pages != (kv.PagesError{Need: 1, Free: 0, Total: 2}) || !strings.Contains(err.Error(), "small") {
		t.Errorf("error %v", err)
	}
	if s.Len() != 65 || len(got) != 65-len(m.Encode(question, true)) {
		t.Errorf("%d tokens", s.Len())
	}
}

// TestPrefix counts what sequences that begin alike need not read.
func TestPrefix(t *testing.T) {
	eachDevice(t, func(t *testing.T, e *engine.Engine) {
		m := load(t, e, engine.LoadOptions{CacheTokens: 16 * 32})
		text := m.Encode(strings.Repeat(about("Chile"), 4), true)[:100]
		tenants := map[string]*engine.Tenant{}
		for _, name := range []string{"a", "b"} {
			tenant, err := e.NewTenant(engine.TenantOptions{Name: name})
			if err != nil {
				t.Fatal(err)
			}
			tenants[name] = tenant
		}
		var want []int32
		for _, c := range []struct {
			tenant string
			tokens int
			cached int
		}{
			{"a", 100, 0}, {"a", 100, 96}, {"b", 100, 0}, {"a", 96, 64}, {"a", 97, 96}, {"a", 31, 0}, {"b", 65, 64},
		} {
			s, err := tenants[c.tenant].NewSequence(m)
			if err != nil {
				t.Fatal(err)
			}
			before := m.CacheUsage().Index
			run := e.Start(t.Context(), engine.Request{Sequence: s, Tokens: text[:c.tokens], MaxTokens: 5})[0]
			got := finish(t, run)
			if cached := run.Stats().CachedTokens; cached != c.cached {
				t.Errorf("%d tokens of %s: %d were there, want %d", c.tokens, c.tenant, cached, c.cached)
			}
			if hits := m.CacheUsage().Index.Hits - before.Hits; hits != int64(c.cached/32) {
				t.Errorf("%d tokens of %s: %d hits", c.tokens, c.tenant, hits)
			}
			if c.tokens == 100 {
				if want == nil {
					want = got
				}
				if !slices.Equal(got, want) {
					t.Errorf("with %d tokens from the index: %v, want %v", c.cached, got, want)
				}
			}
			s.Close()
		}
		// They stay until the pages are needed, and go then.
		filler := ask(t, m, "x")
		finish(t, e.Start(t.Context(), engine.Request{Sequence: filler, MaxTokens: 16*32 - 10})[0])
		if u := m.CacheUsage(); u.Index.Evicted == 0 {
			t.Errorf("%+v", u)
		}
		filler.Close()
		if u := m.CacheUsage(); u.Free != u.Pages {
			t.Errorf("%+v", u)
		}
	})
}

// TestForkOfARun forks while a run writes.
func TestForkOfARun(t *testing.T) {
	eachDevice(t, func(t *testing.T, e *engine.Engine) {
		m := load(t, e, engine.LoadOptions{CacheTokens: 2048})
		want := finish(t, e.Start(t.Context(), engine.Request{Sequence: ask(t, m, question), MaxTokens: 40})[0])
		s := ask(t, m, question)
		prompt := s.Len()
		run := e.Start(t.Context(), engine.Request{Sequence: s, MaxTokens: 40})[0]
		for i := range want {
			o, err := run.Next(t.Context())
			if err != nil || o.Token != want[i] {
				t.Fatalf("token %d: %+v, %v", i, o, err)
			}
			fork, err := s.Fork()
			if err != nil {
				t.Fatal(err)
			}
			if fork.Len() != prompt+i+1 || s.Len() != fork.Len() {
				t.Fatalf("after %d tokens the fork has %d", i+1, fork.Len()-prompt)
			}
			if i%8 == 0 && i < 39 {
				rest := finish(t, e.Start(t.Context(), engine.Request{Sequence: fork, MaxTokens: 39 - i})[0])
				if !slices.Equal(rest, want[i+1:]) {
					t.Errorf("after %d tokens the fork goes on with %v, want %v", i+1, rest, want[i+1:])
				}
			}
			fork.Close()
		}
	})
}
