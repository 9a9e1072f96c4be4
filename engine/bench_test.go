package engine_test

import (
	"iter"
	"testing"

	"github.com/realm-webgpu/realm/engine"
	"github.com/realm-webgpu/realm/engine/sample"
)

// decodings are the ways that tokens are chosen.
var decodings = map[string]engine.GenerateOptions{
	"greedy": {},
	"device": {Sampling: sample.Spec{Temperature: 0.8, TopK: 40, TopP: 0.95, Seed: 1}},
	"host":   {Sampling: sample.Spec{Temperature: 0.8, TopK: 40, PresencePenalty: 0.5, Seed: 1}},
}

// What a token allocates does not grow with the model: its text, and room for
// it in the sequence.
func TestAllocations(t *testing.T) {
	eachDevice(t, func(t *testing.T, e *engine.Engine) {
		m := load(t, e, engine.LoadOptions{})
		for name, o := range decodings {
			o.IgnoreEOS = true
			s := ask(t, m, question)
			next, stop := iter.Pull2(s.Generate(t.Context(), o))
			step := func() {
				if _, err, ok := next(); err != nil || !ok {
					t.Fatal(err, ok)
				}
			}
			for range 10 { // programs are compiled, slices grow
				step()
			}
			if allocs := testing.AllocsPerRun(40, step); allocs > 4 {
				t.Errorf("%s: %v allocations a token", name, allocs)
			}
			stop()
			s.Close()
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	for _, device := range []string{"cpu", "webgpu"} {
		for name, o := range decodings {
			b.Run(device+"/"+name, func(b *testing.B) {
				e := open(b, engine.Options{Device: device})
				m := load(b, e, engine.LoadOptions{})
				o.IgnoreEOS = true
				o.MaxTokens = 400
				b.ReportAllocs()
				b.ResetTimer()
				for n := 0; n < b.N; {
					s := ask(b, m, question)
					for _, err := range s.Generate(b.Context(), o) {
						if err != nil {
							b.Fatal(err)
						}
						if n++; n == b.N {
							break
						}
					}
					s.Close()
				}
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "tokens/s")
				b.Logf("%+v", e.Device())
			})
		}
	}
}
