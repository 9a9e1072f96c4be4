package engine_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/realm-webgpu/realm/engine"
	"github.com/realm-webgpu/realm/engine/gguf"
	"github.com/realm-webgpu/realm/engine/lora"
	"github.com/realm-webgpu/realm/engine/model"
)

// benchModel loads the file that REALM_BENCH_MODEL names, a llama, or atlas.
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

// noise is an adapter of all matrices of the layers of a llama.
func noise(c model.Config, rank int, seed uint64) *lora.Adapter {
	r := rand.New(rand.NewPCG(seed, 2))
	numbers := func(n int) []float32 {
		values := make([]float32, n)
		for i := range values {
			values[i] = float32(r.NormFloat64()) / 64
		}
		return values
	}
	a := &lora.Adapter{Format: "GGUF", Architecture: c.Architecture}
	embedding, query, key, hidden := c.EmbeddingLength, c.HeadCount*c.HeadDim, c.HeadCountKV*c.HeadDim, c.FeedForwardLength
	for layer := range c.BlockCount {
		for _, m := range []struct {
			name          string
			rows, columns int
		}{
			{"attn_q", query, embedding}, {"attn_k", key, embedding}, {"attn_v", key, embedding}, {"attn_output", embedding, query},
			{"ffn_gate", hidden, embedding}, {"ffn_up", hidden, embedding}, {"ffn_down", embedding, hidden},
		} {
			a.Pairs = append(a.Pairs, lora.Pair{
				Name: fmt.Sprintf("blk.%d.%s.weight", layer, m.name), Rank: rank, Rows: m.rows, Columns: m.columns, Scale: 1,
				A: numbers(rank * m.columns), B: numbers(m.rows * rank),
			})
		}
	}
	return a
}

// BenchmarkAdapter writes texts without adapters, with one of rank 8, and without in
// a model that has some loaded, in turns. Each sequence has an adapter of its own.
// It reports the times of the latter two by that of the first, the median of turns.
func BenchmarkAdapter(b *testing.B) {
	const tokens = 24
	for _, device := range []string{"cpu", "webgpu"} {
		for _, n := range []int{1, 8} {
			b.Run(fmt.Sprintf("%s/%d", device, n), func(b *testing.B) {
				e := open(b, engine.Options{Device: device})
				options := engine.LoadOptions{Context: 256, CacheTokens: 32 * 256}
				plain, adapted := benchModel(b, e, options), benchModel(b, e, options)
				var adapters []*engine.Adapter
				for i := range n {
					a, err := adapted.AddAdapter(b.Context(), noise(adapted.Config(), 8, uint64(i)))
					if err != nil {
						b.Fatal(err)
					}
					defer a.Close()
					adapters = append(adapters, a)
				}
				prompt := plain.Encode("Once upon a time there was", true)
				// turn returns the time of a step, the first one aside.
				turn := func(m *engine.Model, with bool) time.Duration {
					var requests []engine.Request
					for i := range n {
						s, err := m.NewSequence()
						if err == nil && with {
							err = s.UseAdapter(adapters[i], 1)
						}
						if err != nil {
							b.Fatal(err)
						}
						defer s.Close()
						requests = append(requests, engine.Request{Sequence: s, Tokens: prompt, MaxTokens: tokens})
					}
					var start time.Time
					for i, run := range e.Start(b.Context(), requests...) {
						for j := range tokens {
							if _, err := run.Next(b.Context()); err != nil {
								b.Fatal(err)
							}
							if i == 0 && j == 0 {
								start = time.Now()
							}
						}
					}
					return time.Since(start) / (tokens - 1)
				}
				for range 2 { // programs are compiled
					turn(plain, false)
					turn(adapted, true)
					turn(adapted, false)
				}
				var with, without []float64
				var base time.Duration
				b.ResetTimer()
				for range b.N {
					t := turn(plain, false)
					base += t
					with = append(with, turn(adapted, true).Seconds()/t.Seconds())
					without = append(without, turn(adapted, false).Seconds()/t.Seconds())
				}
				b.ReportMetric(float64(base.Microseconds())/float64(b.N), "us/step")
				b.ReportMetric(median(with), "with/plain")
				b.ReportMetric(median(without), "without/plain")
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}

func median(x []float64) float64 {
	slices.Sort(x)
	return x[len(x)/2]
}
