package batch

import (
	"fmt"

	"github.com/realm-webgpu/realm/engine/device"
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
	// accepts the tokens that are chosen.
	Sampler *sample.Sampler
	// Constraint, unless nil, says which tokens are possible. It is the run's alone
	// while that lasts, and is advanced by the tokens that are chosen.
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
	// Draft makes the engine draft by itself where MaxTokens is over 1.
	Draft draft.Options
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
	// Priority comes before the tenant's counter: runs of a higher one are taken in
	// first and give way last. It is added to the tenant's.
	Priority int
	// Notify, unless nil, is called from a goroutine of the scheduler whenever Poll
	// has something new. It must not block, and may call Poll.
	Notify func()
}

// Constraint says which tokens are possible next, a grammar for example. It is
// called from the scheduler's goroutine and must not call the engine.
type Constraint interface {
	// Mask sets dst, of the vocabulary's size, to the tokens that are possible.
	Mask(dst sample.Mask) error
	// Advance goes on past a token.
	Advance(token int32) error
	// Rollback takes back the last n tokens.
	Rollback(n int) error
}

// Output is one token that was chosen, or the end of reading.
type Output struct {
	// Token is the one chosen, NoToken where none was: MaxTokens is 0.
	Token int32
	// Index is the place of Token in the sequence; without one, that of the token
	// whose Hidden or Logits these are.
	Index int
	// Logprob is the token's natural log-probability in the model's own
	// distribution: temperature 1, before biases, penalties, masks and filters.
	Logprob float32
	// Top has the most probable tokens, best first, of that distribution. It, Hidden
	// and Logits are valid until the next Next, Poll or Cancel of the run.
	Top    []sample.Logprob
	Hidden []float32 // [EmbeddingLength]
	Logits []float32 // [vocab]
	// Draft marks a token that had been drafted and was accepted.
	Draft bool
	// Accepted and Proposed count the drafted tokens of the run so far.
	Accepted, Proposed int
}

// NoToken is the Token of an Output without one.
const NoToken int32 = -1

// FinishReason says why a run ended.
type FinishReason string

// The reasons. The zero value is that of a run that has not ended, was cancelled,
// or ended with an error.
const (
	FinishStop    FinishReason = "stop"    // a token of Stop
	FinishLength  FinishReason = "length"  // MaxTokens; with none to choose, all is read
	FinishContext FinishReason = "context" // the context is full
)

// check reports what is wrong with a request whatever the state of its sequence.
func (r *Request) check(m *Model) error {
	switch {
	case r.MaxTokens < 0 || r.TopK < 0 || r.TopK > device.MaxTopK || r.Verify < 0 || r.Verify > draft.MaxTokens:
		return fmt.Errorf("request: MaxTokens %d, TopK %d of at most %d, Verify %d of at most %d: %w",
			r.MaxTokens, r.TopK, device.MaxTopK, r.Verify, draft.MaxTokens, ErrOption)
	case r.Verify > 0 && (r.MaxTokens < 1 || r.Verify > len(r.Tokens)):
		return fmt.Errorf("request: Verify %d of %d tokens, MaxTokens %d: %w", r.Verify, len(r.Tokens), r.MaxTokens, ErrOption)
	case r.Each && (r.MaxTokens > 0 || !r.Hidden && !r.Logits || r.From < 0):
		return fmt.Errorf("request: Each with MaxTokens %d, Hidden %t, Logits %t, From %d: %w", r.MaxTokens, r.Hidden, r.Logits, r.From, ErrOption)
	case m.encoder && (r.MaxTokens > 0 || r.Logits):
		return ErrEncoder
	}
	for i, id := range r.Tokens {
		if id < 0 || int(id) >= m.vocab {
			return fmt.Errorf("token %d is %d, the vocabulary has %d: %w", i, id, m.vocab, ErrToken)
		}
	}
	return r.Draft.Validate()
}
