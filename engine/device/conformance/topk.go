package conformance

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/realm-webgpu/realm/engine/device"
)

func topKCases(size Size) []Case {
	vocabularies := []int{7, 64, 1000, 32000}
	if size == Full {
		vocabularies = append(vocabularies, 151936)
	}
	var cases []Case
	for _, vocabulary := range vocabularies {
		cases = append(cases, Case{
			Name: fmt.Sprintf("topk/%d", vocabulary), Op: "topk",
			run: func(l *lab) { topKRows(l, vocabulary) },
		})
	}
	return cases
}

// logitRows are the rows that a search is tried on, by name: functions of a
// random source and an id.
var logitRows = [...]struct {
	name  string
	logit func(r *rand.Rand, id, vocabulary int) float64
}{
	{"normal", func(r *rand.Rand, _, _ int) float64 { return 4 * r.NormFloat64() }},
	{"ties", func(r *rand.Rand, _, _ int) float64 { return float64(r.IntN(5)) / 2 }},
	{"negative", func(r *rand.Rand, _, _ int) float64 { return -20 - 3*r.ExpFloat64() }},
	{"equal", func(*rand.Rand, int, int) float64 { return 1.5 }},
	{"rising", func(_ *rand.Rand, id, n int) float64 { return 10 * float64(id) / float64(n) }},
	{"falling", func(_ *rand.Rand, id, n int) float64 { return -10 * float64(id) / float64(n) }},
	{"half impossible", func(r *rand.Rand, _, _ int) float64 {
		if r.IntN(2) == 0 {
			return math.Inf(-1)
		}
		return 3 * r.NormFloat64()
	}},
	// Fewer are possible than are asked for, and they come last.
	{"two possible", func(_ *rand.Rand, id, n int) float64 {
		if id < n-2 {
			return math.Inf(-1)
		}
		return float64(n - id)
	}},
	{"zeros of both signs", func(_ *rand.Rand, id, _ int) float64 { return math.Copysign(0, float64(id%2)-0.5) }},
}

// topKRows searches rows of logits for the best, of a vocabulary that need not
// be a multiple of 4. What follows the end of a row is higher than all of it.
func topKRows(l *lab, vocabulary int) {
	r := random("topk")
	padded := (vocabulary + 3) &^ 3
	inputs := l.inputs(len(logitRows), padded, func(row, id int) float64 {
		if id >= vocabulary {
			return 1e6
		}
		return logitRows[row].logit(r, id, vocabulary)
	})
	for _, k := range []int{1, 8, device.MaxTopK} {
		if k > vocabulary {
			continue
		}
		p := l.probe(fmt.Sprintf("top %d of %d", k, vocabulary), 4, nil)
		logits := p.NewOutput(vocabulary)
		all := device.View{Buffer: logits.Buffer, Width: padded}
		p.Add(&device.Gather{Out: all, X: p.embed(inputs)}, &device.TopK{Logits: logits, K: k})
		p.watch("logits", logits, boundExact)
		p.compile()
		for first := 0; first < len(logitRows); first += 3 {
			p.step(stepOf(count(first, 3)...))
		}
		s := stepOf(0, 5, 1, 2)
		s.Outputs = []int32{3, 0, 2, 0}
		p.step(s)
	}
}
