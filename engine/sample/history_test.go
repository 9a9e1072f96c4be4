package sample

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"
)

// After any accepts and rewinds the counts are those of the window, counted anew.
func TestHistoryCounts(t *testing.T) {
	for _, window := range []int{0, 1, 5, 64} {
		t.Run(fmt.Sprint("window ", window), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(1, uint64(window)))
			s := newSampler(t, Spec{PresencePenalty: 1, PenaltyWindow: window}, 12)
			var tokens []int32
			for step := range 2000 {
				if n := rng.IntN(4); rng.IntN(3) > 0 {
					for range n {
						tokens = append(tokens, rng.Int32N(12))
					}
					if err := s.Accept(tokens[len(tokens)-n:]...); err != nil {
						t.Fatal(err)
					}
				} else {
					n = min(2*n, len(tokens))
					tokens = tokens[:len(tokens)-n]
					if err := s.Rewind(n); err != nil {
						t.Fatal(err)
					}
				}
				want := map[int32]int32{}
				for i, token := range tokens {
					if window == 0 || i >= len(tokens)-window {
						want[token]++
					}
				}
				if !maps.Equal(s.history.counts, want) {
					t.Fatalf("step %d: counts %v, want %v", step, s.history.counts, want)
				}
			}
		})
	}
}

func TestAcceptAndRewindErrors(t *testing.T) {
	for _, spec := range []Spec{{}, {RepetitionPenalty: 1.5}} {
		s := newSampler(t, spec, 12)
		for _, token := range []int32{-1, 12} {
			if err := s.Accept(3, token); !errors.Is(err, ErrToken) {
				t.Errorf("Accept(%d): error %v, want ErrToken", token, err)
			}
		}
		if err := s.Rewind(1); !errors.Is(err, ErrRewind) {
			t.Errorf("a refused Accept left tokens: Rewind: %v", err)
		}
		if err := s.Accept(1, 2, 3); err != nil {
			t.Fatal(err)
		}
		for _, n := range []int{-1, 4} {
			if err := s.Rewind(n); !errors.Is(err, ErrRewind) {
				t.Errorf("Rewind(%d): error %v, want ErrRewind", n, err)
			}
		}
		if err := s.Rewind(3); err != nil {
			t.Errorf("a refused Rewind took tokens: Rewind(3): %v", err)
		}
	}
}

func newSampler(t testing.TB, spec Spec, vocab int) *Sampler {
	t.Helper()
	s, err := New(spec, vocab, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
