package engine_test

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/realm-webgpu/realm/e2e/models"
	"github.com/realm-webgpu/realm/engine"
	"github.com/realm-webgpu/realm/engine/gguf"
	"github.com/realm-webgpu/realm/engine/sample"
)

// thirds allows two of three tokens, as a grammar might.
type thirds struct{ tokens []int32 }

func (c *thirds) Mask(dst sample.Mask) error {
	clear(dst)
	for id := range int32(32 * len(dst)) {
		if (int(id)+len(c.tokens))%3 != 0 {
			dst.Allow(id)
		}
	}
	return nil
}

func (c *thirds) Advance(token int32) error {
	if (int(token)+len(c.tokens))%3 == 0 {
		return errors.New("a token that was not allowed")
	}
	c.tokens = append(c.tokens, token)
	return nil
}

func (c *thirds) Rollback(n int) error {
	c.tokens = c.tokens[:len(c.tokens)-n]
	return nil
}

// member is one of a crowd: what its text depends on.
type member struct {
	adapter *engine.Adapter
	scale   float32
	spec    sample.Spec
	grammar bool
	country string
}

// crowd is texts of every kind: with several adapters and with none, greedy and drawn on
// the device and on the host, with penalties and under a grammar.
func crowd(pirate, terse *engine.Adapter) (all []member) {
	specs := []sample.Spec{
		{}, {Temperature: 1.5, Seed: 7}, {RepetitionPenalty: 1.3, FrequencyPenalty: 0.4}, {Temperature: 0.8, TopK: 40, PresencePenalty: 0.5, Seed: 1},
	}
	countries := []string{"France", "Norway", "Japan", "Peru"}
	for i, spec := range specs {
		for j, a := range []*engine.Adapter{nil, pirate, terse, pirate} {
			scale := []float32{0, 1, 1, 0.5}[j]
			all = append(all, member{a, scale, spec, (i+j)%3 == 0, countries[(i+j)%4]})
		}
	}
	return all
}

// request has a member write on a sequence of a model. The prompts begin alike, with a
// page and more.
func (c member) request(t *testing.T, m *engine.Model, s *engine.Sequence, d engine.DraftOptions) engine.Request {
	t.Helper()
	if c.adapter != nil {
		if err := s.UseAdapter(c.adapter, c.scale); err != nil {
			t.Fatal(err)
		}
	}
	sampler, err := m.NewSampler(c.spec)
	if err != nil {
		t.Fatal(err)
	}
	prompt := strings.Repeat("The capital of Kenya is Nairobi. The capital of Chile is Santiago. ", 2) + strings.ReplaceAll(question, "France", c.country)
	r := engine.Request{Sequence: s, Tokens: m.Encode(prompt, true), MaxTokens: 20, Sampler: sampler, Draft: d}
	if c.grammar {
		r.Constraint = &thirds{}
	}
	return r
}

// TestCrowd has all that may change how a text is computed, and may not change the text,
// at the same time: others in the same steps with other adapters, prompts in chunks that
// are no powers of two, beginnings that are known, pages that are given to others, and
// drafts that are right and wrong. Each text is the one that is written alone, in whole
// steps, without drafts. Then all are ended in the midst of it, and nothing is left.
func TestCrowd(t *testing.T) {
	eachDevice(t, func(t *testing.T, e *engine.Engine) {
		roomy, crowded := load(t, e, engine.LoadOptions{}), load(t, e, engine.LoadOptions{CacheTokens: 13 * 32, StepTokens: 11})
		f, err := gguf.Read(strings.NewReader(string(models.Draft)))
		if err != nil {
			t.Fatal(err)
		}
		small, err := e.Load(t.Context(), f, engine.LoadOptions{CacheTokens: 9 * 32})
		if err != nil {
			t.Fatal(err)
		}
		if err := crowded.SetDraft(small); err != nil {
			t.Fatal(err)
		}
		var want [][]int32
		for _, c := range crowd(add(t, roomy, models.Pirate), add(t, roomy, models.Terse)) {
			s, err := roomy.NewSequence()
			if err != nil {
				t.Fatal(err)
			}
			s.NoPrefix()
			want = append(want, take(t, e.Start(t.Context(), c.request(t, roomy, s, engine.DraftOptions{}))[0], 20))
			s.Close()
		}
		pirate, terse := add(t, crowded, models.Pirate), add(t, crowded, models.Terse)
		members := crowd(pirate, terse)
		tenant, err := e.NewTenant(engine.TenantOptions{Name: "one", MaxSequences: 9})
		if err != nil {
			t.Fatal(err)
		}
		start := func() ([]*engine.Run, []engine.Request) {
			var requests []engine.Request
			for i, c := range members {
				s, err := tenant.NewSequence(crowded)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(s.Close)
				requests = append(requests, c.request(t, crowded, s, engine.DraftOptions{Mode: engine.DraftMode(i % 3), Tokens: 3, Fixed: true}))
			}
			return e.Start(t.Context(), requests...), requests
		}
		before := e.Totals()
		accepted, proposed := 0, 0
		runs, requests := start()
		for i, run := range runs {
			if got := take(t, run, 20); !slices.Equal(got, want[i]) {
				t.Errorf("%d, %+v: %v, alone %v", i, members[i], got, want[i])
			}
			accepted, proposed = accepted+run.Stats().Accepted, proposed+run.Stats().Proposed
			requests[i].Sequence.Close()
		}
		u := crowded.CacheUsage()
		if n := e.Totals().Preemptions - before.Preemptions; n == 0 || u.Index.Hits == 0 || accepted == 0 || accepted == proposed {
			t.Errorf("%d preemptions, %d pages known before, %d of %d drafts accepted: not all is tested", n, u.Index.Hits, accepted, proposed)
		}
		// Ended wherever they are: in the queue, in their prompts, in their texts.
		runs, requests = start()
		take(t, runs[0], 3)
		for i, run := range runs {
			run.Cancel()
			requests[i].Sequence.Close()
		}
		pirate.Close()
		terse.Close()
		if running, waiting := e.Runs(); running != 0 || waiting != 0 {
			t.Errorf("in the end %d runs are taken in and %d wait", running, waiting)
		}
		if a := crowded.AdapterUsage(); a.Used != 0 {
			t.Errorf("in the end %+v", a)
		}
		for name, m := range map[string]*engine.Model{"the model": crowded, "its draft model": small} {
			if u := m.CacheUsage(); u.Free != u.Pages {
				t.Errorf("in the end %d of %d pages of %s are free", u.Free, u.Pages, name)
			}
		}
	})
}

// take takes up to n tokens of a run that ends well.
func take(t *testing.T, r *engine.Run, n int) (tokens []int32) {
	t.Helper()
	for len(tokens) < n {
		o, err := r.Next(t.Context())
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		tokens = append(tokens, o.Token)
	}
	return tokens
}
