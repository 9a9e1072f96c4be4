package main

import (
	"errors"
	"slices"

	"github.com/spf13/pflag"

	"github.com/realm-webgpu/realm/engine"
	"github.com/realm-webgpu/realm/engine/sample"
)

// samplingFlags say how tokens are chosen and when the text ends.
type samplingFlags struct {
	spec      sample.Spec
	bias      biasValue
	maxTokens countValue
	stop      []string
}

func (s *samplingFlags) add(flags *pflag.FlagSet) {
	flags.VarP(&s.maxTokens, "max-tokens", "n", "the most tokens of the answer; 0: until the model ends it or the context is full")
	flags.StringArrayVar(&s.stop, "stop", nil, "end the answer before this `TEXT`; may be repeated")
	flags.Float32Var(&s.spec.Temperature, "temperature", 0, "how boldly to choose, 0 to 100. 0 takes the most probable token, so that the same prompt gives the same answer every time; 0.7 is usual for livelier text")
	flags.Uint64Var(&s.spec.Seed, "seed", 0, "seed of the random choices: the same seed gives the same text")
	flags.IntVar(&s.spec.TopK, "top-k", 0, "choose among the K most probable tokens; 0: all")
	flags.Float32Var(&s.spec.TopP, "top-p", 0, "choose among the most probable tokens that together have this probability; 0: all")
	flags.Float32Var(&s.spec.MinP, "min-p", 0, "choose among tokens at least this times as probable as the best; 0: all")
	flags.Float32Var(&s.spec.TypicalP, "typical-p", 0, "choose among the most typical tokens that together have this probability; 0: all")
	flags.Float32Var(&s.spec.RepetitionPenalty, "repeat-penalty", 0, "make tokens that were used less probable, 0.1 to 10; 0 or 1: off")
	flags.Float32Var(&s.spec.FrequencyPenalty, "frequency-penalty", 0, "make tokens less probable each time they are used, -2 to 2; 0: off")
	flags.Float32Var(&s.spec.PresencePenalty, "presence-penalty", 0, "make tokens less probable once they are used, -2 to 2; 0: off")
	flags.IntVar(&s.spec.PenaltyWindow, "penalty-window", 0, "penalties look at this many of the last tokens; 0: all")
	flags.Var(&s.bias, "logit-bias", "add BIAS to the logit of token ID, -inf forbids it; may be repeated")
}

// options returns how a text is written, or a field outside its limits.
func (s *samplingFlags) options() (engine.GenerateOptions, error) {
	o := engine.GenerateOptions{Sampling: s.spec, PenalizePrompt: true, MaxTokens: int(s.maxTokens), Stop: s.stop}
	o.Sampling.LogitBias = s.bias
	if slices.Contains(s.stop, "") {
		return o, errors.New("--stop: the text is empty")
	}
	return o, o.Sampling.Validate()
}
