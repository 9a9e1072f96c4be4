package sample

import (
	"math"
	"math/bits"
	"slices"
)

// A key holds a finite logit and its token in one number, such that the order of
// keys is that of ranks: the smaller key has the higher logit, or the same and
// the lower id.
//
//	bits 63..32  the logit's bits, made to fall where the logit rises
//	bits 31..0   the token
func makeKey(logit float32, token int32) uint64 {
	b := math.Float32bits(logit)
	if b == 1<<31 {
		b = 0 // -0 ties with 0
	}
	if b>>31 == 0 {
		b ^= 1<<31 - 1 // falling, below the negative ones, which fall as they are
	}
	return uint64(b)<<32 | uint64(uint32(token))
}

func keyLogit(key uint64) float32 {
	b := uint32(key >> 32)
	if b>>31 == 0 {
		b ^= 1<<31 - 1
	}
	return math.Float32frombits(b)
}

func keyToken(key uint64) int32 { return int32(uint32(key)) }

// ranking is a set of keys that is sorted only as far as it is read.
type ranking struct {
	keys   []uint64
	sorted int // keys[:sorted] are the best, in order
}

// firstRun is how many ranks the first read sorts; each further one sorts
// runGrowth times as many as there were.
const (
	firstRun  = 64
	runGrowth = 8
)

// logit returns the logit of a rank, which must be below len(keys).
func (r *ranking) logit(rank int) float64 { return float64(keyLogit(r.key(rank))) }

func (r *ranking) key(rank int) uint64 {
	for rank >= r.sorted {
		n := min(max(firstRun, r.sorted*runGrowth), len(r.keys)-r.sorted)
		rest := r.keys[r.sorted:]
		selectSmallest(rest, n)
		slices.Sort(rest[:n])
		r.sorted += n
	}
	return r.keys[rank]
}

// selectSmallest reorders distinct keys so that the n smallest are in keys[:n].
// It is a quickselect whose pivot is the wanted quantile of a small sample, so
// that a short prefix of a long row takes little more than one pass.
func selectSmallest(keys []uint64, n int) {
	const sampleSize = 256
	var sample [sampleSize]uint64
	// Rows that defeat the sample are sorted, not searched for ever.
	for rounds := 2 * bits.Len(uint(len(keys))); n > 0 && n < len(keys); rounds-- {
		if len(keys) <= sampleSize || rounds == 0 {
			slices.Sort(keys)
			return
		}
		for i := range sample {
			sample[i] = keys[i*len(keys)/sampleSize]
		}
		slices.Sort(sample[:])
		// One past the quantile: better to cut off a few too many than too few.
		pivot := sample[min(n*sampleSize/len(keys)+1, sampleSize-1)]
		below := 0
		for i, k := range keys {
			if k < pivot {
				keys[i], keys[below] = keys[below], k
				below++
			}
		}
		if below >= n {
			keys = keys[:below]
		} else {
			keys, n = keys[below:], n-below
		}
	}
}
