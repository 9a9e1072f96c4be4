package cpu

import (
	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/engine/sample"
)

// sampler is device.Sample, by package sample.
type sampler struct {
	vocab   int
	k       int
	scratch sample.Scratch
	drawers []drawer // [Program.Outputs]
}

// drawer draws for an output. It is kept for the steps that follow, which for
// the same sequence ask for the same but in another position.
type drawer struct {
	of      device.Sampler // its Position is 0
	sampler *sample.Sampler
}

func (e *executable) newSampler() *sampler {
	k := &sampler{k: e.topK, drawers: make([]drawer, e.program.Outputs)}
	for _, op := range e.program.Ops {
		if o, ok := op.(*device.TopK); ok {
			k.vocab = o.Logits.Width
		}
	}
	return k
}

func (k *sampler) run(s *step) {
	for i, of := range s.samplers {
		s.chosen[i] = device.NoChoice
		drawer := k.drawer(i, of)
		if drawer == nil {
			continue
		}
		list := sample.List{
			IDs:       s.ids[i*k.k : (i+1)*k.k],
			Logits:    s.logits[i*k.k : (i+1)*k.k],
			LogSumExp: s.logSumExp[i],
		}
		if token, _, ok := drawer.Candidates(list, nil, uint64(of.Position)); ok {
			s.chosen[i] = token
		}
	}
}

// drawer returns the sampler of an output, or nil where package sample refuses
// it: the host, which goes by the same rules, then learns why.
func (k *sampler) drawer(i int, of device.Sampler) *sample.Sampler {
	of.Position = 0
	d := &k.drawers[i]
	if d.sampler == nil || d.of != of {
		spec := sample.Spec{
			Temperature: of.Temperature,
			TopK:        int(of.TopK),
			TopP:        of.TopP,
			MinP:        of.MinP,
			Seed:        of.Seed,
		}
		sampler, err := sample.New(spec, k.vocab, &k.scratch)
		if err != nil {
			sampler = nil
		}
		*d = drawer{of, sampler}
	}
	return d.sampler
}
