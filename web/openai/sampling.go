package openai

import (
	"math/rand/v2"
	"strconv"

	"github.com/realm-webgpu/realm/engine/sample"
	"github.com/realm-webgpu/realm/guest"
)

// maxTemperature is OpenAI's.
const maxTemperature = 2

// sampling reads how tokens are chosen. What OpenAI says by an explicit 0 and the
// guest by leaving it out is translated.
func sampling(o *object, l Limits, r *guest.Request) {
	r.Temperature = 1
	if f, ok := o.number("temperature", 0, maxTemperature); ok {
		r.Temperature = float32(f)
	}
	if f, ok := o.number("top_p", 0, 1); ok {
		if r.TopP = float32(f); r.TopP == 0 {
			r.TopK = 1 // the fewest tokens whose probabilities reach 0: the best one
		}
	}
	if k, ok := o.count("top_k", -1, 1<<30); ok && k > 0 && r.TopK == 0 {
		r.TopK = k
	}
	for _, m := range []struct {
		name      string
		low, high float64
		into      *float32
	}{
		{"min_p", 0, 1, &r.MinP},
		{"typical_p", 0, 1, &r.TypicalP},
		{"frequency_penalty", -sample.MaxPenalty, sample.MaxPenalty, &r.FrequencyPenalty},
		{"presence_penalty", -sample.MaxPenalty, sample.MaxPenalty, &r.PresencePenalty},
		{"repetition_penalty", sample.MinRepetitionPenalty, sample.MaxRepetitionPenalty, &r.RepetitionPenalty},
	} {
		if f, ok := o.number(m.name, m.low, m.high); ok {
			*m.into = float32(f)
		}
	}
	r.PenaltyWindow, _ = o.count("penalty_window", 0, 1<<30)
	r.PenalizePrompt = o.flag("penalize_prompt", false)
	r.Seed = seed(o)
	bias(o, l, r)
}

// seed reads any integer of 64 bits, with or without a sign. Without one, no answer is
// like another.
func seed(o *object) uint64 {
	raw := o.take("seed")
	if raw == nil {
		return rand.Uint64()
	}
	if i, err := strconv.ParseInt(string(raw), 10, 64); err == nil {
		return uint64(i)
	}
	u, err := strconv.ParseUint(string(raw), 10, 64)
	if err != nil {
		o.fail("seed", "%s is no integer of 64 bits", clip(string(raw)))
	}
	return u
}

// bias reads logit_bias, from the ids of tokens to what is added to their logits.
func bias(o *object, l Limits, r *guest.Request) {
	const name, most = "logit_bias", 100
	var all map[string]float64
	if !o.read(name, "an object of numbers", &all) {
		return
	}
	if len(all) > l.Biases {
		o.fail(name, "%d tokens, at most %d", len(all), l.Biases)
		return
	}
	for token, f := range all {
		id, err := strconv.ParseUint(token, 10, 31)
		if err != nil {
			o.fail(name, "%q is no id of a token", clip(token))
			return
		}
		if !(f >= -most && f <= most) {
			o.fail(name, "%g of token %s is not in [-%d, %d]", f, token, most, most)
			return
		}
		if r.LogitBias == nil {
			r.LogitBias = make(map[string]float32, len(all))
		}
		r.LogitBias[strconv.FormatUint(id, 10)] = float32(f)
	}
}

// stops reads what ends a text.
func stops(o *object, l Limits, r *guest.Request) {
	const name = "stop"
	if raw := o.members[name]; len(raw) > 0 && raw[0] == '"' {
		var one string
		o.read(name, "a string", &one)
		r.Stop = []string{one}
	} else {
		o.read(name, "a string or an array of strings", &r.Stop)
	}
	if len(r.Stop) > l.Stops {
		o.fail(name, "%d strings, at most %d", len(r.Stop), l.Stops)
	}
	for _, s := range r.Stop {
		if s == "" || len(s) > l.StopBytes {
			o.fail(name, "a string has %d bytes, want 1 to %d", len(s), l.StopBytes)
		}
	}
	const most = 32
	if o.read("stop_token_ids", "an array of token ids", &r.StopTokens) && len(r.StopTokens) > most {
		o.fail("stop_token_ids", "%d ids, at most %d", len(r.StopTokens), most)
	}
	r.IgnoreEOS = o.flag("ignore_eos", false)
}

// choices reads n, of at least 1.
func choices(o *object, l Limits, r *guest.Request) {
	r.N = 1
	if n, ok := o.count("n", 1, l.Choices); ok {
		r.N = n
	}
}
