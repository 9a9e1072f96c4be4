package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/realm-webgpu/realm/engine"
	"github.com/realm-webgpu/realm/engine/lora"
)

// adaptersReport is what adapters add to the steps of so many texts, each of which goes
// by one of its own.
type adaptersReport struct {
	Texts   int     `json:"texts"`
	Rank    int     `json:"rank"`
	Without spread  `json:"step_seconds_without"`
	With    spread  `json:"step_seconds_with"`
	Share   float64 `json:"share"` // of the former, that the latter are more: the median of turns
	// Dispatches of a step: before there was an adapter on the device, beside those that
	// are there and nobody uses, and with them.
	Before  float64 `json:"step_dispatches_before"`
	Unused  float64 `json:"step_dispatches_unused"`
	Adapted float64 `json:"step_dispatches_with"`
}

// adapterRank is the rank of the adapters that are measured.
const adapterRank = 8

// adapterTexts are how many texts are written at the same time.
func adapterTexts() []int { return []int{1, 8} }

// measureAdapters writes texts with adapters and without, in turns.
func (b *batchBench) measureAdapters(ctx context.Context, d *batchDevice) error {
	counts := adapterTexts()
	before := make([]adaptedSteps, len(counts))
	for i, n := range counts {
		for range 2 { // the first time compiles
			var err error
			if before[i], err = b.writeAdapted(ctx, make([]*engine.Adapter, n)); err != nil {
				return err
			}
		}
	}
	var adapters []*engine.Adapter
	defer func() {
		for _, a := range adapters {
			a.Close()
		}
	}()
	for range slices.Max(counts) {
		noise, err := b.noise()
		if err != nil {
			return err
		}
		a, err := b.model.AddAdapter(ctx, noise)
		if err != nil {
			return err
		}
		adapters = append(adapters, a)
	}
	for i, n := range counts {
		r := adaptersReport{Texts: n, Rank: adapterRank, Before: before[i].dispatches}
		var without, with, share []float64
		for round := range int(b.flags.rounds) + 1 {
			plain, err := b.writeAdapted(ctx, make([]*engine.Adapter, n))
			if err != nil {
				return err
			}
			adapted, err := b.writeAdapted(ctx, adapters[:n])
			if err != nil {
				return err
			}
			if round == 0 {
				continue
			}
			without, with = append(without, plain.seconds), append(with, adapted.seconds)
			share = append(share, adapted.seconds/plain.seconds-1)
			r.Unused, r.Adapted = plain.dispatches, adapted.dispatches
		}
		r.Without, r.With, r.Share = newSpread(without), newSpread(with), newSpread(share).Median
		d.Adapters = append(d.Adapters, r)
	}
	return nil
}

// noise is an adapter of small random numbers for all matrices of the layers.
func (b *batchBench) noise() (*lora.Adapter, error) {
	numbers := func(n int) []float32 {
		values := make([]float32, n)
		for i := range values {
			values[i] = float32(b.random.NormFloat64()) / 64
		}
		return values
	}
	a := &lora.Adapter{Format: "GGUF"}
	target := b.model.AdapterTarget()
	for _, t := range b.file.Tensors {
		rows, columns, err := target.Matrix(t.Name)
		if err != nil || !strings.HasPrefix(t.Name, "blk.") {
			continue
		}
		a.Pairs = append(a.Pairs, lora.Pair{
			Name: t.Name, Rank: adapterRank, Rows: rows, Columns: columns, Scale: 1,
			A: numbers(adapterRank * columns), B: numbers(rows * adapterRank),
		})
	}
	if len(a.Pairs) == 0 {
		return nil, errors.New("no matrix of the model takes an adapter")
	}
	return a, nil
}

// adaptedSteps are the steps of texts that were written side by side.
type adaptedSteps struct {
	seconds    float64 // of one
	dispatches float64 // of one
}

// writeAdapted writes a text for each of the adapters, nil for none, and returns what a
// step took.
func (b *batchBench) writeAdapted(ctx context.Context, adapters []*engine.Adapter) (w adaptedSteps, err error) {
	requests := make([]engine.Request, len(adapters))
	for i, a := range adapters {
		s, err := b.model.NewSequence()
		if err != nil {
			return w, err
		}
		defer s.Close()
		s.NoPrefix()
		if err := s.UseAdapter(a, 1); err != nil {
			return w, err
		}
		requests[i] = engine.Request{Sequence: s, Tokens: b.tokens(int(b.flags.prompt))}
	}
	if err := drain(ctx, b.engine.Start(ctx, requests...)...); err != nil {
		return w, err
	}
	for i := range requests {
		requests[i] = engine.Request{Sequence: requests[i].Sequence, MaxTokens: int(b.flags.tokens)}
	}
	steps, dispatches := b.engine.Totals().Steps, b.engine.Counters().Dispatches
	runs := b.engine.Start(ctx, requests...)
	if err := drain(ctx, runs...); err != nil {
		return w, err
	}
	steps, dispatches = b.engine.Totals().Steps-steps, b.engine.Counters().Dispatches-dispatches
	if steps == 0 {
		return w, fmt.Errorf("%d texts were written in no steps", len(runs))
	}
	w.dispatches = float64(dispatches) / float64(steps)
	w.seconds = runs[0].Stats().Decode.Seconds() / float64(b.flags.tokens-1)
	return w, nil
}
