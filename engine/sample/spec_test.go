package sample

import (
	"errors"
	"math"
	"strings"
	"testing"
)

func TestSpecValidate(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, c := range []struct {
		name string
		spec Spec
		want string // in the error; "" for none
	}{
		{"zero", Spec{}, ""},
		{"usual", Spec{Temperature: 0.8, TopK: 40, TopP: 0.95, MinP: 0.05, RepetitionPenalty: 1.1, PenaltyWindow: 64}, ""},
		{"limits", Spec{Temperature: 100, TopP: 1, MinP: 1, TypicalP: 1, RepetitionPenalty: 10, FrequencyPenalty: -2, PresencePenalty: 2}, ""},
		{"ban", Spec{LogitBias: map[int32]float32{3: -inf}}, ""},
		{"temperature below", Spec{Temperature: -0.1}, "Temperature -0.1 is not in [0, 100]"},
		{"temperature above", Spec{Temperature: 101}, "Temperature 101 is not in [0, 100]"},
		{"temperature NaN", Spec{Temperature: nan}, "Temperature NaN"},
		{"top_k", Spec{TopK: -1}, "TopK -1 is negative"},
		{"top_p", Spec{TopP: 1.5}, "TopP 1.5 is not in [0, 1]"},
		{"top_p NaN", Spec{TopP: nan}, "TopP NaN"},
		{"min_p", Spec{MinP: -1}, "MinP -1 is not in [0, 1]"},
		{"typical_p", Spec{TypicalP: inf}, "TypicalP +Inf is not in [0, 1]"},
		{"repetition below", Spec{RepetitionPenalty: 0.05}, "RepetitionPenalty 0.05 is neither 0 nor in [0.1, 10]"},
		{"repetition negative", Spec{RepetitionPenalty: -1}, "RepetitionPenalty -1"},
		{"repetition NaN", Spec{RepetitionPenalty: nan}, "RepetitionPenalty NaN"},
		{"frequency", Spec{FrequencyPenalty: 3}, "FrequencyPenalty 3 is not in [-2, 2]"},
		{"presence", Spec{PresencePenalty: -3}, "PresencePenalty -3 is not in [-2, 2]"},
		{"window", Spec{PenaltyWindow: -5}, "PenaltyWindow -5 is negative"},
		{"bias NaN", Spec{LogitBias: map[int32]float32{7: nan}}, "LogitBias NaN of token 7"},
		{"bias infinite", Spec{LogitBias: map[int32]float32{7: inf}}, "LogitBias +Inf of token 7"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := c.spec.Validate()
			if c.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if !errors.Is(err, ErrSpec) || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("error %v, want one that says %q", err, c.want)
			}
			if _, err := New(c.spec, 10, nil); !errors.Is(err, ErrSpec) {
				t.Errorf("New: error %v, want ErrSpec", err)
			}
		})
	}
}

func TestSpecAdjust(t *testing.T) {
	inf := float32(math.Inf(1))
	for _, c := range []struct {
		name  string
		spec  Spec
		logit float32
		count int32
		want  float32
	}{
		{"off", Spec{}, 3, 5, 3},
		{"absent", Spec{RepetitionPenalty: 2, FrequencyPenalty: 1, PresencePenalty: 1}, 3, 0, 3},
		{"repetition of positive", Spec{RepetitionPenalty: 2}, 3, 4, 1.5},
		{"repetition of negative", Spec{RepetitionPenalty: 2}, -3, 4, -6},
		{"repetition rewards", Spec{RepetitionPenalty: 0.5}, -3, 1, -1.5},
		{"frequency", Spec{FrequencyPenalty: 0.5}, 3, 4, 1},
		{"presence", Spec{PresencePenalty: 0.5}, 3, 4, 2.5},
		{"frequency and presence", Spec{FrequencyPenalty: 0.5, PresencePenalty: -1}, 3, 2, 3},
		{"bias", Spec{LogitBias: map[int32]float32{1: 2, 2: 9}}, 3, 0, 5},
		{"bias before repetition", Spec{RepetitionPenalty: 2, LogitBias: map[int32]float32{1: -4}}, 3, 1, -2},
		{"ban", Spec{FrequencyPenalty: -2, LogitBias: map[int32]float32{1: -inf}}, 3, 9, -inf},
		{"impossible stays so", Spec{RepetitionPenalty: 0.1, LogitBias: map[int32]float32{1: 100}}, -inf, 1, -inf},
	} {
		if got := c.spec.adjust(1, c.logit, c.count); got != c.want {
			t.Errorf("%s: adjust(%g) = %g, want %g", c.name, c.logit, got, c.want)
		}
	}
}
