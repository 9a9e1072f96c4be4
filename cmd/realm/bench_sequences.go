package main

import (
	"context"
	"io"
	"math"
	"slices"
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
	x := &stalled{
		warm: min(stallWarm+stallAlone, b.model.Context()/4), started: make(chan struct{}), over: make(chan error, 1),
		read: func(tell func()) *engine.Run {
			return b.engine.Start(ctx, engine.Request{Sequence: other, Tokens: b.tokens(long), MaxTokens: 1, Notify: tell})[0]
		},
	}
	x.writer = b.engine.Start(ctx, engine.Request{Sequence: s, MaxTokens: b.model.Context() - prompt, Notify: x.take})[0]
	close(x.started)
	defer x.writer.Cancel()
	select {
	case err = <-x.over:
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		return r, err
	}
	if x.reader != nil {
		defer x.reader.Cancel()
	}
	times, beside := x.times, x.beside
	r = stallReport{
		PromptTokens: long, Alone: newGaps(times[min(stallWarm, beside) : beside+1]), Meanwhile: newGaps(times[beside:]),
		Reading: x.reading.Seconds(),
	}
	if r.Alone.P99 > 0 {
		r.TimesAlone = r.Meanwhile.P99 / r.Alone.P99
	}
	return r, nil
}

// stalled is a text that is written, and the long prompt that is read beside it from
// some token on. Tokens are taken where they come, by the engine's own goroutine: one
// that takes them elsewhere is late when the device keeps all cores busy.
type stalled struct {
	warm    int                           // tokens that are written alone
	read    func(tell func()) *engine.Run // starts the long prompt
	started chan struct{}                 // writer is set
	over    chan error

	writer, reader *engine.Run
	begun          time.Time
	reading        time.Duration // what the long prompt took; 0: it is being read
	times          []time.Time
	beside         int // the index of the last token that was written alone
	done           bool
}

// stallGaps is how many times between tokens there are beside a prompt at least: one
// that is read in a single step is over with the first.
const stallGaps = 2

// take takes what there is of the text.
func (x *stalled) take() {
	<-x.started // it is about to be
	for !x.done {
		_, ok, err := x.writer.Poll()
		if err == nil && !ok {
			return
		}
		if err == nil {
			x.token()
		}
		if x.done = err != nil || x.reading > 0 && len(x.times)-1-x.beside >= stallGaps; x.done {
			if err == io.EOF {
				err = nil // the context is full
			}
			x.over <- err
		}
	}
}

// token notes the time of a token. The long prompt comes behind some of them.
func (x *stalled) token() {
	x.times = append(x.times, time.Now())
	if x.reader != nil || len(x.times) < x.warm {
		return
	}
	x.beside, x.begun = len(x.times)-1, time.Now()
	x.reader = x.read(func() {
		if x.reading == 0 {
			x.reading = time.Since(x.begun)
		}
	})
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
