package sample

import (
	"fmt"
	"math"
)

// Limits of the fields of a Spec.
const (
	// MinTemperature is where logits 0.001 apart are e^100 apart in weight.
	// Below it a draw is greedy, as in vLLM.
	MinTemperature = 1e-5
	// MaxTemperature is far past the point where text falls apart, and far
	// below the one where arithmetic does.
	MaxTemperature = 100
	// MinRepetitionPenalty and MaxRepetitionPenalty bound RepetitionPenalty
	// where it is on.
	MinRepetitionPenalty = 0.1
	MaxRepetitionPenalty = 10
	// MaxPenalty bounds the size of FrequencyPenalty and PresencePenalty, as
	// OpenAI does.
	MaxPenalty = 2
)

// Spec says how the tokens of one sequence are chosen. The zero value is greedy:
// the most probable token every time. The package comment has the order in
// which fields take effect.
//
// Zero means "off" in every field. A protocol in which an explicit 0 means
// something else (a top_p of 0 for "the best token only") translates it.
type Spec struct {
	// Temperature divides the logits of the surviving tokens before the draw.
	// Below MinTemperature it is greedy. Limits: 0 to MaxTemperature.
	Temperature float32
	// TopK keeps the K most probable tokens. 0 keeps all. Limit: not negative.
	TopK int
	// TopP keeps the fewest tokens, most probable first, whose probabilities
	// sum to at least TopP (Holtzman et al., https://arxiv.org/abs/1904.09751).
	// 0 and 1 keep all. Limits: 0 to 1.
	TopP float32
	// MinP keeps tokens with at least MinP times the probability of the best
	// (Nguyen et al., https://arxiv.org/abs/2407.01082). 0 keeps all. Limits: 0 to 1.
	MinP float32
	// TypicalP keeps the tokens whose surprise is closest to the entropy, until
	// their probabilities sum to at least TypicalP (Meister et al.,
	// https://arxiv.org/abs/2202.00666). Of two equally close, the more probable
	// comes first. 0 and 1 keep all. Limits: 0 to 1.
	TypicalP float32

	// RepetitionPenalty divides the positive logits of tokens in the window by
	// itself, and multiplies the others (Keskar et al., CTRL,
	// https://arxiv.org/abs/1909.05858, in llama.cpp's form). 0 and 1 are off.
	// Limits: MinRepetitionPenalty to MaxRepetitionPenalty.
	RepetitionPenalty float32
	// FrequencyPenalty is subtracted from a token's logit once for each time it
	// is in the window, and PresencePenalty once if it is there at all (OpenAI's
	// definition). Limits: -MaxPenalty to MaxPenalty.
	FrequencyPenalty, PresencePenalty float32
	// PenaltyWindow is how many of the last accepted tokens the penalties count.
	// 0 counts all of them. Limit: not negative. What is accepted is up to the
	// caller: prompt and output as in llama.cpp, or the output alone as OpenAI does.
	PenaltyWindow int

	// LogitBias is added to the logits of its tokens. -Inf makes a token
	// impossible. Limits: not NaN, not +Inf; ids within the vocabulary.
	LogitBias map[int32]float32

	// Seed is the key of the random numbers. Every value is good, 0 too.
	Seed uint64
}

// Validate reports the first field outside its limits, by name, with its value
// and the limits. The error wraps ErrSpec.
func (s Spec) Validate() error {
	if err := s.check(); err != nil {
		return fmt.Errorf("sample: validate: %w", err)
	}
	return nil
}

func (s *Spec) check() error {
	for _, f := range []struct {
		name     string
		value    float32
		min, max float32
	}{
		{"Temperature", s.Temperature, 0, MaxTemperature},
		{"TopP", s.TopP, 0, 1},
		{"MinP", s.MinP, 0, 1},
		{"TypicalP", s.TypicalP, 0, 1},
		{"FrequencyPenalty", s.FrequencyPenalty, -MaxPenalty, MaxPenalty},
		{"PresencePenalty", s.PresencePenalty, -MaxPenalty, MaxPenalty},
	} {
		// Written so that a NaN fails.
		if !(f.value >= f.min && f.value <= f.max) {
			return fmt.Errorf("%s %g is not in [%g, %g]: %w", f.name, f.value, f.min, f.max, ErrSpec)
		}
	}
	if r := s.RepetitionPenalty; r != 0 && !(r >= MinRepetitionPenalty && r <= MaxRepetitionPenalty) {
		return fmt.Errorf("RepetitionPenalty %g is neither 0 nor in [%g, %g]: %w",
			r, MinRepetitionPenalty, float64(MaxRepetitionPenalty), ErrSpec)
	}
	if s.TopK < 0 {
		return fmt.Errorf("TopK %d is negative: %w", s.TopK, ErrSpec)
	}
	if s.PenaltyWindow < 0 {
		return fmt.Errorf("PenaltyWindow %d is negative: %w", s.PenaltyWindow, ErrSpec)
	}
	for token, bias := range s.LogitBias {
		if !(bias <= math.MaxFloat32) {
			return fmt.Errorf("LogitBias %g of token %d is NaN or +Inf: %w", bias, token, ErrSpec)
		}
	}
	return nil
}

// greedy reports whether the best token is taken without a draw.
func (s *Spec) greedy() bool { return s.Temperature < MinTemperature }

// penalises reports whether any penalty is on.
func (s *Spec) penalises() bool {
	return s.RepetitionPenalty != 0 && s.RepetitionPenalty != 1 || s.FrequencyPenalty != 0 || s.PresencePenalty != 0
}

// rewards reports whether a penalty can raise a logit.
func (s *Spec) rewards() bool {
	return s.RepetitionPenalty != 0 && s.RepetitionPenalty < 1 || s.FrequencyPenalty < 0 || s.PresencePenalty < 0
}

// adjust applies bias and penalties to one logit of a token that is count times
// in the window. It is monotone in the logit, which the bounds in
// [Sampler.Candidates] rest on. Products are rounded before they are added, so
// that no platform fuses the two.
func (s *Spec) adjust(token int32, logit float32, count int32) float32 {
	logit += s.LogitBias[token]
	if count == 0 {
		return logit
	}
	if r := s.RepetitionPenalty; r != 0 {
		if logit > 0 {
			logit /= r
		} else {
			logit = float32(logit * r)
		}
	}
	return logit - (float32(s.FrequencyPenalty*float32(count)) + s.PresencePenalty)
}
