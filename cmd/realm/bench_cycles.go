package main

import (
	"context"
	"runtime"
	"time"

	"github.com/realm-webgpu/realm/engine"
)

// cyclesReport is what is left when sequences were opened, written on and closed, many
// times, some of them in the midst of a text.
type cyclesReport struct {
	Cycles     int     `json:"cycles"`
	Seconds    float64 `json:"seconds"` // of one
	Pages      int     `json:"pages_left"`
	Goroutines int     `json:"goroutines_left"`
	Bytes      int64   `json:"device_bytes_left"`
}

// cycles is how many are made, and cyclesWarm how many before those that are counted:
// programs are compiled then.
const (
	cycles     = 1000
	cyclesWarm = 24
)

// cyclePatience is how long goroutines of contexts that were cancelled are waited for:
// they end by themselves.
const cyclePatience = time.Minute

// measureCycles opens, runs and closes, and compares what there is with what there was.
func (b *batchBench) measureCycles(ctx context.Context, d *batchDevice) error {
	for i := range cyclesWarm {
		if err := b.cycle(ctx, i); err != nil {
			return err
		}
	}
	free, goroutines, bytes := b.model.CacheUsage().Free, runtime.NumGoroutine(), b.deviceBytes()
	start := time.Now()
	for i := range cycles {
		if err := b.cycle(ctx, i); err != nil {
			return err
		}
	}
	r := cyclesReport{Cycles: cycles, Seconds: time.Since(start).Seconds() / cycles}
	for end := time.Now().Add(cyclePatience); runtime.NumGoroutine() > goroutines && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	r.Pages, r.Goroutines, r.Bytes = free-b.model.CacheUsage().Free, runtime.NumGoroutine()-goroutines, b.deviceBytes()-bytes
	d.Cycles = &r
	return nil
}

// deviceBytes returns what the engine has taken of the device's memory.
func (b *batchBench) deviceBytes() (n int64) {
	for _, used := range b.engine.Memory().Used {
		n += used
	}
	return n
}

// cycle opens a sequence, has it read and written on, and closes it: when the text is
// done, after a token, when it was cancelled, or at once.
func (b *batchBench) cycle(ctx context.Context, i int) error {
	s, err := b.model.NewSequence()
	if err != nil {
		return err
	}
	defer s.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	run := b.engine.Start(ctx, engine.Request{Sequence: s, Tokens: b.tokens(3), MaxTokens: 1 + i%3})[0]
	switch i % 4 {
	case 0:
		return drain(ctx, run)
	case 1:
		_, err = run.Next(ctx)
	case 2:
		run.Cancel()
	}
	return err
}
