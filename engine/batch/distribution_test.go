package batch_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/realm-webgpu/realm/e2e/models"
	"github.com/realm-webgpu/realm/engine"
	"github.com/realm-webgpu/realm/engine/sample"
)

// softmax returns the distribution of a row of logits at a temperature, cut to the
// topK most probable tokens where that is not 0.
func softmax(logits []float32, temperature float64, topK int) []float64 {
	least := float32(math.Inf(-1))
	if topK > 0 {
		least = slices.Sorted(slices.Values(logits))[len(logits)-topK]
	}
	best := float64(slices.Max(logits))
	p, sum := make([]float64, len(logits)), 0.0
	for i, x := range logits {
		if x >= least {
			p[i] = math.Exp((float64(x) - best) / temperature)
			sum += p[i]
		}
	}
	for i := range p {
		p[i] /= sum
	}
	return p
}

// fits is Pearson's chi-square test of tokens that were drawn against a distribution,
// at a level of one in ten thousand. Tokens of which fewer than 8 are expected are
// one class.
func fits(t *testing.T, name string, counts []int, p []float64) bool {
	t.Helper()
	n := 0
	for _, c := range counts {
		n += c
	}
	statistic, classes, restCount, rest := 0.0, 0, 0, 0.0
	for i, c := range counts {
		expected := float64(n) * p[i]
		if expected == 0 && c > 0 {
			t.Errorf("%s: token %d was drawn %d times, and is impossible", name, i, c)
		}
		if expected < 8 {
			restCount += c
			rest += expected
			continue
		}
		statistic += (float64(c) - expected) * (float64(c) - expected) / expected
		classes++
	}
	if rest >= 1 {
		statistic += (float64(restCount) - rest) * (float64(restCount) - rest) / rest
		classes++
	}
	if classes < 4 {
		t.Fatalf("%s: %d draws fall into %d classes: there is nothing to test", name, n, classes)
	}
	// Wilson and Hilferty's approximation of the quantile: the cube root is normal.
	const z = 3.719 // of 1 - 1e-4
	df := float64(classes - 1)
	root := 1 - 2/(9*df) + z*math.Sqrt(2/(9*df))
	limit := df * root * root * root
	t.Logf("%s: chi-square %.1f of %d classes and %d draws, the limit is %.1f", name, statistic, classes, n, limit)
	return statistic <= limit
}

// TestFits has the test of distributions find one that is another.
func TestFits(t *testing.T) {
	p := []float64{0.4, 0.3, 0.2, 0.1}
	random := rand.New(rand.NewPCG(1, 1))
	draw := func(p []float64) []int {
		counts := make([]int, len(p))
		for range 4000 {
			x, i := random.Float64(), 0
			for x >= p[i] && i < len(p)-1 {
				x -= p[i]
				i++
			}
			counts[i]++
		}
		return counts
	}
	if !fits(t, "its own", draw(p), p) {
		t.Error("draws of the distribution itself do not pass")
	}
	if fits(t, "another", draw([]float64{0.35, 0.35, 0.2, 0.1}), p) {
		t.Error("draws of another distribution pass")
	}
}

// TestVerifyDistribution draws tokens behind drafts that are drawn otherwise, of a
// vocabulary of 512: what comes is distributed as without drafts.
func TestVerifyDistribution(t *testing.T) {
	const draws, together, temperature = 3840, 64, 0.3
	e := open(t, engine.Options{Device: "cpu"})
	m := loadFile(t, e, "../model/testdata/llama.gguf", engine.LoadOptions{Context: 64, CacheTokens: 1 << 13})
	root, err := m.NewSequence()
	if err != nil {
		t.Fatal(err)
	}
	if err := root.Append(1, 300, 17, 205); err != nil {
		t.Fatal(err)
	}
	logits, err := root.Logits(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	first := softmax(logits, temperature, 0)
	favourite := int32(slices.Index(first, slices.Max(first)))
	random := rand.New(rand.NewPCG(5, 6))
	one, two := make([]int, len(first)), make([]int, len(first))
	accepted := 0
	for range draws / together {
		var requests []engine.Request
		for range together {
			s, err := root.Fork()
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			sampler, err := m.NewSampler(sample.Spec{Temperature: temperature, Seed: random.Uint64()})
			if err != nil {
				t.Fatal(err)
			}
			// Half of the drafts begin with the most probable token.
			drafts := []int32{favourite, random.Int32N(512)}
			if random.IntN(2) == 0 {
				drafts[0] = random.Int32N(512)
			}
			requests = append(requests, engine.Request{Sequence: s, Tokens: drafts, Verify: 2, MaxTokens: 1, Sampler: sampler})
		}
		for _, run := range e.Start(t.Context(), requests...) {
			got := finish(t, run)
			one[got[0]]++
			if len(got) > 1 && got[0] == favourite {
				two[got[1]]++
			}
			accepted += run.Stats().Accepted
		}
	}
	if accepted == 0 || accepted > draws {
		t.Errorf("%d drafts accepted", accepted)
	}
	if !fits(t, "the first token", one, first) {
		t.Error("the first token is distributed otherwise than without drafts")
	}
	if err := root.Append(favourite); err != nil {
		t.Fatal(err)
	}
	if logits, err = root.Logits(t.Context()); err != nil {
		t.Fatal(err)
	}
	if accepted < 200 {
		t.Fatalf("%d drafts accepted: too few for the second token", accepted)
	}
	if !fits(t, "the token behind a draft that was accepted", two, softmax(logits, temperature, 0)) {
		t.Error("the token behind a draft that was accepted is distributed otherwise than without drafts")
	}
}

// TestDraftDistribution draws tokens with drafts of another model, which are drawn
// with the same random numbers, among 8 tokens: what comes is distributed as without.
func TestDraftDistribution(t *testing.T) {
	const draws, together, temperature, topK = 448, 64, 10, 8
	e := open(t, engine.Options{Device: "cpu"})
	m := load(t, e, engine.LoadOptions{Context: 64, CacheTokens: 1 << 13})
	if err := m.SetDraft(loadBytes(t, e, models.Draft, engine.LoadOptions{Context: 64, CacheTokens: 1 << 13})); err != nil {
		t.Fatal(err)
	}
	root := ask(t, m, "Oslo is")
	logits, err := root.Logits(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	// The first token is given, so that the second, which is drafted, has one
	// distribution.
	given := int32(slices.Index(logits, slices.Max(logits)))
	mask := sample.NewMask(len(logits))
	mask.Allow(given)
	second := make([]int, len(logits))
	accepted, proposed := 0, 0
	for i := range draws / together {
		var requests []engine.Request
		for j := range together {
			s, err := root.Fork()
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			sampler, err := m.NewSampler(sample.Spec{Temperature: temperature, TopK: topK, Seed: uint64(i*together + j)})
			if err != nil {
				t.Fatal(err)
			}
			requests = append(requests, engine.Request{
				Sequence: s, MaxTokens: 3, Sampler: sampler, Mask: mask,
				Draft: engine.DraftOptions{Mode: engine.DraftModel, Tokens: 2, Fixed: true},
			})
		}
		for _, run := range e.Start(t.Context(), requests...) {
			got := finish(t, run)
			if len(got) != 3 || got[0] != given {
				t.Fatalf("%v, the first is to be %d", got, given)
			}
			second[got[1]]++
			accepted += run.Stats().Accepted
			proposed += run.Stats().Proposed
		}
	}
	if accepted == 0 || accepted == proposed {
		t.Errorf("%d of %d drafts accepted: nothing is tested", accepted, proposed)
	}
	if err := root.Append(given); err != nil {
		t.Fatal(err)
	}
	if logits, err = root.Logits(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !fits(t, "the second token", second, softmax(logits, temperature, topK)) {
		t.Error("the second token is distributed otherwise than without drafts")
	}
}
