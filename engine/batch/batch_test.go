package batch_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/realm-webgpu/realm/engine"
	"github.com/realm-webgpu/realm/engine/sample"
)

// ways are the ways that tokens are chosen: on the device, on the device or on the
// host where the candidates do not decide, and on the host.
var ways = []sample.Spec{
	{},
	{Temperature: 1.5, Seed: 7},
	{Temperature: 2, TopP: 0.95, Seed: 3},
	{Temperature: 0.8, TopK: 40, PresencePenalty: 0.5, Seed: 1},
}

// request returns the request of question i in one of the ways.
func request(t testing.TB, m *engine.Model, i, tokens int) engine.Request {
	t.Helper()
	spec := ways[i%len(ways)]
	spec.Seed += uint64(i)
	sampler, err := m.NewSampler(spec)
	if err != nil {
		t.Fatal(err)
	}
	return engine.Request{Sequence: ask(t, m, about(countries[i])), MaxTokens: tokens, Sampler: sampler}
}

// TestBatches holds what sequences write together to what each writes alone, in
// batches of every size and steps of every length.
func TestBatches(t *testing.T) {
	const tokens = 24
	eachDevice(t, func(t *testing.T, e *engine.Engine) {
		m := load(t, e, engine.LoadOptions{CacheTokens: 4096})
		var want [][]int32
		for i := range countries {
			want = append(want, finish(t, e.Start(t.Context(), request(t, m, i, tokens))[0]))
		}
		for _, c := range []struct{ sequences, step int }{{2, 0}, {3, 5}, {5, 0}, {8, 1}, {8, 64}, {16, 0}, {16, 33}} {
			t.Run(fmt.Sprintf("%d in steps of %d", c.sequences, c.step), func(t *testing.T) {
				m := load(t, e, engine.LoadOptions{CacheTokens: 4096, StepTokens: c.step})
				defer m.Close()
				var requests []engine.Request
				for i := range c.sequences {
					requests = append(requests, request(t, m, i, tokens))
				}
				for i, run := range e.Start(t.Context(), requests...) {
					if got := finish(t, run); !slices.Equal(got, want[i]) {
						t.Errorf("%s: %v, alone %v", countries[i], got, want[i])
					}
					if run.Reason() != engine.FinishLength {
						t.Errorf("%s: %q", countries[i], run.Reason())
					}
				}
			})
		}
	})
}
