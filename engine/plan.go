package engine

import (
	"fmt"

	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/engine/gguf"
	"github.com/realm-webgpu/realm/engine/model"
)

// Plan says what a model would take on a device, in bytes, before anything of it is
// read but the header of its file.
type Plan struct {
	Context       int   // tokens of one sequence
	CacheTokens   int   // of all sequences together
	Weights       int64 // on this device, to the byte where the device is a device.Sized
	CachePerToken int64 // keys and values of a token
	Cache         int64 // keys and values of CacheTokens
	Scratch       int64 // activations of a long step, which models may share: an estimate
	Adapter       int64 // each LoRA adapter of rank 8 of all that takes one; none is part of Total
	// Err is nil where the model fits beside what is taken now, or a
	// device.MemoryError that says what is short: the device, or Options.CacheMemory.
	Err error

	cache device.CacheSpec
}

// Total returns the bytes of weights, cache and activations.
func (p Plan) Total() int64 { return p.Weights + p.Cache + p.Scratch }

// Plan returns what Load would take. Errors: ErrOption, a device.MemoryError for a
// cache that passes LoadOptions.CacheMemory, and what package model says of the file.
func (e *Engine) Plan(f *gguf.File, o LoadOptions) (Plan, error) {
	p, err := e.plan(f, o)
	if err != nil {
		return Plan{}, fmt.Errorf("engine: plan: %w", err)
	}
	return p, nil
}

// maxCacheTokens is more than any memory holds, and keeps bytes countable.
const maxCacheTokens = 1 << 28

func (e *Engine) plan(f *gguf.File, o LoadOptions) (Plan, error) {
	if o.Context < 0 || o.CacheTokens < 0 || o.CacheTokens > maxCacheTokens || o.CacheMemory < 0 || o.StepTokens < 0 {
		return Plan{}, fmt.Errorf("Context %d, CacheTokens %d, CacheMemory %d, StepTokens %d: %w", o.Context, o.CacheTokens, o.CacheMemory, o.StepTokens, ErrOption)
	}
	config, err := model.ReadConfig(f)
	if err != nil {
		return Plan{}, err
	}
	d := e.current()
	m, err := model.PlanOn(d, f, o.Context, o.CacheType)
	if err != nil {
		return Plan{}, err
	}
	spec, err := cacheSpec(config, m.Context, o)
	if err != nil {
		return Plan{}, err
	}
	p := Plan{
		Context: m.Context, CacheTokens: spec.Pages * device.PageTokens,
		Weights: m.Weights, CachePerToken: m.CachePerToken, Cache: spec.Bytes(), Scratch: m.Scratch, Adapter: m.Adapter,
		cache: spec,
	}
	if sized, ok := d.(device.Sized); ok {
		p.Cache = sized.CacheBytes(spec)
	}
	if p.Err = e.cacheBudget.fits(spec); p.Err == nil {
		p.Err = p.fits(d)
	}
	return p, nil
}

// fits returns an error unless there is room for all of the plan.
func (p *Plan) fits(d device.Device) error {
	m := d.Memory()
	if s, ok := d.(device.Settler); ok && m.Budget > 0 && p.Total() > m.Budget-m.Total() {
		s.Settle()
		m = d.Memory()
	}
	if used := m.Total(); m.Budget > 0 && p.Total() > m.Budget-used {
		return &device.MemoryError{
			Kind:   device.KindWeights,
			Name:   fmt.Sprintf("weights, a cache of %d tokens, and activations (a smaller context takes less)", p.CacheTokens),
			Need:   p.Total(),
			Used:   used,
			Budget: m.Budget,
		}
	}
	return nil
}

// cacheSpec returns the cache that the options ask for.
func cacheSpec(c *model.Config, context int, o LoadOptions) (device.CacheSpec, error) {
	tokens := o.CacheTokens
	if tokens == 0 {
		tokens = context
	}
	spec := c.CacheSpec(pagesOf(tokens), o.CacheType)
	if o.CacheMemory == 0 {
		return spec, nil
	}
	page := max(c.CacheSpec(1, o.CacheType).Bytes(), 1)
	if spec.Bytes() > o.CacheMemory {
		return spec, &device.MemoryError{
			Kind: device.KindCache, Name: fmt.Sprintf("%d tokens in CacheMemory (a smaller context takes less)", tokens),
			Need: spec.Bytes(), Budget: o.CacheMemory,
		}
	}
	if o.CacheTokens == 0 {
		spec.Pages = int(min(o.CacheMemory/page, maxCacheTokens/device.PageTokens))
	}
	return spec, nil
}
