package load

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// Result is what many clients saw.
type Result struct {
	Answers, Failed int
	Tokens          int
	Elapsed         time.Duration
	First           Times // until the first piece
	Gap             Times // between pieces
	Err             error // the first failure
}

// Rate returns the tokens a second of all together.
func (r *Result) Rate() float64 {
	if r.Elapsed <= 0 {
		return 0
	}
	return float64(r.Tokens) / r.Elapsed.Seconds()
}

// Times are the spread of durations.
type Times struct{ P50, P99, Max time.Duration }

// NewTimes returns the spread of all, which it sorts.
func NewTimes(all []time.Duration) Times {
	if len(all) == 0 {
		return Times{}
	}
	slices.Sort(all)
	at := func(share float64) time.Duration { return all[min(len(all)-1, int(share*float64(len(all))))] }
	return Times{at(0.5), at(0.99), all[len(all)-1]}
}

// Run has each client ask again and again, until it has asked count times (0: any
// number) or until ends, whichever comes first. What is asked when until ends is read to
// its end. Clients are not closed.
func Run(ctx context.Context, clients []*Client, count int, until time.Time, next func(client int) Request) Result {
	var mu sync.Mutex
	var r Result
	var first, gaps []time.Duration
	var group sync.WaitGroup
	start := time.Now()
	for i, c := range clients {
		group.Go(func() {
			for n := 0; (count == 0 || n < count) && (until.IsZero() || time.Now().Before(until)) && ctx.Err() == nil; n++ {
				a, err := c.Ask(ctx, next(i))
				mu.Lock()
				r.Answers++
				r.Tokens += a.Tokens
				if err != nil {
					r.Failed++
					if r.Err == nil {
						r.Err = err
					}
				} else {
					first, gaps = append(first, a.First), append(gaps, a.Gaps...)
				}
				mu.Unlock()
				if errors.Is(err, ErrStatus) {
					time.Sleep(backOff) // it is not to be asked for more at once
				}
			}
		})
	}
	group.Wait()
	r.Elapsed = time.Since(start)
	r.First, r.Gap = NewTimes(first), NewTimes(gaps)
	return r
}

// backOff is how long a client that was refused waits.
const backOff = 50 * time.Millisecond

// Prompt returns n tokens of a vocabulary, never the same ones: a prompt that is known
// already would not be read.
func Prompt(n, vocabulary int) []int32 {
	const low = 100 // control tokens come first
	p := make([]int32, n)
	for i := range p {
		p[i] = int32(low + rand.IntN(max(1, min(vocabulary, 1<<15)-low)))
	}
	return p
}
