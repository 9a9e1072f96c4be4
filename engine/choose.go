package engine

import (
	"math"

	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/engine/sample"
)

// missPause is for how many tokens nothing is computed ahead after a draw that
// the device could not finish: one is often followed by others.
const missPause = 16

// chooser says how the tokens of a text are chosen, and where: on the device,
// so that a step can start from a token that the host has not seen yet, or on
// the host, which knows of penalties and biases.
type chooser struct {
	choice  choice
	ahead   bool            // the device knows the token
	sampler *sample.Sampler // what the host chooses with; nil for logits only
	draw    device.Sampler  // what the device draws with; Position aside
	pause   int             // tokens until steps are computed ahead again
}

// newChooser returns the chooser of a text. The caller has checked logprobs.
func (m *Model) newChooser(spec sample.Spec, logprobs int) (*chooser, error) {
	sampler, err := sample.New(spec, m.vocab, &m.scratch)
	if err != nil {
		return nil, err
	}
	c := &chooser{choice: candidates, sampler: sampler}
	adjusts := len(spec.LogitBias) > 0 || spec.FrequencyPenalty != 0 || spec.PresencePenalty != 0 ||
		spec.RepetitionPenalty != 0 && spec.RepetitionPenalty != 1
	switch greedy := spec.Temperature < sample.MinTemperature; {
	case adjusts:
	case greedy:
		c.ahead = true
		if logprobs == 0 {
			c.choice = best
		}
	case spec.TypicalP == 0 || spec.TypicalP == 1:
		c.ahead = true
		c.choice = draw
		c.draw = device.Sampler{
			Temperature: spec.Temperature,
			TopP:        spec.TopP,
			MinP:        spec.MinP,
			TopK:        int32(min(spec.TopK, math.MaxInt32)),
			Seed:        spec.Seed,
		}
	}
	if c.choice.topK > m.vocab {
		c.choice.topK = m.vocab
	}
	return c, nil
}

// chosen is a token and what is known of it.
type chosen struct {
	id      int32
	logprob float32
	missed  bool // the device had chosen otherwise, or not at all
}

// choose returns the token that comes after s.tokens, from a flight that has
// landed. The caller has the turn.
func (s *Sequence) choose(c *chooser, f *flight) (chosen, error) {
	r := &f.result
	list := sample.List{IDs: r.IDs, Logits: r.Logits, LogSumExp: r.LogSumExp[0]}
	finite := !math.IsNaN(float64(list.LogSumExp)) && !math.IsInf(float64(list.LogSumExp), 0)
	if id := r.Chosen[0]; finite && c.ahead && id != device.NoChoice {
		for i, candidate := range list.IDs {
			if candidate == id {
				return chosen{id: id, logprob: list.Logits[i] - list.LogSumExp}, nil
			}
		}
	}
	c.pause = missPause
	position := uint64(len(s.tokens))
	if finite {
		if id, logprob, ok := c.sampler.Candidates(list, nil, position); ok {
			return chosen{id, logprob, true}, nil
		}
	}
	m := s.model
	if m.row == nil {
		m.row = make([]float32, m.vocab)
	}
	if err := s.logits(f, c, m.row); err != nil {
		return chosen{}, err
	}
	id, logprob, err := c.sampler.Row(m.row, nil, position)
	return chosen{id, logprob, true}, err
}
