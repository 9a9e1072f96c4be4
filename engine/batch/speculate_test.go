package batch_test

import (
	"errors"
	"io"
	"slices"
	"testing"

	"github.com/realm-webgpu/realm/e2e/models"
	"github.com/realm-webgpu/realm/engine"
	"github.com/realm-webgpu/realm/engine/sample"
)

// TestVerify judges drafts of which so many are right.
func TestVerify(t *testing.T) {
	const tokens = 8
	eachDevice(t, func(t *testing.T, e *engine.Engine) {
		m := load(t, e, engine.LoadOptions{CacheTokens: 2048})
		for i := range ways {
			want := finish(t, e.Start(t.Context(), request(t, m, i, tokens+2))[0])
			for _, right := range []int{0, 1, 3, tokens} {
				drafts := slices.Clone(want[:tokens])
				for j := right; j < tokens; j++ {
					drafts[j] = (drafts[j] + 1) % int32(m.Config().VocabularySize)
				}
				r := request(t, m, i, 1)
				prompt := r.Sequence.Len()
				r.Tokens, r.Verify = drafts, tokens
				run := e.Start(t.Context(), r)[0]
				if n := r.Sequence.Len(); n != prompt {
					t.Errorf("the sequence has %d tokens of drafts that nobody has judged", n-prompt)
				}
				got := finish(t, run)
				if !slices.Equal(got, want[:right+1]) || !slices.Equal(r.Sequence.Tokens()[prompt:], got) {
					t.Errorf("way %d, %d right: %v, want %v", i, right, got, want[:right+1])
				}
				if s := run.Stats(); s.Accepted != right || s.Proposed != tokens || s.GeneratedTokens != right+1 {
					t.Errorf("way %d, %d right: %+v", i, right, s)
				}
				// And on from there, with the same sampler.
				r.Tokens, r.Verify, r.MaxTokens = nil, 0, tokens+2-(right+1)
				if rest := finish(t, e.Start(t.Context(), r)[0]); !slices.Equal(rest, want[right+1:]) {
					t.Errorf("way %d, %d right: on with %v, want %v", i, right, rest, want[right+1:])
				}
				r.Sequence.Close()
			}
		}
	})
}

// TestDrafting holds texts that are drafted to what is written without.
func TestDrafting(t *testing.T) {
	const tokens = 40
	eachDevice(t, func(t *testing.T, e *engine.Engine) {
		m := load(t, e, engine.LoadOptions{CacheTokens: 4096})
		// The model drafts for itself: what it drafts with the same numbers is right.
		if err := m.SetDraft(load(t, e, engine.LoadOptions{CacheTokens: 4096})); err != nil {
			t.Fatal(err)
		}
		var want [][]int32
		for i := range 8 {
			want = append(want, finish(t, e.Start(t.Context(), request(t, m, i, tokens))[0]))
		}
		for _, o := range []engine.DraftOptions{
			{Mode: engine.DraftLookup, Tokens: 5, Fixed: true},
			{Mode: engine.DraftLookup},
			{Mode: engine.DraftModel, Tokens: 4, Fixed: true},
			{Mode: engine.DraftModel},
		} {
			var requests []engine.Request
			for i := range want {
				r := request(t, m, i, tokens)
				r.Draft = o
				requests = append(requests, r)
			}
			accepted, proposed := 0, 0
			for i, run := range e.Start(t.Context(), requests...) {
				if got := finish(t, run); !slices.Equal(got, want[i]) {
					t.Errorf("%+v, way %d: %v, want %v", o, i, got, want[i])
				}
				s := run.Stats()
				accepted += s.Accepted
				proposed += s.Proposed
				// Penalties aside, which are not drafted with.
				if o.Mode == engine.DraftModel && o.Fixed && i%len(ways) < 3 && s.Accepted != s.Proposed {
					t.Errorf("way %d: %d of %d drafts of the model itself were accepted", i, s.Accepted, s.Proposed)
				}
				requests[i].Sequence.Close()
			}
			if proposed == 0 || accepted > proposed || o.Fixed && accepted == 0 {
				t.Errorf("%+v: %d of %d accepted", o, accepted, proposed)
			}
			t.Logf("%+v: %d of %d accepted", o, accepted, proposed)
		}
	})
}

// TestStartDraft asks for drafts and nothing else.
func TestStartDraft(t *testing.T) {
	e := open(t, engine.Options{Device: "cpu"})
	m, d := load(t, e, engine.LoadOptions{CacheTokens: 2048}), load(t, e, engine.LoadOptions{CacheTokens: 2048})
	var requests []engine.DraftRequest
	var want [][]int32
	for i := range 4 {
		want = append(want, finish(t, e.Start(t.Context(), engine.Request{Sequence: ask(t, m, about(countries[i])), MaxTokens: 6})[0]))
		requests = append(requests, engine.DraftRequest{Sequence: ask(t, m, about(countries[i])), Mode: engine.DraftModel, Tokens: 6})
	}
	if _, err := requests[0].Sequence.Draft(t.Context(), 6, engine.DraftModel); !errors.Is(err, engine.ErrOption) {
		t.Errorf("without a draft model: %v", err)
	}
	if err := m.SetDraft(d); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time, all is read
		for i, run := range e.StartDraft(t.Context(), requests...) {
			before := requests[i].Sequence.Tokens()
			if got := finish(t, run); !slices.Equal(got, want[i]) {
				t.Errorf("%d: %v, want %v", i, got, want[i])
			}
			if !slices.Equal(requests[i].Sequence.Tokens(), before) || requests[i].Sequence.Cached() != 0 {
				t.Error("a draft changed the sequence")
			}
		}
	}
	s := ask(t, m, "one two three four one two")
	got, err := s.Draft(t.Context(), 3, engine.DraftLookup)
	if err != nil || len(got) == 0 || !slices.Contains(s.Tokens(), got[0]) {
		t.Errorf("from the text: %v, %v", got, err)
	}
	for _, r := range []engine.DraftRequest{{Sequence: s}, {Sequence: s, Mode: engine.DraftLookup, Tokens: 99}, {Mode: engine.DraftLookup, Tokens: 1}} {
		if _, err := e.StartDraft(t.Context(), r)[0].Next(t.Context()); !errors.Is(err, engine.ErrOption) {
			t.Errorf("%+v: %v", r, err)
		}
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Draft(t.Context(), 3, engine.DraftModel); !errors.Is(err, engine.ErrOption) {
		t.Errorf("after the draft model was closed: %v", err)
	}
	if err := m.SetDraft(m); !errors.Is(err, engine.ErrOption) {
		t.Errorf("a model for itself: %v", err)
	}
}

// evens allows tokens of even ids, and refuses to be used wrongly.
type evens struct {
	tokens []int32
}

func (c *evens) Mask(dst sample.Mask) error {
	for i := range dst {
		dst[i] = 0x5555_5555
	}
	return nil
}

func (c *evens) Advance(token int32) error {
	if token%2 != 0 {
		return errors.New("an odd token")
	}
	c.tokens = append(c.tokens, token)
	return nil
}

func (c *evens) Rollback(n int) error {
	if n > len(c.tokens) {
		return errors.New("too far back")
	}
	c.tokens = c.tokens[:len(c.tokens)-n]
	return nil
}

// TestConstraint writes under a constraint, with and without drafts, and stops in
// the middle.
func TestConstraint(t *testing.T) {
	eachDevice(t, func(t *testing.T, e *engine.Engine) {
		m := load(t, e, engine.LoadOptions{CacheTokens: 2048})
		for i := range ways {
			var want []int32
			for _, o := range []engine.DraftOptions{{}, {Mode: engine.DraftLookup, Fixed: true}} {
				c := &evens{}
				r := request(t, m, i, 24)
				r.Constraint, r.Draft = c, o
				got := finish(t, e.Start(t.Context(), r)[0])
				if want == nil {
					want = got
				}
				if !slices.Equal(got, want) || !slices.Equal(c.tokens, got) || slices.ContainsFunc(got, func(id int32) bool { return id%2 != 0 }) {
					t.Errorf("way %d, %+v: %v (the constraint has %v), want %v", i, o, got, c.tokens, want)
				}
			}
			// What was not taken is taken back.
			c := &evens{}
			r := request(t, m, i, 24)
			r.Constraint = c
			run := e.Start(t.Context(), r)[0]
			var got []int32
			for range 3 {
				o, err := run.Next(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, o.Token)
			}
			run.Cancel()
			if !slices.Equal(c.tokens, got) || !slices.Equal(r.Sequence.Tokens()[r.Sequence.Len()-3:], got) {
				t.Errorf("way %d: after 3 tokens the constraint has %d", i, len(c.tokens))
			}
			if _, err := run.Next(t.Context()); !errors.Is(err, engine.ErrCancelled) {
				t.Errorf("a run that was cancelled: %v", err)
			}
			r.MaxTokens = 21
			if got = append(got, finish(t, e.Start(t.Context(), r)[0])...); !slices.Equal(got, want) {
				t.Errorf("way %d: on after a stop %v, want %v", i, got, want)
			}
		}
	})
}

// TestOutputs asks for everything that an output can have.
func TestOutputs(t *testing.T) {
	eachDevice(t, func(t *testing.T, e *engine.Engine) {
		m := load(t, e, engine.LoadOptions{CacheTokens: 2048})
		plain := ask(t, m, question)
		mask := sample.NewMask(m.Config().VocabularySize)
		mask.Allow(11)
		runs := e.Start(t.Context(),
			engine.Request{Sequence: ask(t, m, question), MaxTokens: 4, TopK: 3, Hidden: true, Logits: true, Logprobs: true},
			engine.Request{Sequence: ask(t, m, about("Norway")), MaxTokens: 4},
			engine.Request{Sequence: ask(t, m, question), MaxTokens: 2, Mask: mask})
		for {
			o, err := runs[0].Next(t.Context())
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			row, err := plain.Logits(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(row, o.Logits) || o.Index != plain.Len() || len(o.Top) != 3 || o.Top[0].Token != o.Token {
				t.Errorf("output %d: token %d, top %v, other logits", o.Index, o.Token, o.Top)
			}
			states, err := m.Embed(t.Context(), plain.Tokens(), engine.EmbedOptions{Pooling: last(), Raw: true})
			if err != nil || !slices.Equal(states[0], o.Hidden) {
				t.Errorf("output %d: another hidden state (%v)", o.Index, err)
			}
			if err := plain.Append(o.Token); err != nil {
				t.Fatal(err)
			}
		}
		if got := finish(t, runs[2]); got[0] != 11 {
			t.Errorf("the mask allows 11 alone, the first token is %d", got[0])
		}
		finish(t, runs[1])
	})
}

// TestDraftsInACrowd drafts for more texts than a tenant may have at the same time,
// and than there are pages for, with every way of choosing: those that draft wait for
// nobody that waits for them.
func TestDraftsInACrowd(t *testing.T) {
	const tokens = 16
	specs := append(slices.Clone(ways),
		sample.Spec{RepetitionPenalty: 1.3, FrequencyPenalty: 0.4},
		sample.Spec{Temperature: 1, FrequencyPenalty: 1, PenaltyWindow: 5, LogitBias: map[int32]float32{269: -3, 280: 2}, Seed: 9})
	eachDevice(t, func(t *testing.T, e *engine.Engine) {
		m := load(t, e, engine.LoadOptions{CacheTokens: 5 * 32, StepTokens: 11})
		roomy := load(t, e, engine.LoadOptions{})
		if err := m.SetDraft(loadBytes(t, e, models.Draft, engine.LoadOptions{CacheTokens: 3 * 32})); err != nil {
			t.Fatal(err)
		}
		for _, most := range []int{0, 1, 3} {
			tenant, err := e.NewTenant(engine.TenantOptions{MaxSequences: most})
			if err != nil {
				t.Fatal(err)
			}
			var want [][]int32
			var requests []engine.Request
			for i, spec := range specs {
				prompt := m.Encode(about(countries[i]), true)
				for _, on := range []*engine.Model{roomy, m} {
					s, err := tenant.NewSequence(on)
					if err != nil {
						t.Fatal(err)
					}
					defer s.Close()
					sampler, err := on.NewSampler(spec)
					if err != nil {
						t.Fatal(err)
					}
					r := engine.Request{Sequence: s, Tokens: prompt, MaxTokens: tokens, Sampler: sampler}
					if on == roomy {
						want = append(want, finish(t, e.Start(t.Context(), r)[0]))
						continue
					}
					r.Draft = engine.DraftOptions{Mode: engine.DraftModel, Tokens: 3, Fixed: true}
					requests = append(requests, r)
				}
			}
			accepted := 0
			for i, run := range e.Start(t.Context(), requests...) {
				if got := finish(t, run); !slices.Equal(got, want[i]) {
					t.Errorf("at most %d at the same time, %+v: %v, alone %v", most, specs[i], got, want[i])
				}
				accepted += run.Stats().Accepted
			}
			if accepted == 0 {
				t.Error("no draft was accepted")
			}
		}
	})
}
