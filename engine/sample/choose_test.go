package sample

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// logits returns a row with the given probabilities at temperature 1.
func logits(probability ...float64) []float32 {
	row := make([]float32, len(probability))
	for i, p := range probability {
		row[i] = float32(math.Log(p))
	}
	return row
}

// kept returns the tokens that survive the filters of a spec, best first.
func kept(t *testing.T, spec Spec, row []float32) []int32 {
	t.Helper()
	s := newSampler(t, spec, len(row))
	keys, err := s.rowKeys(row, nil)
	if err != nil {
		t.Fatal(err)
	}
	p := pool{ranking: ranking{keys: keys}, whole: true}
	in, ok := p.filter(&s.spec, s.vocab)
	if !ok {
		t.Fatal("the filters do not know a whole row")
	}
	var tokens []int32
	for rank := in.lo; rank < in.hi; rank++ {
		tokens = append(tokens, keyToken(p.key(rank)))
	}
	return tokens
}

func TestFilters(t *testing.T) {
	// The order of ids is not that of ranks.
	row := logits(0.05, 0.4, 0.1, 0.25, 0.15, 0.03, 0.02)
	// Surprises 0.105, 4.6, 4.6, ...: of entropy 0.5, the second best is next after the best.
	peaked := logits(0.9, 0.01, 0.01, 0.01, 0.01, 0.01, 0.01, 0.01, 0.01, 0.01, 0.01)
	// Entropy 1.09: the surprise of 0.3, 1.20, is closer than that of 0.4, 0.92.
	headless := logits(0.4, 0.3, 0.3)
	for _, c := range []struct {
		name string
		spec Spec
		row  []float32
		want []int32
	}{
		{"none", Spec{}, row, []int32{1, 3, 4, 2, 0, 5, 6}},
		{"top_k 1", Spec{TopK: 1}, row, []int32{1}},
		{"top_k 3", Spec{TopK: 3}, row, []int32{1, 3, 4}},
		{"top_k past the row", Spec{TopK: 50}, row, []int32{1, 3, 4, 2, 0, 5, 6}},
		{"top_p within the first", Spec{TopP: 0.3}, row, []int32{1}},
		{"top_p takes the one that reaches it", Spec{TopP: 0.7}, row, []int32{1, 3, 4}},
		{"top_p 1", Spec{TopP: 1}, row, []int32{1, 3, 4, 2, 0, 5, 6}},
		{"top_p almost 1", Spec{TopP: 0.99}, row, []int32{1, 3, 4, 2, 0, 5, 6}},
		{"top_p of the top_k", Spec{TopK: 3, TopP: 0.8}, row, []int32{1, 3}}, // 0.65/0.8
		{"min_p", Spec{MinP: 0.3}, row, []int32{1, 3, 4}},
		{"min_p 1", Spec{MinP: 1}, row, []int32{1}},
		{"min_p 1 of equals", Spec{MinP: 1}, logits(0.2, 0.4, 0.4), []int32{1, 2}},
		{"min_p after top_p", Spec{TopP: 0.7, MinP: 0.5}, row, []int32{1, 3}},
		{"typical_p, peaked", Spec{TypicalP: 0.8}, peaked, []int32{0}},
		{"typical_p takes more for mass", Spec{TypicalP: 0.915}, peaked, []int32{0, 1, 2}},
		{"typical_p drops the best", Spec{TypicalP: 0.35}, headless, []int32{1, 2}},
		{"typical_p comes back to the best", Spec{TypicalP: 0.65}, headless, []int32{0, 1, 2}},
		{"typical_p of the top_k", Spec{TopK: 2, TypicalP: 0.2}, headless, []int32{0}}, // entropy 0.68, surprises 0.56 and 0.85
		{"min_p is of the best that is left", Spec{TypicalP: 0.35, MinP: 0.9}, headless, []int32{1, 2}},
		{"ties by id", Spec{TopK: 2}, []float32{0, 5, 5, 5}, []int32{1, 2}},
		{"impossible tokens", Spec{TopK: 3}, []float32{1, float32(math.Inf(-1)), 2}, []int32{2, 0}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := kept(t, c.spec, c.row); !slices.Equal(got, c.want) {
				t.Errorf("kept %v, want %v", got, c.want)
			}
		})
	}
}

// The bounds of rest.at hold for weights of every shape, and meet for one token.
func TestRestAtTemperature(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	for trial := range 2000 {
		n := 1 + rng.IntN(50)
		o := rest{n: n, ceiling: math.Inf(-1)}
		x := make([]float64, n)
		for i := range x {
			x[i] = -rng.ExpFloat64() * float64(trial%30)
			o.ceiling = max(o.ceiling, x[i])
			o.mass.lo += math.Exp(x[i])
		}
		o.mass.hi = o.mass.lo
		for _, temperature := range []float64{0.01, 0.5, 0.99, 1, 1.3, 10} {
			truth := 0.0
			for _, v := range x {
				truth += math.Exp(v / temperature)
			}
			const rounding = 1e-9
			b := o.at(temperature)
			if !(b.lo <= truth*(1+rounding) && b.hi >= truth*(1-rounding)) {
				t.Fatalf("%v at %g: %g is not in [%g, %g]", x, temperature, truth, b.lo, b.hi)
			}
			if n == 1 && b.hi-b.lo > truth*rounding {
				t.Fatalf("one token at %g: bounds [%g, %g] do not meet at %g", temperature, b.lo, b.hi, truth)
			}
		}
	}
}

// oracle is the package comment written out: every stage on a sorted copy.
// close says that rounding could change its answer.
func oracle(spec Spec, row []float32, tokens []int32, mask Mask, u float64) (token int32, close bool) {
	type entry struct {
		token int32
		logit float64
		p     float64
	}
	if n := spec.PenaltyWindow; n > 0 && len(tokens) > n {
		tokens = tokens[len(tokens)-n:]
	}
	counts := map[int32]int32{}
	for _, token := range tokens {
		counts[token]++
	}
	var set []entry
	for i, logit := range row {
		logit = spec.adjust(int32(i), logit, counts[int32(i)])
		if mask.Allows(int32(i)) && !math.IsInf(float64(logit), -1) {
			set = append(set, entry{token: int32(i), logit: float64(logit)})
		}
	}
	slices.SortStableFunc(set, func(a, b entry) int {
		switch {
		case a.logit > b.logit:
			return -1
		case a.logit < b.logit:
			return 1
		}
		return 0
	})
	if spec.Temperature == 0 {
		return set[0].token, false
	}
	softmax := func(temperature float64) {
		sum := 0.0
		for i := range set {
			set[i].p = math.Exp((set[i].logit - set[0].logit) / temperature)
			sum += set[i].p
		}
		for i := range set {
			set[i].p /= sum
		}
	}
	near := func(a, b float64) {
		if math.Abs(a-b) < 1e-9 {
			close = true
		}
	}
	if spec.TopK > 0 && spec.TopK < len(set) {
		set = set[:spec.TopK]
	}
	if p := float64(spec.TypicalP); p > 0 && p < 1 {
		softmax(1)
		entropy := 0.0
		for _, e := range set {
			if e.p > 0 {
				entropy -= e.p * math.Log(e.p)
			}
		}
		distance := func(e entry) float64 { return math.Abs(-math.Log(e.p) - entropy) }
		byDistance := slices.Clone(set)
		slices.SortStableFunc(byDistance, func(a, b entry) int {
			if distance(a) < distance(b) {
				return -1
			}
			if distance(a) > distance(b) {
				return 1
			}
			return 0
		})
		chosen, sum := map[int32]bool{}, 0.0
		for i, e := range byDistance {
			near(sum, p)
			if sum >= p {
				near(distance(e), distance(byDistance[i-1]))
				break
			}
			chosen[e.token] = true
			sum += e.p
		}
		set = slices.DeleteFunc(set, func(e entry) bool { return !chosen[e.token] })
	}
	if p := float64(spec.TopP); p > 0 && p < 1 {
		softmax(1)
		sum := 0.0
		for i, e := range set {
			sum += e.p
			near(sum, p)
			if sum >= p {
				set = set[:i+1]
				break
			}
		}
	}
	if spec.MinP > 0 {
		softmax(1)
		best := set[0].p
		for _, e := range set {
			near(e.p/best, float64(spec.MinP))
		}
		set = slices.DeleteFunc(set, func(e entry) bool { return e.p < best*float64(spec.MinP) })
	}
	softmax(float64(spec.Temperature))
	sum := 0.0
	for _, e := range set {
		sum += e.p
		near(sum, u)
		if sum > u {
			return e.token, close
		}
	}
	return set[len(set)-1].token, true
}

// Row is the oracle on random rows and specs.
func TestRowIsTheChain(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	tested := 0
	const trials = 4000
	for trial := range trials {
		c := randomCase(rng)
		s := newSampler(t, c.spec, len(c.row))
		if err := s.Accept(c.tokens...); err != nil {
			t.Fatal(err)
		}
		position := uint64(trial)
		want, close := oracle(c.spec, c.row, c.tokens, c.mask, float64(Uniform(c.spec.Seed, position)))
		if close {
			continue
		}
		tested++
		got, _, err := s.Row(c.row, c.mask, position)
		if err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Fatalf("trial %d: token %d, want %d\nspec %+v\ntokens %v\nmask %x\nrow %v", trial, got, want, c.spec, c.tokens, c.mask, c.row)
		}
	}
	if tested < trials*8/10 {
		t.Errorf("only %d of %d cases were far from a rounding edge", tested, trials)
	}
}

// randomCase returns a row of one of several shapes, and a spec in which each
// stage is on now and then.
func randomCase(rng *rand.Rand) (c struct {
	row    []float32
	spec   Spec
	tokens []int32
	mask   Mask
}) {
	vocab := 2 + rng.IntN(300)
	c.row = make([]float32, vocab)
	shape, width := rng.IntN(4), rng.Float64()*6
	for i := range c.row {
		switch shape {
		case 0: // bell
			c.row[i] = float32(rng.NormFloat64() * width)
		case 1: // peaked
			c.row[i] = float32(rng.NormFloat64())
			if rng.IntN(30) == 0 {
				c.row[i] += float32(4 + 2*width)
			}
		case 2: // many equals
			c.row[i] = float32(rng.IntN(4)) * float32(width)
		case 3: // holes, and far from zero
			c.row[i] = float32(rng.NormFloat64()*width) + 500
			if rng.IntN(3) == 0 {
				c.row[i] = float32(math.Inf(-1))
			}
		}
	}
	c.row[rng.IntN(vocab)] = float32(width)

	sometimes := func(n int) bool { return rng.IntN(n) == 0 }
	c.spec.Seed = rng.Uint64()
	if !sometimes(10) {
		c.spec.Temperature = []float32{0.1, 0.7, 1, 1, 1.5, 4}[rng.IntN(6)]
	}
	if sometimes(2) {
		c.spec.TopK = 1 + rng.IntN(60)
	}
	if sometimes(3) {
		c.spec.TopP = 0.3 + 0.7*rng.Float32()
	}
	if sometimes(4) {
		c.spec.MinP = rng.Float32() * rng.Float32()
	}
	if sometimes(5) {
		c.spec.TypicalP = 0.1 + 0.9*rng.Float32()
	}
	if sometimes(4) {
		c.spec.RepetitionPenalty = 0.8 + 0.7*rng.Float32()
	}
	if sometimes(4) {
		c.spec.FrequencyPenalty = rng.Float32()*3 - 1
	}
	if sometimes(4) {
		c.spec.PresencePenalty = rng.Float32()*3 - 1
	}
	if sometimes(2) {
		c.spec.PenaltyWindow = 1 + rng.IntN(20)
	}
	if sometimes(4) {
		c.spec.LogitBias = map[int32]float32{}
		for range 1 + rng.IntN(5) {
			c.spec.LogitBias[rng.Int32N(int32(vocab))] = float32(rng.NormFloat64() * 5)
		}
	}
	for range rng.IntN(30) {
		c.tokens = append(c.tokens, rng.Int32N(int32(vocab)))
	}
	if sometimes(4) {
		c.mask = NewMask(vocab)
		possible := false
		for i, logit := range c.row {
			if sometimes(2) {
				c.mask.Allow(int32(i))
				possible = possible || logit >= -math.MaxFloat32
			}
		}
		if !possible {
			c.mask = nil
		}
	}
	return c
}

// Draws have the probabilities of what the filters leave, at their temperature.
func TestDrawDistribution(t *testing.T) {
	row := logits(0.05, 0.35, 0.1, 0.25, 0.15, 0.06, 0.04)
	for _, c := range []struct {
		spec Spec
		keep []int32 // nil for all
	}{
		{Spec{Temperature: 1}, nil},
		{Spec{Temperature: 0.5}, nil},
		{Spec{Temperature: 2}, nil},
		{Spec{Temperature: 1, TopK: 3}, []int32{1, 3, 4}},
		{Spec{Temperature: 1.5, TopP: 0.8}, []int32{1, 3, 4, 2}},
		{Spec{Temperature: 0.7, MinP: 0.2}, []int32{1, 3, 4, 2}},
		{Spec{Temperature: 1, LogitBias: map[int32]float32{1: float32(math.Inf(-1))}}, []int32{0, 2, 3, 4, 5, 6}},
	} {
		t.Run(fmt.Sprintf("%+v", c.spec), func(t *testing.T) {
			want := make([]float64, len(row))
			sum := 0.0
			for token, logit := range row {
				if c.keep == nil || slices.Contains(c.keep, int32(token)) {
					want[token] = math.Exp(float64(logit) / float64(c.spec.Temperature))
					sum += want[token]
				}
			}
			for token := range want {
				want[token] /= sum
			}
			const n = 20000
			c.spec.Seed = 11
			s := newSampler(t, c.spec, len(row))
			counts := make([]float64, len(row))
			for position := range uint64(n) {
				token, _, err := s.Row(row, nil, position)
				if err != nil {
					t.Fatal(err)
				}
				counts[token]++
			}
			if x, limit := chiSquare(counts, want, n); x > limit {
				t.Errorf("chi-square %.1f is over %.1f: counts %v, want %v of %d", x, limit, counts, want, n)
			}
			// The test can tell a distribution that is one percent off.
			for token := range want {
				if want[token] > 0.1 {
					want[token] += 0.01
				} else if want[token] > 0.01 {
					want[token] -= 0.01
				}
			}
			if x, limit := chiSquare(counts, want, n); x <= limit {
				t.Errorf("chi-square %.1f does not tell a wrong distribution", x)
			}
		})
	}
}
