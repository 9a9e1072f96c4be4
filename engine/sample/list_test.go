package sample

import (
	"math"
	"math/rand/v2"
	"testing"
)

// listOf returns what a perfect device reads back of a row.
func listOf(t testing.TB, row []float32, k int) List {
	t.Helper()
	s := newSampler(t, Spec{}, len(row))
	logSumExp, err := s.logSumExp(row)
	if err != nil {
		t.Fatal(err)
	}
	l := List{LogSumExp: float32(logSumExp)}
	r := ranking{keys: make([]uint64, len(row))}
	for i, logit := range row {
		r.keys[i] = makeKey(logit, int32(i))
	}
	for rank := range min(k, len(row)) {
		id := keyToken(r.key(rank))
		l.IDs = append(l.IDs, id)
		l.Logits = append(l.Logits, row[id])
	}
	return l
}

// Whenever Candidates answers, it answers as Row does, also when the device's
// LogSumExp is as far off as it may be.
func TestCandidatesEqualRow(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 6))
	const trials = 10000
	answered := 0
	for trial := range trials {
		c := randomCase(rng)
		s := newSampler(t, c.spec, len(c.row))
		if err := s.Accept(c.tokens...); err != nil {
			t.Fatal(err)
		}
		list := listOf(t, c.row, 1+rng.IntN(64))
		truth := float64(list.LogSumExp)
		list.LogSumExp = float32(truth + (2*rng.Float64()-1)*0.99*LogSumExpError)
		for position := range uint64(4) {
			got, logprob, ok := s.Candidates(list, c.mask, position)
			if !ok {
				continue
			}
			answered++
			want, wantLogprob, err := s.Row(c.row, c.mask, position)
			if err != nil {
				t.Fatal(err)
			}
			if got != want {
				t.Fatalf("trial %d: Candidates draws %d, Row %d\nspec %+v\ntokens %v\nmask %x\nrow %v\nlist %+v",
					trial, got, want, c.spec, c.tokens, c.mask, c.row, list)
			}
			if d := math.Abs(float64(logprob - wantLogprob)); d > LogSumExpError+LogSumExpRounding*math.Abs(truth) {
				t.Fatalf("trial %d: logprob %g, Row has %g", trial, logprob, wantLogprob)
			}
		}
	}
	if share := float64(answered) / (4 * trials); share < 0.4 {
		t.Errorf("Candidates answered %.0f %% of the cases", 100*share)
	}
}

// For the specs that people use, the list is nearly always enough.
func TestCandidatesUsuallyAnswer(t *testing.T) {
	const vocab, k, rows = 32000, 64, 300
	rng := rand.New(rand.NewPCG(7, 7))
	var lists []List
	for range rows {
		lists = append(lists, listOf(t, peakedRow(rng, vocab), k))
	}
	ban := float32(math.Inf(-1))
	for _, c := range []struct {
		name string
		spec Spec
		min  float64 // share of answers
	}{
		{"greedy", Spec{}, 1},
		{"greedy, penalties", Spec{RepetitionPenalty: 1.1, FrequencyPenalty: 0.5}, 1},
		{"top_k", Spec{Temperature: 0.8, TopK: 40}, 1},
		{"top_k of the whole list", Spec{Temperature: 1.2, TopK: 64}, 1},
		{"top_k of the whole list, penalties", Spec{Temperature: 0.8, TopK: 64, RepetitionPenalty: 1.1}, 0.95},
		{"llama.cpp's", Spec{Temperature: 0.8, TopK: 40, TopP: 0.95, MinP: 0.05}, 1},
		{"llama.cpp's, penalties", Spec{Temperature: 0.8, TopK: 40, TopP: 0.95, MinP: 0.05, RepetitionPenalty: 1.1, PenaltyWindow: 64}, 1},
		{"typical_p in top_k", Spec{Temperature: 1, TopK: 40, TypicalP: 0.9}, 1},
		{"min_p, hot", Spec{Temperature: 2, MinP: 0.05}, 1},
		{"top_p", Spec{Temperature: 0.7, TopP: 0.95}, 0.97},
		{"top_p, hot", Spec{Temperature: 1.5, TopP: 0.95}, 0.97},
		{"top_p, penalties", Spec{Temperature: 1, TopP: 0.95, FrequencyPenalty: 0.3}, 0.95},
		{"top_p, a ban", Spec{Temperature: 1, TopP: 0.95, LogitBias: map[int32]float32{77: ban}}, 0.95},
		{"temperature 1", Spec{Temperature: 1}, 0.95},
		{"cool", Spec{Temperature: 0.6}, 0.95},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSampler(t, c.spec, vocab)
			answered := 0
			for position, list := range lists {
				token, _, ok := s.Candidates(list, nil, uint64(position))
				if ok {
					answered++
				} else {
					token = list.IDs[0]
				}
				if err := s.Accept(token); err != nil {
					t.Fatal(err)
				}
			}
			if share := float64(answered) / rows; share < c.min {
				t.Errorf("answered %.1f %% of %d rows, want %.0f %%", 100*share, rows, 100*c.min)
			}
		})
	}
}

// peakedRow returns logits shaped like a language model's: a broad bell, and a
// dozen tokens above it that hold about 99 % of the probability.
func peakedRow(rng *rand.Rand, vocab int) []float32 {
	row := make([]float32, vocab)
	for i := range row {
		row[i] = float32(rng.NormFloat64() * 2)
	}
	for range 12 {
		row[rng.IntN(vocab)] = float32(16 + 1.5*rng.NormFloat64())
	}
	return row
}

// Cases in which the list is not enough, each next to one in which it is.
func TestCandidatesKnowTheirLimits(t *testing.T) {
	// 0.4, 0.2, 0.1, and 30 tokens of 0.01: the list of 4 has 0.71 of the mass.
	probability := []float64{0.4, 0.2, 0.1}
	for range 30 {
		probability = append(probability, 0.01)
	}
	row := logits(probability...)
	list := listOf(t, row, 4)
	odd, three := NewMask(len(row)), NewMask(len(row))
	for i := range int32(len(row)) {
		if i%2 == 1 {
			odd.Allow(i)
		}
	}
	three.Allow(0)
	three.Allow(1)
	three.Allow(2)
	beyond := NewMask(len(row))
	beyond.Allow(9)
	for _, c := range []struct {
		name   string
		spec   Spec
		mask   Mask
		tokens []int32
		ok     bool
	}{
		{"greedy", Spec{}, nil, nil, true},
		{"greedy under a mask that leaves a listed one", Spec{}, odd, nil, true},
		{"greedy under a mask that leaves none", Spec{}, beyond, nil, false},
		{"greedy, a ban", Spec{LogitBias: map[int32]float32{0: -100}}, nil, nil, true},
		{"greedy, a listed token lifted", Spec{LogitBias: map[int32]float32{2: 9}}, nil, nil, true},
		{"greedy, an unlisted token lifted a little", Spec{LogitBias: map[int32]float32{9: 1}}, nil, nil, true},
		{"greedy, an unlisted token lifted to the top", Spec{LogitBias: map[int32]float32{9: 9}}, nil, nil, false},
		{"greedy, an unlisted token rewarded", Spec{PresencePenalty: -2, FrequencyPenalty: -2}, nil, []int32{9}, false},
		{"greedy, a listed token rewarded", Spec{PresencePenalty: -2, FrequencyPenalty: -2}, nil, []int32{2}, true},
		{"greedy, all listed penalised past the rest", Spec{FrequencyPenalty: 2}, nil, []int32{0, 0, 1, 1, 2, 2, 3, 3}, false},
		{"top_k inside", Spec{Temperature: 1, TopK: 4}, nil, nil, true},
		{"top_k past the list", Spec{Temperature: 1, TopK: 20, Seed: 1}, nil, nil, false},
		{"nucleus inside", Spec{Temperature: 1, TopP: 0.65}, nil, nil, true},
		{"nucleus past the list", Spec{Temperature: 1, TopP: 0.8}, nil, nil, false},
		{"nucleus that ends within the error", Spec{Temperature: 1, TopP: 0.6}, nil, nil, false},
		{"nucleus of a masked row", Spec{Temperature: 1, TopP: 0.65}, odd, nil, false},
		{"min_p inside", Spec{Temperature: 1, MinP: 0.1}, nil, nil, true},
		{"min_p past the list", Spec{Temperature: 1, MinP: 0.01}, nil, nil, false},
		{"typical_p in a top_k inside", Spec{Temperature: 1, TopK: 3, TypicalP: 0.5}, nil, nil, true},
		{"typical_p of the row", Spec{Temperature: 1, TypicalP: 0.5}, nil, nil, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSampler(t, c.spec, len(row))
			if err := s.Accept(c.tokens...); err != nil {
				t.Fatal(err)
			}
			all := true
			for position := range uint64(30) {
				got, _, ok := s.Candidates(list, c.mask, position)
				if !ok {
					all = false
					continue
				}
				if want, _, err := s.Row(row, c.mask, position); err != nil || got != want {
					t.Fatalf("Candidates draws %d, Row %d, error %v", got, want, err)
				}
			}
			if all != c.ok {
				t.Errorf("answers every time: %v, want %v", all, c.ok)
			}
		})
	}
}

// A draw from the whole softmax answers if its number falls within the list.
func TestCandidatesDrawByTheirShare(t *testing.T) {
	row := logits(0.4, 0.3, 0.1, 0.05, 0.05, 0.04, 0.03, 0.02, 0.01)
	list := listOf(t, row, 3)
	s := newSampler(t, Spec{Temperature: 1, Seed: 2}, len(row))
	const n = 2000
	for position := range uint64(n) {
		u := Uniform(2, position)
		_, _, ok := s.Candidates(list, nil, position)
		if clear := u < 0.79; clear && !ok {
			near := math.Min(math.Abs(float64(u)-0.4), math.Abs(float64(u)-0.7))
			if near > 2*LogSumExpError {
				t.Fatalf("u = %g falls within the list, and was not answered", u)
			}
		}
		if ok && u > 0.81 {
			t.Fatalf("u = %g falls past the list, and was answered", u)
		}
	}
}

func TestCandidatesRefuseWhatIsNoList(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	good := List{IDs: []int32{4, 2, 3}, Logits: []float32{3, 2, 2}, LogSumExp: 4}
	s := newSampler(t, Spec{}, 50)
	if token, _, ok := s.Candidates(good, nil, 0); !ok || token != 4 {
		t.Fatalf("a good list gives %d, %v", token, ok)
	}
	for _, c := range []struct {
		name string
		list List
		mask Mask
	}{
		{"empty", List{}, nil},
		{"more ids than logits", List{[]int32{1, 2}, []float32{1}, 2}, nil},
		{"id below the vocabulary", List{[]int32{-1}, []float32{1}, 2}, nil},
		{"id past the vocabulary", List{[]int32{50}, []float32{1}, 2}, nil},
		{"longer than the vocabulary", List{make([]int32, 51), make([]float32, 51), 2}, nil},
		{"out of order", List{[]int32{1, 2}, []float32{1, 2}, 4}, nil},
		{"equals out of order", List{[]int32{2, 1}, []float32{2, 2}, 4}, nil},
		{"twice the same", List{[]int32{2, 2}, []float32{2, 2}, 4}, nil},
		{"NaN", List{[]int32{1, 2}, []float32{nan, 2}, 4}, nil},
		{"NaN last", List{[]int32{1, 2}, []float32{2, nan}, 4}, nil},
		{"+Inf", List{[]int32{1, 2}, []float32{inf, 2}, 4}, nil},
		{"all -Inf", List{[]int32{1, 2}, []float32{-inf, -inf}, 4}, nil},
		{"LogSumExp NaN", List{[]int32{1}, []float32{1}, nan}, nil},
		{"LogSumExp infinite", List{[]int32{1}, []float32{1}, inf}, nil},
		{"LogSumExp below the listed", List{[]int32{1, 2}, []float32{3, 3}, 3.5}, nil},
		{"LogSumExp more than the rest can hold", List{[]int32{1, 2}, []float32{3, 3}, 8}, nil},
		{"mask of another size", good, NewMask(100)},
	} {
		if token, _, ok := s.Candidates(c.list, c.mask, 0); ok {
			t.Errorf("%s: answered %d", c.name, token)
		}
	}
}
