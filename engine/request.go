package engine

import (
	"context"
	"fmt"

	"github.com/realm-webgpu/realm/engine/batch"
	"github.com/realm-webgpu/realm/engine/draft"
	"github.com/realm-webgpu/realm/engine/sample"
)

// Request is what a sequence does next: it reads tokens, and may write some.
type Request struct {
	Sequence *Sequence
	// Tokens are read first, after what the sequence has: those that were appended
	// and not yet read come before them.
	Tokens []int32
	// MaxTokens is the most tokens to choose. 0: none, tokens are read only.
	MaxTokens int
	// Sampler chooses; nil: greedy. It is the run's alone while that lasts, and
	// accepts the tokens that are chosen. [Model.NewSampler] makes one.
	Sampler *sample.Sampler
	// Constraint, unless nil, says which tokens are possible, as a grammar does. It
	// is the run's alone while that lasts, and is advanced by the tokens chosen.
	Constraint Constraint
	// Mask, unless nil, says which tokens are possible as the first one.
	Mask sample.Mask
	// Stop ends the run after one of these tokens was chosen, which is given out.
	Stop []int32
	// Verify is how many of Tokens, the last ones, are drafts of what the sampler is
	// going to choose. They are read in one step and kept as far as they are what it
	// does choose; the others leave the sequence. The run gives the accepted ones out
	// and then one token more, as without drafts; the accepted ones do not count for
	// MaxTokens, which is 1 at least.
	Verify int
	// Draft makes the engine draft by itself where MaxTokens is over 1. What is
	// written is the same as without, and comes sooner where drafts are accepted.
	Draft DraftOptions
	// TopK is how many of the most probable tokens Output.Top has: 0 to 64.
	TopK int
	// Logprobs asks for Output.Logprob. It may come without being asked for.
	Logprobs bool
	// Hidden asks for the hidden state, after the last norm, that each token was
	// chosen from: that of the token before it. With MaxTokens 0 it is the state of
	// the last token that is read.
	Hidden bool
	// Logits asks for the row of logits that each token was chosen from, or with
	// MaxTokens 0 for those after the last token that is read.
	Logits bool
	// Each gives Hidden or Logits of each of the tokens that are read from index
	// From of the sequence on, an Output for each, in place of the last alone.
	// MaxTokens is 0 then. What was read from there on before is read again.
	Each bool
	From int
	// Priority comes before fairness: runs of a higher one are taken in first and
	// give way last. It is added to the tenant's.
	Priority int
	// Notify, unless nil, is called from a goroutine of the engine whenever Poll has
	// something new. It must not block, and may call Poll.
	Notify func()
}

// What a Request goes by and what comes of it is that of package batch.
type (
	// Run is a Request on its way.
	Run = batch.Run
	// Output is one token that was chosen, or the end of reading.
	Output = batch.Output
	// Constraint says which tokens are possible next.
	Constraint = batch.Constraint
	// DraftOptions say how a text is drafted ahead of the model that decides.
	DraftOptions = draft.Options
	// FinishReason says why a text ended.
	FinishReason = batch.FinishReason
	// Stats are the measurements of one Run, or of one Generate.
	Stats = batch.Stats
)

// The reasons. The zero value is that of a text that has not ended: one whose
// loop was left early, or ended with an error.
const (
	FinishStop    = batch.FinishStop    // an end-of-generation token, one of Stop, or a stop string
	FinishLength  = batch.FinishLength  // MaxTokens
	FinishContext = batch.FinishContext // the context is full
)

// NoToken is the Token of an Output without one.
const NoToken = batch.NoToken

// Start starts requests, each on a sequence of its own, and returns a run for
// each, in order. It does not wait. Those of one call ride in the same step as
// far as they fit. Each run has its own error: ErrOption, ErrToken, ErrEmpty,
// ErrEncoder, ErrBusy, ErrClosed, a ContextError, a QueueError, kv.ErrPages, those
// of the sampler, of the constraint and of the device, or ctx.Err(), which ends
// all of them.
func (e *Engine) Start(ctx context.Context, requests ...Request) []*Run {
	converted := make([]batch.Request, len(requests))
	for i := range requests {
		converted[i] = requests[i].request()
	}
	return e.scheduler.Start(ctx, converted...)
}

// request returns the request as package batch knows it.
func (r *Request) request() batch.Request {
	var core *batch.Sequence
	if r.Sequence != nil {
		core = r.Sequence.core
	}
	return batch.Request{
		Sequence: core, Tokens: r.Tokens, MaxTokens: r.MaxTokens,
		Sampler: r.Sampler, Constraint: r.Constraint, Mask: r.Mask, Stop: r.Stop,
		Verify: r.Verify, Draft: r.Draft,
		TopK: r.TopK, Logprobs: r.Logprobs, Hidden: r.Hidden, Logits: r.Logits, Each: r.Each, From: r.From,
		Priority: r.Priority, Notify: r.Notify,
	}
}

// NewSampler returns the sampler of one text. It is for the Sampler of a Request:
// the samplers of a model share their working memory, which is the scheduler's.
// Errors are those of [sample.New].
func (m *Model) NewSampler(spec sample.Spec) (*sample.Sampler, error) {
	s, err := m.core.NewSampler(spec)
	if err != nil {
		return nil, fmt.Errorf("engine: new sampler: %w", err)
	}
	return s, nil
}
