package sample

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestKeyOrder(t *testing.T) {
	negZero := float32(math.Copysign(0, -1))
	// Best first; the two zeros tie.
	order := []struct {
		logit float32
		token int32
	}{
		{math.MaxFloat32, 9}, {1.5, 3}, {1.5, 4}, {1, 0}, {math.SmallestNonzeroFloat32, 1},
		{0, 5}, {negZero, 6}, {0, math.MaxInt32}, {-math.SmallestNonzeroFloat32, 2}, {-1, 7}, {-math.MaxFloat32, 8},
	}
	for i, entry := range order {
		key := makeKey(entry.logit, entry.token)
		if keyLogit(key) != entry.logit || keyToken(key) != entry.token {
			t.Errorf("key of (%g, %d) is read as (%g, %d)", entry.logit, entry.token, keyLogit(key), keyToken(key))
		}
		if i > 0 && makeKey(order[i-1].logit, order[i-1].token) >= key {
			t.Errorf("(%g, %d) does not rank after its predecessor", entry.logit, entry.token)
		}
	}
}

// A ranking read at any rank, in any order, is the sorted set.
func TestRanking(t *testing.T) {
	patterns := map[string]func(rng *rand.Rand, i, n int) float32{
		"random":   func(rng *rand.Rand, i, n int) float32 { return float32(rng.NormFloat64()) },
		"rising":   func(rng *rand.Rand, i, n int) float32 { return float32(i) },
		"falling":  func(rng *rand.Rand, i, n int) float32 { return float32(-i) },
		"equal":    func(rng *rand.Rand, i, n int) float32 { return 1 },
		"few":      func(rng *rand.Rand, i, n int) float32 { return float32(rng.IntN(3)) },
		"peaked":   func(rng *rand.Rand, i, n int) float32 { return float32(100 / (1 + i%977)) },
		"exponent": func(rng *rand.Rand, i, n int) float32 { return float32(math.Exp(80 * rng.Float64())) },
	}
	for name, logit := range patterns {
		for _, n := range []int{1, 63, 64, 65, 257, 5000, 20000} {
			t.Run(fmt.Sprint(name, " ", n), func(t *testing.T) {
				rng := rand.New(rand.NewPCG(2, uint64(n)))
				keys := make([]uint64, n)
				for i := range keys {
					keys[i] = makeKey(logit(rng, i, n), int32(i))
				}
				want := slices.Clone(keys)
				slices.Sort(want)
				r := ranking{keys: keys}
				for _, rank := range []int{0, 1, n / 100, n / 10, n / 2, n - 1} {
					if rank = min(rank, n-1); r.key(rank) != want[rank] {
						t.Fatalf("key %d is %#x, want %#x", rank, r.key(rank), want[rank])
					}
				}
				if !slices.Equal(keys, want) {
					t.Error("the set is not sorted to its end")
				}
			})
		}
	}
}

func TestSelectSmallest(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	for range 200 {
		keys := make([]uint64, 1+rng.IntN(3000))
		for i := range keys {
			keys[i] = rng.Uint64()>>rng.IntN(40)<<12 | uint64(i)
		}
		want := slices.Clone(keys)
		slices.Sort(want)
		n := rng.IntN(len(keys) + 1)
		selectSmallest(keys, n)
		slices.Sort(keys[:n])
		if !slices.Equal(keys[:n], want[:n]) {
			t.Fatalf("the %d smallest of %d are not in front", n, len(keys))
		}
		slices.Sort(keys)
		if !slices.Equal(keys, want) {
			t.Fatal("keys were lost")
		}
	}
}
