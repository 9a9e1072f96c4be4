package tenant

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// newID makes the identifier of a new thing: 80 random bits, in lower case.
func newID(prefix string) string { return prefix + strings.ToLower(rand.Text()[:16]) }

// Create adds a tenant. Errors: ErrExists, ErrInvalid.
func (s *Store) Create(ctx context.Context, name string, settings Settings) (*Tenant, error) {
	what := "create tenant " + name
	if err := errors.Join(validateName("tenant", name), settings.validate()); err != nil {
		return nil, fmt.Errorf("tenant: create tenant: %w", err)
	}
	text, err := json.Marshal(settings)
	if err != nil {
		return nil, fmt.Errorf("tenant: %s: %w", what, err)
	}
	var t *Tenant
	err = s.change(ctx, what, func(tx *sql.Tx) error {
		if _, _, err := idOf(ctx, tx, name); err == nil {
			return ErrExists
		} else if !errors.Is(err, ErrNotFound) {
			return err
		}
		_, err := tx.ExecContext(ctx, "INSERT INTO tenants (id, name, created, settings) VALUES (?, ?, ?, ?)",
			newID(tenantPrefix), name, time.Now().Unix(), string(text))
		if err == nil {
			t, err = byName(ctx, tx, name)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return t, nil
}

// querier is a database or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// named finds one by its name or its ID: no name looks like an ID.
const named = " WHERE t.deleted IS NULL AND ? IN (t.name, t.id)"

// byName returns the tenant of a name or an ID. Errors: ErrNotFound, errSettings.
func byName(ctx context.Context, q querier, name string) (*Tenant, error) {
	t, err := scanTenant(q.QueryRowContext(ctx, selectTenants+named, name))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("tenant %s: %w", name, ErrNotFound)
	}
	return t, err
}

// idOf returns the ID and the name of the tenant of a name or an ID. Errors: ErrNotFound.
func idOf(ctx context.Context, q querier, nameOrID string) (id, name string, err error) {
	err = q.QueryRowContext(ctx, "SELECT t.id, t.name FROM tenants t"+named, nameOrID).Scan(&id, &name)
	if errors.Is(err, sql.ErrNoRows) {
		err = fmt.Errorf("tenant %s: %w", nameOrID, ErrNotFound)
	}
	return id, name, err
}

// Get returns a tenant by its name or its ID, with the limits that are its own: 0 is
// the server's default. Errors: ErrNotFound.
func (s *Store) Get(ctx context.Context, name string) (*Tenant, error) {
	t, err := byName(ctx, s.db, name)
	if err != nil {
		return nil, fmt.Errorf("tenant: get: %w", err)
	}
	return t, nil
}

// List returns all tenants by name, with the limits that are their own.
func (s *Store) List(ctx context.Context) ([]*Tenant, error) {
	list := []*Tenant{}
	err := each(ctx, s.db, selectTenants+" WHERE t.deleted IS NULL ORDER BY t.name", nil, func(rows *sql.Rows) error {
		t, err := scanTenant(rows)
		list = append(list, t)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("tenant: list: %w", err)
	}
	return list, nil
}

// Update has edit change the settings of a tenant, by its name or its ID, and returns
// it as it is then. edit may refuse with an error. Errors: ErrNotFound, ErrInvalid,
// that of edit.
func (s *Store) Update(ctx context.Context, name string, edit func(*Settings) error) (*Tenant, error) {
	var t *Tenant
	err := s.change(ctx, "set tenant "+name, func(tx *sql.Tx) (err error) {
		if t, err = byName(ctx, tx, name); err != nil {
			return err
		}
		if err := edit(&t.Settings); err != nil {
			return err
		}
		if err := t.Settings.validate(); err != nil {
			return err
		}
		text, err := json.Marshal(t.Settings)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, "UPDATE tenants SET settings = ? WHERE id = ?", string(text), t.ID)
		return err
	})
	if err != nil {
		return nil, err
	}
	return t, nil
}

// Delete takes a tenant away, by its name or its ID: its keys are revoked, its guest is
// gone, and its usage is kept under its name. Errors: ErrNotFound.
func (s *Store) Delete(ctx context.Context, name string) error {
	return s.change(ctx, "delete tenant "+name, func(tx *sql.Tx) error {
		id, _, err := idOf(ctx, tx, name)
		if err != nil {
			return err
		}
		now := time.Now().Unix()
		for _, statement := range []string{
			"UPDATE tenants SET deleted = ?1 WHERE id = ?2",
			"UPDATE keys SET revoked = ?1 WHERE tenant_id = ?2 AND revoked IS NULL",
			"DELETE FROM guests WHERE ?1 AND tenant_id = ?2",
		} {
			if _, err := tx.ExecContext(ctx, statement, now, id); err != nil {
				return err
			}
		}
		return nil
	})
}

// SetGuest gives a tenant a guest module of its own, or with no bytes takes it away.
// That it can be run is not looked at. Errors: ErrNotFound, ErrInvalid.
func (s *Store) SetGuest(ctx context.Context, name string, module []byte) error {
	if len(module) > MaxGuestBytes {
		return fmt.Errorf("tenant: guest: %d bytes: at most %d: %w", len(module), MaxGuestBytes, ErrInvalid)
	}
	return s.change(ctx, "set guest of tenant "+name, func(tx *sql.Tx) error {
		id, _, err := idOf(ctx, tx, name)
		if err != nil {
			return err
		}
		if len(module) == 0 {
			_, err = tx.ExecContext(ctx, "DELETE FROM guests WHERE tenant_id = ?", id)
			return err
		}
		hash := sha256.Sum256(module)
		_, err = tx.ExecContext(ctx, "INSERT INTO guests (tenant_id, sha256, module) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET sha256 = excluded.sha256, module = excluded.module",
			id, hash[:], module)
		return err
	})
}

// GuestModule returns the bytes of a tenant's own guest, by the tenant's ID. Errors:
// ErrNotFound.
func (s *Store) GuestModule(ctx context.Context, id string) ([]byte, error) {
	var module []byte
	err := s.db.QueryRowContext(ctx, "SELECT module FROM guests WHERE tenant_id = ?", id).Scan(&module)
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("tenant: guest of tenant %s: %w", id, err)
	}
	return module, nil
}
