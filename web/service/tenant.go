package service

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/realm-webgpu/realm/engine"
	"github.com/realm-webgpu/realm/hostfn"
	"github.com/realm-webgpu/realm/web/tenant"
)

// Tenant is someone who was let in.
type Tenant struct {
	service *Service
	options *tenant.Tenant
	*share
}

// share is what a tenant has of the engine. It lives as long as its part in the batch
// stays the same.
type share struct {
	engine *engine.Tenant
	saved  *hostfn.Saved // nil: nothing is kept between requests
	part   engine.TenantOptions
}

// ID is what the tenant is known by.
func (t *Tenant) ID() string { return t.options.ID }

// Name is what people call it.
func (t *Tenant) Name() string { return t.options.Name }

// Admin reports whether the tenant may change the server.
func (t *Tenant) Admin() bool { return t.options.Admin }

// bringsGuest reports whether a request that names a guest, "" for none, is answered by
// the tenant's own, whose word on what it has used is not taken.
func (t *Tenant) bringsGuest(name string) bool {
	return name == "" && t.options.Guest == "" && t.options.GuestHash != ""
}

// Rates says what is left of the tenant's limits.
func (t *Tenant) Rates() tenant.Rates { return t.service.limiter.Rates(t.options) }

// admit lets a call in that may use about so many tokens.
func (t *Tenant) admit(tokens int) (*tenant.Admission, error) {
	a, err := t.service.limiter.Admit(t.options, tokens)
	var rate *tenant.RateError
	var reservation *tenant.ReservationError
	switch {
	case errors.As(err, &rate):
		return nil, &Error{
			Code: RateLimit, RetryAfter: rate.RetryAfter,
			Message: fmt.Sprintf("the limit of %d %s a minute is reached", rate.Limit, rate.Kind),
		}
	case errors.As(err, &reservation):
		return nil, &Error{
			Code: QuotaExceeded, Param: "max_tokens",
			Message: fmt.Sprintf("the request may take %d tokens, prompt and answer together, and the limit is %d a minute", reservation.Need, reservation.Limit),
		}
	}
	return a, err
}

// tenants have a share of the engine each.
type tenants struct {
	mu     sync.Mutex
	shares map[string]*share // by the tenant's id
}

// Keyless reports whether there are no keys: all requests are of one tenant.
func (s *Service) Keyless() bool {
	o := &s.options
	return o.Tenants == nil || o.Open && !o.Tenants.Keyed()
}

// Authenticate returns the tenant of a key; without keys that of the server, whatever
// the key is. Errors: Unauthorized, and InternalError where keys cannot be looked up.
func (s *Service) Authenticate(ctx context.Context, key string) (*Tenant, error) {
	if s.Keyless() {
		return s.local()
	}
	t, err := s.options.Tenants.Authenticate(ctx, key)
	if errors.Is(err, tenant.ErrUnauthorized) {
		return nil, errUnauthorized
	}
	if err == nil {
		var known *Tenant
		if known, err = s.share(t); err == nil {
			return known, nil
		}
	}
	return nil, errorOf(err)
}

var errUnauthorized = &Error{Code: Unauthorized, Message: "the API key is missing, unknown, revoked or expired"}

// local is the tenant of a server without keys.
func (s *Service) local() (*Tenant, error) {
	return s.share(tenant.Local(s.live.Load().Limits))
}

// current returns a tenant as it is now: of a connection that lives for long, limits
// may have changed, or the tenant have gone. nil is the tenant without keys.
func (s *Service) current(t *Tenant) (*Tenant, error) {
	if s.Keyless() {
		return s.local()
	}
	if t == nil {
		return nil, errUnauthorized
	}
	now := s.options.Tenants.Tenant(t.ID())
	if now == nil {
		return nil, errUnauthorized
	}
	return s.share(now)
}

// share gives a tenant its share of the engine, a new one where its part has changed.
func (s *Service) share(t *tenant.Tenant) (*Tenant, error) {
	part := engine.TenantOptions{
		Name: t.Name, Weight: t.Weight, Priority: t.Priority,
		MaxSequences: t.Limits.Sequences, MaxPages: t.Limits.Pages, QueueLimit: t.Limits.Queue,
	}
	s.tenants.mu.Lock()
	defer s.tenants.mu.Unlock()
	old := s.tenants.shares[t.ID]
	if old != nil && old.part == part {
		return &Tenant{s, t, old}, nil
	}
	e, err := s.options.Engine.NewTenant(part)
	if err != nil {
		return nil, err
	}
	if old != nil {
		old.close() // what was kept is of the old share
	}
	x := &share{engine: e, part: part}
	if n := s.options.SavedSequences; n > 0 {
		x.saved = hostfn.NewSaved(n)
	}
	s.tenants.add(t.ID, x, s.options.Tenants)
	return &Tenant{s, t, x}, nil
}

// add adds a share. Those of tenants that have gone are dropped when there are many.
func (x *tenants) add(id string, s *share, store *tenant.Store) {
	if x.shares == nil {
		x.shares = map[string]*share{}
	}
	if store != nil && len(x.shares) > 2*store.Tenants()+16 {
		for id, s := range x.shares {
			if store.Tenant(id) == nil {
				s.close()
				delete(x.shares, id)
			}
		}
	}
	x.shares[id] = s
}

func (s *share) close() {
	if s.saved != nil {
		s.saved.Close()
	}
}

// close gives back what is kept for tenants.
func (x *tenants) close() {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, s := range x.shares {
		s.close()
	}
	x.shares = nil
}

// record counts what a call has used.
func (s *Service) record(t *Tenant, r Result, err *Error) {
	if s.options.Usage == nil {
		return
	}
	c := tenant.Counts{
		Requests: 1, PromptTokens: int64(r.Usage.Prompt), CachedTokens: int64(r.Usage.Cached), CompletionTokens: int64(r.Usage.Completion),
	}
	if err != nil && err.Code != Cancelled {
		c.Errors = 1
	}
	s.options.Usage.Add(t.ID(), r.Model, r.Adapter, c)
}
