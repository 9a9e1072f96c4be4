package service

import (
	"context"
	"sync"

	"golang.org/x/sync/errgroup"
)

// callsAtOnce is how many calls of one request are answered side by side.
const callsAtOnce = 8

// RunAll runs the calls of one request, such as those of several prompts, side by side.
// deliver is told which call a Delta is of, by one goroutine at a time. The result has
// the tokens of all, and the timings of the one that took longest. An error ends all.
func (s *Service) RunAll(ctx context.Context, calls []Call, deliver func(int, Delta) error) (Result, error) {
	var mu sync.Mutex
	var sum Result
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(callsAtOnce)
	for i, c := range calls {
		c.Deliver = func(d Delta) error {
			mu.Lock()
			defer mu.Unlock()
			return deliver(i, d)
		}
		group.Go(func() error {
			a, err := s.Start(ctx, c)
			if err != nil {
				return err
			}
			defer a.Close()
			result, err := a.Run()
			mu.Lock()
			defer mu.Unlock()
			sum.add(result)
			return err
		})
	}
	err := group.Wait()
	return sum, err
}

// add adds the result of another call of the request.
func (r *Result) add(more Result) {
	if more.Timings.Total > r.Timings.Total {
		r.Model, r.Adapter, r.Timings = more.Model, more.Adapter, more.Timings
	}
	r.Usage.Prompt += more.Usage.Prompt
	r.Usage.Cached += more.Usage.Cached
	r.Usage.Completion += more.Usage.Completion
	r.Usage.Reasoning += more.Usage.Reasoning
	r.Usage.Accepted += more.Usage.Accepted
	r.Usage.Proposed += more.Usage.Proposed
}
