package sample

import (
	"math/rand/v2"
	"testing"
)

const benchVocab = 128256 // Llama 3's

func BenchmarkRow(b *testing.B) {
	rng := rand.New(rand.NewPCG(8, 8))
	peaked, flat := peakedRow(rng, benchVocab), make([]float32, benchVocab)
	for i := range flat {
		flat[i] = float32(rng.NormFloat64())
	}
	tokens := make([]int32, 2000)
	for i := range tokens {
		tokens[i] = rng.Int32N(benchVocab)
	}
	for _, c := range []struct {
		name string
		spec Spec
		row  []float32
	}{
		{"greedy", Spec{}, peaked},
		{"top_k", Spec{Temperature: 0.8, TopK: 40}, peaked},
		{"penalties", Spec{Temperature: 0.8, TopK: 40, RepetitionPenalty: 1.1}, peaked},
		{"top_p", Spec{Temperature: 0.8, TopP: 0.95}, peaked},
		{"top_p flat", Spec{Temperature: 0.8, TopP: 0.95}, flat},
		{"min_p", Spec{Temperature: 0.8, MinP: 0.05}, peaked},
		{"typical_p", Spec{Temperature: 0.8, TypicalP: 0.9}, peaked},
		{"temperature", Spec{Temperature: 0.8}, peaked},
		{"temperature flat", Spec{Temperature: 0.8}, flat},
	} {
		b.Run(c.name, func(b *testing.B) {
			s := newSampler(b, c.spec, benchVocab)
			if err := s.Accept(tokens...); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for position := uint64(0); b.Loop(); position++ {
				if _, _, err := s.Row(c.row, nil, position); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkCandidates(b *testing.B) {
	list := listOf(b, peakedRow(rand.New(rand.NewPCG(9, 9)), benchVocab), 64)
	for _, c := range []struct {
		name string
		spec Spec
	}{
		{"greedy", Spec{}},
		{"top_k", Spec{Temperature: 0.8, TopK: 40}},
		{"top_p", Spec{Temperature: 0.8, TopP: 0.95}},
		{"penalties", Spec{Temperature: 0.8, TopP: 0.95, RepetitionPenalty: 1.1}},
	} {
		b.Run(c.name, func(b *testing.B) {
			s := newSampler(b, c.spec, benchVocab)
			if err := s.Accept(list.IDs...); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for position := uint64(0); b.Loop(); position++ {
				s.Candidates(list, nil, position)
			}
		})
	}
}
