package engine

import (
	"fmt"

	"github.com/realm-webgpu/realm/engine/batch"
)

// TenantOptions say what a tenant may take. The zero value bounds nothing.
type TenantOptions = batch.TenantOptions

// Tenant is someone who shares the device with others, by weights: a virtual
// token counter (Sheng et al., OSDI 2024) says whose sequences go first. What was
// computed for one tenant is never used for another.
type Tenant struct {
	*batch.Tenant
	engine *Engine
}

// NewTenant adds a tenant. Errors: ErrOption, ErrClosed.
func (e *Engine) NewTenant(o TenantOptions) (*Tenant, error) {
	t, err := e.scheduler.NewTenant(o)
	if err != nil {
		return nil, fmt.Errorf("engine: new tenant: %w", err)
	}
	return &Tenant{t, e}, nil
}

// NewSequence returns an empty sequence of the tenant. It fails with ErrClosed,
// and with ErrOption for a model of another engine.
func (t *Tenant) NewSequence(m *Model) (*Sequence, error) {
	if m.engine != t.engine {
		return nil, fmt.Errorf("engine: new sequence: a model of another engine: %w", ErrOption)
	}
	return m.newSequence(t.Tenant)
}

// sequenceOf returns an empty sequence of a tenant, or of the engine's own.
func (m *Model) sequenceOf(t *Tenant) (*Sequence, error) {
	if t == nil {
		return m.NewSequence()
	}
	return t.NewSequence(m)
}
