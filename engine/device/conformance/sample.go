package conformance

import (
	"math"
	"slices"

	"github.com/realm-webgpu/realm/engine/device"
)

func sampleCases(size Size) []Case {
	draws := 128
	if size == Full {
		draws = 1024
	}
	samplers := []struct {
		name    string
		sampler device.Sampler
	}{
		{"top_k", device.Sampler{Temperature: 0.8, TopK: 12}},
		{"top_k_hot", device.Sampler{Temperature: 1.7, TopK: 40}},
		{"top_p", device.Sampler{Temperature: 1, TopP: 0.7}},
		{"top_p_hot", device.Sampler{Temperature: 1.5, TopP: 0.6}},
		{"min_p", device.Sampler{Temperature: 0.7, MinP: 0.12}},
		{"top_k_top_p_min_p", device.Sampler{Temperature: 0.9, TopK: 30, TopP: 0.9, MinP: 0.03}},
		{"open", device.Sampler{Temperature: 1}},
		{"open_cold", device.Sampler{Temperature: 0.5}},
	}
	var cases []Case
	for _, s := range samplers {
		cases = append(cases, Case{
			Name: "sample/" + s.name, Op: "sample",
			run: func(l *lab) { sampleDraws(l, s.sampler, draws) },
		})
	}
	return append(cases,
		Case{Name: "sample/mixed", Op: "sample", run: sampleMixed},
		Case{Name: "sample/past_the_candidates", Op: "sample", run: samplePast},
	)
}

// sampleVocabulary is that of the rows that are drawn from.
const sampleVocabulary = 400

// sampling is a program of Sample over the k best of rows of logits: peaked ones,
// flat ones, and such where the best are equal. The tensor has these rows.
func (l *lab) sampling(rows, k int) (*probe, *tensor) {
	value := normal("sample", 1)
	spread := [...]float64{3, 1, 0.05, 8}
	inputs := l.inputs(len(spread)+1, sampleVocabulary, func(row, id int) float64 {
		if row == len(spread) {
			return float64(-(id / 3))
		}
		return spread[row] * value(row, id)
	})
	p := l.probe("sample", min(rows, l.info.MaxRows), nil)
	logits := p.NewOutput(sampleVocabulary)
	p.Add(&device.Gather{Out: logits, X: p.embed(inputs)}, &device.TopK{Logits: logits, K: k}, &device.Sample{})
	p.watch("logits", logits, boundExact)
	p.compile()
	return p, l.ref.weights[inputs]
}

// sampleDraws draws from a peaked row many times, with consecutive positions of
// two seeds. Each draw has to be the one that package sample defines, or be left
// to the host where the device cannot know; and all of them together have to
// look like its probabilities: were both wrong in the same way, this would show
// it.
func sampleDraws(l *lab, sampler device.Sampler, draws int) {
	p, logits := l.sampling(64, device.MaxTopK)
	p.blind = true // to read the same row over and over would be most of the time
	sampler.Seed = 0x0123456789abcdef
	seen := map[int32]int{}
	for at := 0; at < draws && p.err == nil; at += p.Rows {
		s := stepOf(make([]int32, p.Rows)...)
		for i := range p.Rows {
			sampler.Position = uint32(at + i)
			if at >= draws/2 {
				sampler.Seed = 1 << 63
			}
			s.Samplers = append(s.Samplers, sampler)
		}
		p.step(s)
		for i, id := range p.result.Chosen {
			if id == device.NoChoice { // the host finishes it
				id = newDraw(logits.row(0), s.Samplers[i]).nominal
			}
			seen[id]++
		}
	}
	if p.err != nil {
		return
	}
	d := newDraw(logits.row(0), sampler)
	chi, limit := chiSquare(d, seen)
	l.require(chi <= limit, "%d draws are not distributed like %+v: chi² is %.1f, over %.1f", draws, sampler, chi, limit)
}

// chiSquare compares counts of draws with a distribution (Pearson 1900), and
// returns the sum with a limit six deviations above its mean. Tokens that were
// expected fewer than five times are counted together.
func chiSquare(d draw, seen map[int32]int) (chi, limit float64) {
	total := 0
	for _, n := range seen {
		total += n
	}
	cells, rest, restSeen := 0, float64(total), total
	cell := func(expected float64, n int) {
		if expected > 0 {
			cells++
			chi += (float64(n) - expected) * (float64(n) - expected) / expected
		}
	}
	for i, id := range d.ids {
		expected := d.shares[i] * float64(total)
		if expected < 5 {
			break
		}
		cell(expected, seen[id])
		rest -= expected
		restSeen -= seen[id]
	}
	if rest > 1e-6*float64(total) {
		cell(rest, restSeen)
	} else if restSeen > 0 {
		return math.Inf(1), 0
	}
	freedom := float64(max(cells-1, 1))
	return chi, freedom + 6*math.Sqrt(2*freedom)
}

// sampleMixed has a sampler of its own for every row of a step, over rows of
// every shape. The same row, seed and position draw the same alone.
func sampleMixed(l *lab) {
	samplers := []device.Sampler{
		{},
		{Temperature: 1, TopK: 1, Seed: 1},
		{Temperature: 0.7, TopK: 40, TopP: 0.95, Seed: 2, Position: 9},
		{Temperature: 1.3, TopP: 0.3, Seed: 3, Position: math.MaxUint32},
		{Temperature: 1e-3, TopK: 20, Seed: 4},
		{Temperature: 50, TopK: 64, Seed: 5, Position: 1},
		{Temperature: 1, MinP: 1, Seed: 6},
		{Temperature: 1, TopK: sampleVocabulary, TopP: 1, Seed: math.MaxUint64, Position: 77},
	}
	eight, _ := l.sampling(8, device.MaxTopK)
	one, _ := l.sampling(1, device.MaxTopK)
	for token := range int32(5) {
		s := stepOf(slices.Repeat([]int32{token}, len(samplers))...)
		s.Samplers = samplers
		eight.step(s)
		if l.err != nil {
			return
		}
		together := slices.Clone(eight.result.Chosen)
		for i, sampler := range samplers {
			s := stepOf(token)
			s.Samplers = []device.Sampler{sampler}
			one.step(s)
			if l.err != nil {
				return
			}
			if got := one.result.Chosen[0]; got != together[i] {
				l.fail("row %d, %+v: %d alone, but %d in a step of 8", token, sampler, got, together[i])
			}
		}
	}
}

// samplePast draws without a filter from a flat row of which eight candidates
// are a small part: most draws reach past them and are NoChoice.
func samplePast(l *lab) {
	const flat = 2
	p, _ := l.sampling(64, 8)
	s := stepOf(slices.Repeat([]int32{flat}, p.Rows)...)
	for i := range p.Rows {
		s.Samplers = append(s.Samplers, device.Sampler{Temperature: 1, Seed: 99, Position: uint32(i)})
	}
	p.step(s)
	passed := 0
	for _, id := range p.result.Chosen {
		if id == device.NoChoice {
			passed++
		}
	}
	l.require(2*passed >= p.Rows, "%d of %d draws passed", passed, p.Rows)
}
