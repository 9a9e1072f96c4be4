package engine

import (
	"github.com/realm-webgpu/realm/engine/batch"
	"github.com/realm-webgpu/realm/engine/kv"
)

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
