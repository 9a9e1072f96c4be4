package tenant

import (
	"context"
	"crypto/subtle"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync/atomic"
	"time"
)

// view is the database as requests see it: a copy that nobody changes.
type view struct {
	revision int64
	tenants  map[string]*Tenant // by ID; limits filled in
	keys     map[KeyHash]*credential
	byKey    map[string]*credential // by the key's ID
	keyed    bool                   // there ever was a key
}

// credential is a key that was not revoked.
type credential struct {
	id      string
	hash    KeyHash
	tenant  *Tenant
	expires int64         // Unix seconds; 0: never
	used    *atomic.Int64 // Unix seconds of the last use in this process, 0: none
}

// The ways of being refused, made once.
var (
	errUnknown = fmt.Errorf("tenant: key: unknown or revoked: %w", ErrUnauthorized)
	errExpired = fmt.Errorf("tenant: key: expired: %w", ErrUnauthorized)
)

// Authenticate returns whose key it is, with the server's defaults in its limits. The
// pointer is the same until something changes about the tenant. It costs one SHA-256,
// and nothing is allocated. Errors: ErrUnauthorized, ErrUnavailable.
func (s *Store) Authenticate(ctx context.Context, key string) (*Tenant, error) {
	hash, err := HashKey(key)
	if err != nil {
		return nil, err
	}
	return s.AuthenticateHash(ctx, hash)
}

// AuthenticateHash is Authenticate for the hash of a key: for a connection that goes
// on, whose key may be revoked meanwhile.
func (s *Store) AuthenticateHash(ctx context.Context, hash KeyHash) (*Tenant, error) {
	now := s.now()
	if now.UnixNano()-s.checked.Load() > int64(StaleLimit) {
		if err := s.catchUp(ctx); err != nil {
			return nil, err
		}
	}
	c := s.current().keys[hash]
	// The map compares hashes, whose bytes say nothing about a key that is close; and
	// it is this comparison, in constant time, that lets a key pass.
	if c == nil || subtle.ConstantTimeCompare(c.hash[:], hash[:]) != 1 {
		return nil, errUnknown
	}
	at := now.Unix()
	if c.expires != 0 && at >= c.expires {
		return nil, errExpired
	}
	if c.used.Load() != at {
		c.used.Store(at)
	}
	return c.tenant, nil
}

// current returns the view, with all changes that this process has made: many that come
// one after the other are taken over once.
func (s *Store) current() *view {
	if s.taken.Load() != s.changes.Load() {
		s.take()
	}
	return s.view.Load()
}

func (s *Store) take() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.taken.Load() == s.changes.Load() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), lookTimeout)
	defer cancel()
	if err := s.refreshLocked(ctx, false); err != nil {
		s.log.Error("a change of the tenants will be seen late", "error", err)
	}
}

// catchUp looks whether a view that was not checked for long is good still, as after
// the machine slept. One request looks, the others are refused meanwhile.
func (s *Store) catchUp(ctx context.Context) error {
	if !s.mu.TryLock() {
		return fmt.Errorf("tenant: authenticate: %w", ErrUnavailable)
	}
	defer s.mu.Unlock()
	if err := s.refreshLocked(ctx, false); err != nil {
		return fmt.Errorf("tenant: authenticate: %w: %w", ErrUnavailable, err)
	}
	return nil
}

// Tenant returns a tenant by its ID as Authenticate does, nil if there is none.
func (s *Store) Tenant(id string) *Tenant { return s.current().tenants[id] }

// Tenants returns how many tenants there are.
func (s *Store) Tenants() int { return len(s.current().tenants) }

// Keyed reports whether there ever was a key. A server that asks for keys because
// there are some goes on to ask when the last one is revoked.
func (s *Store) Keyed() bool { return s.current().keyed }

// SetDefaults changes the limits of tenants that have none of their own. Errors:
// ErrInvalid, and those of reading the database.
func (s *Store) SetDefaults(ctx context.Context, l Limits) error {
	if err := l.Validate(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.defaults
	s.defaults = l
	if err := s.refreshLocked(ctx, true); err != nil {
		s.defaults = before
		return fmt.Errorf("tenant: defaults: %w", err)
	}
	return nil
}

// poll looks for changes of other processes until ctx ends.
func (s *Store) poll(ctx context.Context, interval time.Duration) {
	defer close(s.done)
	failing := false
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		err := s.refresh(ctx, false)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil && !failing:
			failing = true
			s.log.Error("the database of tenants cannot be read; keys are good for a while", "path", s.path, "for", StaleLimit, "error", err)
		case err == nil && failing:
			failing = false
			s.log.Info("the database of tenants can be read again", "path", s.path)
		}
	}
}

// refresh makes the view anew if the database has changed, or in any case.
func (s *Store) refresh(ctx context.Context, anyway bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refreshLocked(ctx, anyway)
}

func (s *Store) refreshLocked(ctx context.Context, anyway bool) error {
	at := s.now()
	// Whether it succeeds or not: one request waits for it, and then it is the poll's.
	defer s.taken.Store(s.changes.Load())
	old := s.view.Load()
	var revision int64
	if err := s.db.QueryRowContext(ctx, "SELECT n FROM revision").Scan(&revision); err != nil {
		return err
	}
	if anyway || old == nil || revision != old.revision {
		v, err := s.read(ctx, old)
		if err != nil {
			return err
		}
		s.view.Store(v)
	}
	s.checked.Store(at.UnixNano())
	return nil
}

// read makes a view. What is as it was in the old one is taken from there.
func (s *Store) read(ctx context.Context, old *view) (*view, error) {
	tx, err := s.db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return nil, err
	}
	v := &view{tenants: map[string]*Tenant{}, keys: map[KeyHash]*credential{}, byKey: map[string]*credential{}}
	err = tx.QueryRowContext(ctx, "SELECT n FROM revision").Scan(&v.revision)
	if err == nil {
		err = s.readTenants(ctx, tx, v, old)
	}
	if err == nil {
		err = readCredentials(ctx, tx, v, old)
	}
	if err = errors.Join(err, ignoreDone(tx.Rollback())); err != nil {
		return nil, err
	}
	return v, nil
}

func (s *Store) readTenants(ctx context.Context, tx *sql.Tx, v, old *view) error {
	return each(ctx, tx, selectTenants+" WHERE t.deleted IS NULL", nil, func(rows *sql.Rows) error {
		t, err := scanTenant(rows)
		if errors.Is(err, errSettings) {
			// Others are not to suffer for it.
			s.log.Error("the keys of a tenant are refused", "error", err)
			return nil
		}
		if err != nil {
			return err
		}
		t.Limits = t.Limits.Or(s.defaults)
		if t.Weight == 0 {
			t.Weight = 1
		}
		if old != nil && reflect.DeepEqual(old.tenants[t.ID], t) {
			t = old.tenants[t.ID]
		}
		v.tenants[t.ID] = t
		return nil
	})
}

func readCredentials(ctx context.Context, tx *sql.Tx, v, old *view) error {
	if err := tx.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM keys)").Scan(&v.keyed); err != nil {
		return err
	}
	const live = "SELECT id, tenant_id, hash, coalesce(expires, 0) FROM keys WHERE revoked IS NULL"
	return each(ctx, tx, live, nil, func(rows *sql.Rows) error {
		c := &credential{used: new(atomic.Int64)}
		var tenant string
		var hash []byte
		if err := rows.Scan(&c.id, &tenant, &hash, &c.expires); err != nil {
			return err
		}
		c.tenant = v.tenants[tenant]
		if c.tenant == nil || len(hash) != len(c.hash) {
			return nil // of a tenant that is refused
		}
		copy(c.hash[:], hash)
		if old != nil && old.byKey[c.id] != nil {
			c.used = old.byKey[c.id].used
		}
		v.keys[c.hash], v.byKey[c.id] = c, c
		return nil
	})
}

// each calls f for each row of a query.
func each(ctx context.Context, q querier, query string, args []any, f func(*sql.Rows) error) error {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	for rows.Next() {
		if err := f(rows); err != nil {
			return errors.Join(err, rows.Close())
		}
	}
	return errors.Join(rows.Err(), rows.Close())
}

// selectTenants is followed by which, and read by scanTenant.
const selectTenants = "SELECT t.id, t.name, t.created, t.settings, g.sha256 FROM tenants t LEFT JOIN guests g ON g.tenant_id = t.id"

// errSettings marks settings that other hands have written.
var errSettings = errors.New("its settings cannot be read")

// scanTenant reads a row of selectTenants. Errors: errSettings, and those of the
// database.
func scanTenant(row interface{ Scan(...any) error }) (*Tenant, error) {
	t := &Tenant{}
	var created int64
	var settings string
	var hash []byte
	if err := row.Scan(&t.ID, &t.Name, &created, &settings, &hash); err != nil {
		return nil, err
	}
	t.Created, t.GuestHash = time.Unix(created, 0).UTC(), hexHash(hash)
	d := json.NewDecoder(strings.NewReader(settings))
	d.DisallowUnknownFields() // a limit that is not understood is not let go
	if err := d.Decode(&t.Settings); err != nil {
		return nil, fmt.Errorf("tenant %s: %w: %w", t.Name, errSettings, err)
	}
	if err := t.Settings.validate(); err != nil {
		return nil, fmt.Errorf("tenant %s: %w: %w", t.Name, errSettings, err)
	}
	return t, nil
}
