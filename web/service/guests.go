package service

import (
	"context"
	"fmt"
	"slices"

	"github.com/realm-webgpu/realm/hostfn"
	"github.com/realm-webgpu/realm/hostfn/native"
)

// guests are the modules that answer.
type guests struct {
	host    *native.Host
	own     []byte // what is built in
	byName  map[string][]byte
	tenants func(context.Context, *Tenant) ([]byte, error)
}

func newGuests(ctx context.Context, o Options) (*guests, error) {
	host, err := native.NewHost(context.WithoutCancel(ctx), native.Options{})
	if err != nil {
		return nil, err
	}
	g := &guests{host: host, own: o.Guest, byName: o.Guests}
	if o.Tenants != nil {
		g.tenants = func(ctx context.Context, t *Tenant) ([]byte, error) { return o.Tenants.GuestModule(ctx, t.options) }
	}
	// A module that is no guest is found before someone asks for it.
	for name, module := range o.Guests {
		if _, err := native.Inspect(module); err != nil {
			return nil, fmt.Errorf("guest %q: %w", name, err)
		}
	}
	m, err := host.Load(ctx, o.Guest)
	if err != nil {
		return nil, err
	}
	m.Release()
	return g, nil
}

func (g *guests) close() error { return g.host.Close(context.Background()) }

// names returns the guests that a tenant may name.
func (g *guests) names(t *Tenant) []string {
	var names []string
	for name := range g.byName {
		if t.options.AllowsGuest(name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// GuestNames returns the guests that a tenant may name in its requests.
func (s *Service) GuestNames(t *Tenant) []string { return s.guests.names(s.tenantOf(t)) }

// load makes the guest of a request ready: the one that it names, the tenant's, or
// what is built in.
func (g *guests) load(ctx context.Context, t *Tenant, name string) (*native.Module, error) {
	c := hostfn.Candidates{Embedded: g.own, TenantName: t.Name()}
	if name == "" {
		name = t.options.Guest
	}
	switch {
	case name != "":
		module, ok := g.byName[name]
		if !ok || !t.options.AllowsGuest(name) {
			return nil, &Error{Code: GuestNotFound, Param: "guest", Message: fmt.Sprintf("there is no guest %q", name)}
		}
		c.Tenant = module
	case t.options.GuestHash != "" && g.tenants != nil:
		module, err := g.tenants(ctx, t)
		if err != nil {
			return nil, err
		}
		c.Tenant = module
	}
	choice, err := hostfn.Resolve(c)
	if err != nil {
		return nil, err
	}
	return g.host.Load(ctx, choice.Module)
}
