package batch

import (
	"math"

	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/engine/sample"
)

// missPause is for how many tokens nothing is computed ahead after a draw that
// the device could not finish: one is often followed by others.
const missPause = 16

// chooser says how the tokens of a run are chosen, and where: on the device, so
// that a step can start from a token that the host has not seen yet, or on the
// host, which knows of penalties, biases and masks.
type chooser struct {
	choice     choice
	ahead      bool            // the device knows the token
	sampler    *sample.Sampler // what the host chooses with
	constraint Constraint
	mask       sample.Mask    // what is possible next; nil: everything
	masked     bool           // mask is that of the next token
	masks      sample.Mask    // memory of mask
	first      sample.Mask    // Request.Mask, until the first token
	draw       device.Sampler // what the device draws with; Position aside
	pause      int            // tokens until steps are computed ahead again
}

// newChooser returns the chooser of a request.
func (m *Model) newChooser(r *Request) (chooser, error) {
	c := chooser{sampler: r.Sampler, constraint: r.Constraint, first: r.Mask}
	if c.sampler == nil {
		var err error
		if c.sampler, err = m.NewSampler(sample.Spec{}); err != nil {
			return chooser{}, err
		}
	}
	spec := c.sampler.Spec()
	adjusts := len(spec.LogitBias) > 0 || spec.FrequencyPenalty != 0 || spec.PresencePenalty != 0 ||
		spec.RepetitionPenalty != 0 && spec.RepetitionPenalty != 1
	c.choice = candidates
	switch greedy := spec.Temperature < sample.MinTemperature; {
	case adjusts || c.constraint != nil:
	case greedy:
		c.ahead = true
		if r.TopK == 0 {
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
	c.choice = m.fit(c.choice)
	return c, nil
}

// needed returns what the next row of the run asks of a program.
func (r *Run) needed() choice {
	if r.limit > 0 {
		if c := &r.chooser; c.first != nil && c.choice.topK < candidates.topK {
			return r.model.fit(candidates)
		}
		return r.chooser.choice
	}
	if r.request.Logits {
		return everything
	}
	return states
}

// prepare finds out what is possible as the next token. It is done while the
// device computes.
func (c *chooser) prepare(vocab int) error {
	if c.masked {
		return nil
	}
	c.mask = c.first
	if c.constraint != nil {
		if c.masks == nil {
			c.masks = sample.NewMask(vocab)
		}
		if err := c.constraint.Mask(c.masks); err != nil {
			return err
		}
		if len(c.first) == len(c.masks) {
			for i, word := range c.first {
				c.masks[i] &= word
			}
		}
		c.mask = c.masks
	}
	c.masked = true
	return nil
}

// accept goes on past a token.
func (c *chooser) accept(id int32) error {
	if err := c.sampler.Accept(id); err != nil {
		return err
	}
	if c.constraint != nil {
		if err := c.constraint.Advance(id); err != nil {
			_ = c.sampler.Rewind(1) // it has just been accepted
			return err
		}
	}
	c.masked, c.first = false, nil
	if c.pause > 0 {
		c.pause--
	}
	return nil
}

// rewind takes n tokens back.
func (c *chooser) rewind(n int) {
	if c.sampler == nil {
		return
	}
	// All of them were accepted: neither can fail, save a constraint that is broken,
	// of whose run nothing more is asked.
	_ = c.sampler.Rewind(n)
	if c.constraint != nil {
		_ = c.constraint.Rollback(n)
	}
	c.masked = false
}

// chosen is a token and what is known of it.
type chosen struct {
	id      int32
	logprob float32
	missed  bool // the device had chosen otherwise, or not at all
	unread  bool // the whole row is needed, and is not there any more
}

// row is the part of a result that is of one output.
type row struct {
	flight *flight
	output int
}

// list returns the candidates of a row.
func (w row) list() sample.List {
	r := &w.flight.result
	k := len(r.IDs) / len(r.Chosen)
	return sample.List{
		IDs:       r.IDs[w.output*k : (w.output+1)*k],
		Logits:    r.Logits[w.output*k : (w.output+1)*k],
		LogSumExp: r.LogSumExp[w.output],
	}
}

// choose returns the token of a position from the row that came back.
func (s *Scheduler) choose(r *Run, w row, position int) (chosen, error) {
	c, m := &r.chooser, r.model
	if err := c.prepare(m.vocab); err != nil {
		return chosen{}, err
	}
	list := w.list()
	finite := !math.IsNaN(float64(list.LogSumExp)) && !math.IsInf(float64(list.LogSumExp), 0)
	if id := w.flight.result.Chosen[w.output]; finite && c.ahead && c.mask == nil && id != device.NoChoice {
		for i, candidate := range list.IDs {
			if candidate == id {
				return chosen{id: id, logprob: list.Logits[i] - list.LogSumExp}, nil
			}
		}
	}
	if c.ahead && c.mask == nil {
		c.pause = missPause
	}
	if finite {
		if id, logprob, ok := c.sampler.Candidates(list, c.mask, uint64(position)); ok {
			return chosen{id: id, logprob: logprob, missed: true}, nil
		}
	}
	if !s.readable(w.flight) {
		return chosen{unread: true}, nil
	}
	if m.row == nil {
		m.row = make([]float32, m.vocab)
	}
	x := w.flight.executable
	if err := x.Read(x.logits, w.output, m.row); err != nil {
		return chosen{}, err
	}
	id, logprob, err := c.sampler.Row(m.row, c.mask, uint64(position))
	return chosen{id: id, logprob: logprob, missed: true}, err
}
