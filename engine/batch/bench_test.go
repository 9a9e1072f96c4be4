package batch_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/realm-webgpu/realm/engine"
	"github.com/realm-webgpu/realm/engine/gguf"
)

// benchModel loads the file that REALM_BENCH_MODEL names, or atlas.
func benchModel(b *testing.B, e *engine.Engine, o engine.LoadOptions) *engine.Model {
	path := os.Getenv("REALM_BENCH_MODEL")
	if path == "" {
		return load(b, e, o)
	}
	f, err := gguf.Open(path)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { f.Close() })
	m, err := e.Load(b.Context(), f, o)
	if err != nil {
		b.Fatal(err)
	}
	return m
}

// BenchmarkSequences writes with so many sequences at the same time; b.N tokens
// all together.
func BenchmarkSequences(b *testing.B) {
	const tokens = 64
	for _, device := range []string{"cpu", "webgpu"} {
		for _, n := range []int{1, 2, 4, 8, 16, 32} {
			b.Run(fmt.Sprintf("%s/%d", device, n), func(b *testing.B) {
				e := open(b, engine.Options{Device: device})
				m := benchModel(b, e, engine.LoadOptions{Context: 512, CacheTokens: 64 * 128})
				prompt := m.Encode(question, true)
				round := func() int {
					var requests []engine.Request
					for range n {
						s, err := m.NewSequence()
						if err != nil {
							b.Fatal(err)
						}
						defer s.Close()
						requests = append(requests, engine.Request{Sequence: s, Tokens: prompt, MaxTokens: tokens})
					}
					written := 0
					for _, run := range e.Start(b.Context(), requests...) {
						written += len(finish(b, run))
					}
					return written
				}
				round() // programs are compiled
				b.ReportAllocs()
				b.ResetTimer()
				written := 0
				for written < b.N {
					written += round()
				}
				b.ReportMetric(float64(written)/b.Elapsed().Seconds(), "tokens/s")
			})
		}
	}
}
