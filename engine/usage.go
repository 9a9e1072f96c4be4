package engine

import (
	"sync"

	"github.com/realm-webgpu/realm/engine/batch"
	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/engine/kv"
)

// Amount is what is taken of something, in bytes, and the bound of it.
type Amount struct {
	Used   int64
	Budget int64 // 0: none of its own
}

// Usage is what is taken on a device now.
type Usage struct {
	Total    Amount // all below; Options.Memory
	Weights  Amount
	Cache    Amount // keys and values; Options.CacheMemory
	Scratch  Amount // activations, step data, read-back, and buffers of Tensors
	Adapters Amount // Options.AdapterMemory
}

// Usage returns what is taken on the device now, and the bounds.
func (e *Engine) Usage() Usage {
	m := e.Memory()
	_, adapters := e.adapterBudget.State()
	return Usage{
		Total:    Amount{m.Total(), m.Budget},
		Weights:  Amount{Used: m.Used[device.KindWeights]},
		Cache:    Amount{m.Used[device.KindCache], e.cacheBudget.limit},
		Scratch:  Amount{Used: m.Used[device.KindScratch]},
		Adapters: Amount{m.Used[device.KindAdapters], adapters},
	}
}

// ModelUsage is what one model takes on its device now, in bytes. Activations are
// not in it: models share them.
type ModelUsage struct {
	Weights   int64
	Cache     int64 // keys and values there is room for
	CacheUsed int64 // of those, in pages that some sequence holds
	Adapters  int64
}

// Total returns the bytes of weights, cache and adapters.
func (u ModelUsage) Total() int64 { return u.Weights + u.Cache + u.Adapters }

// Usage returns what the model takes now.
func (m *Model) Usage() ModelUsage {
	held := m.spec
	held.Pages = m.pool.Total() - m.pool.Free()
	return ModelUsage{Weights: m.model.Bytes(), Cache: m.spec.Bytes(), CacheUsed: held.Bytes(), Adapters: m.adapters.Usage().Bytes}
}

// CacheUsage is the state of a model's cache of keys and values.
type CacheUsage struct {
	Pages int // of 32 tokens
	Free  int // held by no sequence; the index may know what is in them
	Index kv.IndexStats
}

// CacheUsage returns the state of the cache now.
func (m *Model) CacheUsage() CacheUsage {
	return CacheUsage{Pages: m.pool.Total(), Free: m.pool.Free(), Index: m.pool.Stats()}
}

// Totals count what the scheduler of an engine has done.
type Totals = batch.Totals

// Totals returns what the scheduler has done so far.
func (e *Engine) Totals() Totals { return e.scheduler.Totals() }

// Runs returns how many runs are taken into steps now, and how many wait to be.
func (e *Engine) Runs() (running, waiting int) { return e.scheduler.Load() }

// cacheBudget bounds the keys and values of all models of an engine.
type cacheBudget struct {
	limit int64 // bytes; 0: none

	mu   sync.Mutex
	used int64
}

// fits returns a device.MemoryError where there is no room for a cache.
func (b *cacheBudget) fits(spec device.CacheSpec) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.short(spec.Bytes())
}

// take books a cache until give, or returns the error of fits.
func (b *cacheBudget) take(spec device.CacheSpec) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	err := b.short(spec.Bytes())
	if err == nil {
		b.used += spec.Bytes()
	}
	return err
}

func (b *cacheBudget) short(need int64) error {
	if b.limit > 0 && need > b.limit-b.used {
		return &device.MemoryError{Kind: device.KindCache, Name: "the keys and values of all models (a smaller context takes less)", Need: need, Used: b.used, Budget: b.limit}
	}
	return nil
}

func (b *cacheBudget) give(n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.used -= n
}
