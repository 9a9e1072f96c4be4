package batch

import (
	"fmt"
	"math"
)

// TenantOptions say what a tenant may take. The zero value bounds nothing.
type TenantOptions struct {
	Name string // for errors and metrics
	// Weight is the share of the device, against those of other tenants that want
	// it at the same time. 0: 1.
	Weight float64
	// Priority is added to that of each request.
	Priority int
	// MaxSequences bounds the runs that are taken into steps at the same time.
	// Others wait. 0: no bound.
	MaxSequences int
	// MaxPages bounds the cache pages of the tenant's sequences of one model,
	// shared ones counting for each. 0: no bound.
	MaxPages int
	// QueueLimit bounds the runs that wait to be taken in; one more is refused
	// with ErrQueueFull. 0: no bound but that of the scheduler.
	QueueLimit int
}

// Tenant is someone who shares the device. What is computed for one is never
// used for another.
type Tenant struct {
	scheduler *Scheduler
	options   TenantOptions
	number    uint64 // the salt of its pages

	// Guarded by the scheduler's lock:
	counter float64 // service received, over weight; see fair.go
	queue   []*Run  // waiting, in the order they are taken in
	active  int     // runs that were started and have not ended
	running int     // of those, the ones taken in
	served  Service
}

// Service is what a tenant has received, in tokens.
type Service struct {
	Read   int64 // tokens of prompts read; again, after a preemption, they cost it nothing
	Chosen int64 // tokens chosen
}

// NewTenant adds a tenant. Errors: ErrOption, ErrClosed.
func (s *Scheduler) NewTenant(o TenantOptions) (*Tenant, error) {
	if o.Weight == 0 {
		o.Weight = 1
	}
	if !(o.Weight > 0 && o.Weight <= math.MaxFloat32) || o.MaxSequences < 0 || o.MaxPages < 0 || o.QueueLimit < 0 {
		return nil, fmt.Errorf("batch: new tenant: %+v: %w", o, ErrOption)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, fmt.Errorf("batch: new tenant: %w", ErrClosed)
	}
	return s.newTenant(o), nil
}

func (s *Scheduler) newTenant(o TenantOptions) *Tenant {
	s.numbers++
	return &Tenant{scheduler: s, options: o, number: s.numbers}
}

// Options returns what the tenant was made with.
func (t *Tenant) Options() TenantOptions { return t.options }

// Service returns what the tenant has received so far.
func (t *Tenant) Service() Service {
	t.scheduler.mu.Lock()
	defer t.scheduler.mu.Unlock()
	return t.served
}

// Load returns how many runs of the tenant are taken into steps, and how many wait.
func (t *Tenant) Load() (running, waiting int) {
	t.scheduler.mu.Lock()
	defer t.scheduler.mu.Unlock()
	return t.running, len(t.queue)
}
