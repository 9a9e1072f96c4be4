package engine

import (
	"context"
	"fmt"

	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/engine/token"
)

// writer makes one text of the tokens of a run.
type writer struct {
	*Sequence
	options *GenerateOptions
	run     *Run
	stream  *token.Stream
	stop    stopper
}

// newWriter checks the options against the sequence as it is, and starts the run.
func (s *Sequence) newWriter(ctx context.Context, o *GenerateOptions) (*writer, error) {
	if o.MaxTokens < 0 || o.Logprobs < 0 || o.Logprobs > device.MaxTopK {
		return nil, fmt.Errorf("MaxTokens %d, Logprobs %d of at most %d: %w", o.MaxTokens, o.Logprobs, device.MaxTopK, ErrOption)
	}
	m := s.model
	if m.encoder() {
		return nil, ErrEncoder
	}
	stop, err := newStopper(o.Stop)
	if err != nil {
		return nil, err
	}
	sampler, err := m.core.NewSampler(o.Sampling)
	if err != nil {
		return nil, err
	}
	if o.PenalizePrompt {
		if err := sampler.Accept(s.Tokens()...); err != nil {
			return nil, err
		}
	}
	request := Request{Sequence: s, MaxTokens: o.MaxTokens, Sampler: sampler, TopK: o.Logprobs, Draft: o.Draft}
	if o.MaxTokens == 0 {
		request.MaxTokens = m.context
	}
	if !o.IgnoreEOS {
		request.Stop = m.ends
	}
	w := &writer{Sequence: s, options: o, stream: m.tokenizer.NewStream(token.DecodeOptions{Continue: true}), stop: stop}
	w.run = m.engine.scheduler.StartHeld(ctx, request.request())
	s.writing = w.run
	return w, nil
}

// next returns the next token of the text, and says in reason whether the text
// ends with it.
func (w *writer) next(ctx context.Context) (Token, error) {
	o, err := w.run.Next(ctx)
	if err != nil {
		return Token{}, err
	}
	t := Token{ID: o.Token, Logprob: o.Logprob}
	if w.options.Logprobs > 0 {
		t.Top = o.Top
	}
	w.given++
	t.Text = w.text(o.Token, o.Index)
	return t, nil
}

// end leaves the sequence with the tokens that the loop was given.
func (w *writer) end() {
	w.stats = w.run.Stats()
	w.stats.GeneratedTokens, w.given = w.given, 0
	w.writing = nil
	w.run.Cancel()
}

// text returns the text that a token completes, and says in reason whether the
// text ends with it.
func (w *writer) text(id int32, index int) string {
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
	case w.given == w.options.MaxTokens:
		w.reason = FinishLength
	case index+1 == w.model.context:
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
