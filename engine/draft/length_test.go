package draft_test

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/realm-webgpu/realm/engine/draft"
)

// TestSpeedup has the examples of the paper's table 1.
func TestSpeedup(t *testing.T) {
	for _, c := range []struct {
		a       float64
		k       int
		speedup float64
	}{
		{0.6, 2, 1.96}, {0.7, 3, 2.53}, {0.8, 2, 2.44}, {0.8, 5, 3.69}, {0.9, 2, 2.71}, {0.9, 10, 6.86},
	} {
		if got := draft.Speedup(c.a, 0, c.k); math.Abs(got-c.speedup) > 0.005 {
			t.Errorf("%d drafts, %v right: %.3f times as fast, want %v", c.k, c.a, got, c.speedup)
		}
	}
	if got := draft.Expected(1, 4); got != 5 {
		t.Errorf("4 drafts that are all right bring %v tokens", got)
	}
	if got := draft.Speedup(0, 0.25, 4); got != 0.5 {
		t.Errorf("4 drafts that are all wrong, each a quarter of a step: %v times as fast", got)
	}
}

// TestExpected counts what steps bring when every draft is right with probability a.
func TestExpected(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, a := range []float64{0.1, 0.5, 0.9} {
		for _, k := range []int{0, 1, 5} {
			const steps = 100_000
			tokens := steps
			for range steps {
				for i := 0; i < k && random.Float64() < a; i++ {
					tokens++
				}
			}
			if got, want := float64(tokens)/steps, draft.Expected(a, k); math.Abs(got-want) > 0.03 {
				t.Errorf("%d drafts, %v right: %.3f tokens a step, expected %.3f", k, a, got, want)
			}
		}
	}
}

func TestBest(t *testing.T) {
	for _, c := range []struct {
		a, c float64
		most int
		k    int
	}{
		{0.9, 0, 16, 16},  // they cost nothing
		{0.9, 0, 3, 3},    // nor more than there may be
		{0.5, 0.6, 16, 0}, // no number pays: corollary 3.9 wants a > c
		{0.3, 0.3, 16, 0},
		{0.5, 0.4, 16, 1},
		{0.8, 0.1, 16, 6},
		{1, 0.9, 16, 16},
		{0, 0, 16, 0},
	} {
		k, speedup := draft.Best(c.a, c.c, c.most)
		if k != c.k || k == 0 && speedup != 1 || k > 0 && speedup != draft.Speedup(c.a, c.c, k) {
			t.Errorf("%v right at %v of a step: %d drafts, %v times as fast, want %d drafts", c.a, c.c, k, speedup, c.k)
		}
	}
}

// TestLength drafts with tokens that are right with some probability until the
// length has settled.
func TestLength(t *testing.T) {
	// A step takes a second, and so much more for each draft.
	each := func(more float64) func(int) float64 {
		return func(k int) float64 { return 1 + more*float64(k) }
	}
	for _, c := range []struct {
		name        string
		options     draft.Options
		a           float64 // probability of being right
		seconds     func(k int) float64
		least, most int
	}{
		{"free and right", draft.Options{Tokens: 8}, 1, each(0), 8, 8},
		{"cheap and right", draft.Options{Tokens: 16}, 0.95, each(0.03), 8, 16},
		{"as it was not said", draft.Options{}, 1, each(0.01), draft.DefaultTokens, draft.DefaultTokens},
		{"dear and right", draft.Options{Tokens: 16}, 0.9, each(0.4), 2, 6},
		{"cheap and often wrong", draft.Options{Tokens: 16}, 0.3, each(0.06), 1, 4},
		{"so dear that nearly all have to be right, and they are", draft.Options{Tokens: 16}, 1, each(0.75), 8, 16},
		{"dear and often wrong", draft.Options{Tokens: 16}, 0.3, each(0.6), 0, 0},
		{"dearer than a step", draft.Options{Tokens: 16}, 0.95, each(1.1), 0, 0},
		{"four rows for the price of one", draft.Options{Tokens: 6}, 0.9, func(k int) float64 { return float64(1+k/4) + 0.05*float64(k) }, 3, 3},
		{"nothing is known", draft.Options{Tokens: 5}, 0.5, func(int) float64 { return 0 }, 5, 5},
		{"fixed", draft.Options{Tokens: 5, Fixed: true}, 0, each(2), 5, 5},
	} {
		t.Run(c.name, func(t *testing.T) {
			random := rand.New(rand.NewPCG(3, 4))
			l := draft.NewLength(c.options)
			k := 0
			for range 400 {
				if k = l.Next(c.seconds); k > l.Most() {
					t.Fatalf("%d drafts, at most %d", k, l.Most())
				}
				right := 0
				for right < k && random.Float64() < c.a {
					right++
				}
				l.Observe(right, k)
				l.Wrote(right + 1)
			}
			for i := 0; k == 0 && c.most > 0 && i < 400; i++ {
				l.Wrote(1) // a pause ends by itself
				k = l.Next(c.seconds)
			}
			if k < c.least || k > c.most {
				t.Errorf("%d drafts in the end, want %d to %d (acceptance %.2f)", k, c.least, c.most, l.Acceptance())
			}
			if !c.options.Fixed && c.least > 0 && math.Abs(l.Acceptance()-c.a) > 0.2 {
				t.Errorf("acceptance is estimated at %.2f, is %v", l.Acceptance(), c.a)
			}
		})
	}
}

// TestLengthComesBack stops drafting where it does not pay, and finds out when it
// does.
func TestLengthComesBack(t *testing.T) {
	l := draft.NewLength(draft.Options{Tokens: 8})
	drafted := func(right bool) (steps int) {
		for range 400 {
			k := l.Next(func(k int) float64 { return 1 + 0.25*float64(k) })
			accepted := 0
			if k > 0 {
				steps++
				if right {
					accepted = k
				}
			}
			if (k == 0) != l.Paused() {
				t.Fatalf("%d drafts, and paused is %t", k, l.Paused())
			}
			l.Observe(accepted, k)
			l.Wrote(accepted + 1)
		}
		return steps
	}
	if n := drafted(false); n == 0 || n > 60 {
		t.Errorf("%d of 400 steps had drafts that are never right", n)
	}
	if n := drafted(true); n < 300 {
		t.Errorf("%d of 400 steps had drafts that are always right", n)
	}
}

func TestObserve(t *testing.T) {
	l := draft.NewLength(draft.Options{})
	before := l.Acceptance()
	l.Observe(0, 0)
	if l.Acceptance() != before {
		t.Error("nothing was drafted, and the acceptance is another")
	}
	// Of 8 drafts whose first is wrong, one was judged.
	one, eight := draft.NewLength(draft.Options{}), draft.NewLength(draft.Options{})
	one.Observe(0, 1)
	eight.Observe(0, 8)
	if one.Acceptance() != eight.Acceptance() || !(one.Acceptance() < before) {
		t.Errorf("acceptance %v and %v, was %v", one.Acceptance(), eight.Acceptance(), before)
	}
}

func TestOptions(t *testing.T) {
	for _, o := range []draft.Options{{}, {Mode: draft.Lookup, Tokens: 16}, {Mode: draft.Model, Fixed: true}} {
		if err := o.Validate(); err != nil {
			t.Errorf("%+v: %v", o, err)
		}
	}
	for _, o := range []draft.Options{{Mode: -1}, {Mode: draft.Model + 1}, {Tokens: -1}, {Tokens: draft.MaxTokens + 1}} {
		if err := o.Validate(); !errors.Is(err, draft.ErrOption) {
			t.Errorf("%+v: %v", o, err)
		}
	}
	for mode, want := range map[draft.Mode]string{draft.None: "none", draft.Lookup: "lookup", draft.Model: "model", 7: "mode(7)"} {
		if mode.String() != want {
			t.Errorf("%v, want %s", mode, want)
		}
	}
}
