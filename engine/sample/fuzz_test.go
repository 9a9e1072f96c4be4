package sample

import (
	"encoding/binary"
	"errors"
	"math"
	"testing"
)

// fuzzCase reads a spec and a row from data, floats of any bits of 4 bytes each:
// first seven fields of the spec and a bias, then the row. What Validate refuses,
// it skips.
func fuzzCase(t *testing.T, data []byte, topK uint8, window uint8, biased uint16) (s *Sampler, spec Spec, row []float32) {
	floats := make([]float32, 0, len(data)/4)
	for ; len(data) >= 4; data = data[4:] {
		floats = append(floats, math.Float32frombits(binary.LittleEndian.Uint32(data)))
	}
	const fields = 8
	if len(floats) <= fields {
		t.Skip("no row")
	}
	row = floats[fields:]
	spec = Spec{
		Temperature: floats[0], TopK: int(topK), TopP: floats[1], MinP: floats[2], TypicalP: floats[3],
		RepetitionPenalty: floats[4], FrequencyPenalty: floats[5], PresencePenalty: floats[6], PenaltyWindow: int(window),
		Seed: uint64(biased),
	}
	if biased > 0 {
		spec.LogitBias = map[int32]float32{int32(int(biased) % len(row)): floats[7]}
	}
	s, err := New(spec, len(row), nil)
	if err != nil {
		if !errors.Is(err, ErrSpec) {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	for i := range min(20, len(row)) {
		if err := s.Accept(int32(i * i % len(row))); err != nil {
			t.Fatal(err)
		}
	}
	return s, spec, row
}

// Row gives a token that is possible, or says why not; and where it gives one,
// Candidates on the best few of the row gives the same or none.
func FuzzRow(f *testing.F) {
	f.Fuzz(func(t *testing.T, data []byte, topK, window uint8, biased uint16, masked bool, k uint8) {
		s, spec, row := fuzzCase(t, data, topK, window, biased)
		var mask Mask
		if masked {
			mask = NewMask(len(row))
			for i := range row {
				if i%3 != int(biased)%3 {
					mask.Allow(int32(i))
				}
			}
		}
		for position := range uint64(4) {
			token, logprob, err := s.Row(row, mask, position)
			if err != nil {
				if !errors.Is(err, ErrNotFinite) && !errors.Is(err, ErrNoToken) {
					t.Fatal(err)
				}
				if errors.Is(err, ErrNoToken) && mask == nil && spec.LogitBias == nil && !spec.penalises() {
					for i, logit := range row {
						if !math.IsInf(float64(logit), -1) {
							t.Fatalf("%v, but token %d has %g", err, i, logit)
						}
					}
				}
				return
			}
			if token < 0 || int(token) >= len(row) || !mask.Allows(token) || math.IsInf(float64(row[token]), -1) {
				t.Fatalf("token %d of %d is not possible", token, len(row))
			}
			if !(logprob <= 0) {
				t.Fatalf("logprob %g", logprob)
			}
			list := listOf(t, row, 1+int(k))
			if got, _, ok := s.Candidates(list, mask, position); ok && got != token {
				t.Fatalf("Candidates draws %d, Row %d\nspec %+v\nrow %v", got, token, spec, row)
			}
		}
	})
}

// Candidates gives a token of the list, or none, whatever a device says.
func FuzzCandidates(f *testing.F) {
	f.Fuzz(func(t *testing.T, data, ids []byte, logSumExp float32, topK, window uint8, biased uint16) {
		s, _, row := fuzzCase(t, data, topK, window, biased)
		list := List{Logits: row[:min(len(row), len(ids)/2)], LogSumExp: logSumExp}
		for ; len(ids) >= 2 && len(list.IDs) < len(list.Logits); ids = ids[2:] {
			list.IDs = append(list.IDs, int32(int16(binary.LittleEndian.Uint16(ids))))
		}
		for position := range uint64(4) {
			token, logprob, ok := s.Candidates(list, nil, position)
			if !ok {
				continue
			}
			listed := false
			for i, id := range list.IDs {
				listed = listed || id == token && !math.IsInf(float64(list.Logits[i]), -1)
			}
			if !listed || !(logprob <= 0) {
				t.Fatalf("token %d with logprob %g from %+v", token, logprob, list)
			}
		}
	})
}
