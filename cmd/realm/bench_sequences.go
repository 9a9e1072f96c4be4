package main

import (
	"context"
	"io"
	"math"
	"slices"
	"sync/atomic"
	"time"

	"github.com/realm-webgpu/realm/engine"
)

// sequencesReport is how fast so many texts are written side by side.
type sequencesReport struct {
	Sequences int     `json:"sequences"`
	Rate      spread  `json:"tokens_per_second"` // of all together
	TimesOne  float64 `json:"times_one,omitempty"`
}

// measureSequences writes texts side by side, behind prompts that were read before.
func (b *batchBench) measureSequences(ctx context.Context, d *batchDevice) error {
	for _, n := range b.flags.sequences {
		// The first round, of few tokens, compiles what the others need.
		if _, err := b.writeSequences(ctx, n, 2); err != nil {
			return err
		}
		var rates []float64
		for range b.flags.rounds {
			rate, err := b.writeSequences(ctx, n, int(b.flags.tokens))
			if err != nil {
				return err
			}
			rates = append(rates, rate)
		}
		r := sequencesReport{Sequences: n, Rate: newSpread(rates)}
		d.Sequences = append(d.Sequences, r)
	}
	for _, one := range d.Sequences {
		if one.Sequences != 1 {
			continue
		}
		for i := range d.Sequences {
			d.Sequences[i].TimesOne = d.Sequences[i].Rate.Median / one.Rate.Median
		}
		break
	}
	return nil
}

// writeSequences has n sequences written on by so many tokens each, and returns the
// tokens a second.
func (b *batchBench) writeSequences(ctx context.Context, n, tokens int) (float64, error) {
	requests := make([]engine.Request, n)
	for i := range requests {
		s, err := b.model.NewSequence()
		if err != nil {
			return 0, err
		}
		defer s.Close()
		s.NoPrefix()
		requests[i] = engine.Request{Sequence: s, Tokens: b.tokens(int(b.flags.prompt))}
	}
	if err := drain(ctx, b.engine.Start(ctx, requests...)...); err != nil {
		return 0, err
	}
	for i := range requests {
		requests[i] = engine.Request{Sequence: requests[i].Sequence, MaxTokens: tokens}
	}
	start := time.Now()
	if err := drain(ctx, b.engine.Start(ctx, requests...)...); err != nil {
		return 0, err
	}
	return float64(n*tokens) / time.Since(start).Seconds(), nil
}

// stallReport is what a long prompt does to a text that is being written.
type stallReport struct {
	PromptTokens int     `json:"prompt_tokens"`
	Alone        gaps    `json:"alone"`
	Meanwhile    gaps    `json:"while_reading"`
	TimesAlone   float64 `json:"p99_times_alone"`
	Reading      float64 `json:"reading_seconds"` // 0: the text was full before
}

// gaps are the times from one token to the next.
type gaps struct {
	Tokens int     `json:"tokens"`
	Median float64 `json:"median_seconds"`
	P99    float64 `json:"p99_seconds"`
	Max    float64 `json:"max_seconds"`
}

func newGaps(times []time.Time) gaps {
	var x []float64
	for i := 1; i < len(times); i++ {
		x = append(x, times[i].Sub(times[i-1]).Seconds())
	}
	if len(x) == 0 {
		return gaps{}
	}
	slices.Sort(x)
	n := len(x)
	return gaps{n, x[n/2], x[int(math.Ceil(0.99*float64(n)))-1], x[n-1]}
}

// The tokens that are written before the long prompt comes: some that are not
// counted, and those that the others are compared with.
const (
	stallWarm  = 16
	stallAlone = 100
	stallFirst = 128 // tokens of the long prompt that is not counted
)

// measureStall writes a text, at first alone, then beside a long prompt.
func (b *batchBench) measureStall(ctx context.Context, d *batchDevice) error {
	// The first time compiles, and finds out what steps cost.
	if _, err := b.stall(ctx, min(stallFirst, b.long)); err != nil {
		return err
	}
	r, err := b.stall(ctx, b.long)
	if err != nil {
		return err
	}
	d.Stall = &r
	return nil
}

// stall measures once, with a prompt of so many tokens.
func (b *batchBench) stall(ctx context.Context, long int) (r stallReport, err error) {
	const prompt = 8
	s, err := b.read(ctx, prompt)
	if err != nil {
		return r, err
	}
	defer s.Close()
	other, err := b.model.NewSequence()
	if err != nil {
		return r, err
	}
	defer other.Close()
	other.NoPrefix()
	var begun time.Time
	var read atomic.Int64 // nanoseconds that the long prompt took; 0: it is being read
	writer := b.engine.Start(ctx, engine.Request{Sequence: s, MaxTokens: b.model.Context() - prompt})[0]
	defer writer.Cancel()
	var times []time.Time
	beside := 0 // the index of the last token that was written alone
	for read.Load() == 0 {
		if _, err := writer.Next(ctx); err == io.EOF {
			break // the context is full
		} else if err != nil {
			return r, err
		}
		times = append(times, time.Now())
		if beside > 0 || len(times) < min(stallWarm+stallAlone, b.model.Context()/4) {
			continue
		}
		beside, begun = len(times)-1, time.Now()
		reader := b.engine.Start(ctx, engine.Request{
			Sequence: other, Tokens: b.tokens(long), MaxTokens: 1,
			Notify: func() { read.CompareAndSwap(0, int64(time.Since(begun))) },
		})[0]
		defer reader.Cancel()
	}
	r = stallReport{
		PromptTokens: long, Alone: newGaps(times[min(stallWarm, beside) : beside+1]), Meanwhile: newGaps(times[beside:]),
		Reading: time.Duration(read.Load()).Seconds(),
	}
	if r.Alone.P99 > 0 {
		r.TimesAlone = r.Meanwhile.P99 / r.Alone.P99
	}
	return r, nil
}

// forkReport is what forking a sequence takes.
type forkReport struct {
	Tokens int    `json:"tokens"`
	Time   spread `json:"seconds"`
	Pages  int    `json:"pages_taken"`
}

// forks is how many forks are timed, all of which are there at the same time.
const forks = 200

// measureFork forks a long sequence.
func (b *batchBench) measureFork(ctx context.Context, d *batchDevice) error {
	s, err := b.read(ctx, b.long)
	if err != nil {
		return err
	}
	defer s.Close()
	free := b.model.CacheUsage().Free
	var took []float64
	for range forks {
		start := time.Now()
		f, err := s.Fork()
		if err != nil {
			return err
		}
		took = append(took, time.Since(start).Seconds())
		defer f.Close()
	}
	d.Fork = &forkReport{Tokens: b.long, Time: newSpread(took), Pages: free - b.model.CacheUsage().Free}
	return nil
}
