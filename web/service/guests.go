package service

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/realm-webgpu/realm/hostfn"
	"github.com/realm-webgpu/realm/hostfn/native"
	"github.com/realm-webgpu/realm/web/tenant"
)

// guests run the modules that answer.
type guests struct {
	host  *native.Host
	store *tenant.Store // of tenants' own; nil: there are none
}

func newGuests(ctx context.Context, store *tenant.Store) (*guests, error) {
	host, err := native.NewHost(context.WithoutCancel(ctx), native.Options{})
	if err != nil {
		return nil, err
	}
	return &guests{host, store}, nil
}

// check finds a module that is no guest before someone asks for it, and makes the one
// ready that most will.
func (g *guests) check(ctx context.Context, usual []byte, others map[string][]byte) error {
	for name, module := range others {
		report, err := native.Inspect(module)
		if err == nil && len(report.Problems) > 0 {
			err = fmt.Errorf("%w: %s", native.ErrModule, report.Problems[0])
		}
		if err != nil {
			return fmt.Errorf("guest %q: %w", name, err)
		}
	}
	m, err := g.host.Load(ctx, usual)
	if err != nil {
		return err
	}
	m.Release()
	return nil
}

func (g *guests) close() error { return g.host.Close(context.Background()) }

// GuestNames returns the guests that a tenant may name in its requests.
func (s *Service) GuestNames(t *Tenant) ([]string, error) {
	t, err := s.current(t)
	if err != nil {
		return nil, err
	}
	names := []string{}
	for name := range s.live.Load().Guests {
		if t.options.AllowsGuest(name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// load makes the guest of a request ready: the one that it names, the tenant's, or
// what is built in.
func (g *guests) load(ctx context.Context, live *Live, t *Tenant, name string) (*native.Module, error) {
	c := hostfn.Candidates{Embedded: live.Guest, TenantName: t.Name()}
	switch own := t.options; {
	case name != "" && !own.AllowsGuest(name):
		return nil, noGuest(name)
	case name == "" && own.Guest != "":
		name = own.Guest // the operator's choice
	case t.bringsGuest(name) && g.store != nil:
		return g.loadOwn(ctx, t)
	}
	if name != "" {
		module, ok := live.Guests[name]
		if !ok {
			return nil, noGuest(name)
		}
		c.Tenant = module
	}
	choice, err := hostfn.Resolve(c)
	if err != nil {
		return nil, err
	}
	return g.host.Load(ctx, choice.Module)
}

func noGuest(name string) *Error {
	return &Error{Code: GuestNotFound, Param: "guest", Message: fmt.Sprintf("there is no guest %q", name)}
}

// loadOwn makes a tenant's own guest ready. It is read once, as long as it is used.
func (g *guests) loadOwn(ctx context.Context, t *Tenant) (*native.Module, error) {
	var hash [sha256.Size]byte
	if n, err := hex.Decode(hash[:], []byte(t.options.GuestHash)); err == nil && n == len(hash) {
		if m := g.host.Find(hash); m != nil {
			return m, nil
		}
	}
	module, err := g.store.GuestModule(ctx, t.ID())
	if err != nil {
		return nil, err
	}
	return g.host.Load(ctx, module)
}
