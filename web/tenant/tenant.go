package tenant

import (
	"encoding/hex"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/realm-webgpu/realm/hostfn"
)

// Tenant is someone who uses a server. One that a Store hands out is shared and must
// not be changed.
type Tenant struct {
	// ID is what the tenant is known by to others: ten_ and 16 letters. It is never
	// used again.
	ID string `json:"id"`
	// Name is what people call it, unique among those that are there.
	Name    string    `json:"name"`
	Created time.Time `json:"created"`
	// GuestHash is the SHA-256 of the tenant's own guest module, in hexadecimal digits,
	// "" if it has none. Store.GuestModule has its bytes.
	GuestHash string `json:"guest_sha256,omitempty"`
	Settings
}

// Settings are what an operator decides about a tenant.
type Settings struct {
	// Weight is the share of the device, against those of other tenants that want it
	// at the same time. 0: 1.
	Weight float64 `json:"weight"`
	// Priority comes before fairness: requests of a higher one are taken in first.
	Priority int `json:"priority"`
	// Admin opens the routes that change the server.
	Admin bool `json:"admin"`
	// Limits bound what it may take. A field of 0 takes the server's default.
	Limits Limits `json:"limits"`
	// Models, Adapters and Guests are what it may use, by name; none is nothing. A
	// pattern of adapters with a colon is for the adapters of one model: atlas:pirate.
	Models   Patterns `json:"models"`
	Adapters Patterns `json:"adapters"`
	Guests   Patterns `json:"guests"`
	// DefaultAdapter is that of requests that name none: ADAPTER, of each model that
	// has one of that name, or MODEL:ADAPTER. "": none.
	DefaultAdapter string `json:"default_adapter,omitempty"`
	// Guest is that of requests that name none, of those under the guests' root. A
	// module of the tenant's own comes before it; "" and none of its own: the
	// server's.
	Guest string `json:"guest,omitempty"`
}

// NewSettings returns those of a tenant that nobody has bounded: the defaults of the
// server, and everything it has.
func NewSettings() Settings {
	return Settings{Weight: 1, Models: Patterns{"*"}, Adapters: Patterns{"*"}, Guests: Patterns{"*"}}
}

// What IDs begin with, and the one that is of no database.
const (
	tenantPrefix = "ten_"
	keyPrefix    = "key_"
	localID      = "local"
)

// Local returns the tenant of a server without keys. It may use all there is, within
// limits, and is not an admin.
func Local(limits Limits) *Tenant {
	t := &Tenant{ID: localID, Name: localID, Settings: NewSettings()}
	t.Limits = Limits{}.Or(limits)
	return t
}

// AdapterFor returns the tenant's default adapter of a model, "" if it has none. The
// model may have no adapter of that name.
func (t *Tenant) AdapterFor(model string) string {
	if i := strings.LastIndexByte(t.DefaultAdapter, ':'); i >= 0 {
		if t.DefaultAdapter[:i] != model {
			return ""
		}
		return t.DefaultAdapter[i+1:]
	}
	return t.DefaultAdapter
}

// AllowsModel reports whether the tenant may use a model.
func (t *Tenant) AllowsModel(name string) bool { return t.Models.Match(name) }

// AllowsAdapter reports whether the tenant may use an adapter of a model that it may
// use.
func (t *Tenant) AllowsAdapter(model, adapter string) bool {
	for _, p := range t.Adapters {
		if i := strings.LastIndexByte(p, ':'); i >= 0 {
			if match(p[:i], model) && match(p[i+1:], adapter) {
				return true
			}
		} else if match(p, adapter) {
			return true
		}
	}
	return false
}

// AllowsGuest reports whether the tenant may use a guest of the server's. Its own it
// may use always.
func (t *Tenant) AllowsGuest(name string) bool { return t.Guests.Match(name) }

// Bounds of what a tenant may be.
const (
	MaxName       = 64   // bytes, of the names of tenants and keys
	MaxPatterns   = 256  // of each list
	MaxPattern    = 256  // bytes
	MaxWeight     = 1e6  // and at least 1e-6
	MaxPriority   = 1000 // and at least -1000
	MaxGuestBytes = 32 << 20
)

// validate names a setting that is out of bounds.
func (s *Settings) validate() error {
	invalid := func(what string, args ...any) error {
		return fmt.Errorf("settings: "+what+": %w", append(args, ErrInvalid)...)
	}
	// Written so that NaN is refused.
	if s.Weight != 0 && !(s.Weight >= 1/MaxWeight && s.Weight <= MaxWeight) {
		return invalid("weight %v: from %g to %g", s.Weight, 1/MaxWeight, MaxWeight)
	}
	if s.Priority < -MaxPriority || s.Priority > MaxPriority {
		return invalid("priority %d: from %d to %d", s.Priority, -MaxPriority, MaxPriority)
	}
	for _, list := range []struct {
		name     string
		patterns Patterns
	}{{"models", s.Models}, {"adapters", s.Adapters}, {"guests", s.Guests}} {
		if err := list.patterns.validate(); err != nil {
			return invalid("%s: %v", list.name, err)
		}
	}
	if len(s.DefaultAdapter) > MaxPattern {
		return invalid("default adapter: %d bytes: at most %d", len(s.DefaultAdapter), MaxPattern)
	}
	if len(s.Guest) > MaxPattern {
		return invalid("guest: %d bytes: at most %d", len(s.Guest), MaxPattern)
	}
	return s.Limits.validate()
}

// validateName holds a name of a tenant or a key to letters, digits and . _ - @, so
// that it can stand in a command, a path of a URL and a label of a metric.
func validateName(what, name string) error {
	bad := strings.IndexFunc(name, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-@", r))
	})
	switch {
	case name == "" || len(name) > MaxName || bad >= 0 || strings.Trim(name, ".") == "":
		return fmt.Errorf("name of a %s: %.80q: 1 to %d letters, digits and . _ - @: %w", what, name, MaxName, ErrInvalid)
	case strings.HasPrefix(name, tenantPrefix), strings.HasPrefix(name, keyPrefix), strings.HasPrefix(name, KeyPrefix), name == localID:
		return fmt.Errorf("name of a %s: %s: names with %s, %s or %s, and %s, are Realm's: %w", what, name, tenantPrefix, keyPrefix, KeyPrefix, localID, ErrInvalid)
	}
	return nil
}

// Unlimited is a limit that there is none of, whatever the server's default is.
const Unlimited = -1

// Limits bound what a tenant may take at a time. A field of 0 takes the server's
// default, and where that is 0 too there is no limit; Unlimited is none. In a tenant
// that Authenticate returned the defaults are filled in, and 0 is no limit.
type Limits struct {
	RequestsPerMinute int         `json:"requests_per_minute,omitempty"`
	TokensPerMinute   int         `json:"tokens_per_minute,omitempty"` // read and written
	Sequences         int         `json:"sequences,omitempty"`         // in steps at the same time; others wait
	Queue             int         `json:"queue,omitempty"`             // runs that wait
	Pages             int         `json:"pages,omitempty"`             // of the cache, of 32 tokens
	Guest             GuestLimits `json:"guest,omitzero"`
}

// GuestLimits bound one instance of a guest, as hostfn.Limits does.
type GuestLimits struct {
	Memory         int64         `json:"memory,omitempty"`    // bytes of linear memory
	Fuel           int64         `json:"fuel,omitempty"`      // units, about an instruction each
	WallTime       time.Duration `json:"wall_time,omitempty"` // nanoseconds, waiting included
	Handles        int           `json:"handles,omitempty"`
	Tickets        int           `json:"tickets,omitempty"`
	Rows           int           `json:"rows,omitempty"`  // of a step, and of gen
	Pages          int           `json:"pages,omitempty"` // of the cache, by one instance
	Tokens         int64         `json:"tokens,omitempty"`
	EmitBytes      int64         `json:"emit_bytes,omitempty"`
	CallsPerSecond int           `json:"calls_per_second,omitempty"`
	BufferBytes    int64         `json:"buffer_bytes,omitempty"` // of the device's memory
}

// Host returns the limits as the guests' host takes them. 0 is the host's default.
func (g GuestLimits) Host() hostfn.Limits {
	return hostfn.Limits{
		Memory: uint64(max(0, g.Memory)), Fuel: uint64(max(0, g.Fuel)), WallTime: max(0, g.WallTime),
		Handles: max(0, g.Handles), Tickets: max(0, g.Tickets), Rows: max(0, g.Rows), Pages: max(0, g.Pages),
		Tokens: uint64(max(0, g.Tokens)), EmitBytes: uint64(max(0, g.EmitBytes)),
		CallsPerSecond: max(0, g.CallsPerSecond), BufferBytes: uint64(max(0, g.BufferBytes)),
	}
}

// Or returns the limits with the defaults d in the place of 0, and 0 in that of
// Unlimited.
func (l Limits) Or(d Limits) Limits {
	or(&l.RequestsPerMinute, d.RequestsPerMinute)
	or(&l.TokensPerMinute, d.TokensPerMinute)
	or(&l.Sequences, d.Sequences)
	or(&l.Queue, d.Queue)
	or(&l.Pages, d.Pages)
	g, dg := &l.Guest, d.Guest
	or(&g.Memory, dg.Memory)
	or(&g.Fuel, dg.Fuel)
	or(&g.WallTime, dg.WallTime)
	or(&g.Handles, dg.Handles)
	or(&g.Tickets, dg.Tickets)
	or(&g.Rows, dg.Rows)
	or(&g.Pages, dg.Pages)
	or(&g.Tokens, dg.Tokens)
	or(&g.EmitBytes, dg.EmitBytes)
	or(&g.CallsPerSecond, dg.CallsPerSecond)
	or(&g.BufferBytes, dg.BufferBytes)
	return l
}

func or[T ~int | ~int64](limit *T, otherwise T) {
	if *limit == 0 {
		*limit = otherwise
	}
	*limit = max(*limit, 0)
}

// The most that a limit may be: what a guest's memory can have mapped, what a step
// has rows, and for the others what no one reaches.
const (
	maxGuestMemory = 4<<30 - 1<<16
	maxGuestRows   = 1024
	maxCount       = math.MaxInt32
)

// Validate names a limit that is out of bounds. Errors: ErrInvalid.
func (l Limits) Validate() error {
	if err := l.validate(); err != nil {
		return fmt.Errorf("tenant: %w", err)
	}
	return nil
}

func (l Limits) validate() error {
	g := l.Guest
	for _, f := range []struct {
		name        string
		value, most int64
	}{
		{"requests a minute", int64(l.RequestsPerMinute), maxCount},
		{"tokens a minute", int64(l.TokensPerMinute), maxCount},
		{"sequences", int64(l.Sequences), maxCount},
		{"queue", int64(l.Queue), maxCount},
		{"pages", int64(l.Pages), maxCount},
		{"guest memory", g.Memory, maxGuestMemory},
		{"guest fuel", g.Fuel, math.MaxInt64},
		{"guest wall time", int64(g.WallTime), math.MaxInt64},
		{"guest handles", int64(g.Handles), maxCount},
		{"guest tickets", int64(g.Tickets), maxCount},
		{"guest rows", int64(g.Rows), maxGuestRows},
		{"guest pages", int64(g.Pages), maxCount},
		{"guest tokens", g.Tokens, math.MaxInt64},
		{"guest emit bytes", g.EmitBytes, math.MaxInt64},
		{"guest calls a second", int64(g.CallsPerSecond), maxCount},
		{"guest buffer bytes", g.BufferBytes, math.MaxInt64},
	} {
		if f.value < Unlimited || f.value > f.most {
			return fmt.Errorf("limits: %s: %d: from 0, the default, to %d, or %d for no limit: %w", f.name, f.value, f.most, Unlimited, ErrInvalid)
		}
	}
	return nil
}

// hexHash returns a SHA-256 as text, "" for none.
func hexHash(hash []byte) string { return hex.EncodeToString(hash) }
