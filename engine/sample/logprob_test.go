package sample

import (
	"errors"
	"math"
	"slices"
	"testing"
)

func TestTopLogprobs(t *testing.T) {
	ninf := float32(math.Inf(-1))
	row := append(logits(0.125, 0.5, 0.125, 0.25), ninf)
	for i := range row {
		row[i] += 40 // logits are only known up to a constant
	}
	// What the spec does is not seen.
	s := newSampler(t, Spec{Temperature: 3, TopK: 1, LogitBias: map[int32]float32{0: 9}}, len(row))
	want := []Logprob{{1, float32(math.Log(0.5))}, {3, float32(math.Log(0.25))}, {0, float32(math.Log(0.125))}, {2, float32(math.Log(0.125))}}
	for _, n := range []int{-1, 0, 1, 3, 4, 5, 100} {
		got, err := s.TopLogprobs(nil, row, n)
		if err != nil {
			t.Fatal(err)
		}
		near := func(a, b Logprob) bool {
			return a.Token == b.Token && math.Abs(float64(a.Logprob-b.Logprob)) < 1e-5
		}
		if !slices.EqualFunc(got, want[:min(max(n, 0), 4)], near) {
			t.Errorf("the top %d are %v", n, got)
		}
		list := listOf(t, row, 5)
		got, ok := list.TopLogprobs(got[:0], n)
		if ok != (n <= 5) || ok && !slices.EqualFunc(got, want[:min(max(n, 0), 4)], near) {
			t.Errorf("the top %d of the list are %v, %v", n, got, ok)
		}
	}
	for _, c := range []struct {
		row  []float32
		want error
	}{
		{row[:2], ErrSize},
		{[]float32{1, 2, float32(math.NaN()), 3, 4}, ErrNotFinite},
		{[]float32{ninf, ninf, ninf, ninf, ninf}, ErrNoToken},
	} {
		if _, err := s.TopLogprobs(nil, c.row, 2); !errors.Is(err, c.want) {
			t.Errorf("%v: error %v, want %v", c.row, err, c.want)
		}
	}
}
