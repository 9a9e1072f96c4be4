package sample

import (
	"errors"
	"math"
	"slices"
	"testing"
)

func TestRowGreedy(t *testing.T) {
	ninf := float32(math.Inf(-1))
	even := NewMask(4)
	even.Allow(0)
	even.Allow(2)
	for _, c := range []struct {
		name   string
		spec   Spec
		row    []float32
		mask   Mask
		tokens []int32
		want   int32
	}{
		{"best", Spec{}, []float32{1, 3, 2, 0}, nil, nil, 1},
		{"lowest id of equals", Spec{}, []float32{1, 3, 3, 3}, nil, nil, 1},
		{"equal zeros of either sign", Spec{}, []float32{-1, float32(math.Copysign(0, -1)), 0, -2}, nil, nil, 1},
		{"only one possible", Spec{}, []float32{ninf, ninf, ninf, -7}, nil, nil, 3},
		{"far below zero", Spec{}, []float32{-3e38, -2e38, -1e38, ninf}, nil, nil, 2},
		{"mask", Spec{}, []float32{1, 3, 2, 0}, even, nil, 2},
		{"bias", Spec{LogitBias: map[int32]float32{3: 4}}, []float32{1, 3, 2, 0}, nil, nil, 3},
		{"penalty", Spec{PresencePenalty: 2}, []float32{1, 3, 2, 0}, nil, []int32{1}, 2},
		{"penalty outside its window", Spec{PresencePenalty: 2, PenaltyWindow: 1}, []float32{1, 3, 2, 0}, nil, []int32{1, 0}, 1},
		{"filters are not asked", Spec{TypicalP: 0.35}, logits(0.6, 0.2, 0.1, 0.1), nil, nil, 0},
		{"tiny temperature", Spec{Temperature: 1e-6}, []float32{1, 3, 3, 0}, nil, nil, 1},
		{"smallest drawn temperature", Spec{Temperature: MinTemperature, Seed: 3}, []float32{1, 3, 2.9, 0}, nil, nil, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSampler(t, c.spec, len(c.row))
			if err := s.Accept(c.tokens...); err != nil {
				t.Fatal(err)
			}
			row := slices.Clone(c.row)
			for position := range uint64(20) {
				got, _, err := s.Row(row, c.mask, position)
				if err != nil {
					t.Fatal(err)
				}
				if got != c.want {
					t.Fatalf("token %d, want %d", got, c.want)
				}
			}
			if !slices.Equal(row, c.row) {
				t.Error("Row changed the logits")
			}
		})
	}
}

func TestRowErrors(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	ban := func(tokens ...int32) Spec {
		bias := map[int32]float32{}
		for _, token := range tokens {
			bias[token] = -inf
		}
		return Spec{LogitBias: bias}
	}
	for _, c := range []struct {
		name string
		spec Spec
		row  []float32
		mask Mask
		want error
	}{
		{"NaN", Spec{}, []float32{1, nan, 2}, nil, ErrNotFinite},
		{"all NaN", Spec{}, []float32{nan, nan, nan}, nil, ErrNotFinite},
		{"+Inf", Spec{}, []float32{1, inf, 2}, nil, ErrNotFinite},
		{"NaN behind the mask", Spec{}, []float32{1, nan, 2}, Mask{1}, ErrNotFinite},
		{"all -Inf", Spec{}, []float32{-inf, -inf, -inf}, nil, ErrNoToken},
		{"all masked", Spec{}, []float32{1, 2, 3}, NewMask(3), ErrNoToken},
		{"all that is possible masked", Spec{}, []float32{1, -inf, 3}, Mask{2}, ErrNoToken},
		{"all banned", ban(0, 1, 2), []float32{1, 2, 3}, nil, ErrNoToken},
		{"bias overflows", Spec{LogitBias: map[int32]float32{1: 3e38}}, []float32{1, 3e38, 2}, nil, ErrNotFinite},
		{"short row", Spec{}, []float32{1, 2}, nil, ErrSize},
		{"empty row", Spec{}, nil, nil, ErrSize},
		{"mask of another size", Spec{}, []float32{1, 2, 3}, NewMask(33), ErrSize},
		{"empty mask", Spec{}, []float32{1, 2, 3}, Mask{}, ErrSize},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, temperature := range []float32{0, 1} {
				c.spec.Temperature = temperature
				s := newSampler(t, c.spec, 3)
				if token, _, err := s.Row(c.row, c.mask, 0); !errors.Is(err, c.want) {
					t.Errorf("temperature %g: token %d, error %v, want %v", temperature, token, err, c.want)
				}
			}
		})
	}
}

func TestNewErrors(t *testing.T) {
	for _, vocab := range []int{0, -1, math.MaxInt32 + 1} {
		if _, err := New(Spec{}, vocab, nil); !errors.Is(err, ErrSize) {
			t.Errorf("New of %d tokens: error %v, want ErrSize", vocab, err)
		}
	}
	for _, token := range []int32{-1, 5} {
		if _, err := New(Spec{LogitBias: map[int32]float32{token: 1}}, 5, nil); !errors.Is(err, ErrToken) {
			t.Errorf("New with a bias on token %d of 5: error %v, want ErrToken", token, err)
		}
	}
}

// The logprob is that of the model, whatever the spec does to the row.
func TestRowLogprob(t *testing.T) {
	row := logits(0.5, 0.25, 0.125, 0.125)
	s := newSampler(t, Spec{Temperature: 3, LogitBias: map[int32]float32{1: 50}}, 4)
	token, logprob, err := s.Row(row, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	if want := math.Log(0.25); token != 1 || math.Abs(float64(logprob)-want) > 1e-6 {
		t.Errorf("token %d with logprob %g, want 1 with %g", token, logprob, want)
	}
}

// A sampler's answer does not depend on what shared its scratch before.
func TestSharedScratch(t *testing.T) {
	scratch := new(Scratch)
	wide, err := New(Spec{Temperature: 1, LogitBias: map[int32]float32{3: 1}}, 500, scratch)
	if err != nil {
		t.Fatal(err)
	}
	spec := Spec{Temperature: 1, TopP: 0.9, Seed: 5}
	shared, err := New(spec, 100, scratch)
	if err != nil {
		t.Fatal(err)
	}
	alone := newSampler(t, spec, 100)
	row := make([]float32, 500)
	for i := range row {
		row[i] = float32(i%37) / 7
	}
	for position := range uint64(50) {
		if _, _, err := wide.Row(row, nil, position); err != nil {
			t.Fatal(err)
		}
		got, _, err := shared.Row(row[:100], nil, position)
		if err != nil {
			t.Fatal(err)
		}
		want, _, err := alone.Row(row[:100], nil, position)
		if err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Fatalf("position %d: token %d, alone %d", position, got, want)
		}
	}
}

// In the steady state a token costs no allocation.
func TestNoAllocations(t *testing.T) {
	const vocab = 5000
	spec := Spec{
		Temperature: 1, TopP: 0.95, MinP: 0.01, TypicalP: 0.99, RepetitionPenalty: 1.1,
		PenaltyWindow: 64, LogitBias: map[int32]float32{3: 1},
	}
	row := make([]float32, vocab)
	for i := range row {
		row[i] = float32(i*7919%vocab) / 300
	}
	mask := NewMask(vocab)
	for i := range int32(vocab) {
		mask.Allow(i)
	}
	whole := newSampler(t, spec, vocab)
	spec.TopK, spec.TypicalP = 20, 0
	short := newSampler(t, spec, vocab)
	list := listOf(t, row, 64)
	top := make([]Logprob, 0, 20)

	position := uint64(0)
	step := func() {
		token, _, err := whole.Row(row, mask, position)
		if err == nil {
			err = whole.Accept(token)
		}
		if err == nil {
			err = whole.Accept(token)
		}
		if err == nil {
			err = whole.Rewind(1)
		}
		if err != nil {
			t.Fatal(err)
		}
		token, _, ok := short.Candidates(list, mask, position)
		if !ok {
			token = list.IDs[0]
		}
		if err := short.Accept(token); err != nil {
			t.Fatal(err)
		}
		if top, err = whole.TopLogprobs(top[:0], row, 20); err != nil {
			t.Fatal(err)
		}
		position++
	}
	for range 200 {
		step()
	}
	if n := testing.AllocsPerRun(200, step); n != 0 {
		t.Errorf("%g allocations a token", n)
	}
}
