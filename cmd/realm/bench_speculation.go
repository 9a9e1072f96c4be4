package main

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/realm-webgpu/realm/engine"
	"github.com/realm-webgpu/realm/engine/chat"
	"github.com/realm-webgpu/realm/engine/draft"
)

// speculationReport compares the same texts written without drafts and with those of
// a smaller model.
//
// What drafts can do is Speedup of package draft (Leviathan et al., theorem 3.8), for
// the share of drafts that are right and the best number of them. The theorem has a
// step check any number of tokens in the time of one. Where computing and not reading
// weights takes the time, that is not so: Priced counts what rows cost.
type speculationReport struct {
	Plain      spread  `json:"plain_tokens_per_second"`
	Drafted    spread  `json:"drafted_tokens_per_second"`
	Speedup    float64 `json:"speedup"` // of the medians
	Accepted   int     `json:"accepted"`
	Proposed   int     `json:"proposed"`
	Acceptance float64 `json:"acceptance"`          // of the drafts that are judged, whether they pay or not: those up to the first that is wrong
	DraftCost  float64 `json:"draft_cost"`          // time of a token of the draft model, in those of the model
	RowCost    float64 `json:"row_cost"`            // time of a row more in a step, in those of a step of one
	Allowed    float64 `json:"allowed_speedup"`     // by the formula
	Drafts     int     `json:"allowed_with_drafts"` // the number of drafts that it is largest with
	Priced     float64 `json:"allowed_with_rows_priced"`
	PricedWith int     `json:"allowed_with_rows_priced_with_drafts"`
}

// speculationTopics are what the model is asked to tell about.
var speculationTopics = []string{"Brazil", "Norway", "Japan", "Kenya"}

// speculationTokens is the most tokens of an answer.
const speculationTokens = 64

// speculationDrafts is the number of drafts a step with which the acceptance is counted.
// It does not depend on the clock, while the drafts of the texts that are timed do: where
// they do not pay there are none.
const speculationDrafts = 4

// texts sums up what was written.
type texts struct {
	tokens                      int // behind the first of each
	time                        time.Duration
	accepted, judged, proposals int
}

func (w *texts) rate() float64 { return rate(w.tokens, w.time) }

// measureSpeculation writes answers in turns: without drafts, with drafts, and by the
// draft model.
func (b *batchBench) measureSpeculation(ctx context.Context, d *batchDevice) error {
	if b.draft == nil {
		d.Skipped = append(d.Skipped, "speculation: there is no draft model (--draft)")
		return nil
	}
	var prompts [][]int32
	for _, topic := range speculationTopics {
		ids, err := b.model.EncodeChat([]chat.Message{{Role: "user", Content: "Tell me about " + topic + "."}})
		if errors.Is(err, chat.ErrNoTemplate) {
			ids, err = b.model.Encode("A text about "+topic+": ", true), nil
		}
		if err != nil {
			return err
		}
		prompts = append(prompts, ids)
	}
	var r speculationReport
	var plain, drafted, draftRates []float64
	var all, counted texts
	for _, prompt := range prompts {
		if err := b.write(ctx, b.model, prompt, engine.DraftOptions{Mode: engine.DraftModel, Tokens: speculationDrafts, Fixed: true}, &counted); err != nil {
			return err
		}
	}
	if counted.judged > 0 {
		r.Acceptance = float64(counted.accepted) / float64(counted.judged)
	}
	for round := range int(b.flags.rounds) + 1 {
		var without, with, small texts
		for _, prompt := range prompts {
			if err := b.write(ctx, b.model, prompt, engine.DraftOptions{}, &without); err != nil {
				return err
			}
			if err := b.write(ctx, b.model, prompt, engine.DraftOptions{Mode: engine.DraftModel, Tokens: draft.MaxTokens}, &with); err != nil {
				return err
			}
			if err := b.write(ctx, b.draft, prompt, engine.DraftOptions{}, &small); err != nil {
				return err
			}
		}
		if round == 0 {
			continue // it compiles
		}
		plain, drafted, draftRates = append(plain, without.rate()), append(drafted, with.rate()), append(draftRates, small.rate())
		all.accepted += with.accepted
		all.proposals += with.proposals
	}
	row, err := b.rowCost(ctx, prompts[0])
	if err != nil {
		return err
	}
	r.Plain, r.Drafted = newSpread(plain), newSpread(drafted)
	r.Speedup = r.Drafted.Median / r.Plain.Median
	r.Accepted, r.Proposed = all.accepted, all.proposals
	r.DraftCost, r.RowCost = r.Plain.Median/newSpread(draftRates).Median, row
	r.Drafts, r.Allowed = draft.Best(r.Acceptance, r.DraftCost, draft.MaxTokens)
	r.PricedWith, r.Priced = draft.Best(r.Acceptance, r.DraftCost+r.RowCost, draft.MaxTokens)
	d.Speculation = &r
	return nil
}

// write writes one answer, greedily, and adds it to w.
func (b *batchBench) write(ctx context.Context, m *engine.Model, prompt []int32, o engine.DraftOptions, w *texts) error {
	s, err := m.NewSequence()
	if err != nil {
		return err
	}
	defer s.Close()
	s.NoPrefix()
	var ends []int32
	for id := range int32(m.Tokenizer().Len()) {
		if m.Tokenizer().IsEndOfGeneration(id) {
			ends = append(ends, id)
		}
	}
	run := b.engine.Start(ctx, engine.Request{Sequence: s, Tokens: prompt, MaxTokens: speculationTokens, Stop: ends, Draft: o})[0]
	defer run.Cancel()
	right, proposed := 0, 0 // of the step at hand; before it
	for {
		t, err := run.Next(ctx)
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		if t.Draft {
			right++
			continue
		}
		// A draft that was wrong, if there was one more, is in the place of this token.
		w.accepted += right
		w.judged += min(right+1, t.Proposed-proposed)
		right, proposed = 0, t.Proposed
	}
	w.accepted += right // up to the end of the text
	w.judged += right
	stats := run.Stats()
	w.proposals += stats.Proposed
	w.tokens += stats.GeneratedTokens - 1
	w.time += stats.Decode
	return nil
}

// rowDrafts is the number of rows more by which the cost of one is measured.
const rowDrafts = 7

// rowCost compares steps of one row and of some more, each by itself.
func (b *batchBench) rowCost(ctx context.Context, prompt []int32) (float64, error) {
	s, err := b.model.NewSequence()
	if err != nil {
		return 0, err
	}
	defer s.Close()
	s.NoPrefix()
	if err := drain(ctx, b.engine.Start(ctx, engine.Request{Sequence: s, Tokens: prompt})...); err != nil {
		return 0, err
	}
	var one, more []float64
	for i := range 17 {
		for drafts, times := range map[int]*[]float64{0: &one, rowDrafts: &more} {
			start := time.Now()
			if err := drain(ctx, b.engine.Start(ctx, engine.Request{Sequence: s, Tokens: b.tokens(drafts), Verify: drafts, MaxTokens: 1})...); err != nil {
				return 0, err
			}
			if i > 0 { // the first one compiles
				*times = append(*times, time.Since(start).Seconds())
			}
		}
	}
	base := newSpread(one).Median
	return max(0, newSpread(more).Median-base) / (rowDrafts * base), nil
}
