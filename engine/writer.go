package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/engine/kv"
	"github.com/realm-webgpu/realm/engine/sample"
	"github.com/realm-webgpu/realm/engine/token"
)

// writer writes one text on a sequence.
type writer struct {
	*Sequence
	options *GenerateOptions
	chooser *chooser
	stream  *token.Stream
	stop    stopper
	top     []sample.Logprob
	start   time.Time
	first   time.Time // when the first token was there
	failed  error     // why there is no step after the last token
}

// newWriter checks the options against the sequence as it is.
func (s *Sequence) newWriter(o *GenerateOptions) (*writer, error) {
	if o.MaxTokens < 0 || o.Logprobs < 0 || o.Logprobs > device.MaxTopK {
		return nil, fmt.Errorf("MaxTokens %d, Logprobs %d of at most %d: %w", o.MaxTokens, o.Logprobs, device.MaxTopK, ErrOption)
	}
	if s.model.encoder() {
		return nil, ErrEncoder
	}
	n := len(s.tokens)
	if n == 0 {
		return nil, ErrEmpty
	}
	if n >= s.model.context {
		return nil, &ContextError{Need: n + 1, Limit: s.model.context}
	}
	stop, err := newStopper(o.Stop)
	if err != nil {
		return nil, err
	}
	c, err := s.model.newChooser(o.Sampling, o.Logprobs)
	if err != nil {
		return nil, err
	}
	if o.PenalizePrompt {
		if err := c.sampler.Accept(s.tokens...); err != nil {
			return nil, err
		}
	}
	s.stats = Stats{PromptTokens: n, CachedTokens: min(s.read, n-1)}
	return &writer{
		Sequence: s,
		options:  o,
		chooser:  c,
		stream:   s.model.tokenizer.NewStream(token.DecodeOptions{Continue: true}),
		stop:     stop,
		start:    time.Now(),
	}, nil
}

// next returns the token that f brings, and the flight that brings the one
// after it. There is none where the text has ended, or where failed says why.
func (w *writer) next(ctx context.Context, f *flight) (Token, *flight, error) {
	if err := w.model.enter(ctx); err != nil {
		return Token{}, nil, err
	}
	defer w.model.leave()
	ahead, err := w.lookAhead(f)
	if err != nil {
		return Token{}, nil, err
	}
	if err := w.model.engine.runner.land(f); err != nil {
		return Token{}, nil, err
	}
	if w.stats.GeneratedTokens == 0 {
		w.stats.Prefill = time.Since(w.start)
	}
	t, missed, err := w.take(f)
	if err != nil {
		return Token{}, nil, err
	}
	if ahead != nil && !missed {
		w.read = len(w.tokens)
	} else {
		ahead = nil
	}
	if w.reason == "" && ahead == nil {
		last := len(w.tokens) - 1
		ahead = w.spare(f)
		if w.failed = w.submit(ahead, last, w.tokens[last:], w.chooser, 1); w.failed == nil {
			w.read = len(w.tokens)
		}
	}
	return t, ahead, nil
}

// lookAhead submits the step after f's before f has landed, with the token that
// f is about to choose, and returns its flight; nil where that cannot be, or
// is known to be in vain.
func (w *writer) lookAhead(f *flight) (*flight, error) {
	c := w.chooser
	if c.pause > 0 {
		c.pause--
		return nil, nil
	}
	n := len(w.tokens)
	// The token is on the device as long as no other step has been submitted.
	if !c.ahead || !f.inAir || w.model.engine.runner.last != f || n+1 >= w.model.context ||
		w.stats.GeneratedTokens+1 == w.options.MaxTokens {
		return nil, nil
	}
	next := w.spare(f)
	switch err := w.submit(next, n, []int32{device.Chosen(0)}, c, 1); {
	case errors.Is(err, kv.ErrPages):
		// The text may end with this token: not yet an error.
		return nil, nil
	case err != nil:
		return nil, err
	}
	return next, nil
}

// take chooses the token that f brings, appends it to the sequence, and finds
// out whether the text ends with it.
func (w *writer) take(f *flight) (t Token, missed bool, err error) {
	chosen, err := w.choose(w.chooser, f)
	if err != nil {
		return Token{}, false, err
	}
	t = Token{ID: chosen.id, Logprob: chosen.logprob}
	if n := min(w.options.Logprobs, w.chooser.choice.topK); n > 0 {
		list := sample.List{IDs: f.result.IDs, Logits: f.result.Logits, LogSumExp: f.result.LogSumExp[0]}
		w.top, _ = list.TopLogprobs(w.top[:0], n)
		t.Top = w.top
	}
	if err := w.chooser.sampler.Accept(t.ID); err != nil {
		return Token{}, false, err
	}
	w.tokens = append(w.tokens, t.ID)
	t.Text = w.text(t.ID)
	w.stats.GeneratedTokens++
	if now := time.Now(); w.stats.GeneratedTokens == 1 {
		w.first, w.stats.FirstToken = now, now.Sub(w.start)
	} else {
		w.stats.Decode = now.Sub(w.first)
	}
	return t, chosen.missed, nil
}

// text returns the text that a token completes, and says in reason whether the
// text ends with it.
func (w *writer) text(id int32) string {
	ends := w.model.tokenizer.IsEndOfGeneration(id) && !w.options.IgnoreEOS
	var text string
	if !ends {
		var stopped bool
		if text, stopped = w.stop.push(w.stream.Push(id)); stopped {
			w.reason = FinishStop
			return text
		}
	}
	switch {
	case ends:
		w.reason = FinishStop
	case w.stats.GeneratedTokens+1 == w.options.MaxTokens:
		w.reason = FinishLength
	case len(w.tokens) == w.model.context:
		w.reason = FinishContext
	default:
		return text
	}
	rest, stopped := w.stop.push(w.stream.Flush())
	if stopped {
		w.reason = FinishStop
		return text + rest
	}
	return text + rest + w.stop.flush()
}
