package engine

import (
	"context"
	"fmt"
	"io"

	"github.com/realm-webgpu/realm/engine/batch"
	"github.com/realm-webgpu/realm/engine/draft"
	"github.com/realm-webgpu/realm/engine/sample"
)

// DraftMode says where drafts come from.
type DraftMode = draft.Mode

// The modes.
const (
	DraftNone   = draft.None   // no drafts
	DraftLookup = draft.Lookup // from the text itself
	DraftModel  = draft.Model  // from the model of SetDraft
)

// SetDraft makes a smaller model of the same vocabulary the one that drafts for
// this one; nil: none does. It stays the caller's, who may close it at any time.
// Errors: ErrVocabulary, naming the first token that differs; ErrOption for the
// model itself, one of another engine, or an encoder; ErrClosed.
func (m *Model) SetDraft(d *Model) error {
	if d == nil {
		return m.core.SetDraft(nil)
	}
	if d.vocab == m.vocab {
		for id := range int32(m.vocab) {
			if own, other := m.tokenizer.Piece(id), d.tokenizer.Piece(id); own != other {
				return fmt.Errorf("engine: set draft: token %d is %q and %q: %w", id, own, other, ErrVocabulary)
			}
		}
	}
	return m.core.SetDraft(d.core)
}

// HasDraft reports whether there is a model that drafts for this one now.
func (m *Model) HasDraft() bool { return m.core.HasDraft() }

// DraftRequest asks for tokens that may come after a sequence, which stays as it is.
type DraftRequest struct {
	Sequence *Sequence
	Mode     DraftMode // DraftLookup, or DraftModel
	Tokens   int       // the most, 1 to 16
	// Sampler, unless nil, draws the tokens that a draft model writes. It is the
	// run's alone while that lasts.
	Sampler *sample.Sampler
	// Notify is that of a Request.
	Notify func()
}

// StartDraft starts drafts and returns a run for each, in order, which gives the
// drafted tokens out. Those of one call ride in the same steps of the draft model as
// far as they fit. Errors of a run: ErrOption for a mode or length that there is
// none of, or without a draft model; ErrBusy while another draft of the sequence is
// made, or a Run with Draft writes on it; ErrEmpty, ErrClosed, and those of Start.
func (e *Engine) StartDraft(ctx context.Context, requests ...DraftRequest) []*Run {
	converted := make([]batch.DraftRequest, len(requests))
	for i, r := range requests {
		converted[i] = batch.DraftRequest{Mode: r.Mode, Tokens: r.Tokens, Sampler: r.Sampler, Notify: r.Notify}
		if r.Sequence != nil {
			converted[i].Sequence = r.Sequence.core
		}
	}
	return e.scheduler.StartDraft(ctx, converted...)
}

// Draft returns up to k tokens that may come after the sequence. Errors are those
// of StartDraft.
func (s *Sequence) Draft(ctx context.Context, k int, mode DraftMode) ([]int32, error) {
	run := s.model.engine.StartDraft(ctx, DraftRequest{Sequence: s, Mode: mode, Tokens: k})[0]
	defer run.Cancel()
	var tokens []int32
	for {
		o, err := run.Next(ctx)
		if err == io.EOF {
			return tokens, nil
		}
		if err != nil {
			return nil, fmt.Errorf("engine: draft: %w", err)
		}
		tokens = append(tokens, o.Token)
	}
}
