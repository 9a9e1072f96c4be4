package tenant

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// CreateKey makes a key of a tenant, by its name or its ID, and returns it: nobody can
// say it again. name tells the tenant's keys apart; expires may be zero, for never.
// Errors: ErrNotFound, ErrExists for a name that a live key has, ErrInvalid.
func (s *Store) CreateKey(ctx context.Context, tenant, name string, expires time.Time) (key string, k Key, err error) {
	if err := validateName("key", name); err != nil {
		return "", Key{}, fmt.Errorf("tenant: create key: %w", err)
	}
	now := time.Now().Truncate(time.Second).UTC()
	if !expires.IsZero() && !expires.After(now) {
		return "", Key{}, fmt.Errorf("tenant: create key: it would have expired on %s: %w", expires.Format(time.RFC3339), ErrInvalid)
	}
	key = newKey()
	hash, err := HashKey(key)
	if err != nil {
		return "", Key{}, err
	}
	k = Key{ID: newID(keyPrefix), Name: name, Hint: hint(key), Created: now}
	if !expires.IsZero() {
		k.Expires = expires.Truncate(time.Second).UTC()
	}
	err = s.change(ctx, "create key "+name, func(tx *sql.Tx) error {
		var err error
		if k.TenantID, k.Tenant, err = idOf(ctx, tx, tenant); err != nil {
			return err
		}
		var taken bool
		if err := tx.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM keys WHERE tenant_id = ? AND name = ? AND revoked IS NULL)", k.TenantID, name).Scan(&taken); err != nil {
			return err
		}
		if taken {
			return fmt.Errorf("a key of tenant %s: %w", k.Tenant, ErrExists)
		}
		_, err = tx.ExecContext(ctx, "INSERT INTO keys (id, tenant_id, name, hash, hint, created, expires) VALUES (?, ?, ?, ?, ?, ?, ?)",
			k.ID, k.TenantID, k.Name, hash[:], k.Hint, k.Created.Unix(), seconds(k.Expires))
		return err
	})
	if err != nil {
		return "", Key{}, err
	}
	return key, k, nil
}

// Keys returns the keys of a tenant, by its name or its ID, or of all with "", revoked
// and expired ones too, by tenant and age. Errors: ErrNotFound.
func (s *Store) Keys(ctx context.Context, tenant string) ([]Key, error) {
	id := ""
	if tenant != "" {
		var err error
		if id, _, err = idOf(ctx, s.db, tenant); err != nil {
			return nil, fmt.Errorf("tenant: keys: %w", err)
		}
	}
	list := []Key{}
	err := each(ctx, s.db, selectKeys+" WHERE t.deleted IS NULL AND ?1 IN ('', t.id) ORDER BY t.name, k.created, k.id", []any{id}, func(rows *sql.Rows) error {
		k, err := scanKey(rows)
		list = append(list, k)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("tenant: keys: %w", err)
	}
	return list, nil
}

// RevokeKey revokes a live key of a tenant, by the tenant's name or ID and the key's
// name or ID; with "" as the tenant it must be the key's ID. Errors: ErrNotFound.
func (s *Store) RevokeKey(ctx context.Context, tenant, key string) (Key, error) {
	var k Key
	err := s.change(ctx, "revoke key "+key, func(tx *sql.Tx) error {
		id := ""
		var err error
		if tenant != "" {
			if id, _, err = idOf(ctx, tx, tenant); err != nil {
				return err
			}
		}
		k, err = scanKey(tx.QueryRowContext(ctx, selectKeys+
			" WHERE k.revoked IS NULL AND (k.id = ?2 AND ?1 IN ('', t.id) OR k.name = ?2 AND t.id = ?1)", id, key))
		if errors.Is(err, sql.ErrNoRows) {
			return fmt.Errorf("a key that is not revoked: %w", ErrNotFound)
		}
		if err != nil {
			return err
		}
		k.Revoked = time.Now().Truncate(time.Second).UTC()
		_, err = tx.ExecContext(ctx, "UPDATE keys SET revoked = ? WHERE id = ?", k.Revoked.Unix(), k.ID)
		return err
	})
	return k, err
}

// selectKeys is followed by which, and read by scanKey.
const selectKeys = `SELECT k.id, k.tenant_id, t.name, k.name, k.hint, k.created, u.at, k.revoked, k.expires
	FROM keys k JOIN tenants t ON t.id = k.tenant_id LEFT JOIN key_uses u ON u.key_id = k.id`

// scanKey reads a row of selectKeys.
func scanKey(row interface{ Scan(...any) error }) (Key, error) {
	var k Key
	var created int64
	var used, revoked, expires sql.NullInt64
	err := row.Scan(&k.ID, &k.TenantID, &k.Tenant, &k.Name, &k.Hint, &created, &used, &revoked, &expires)
	k.Created = time.Unix(created, 0).UTC()
	k.LastUsed, k.Revoked, k.Expires = timeOf(used), timeOf(revoked), timeOf(expires)
	return k, err
}

// seconds is a time as the database has it: nothing for none.
func seconds(t time.Time) sql.NullInt64 { return sql.NullInt64{Int64: t.Unix(), Valid: !t.IsZero()} }

// timeOf is the other way round.
func timeOf(n sql.NullInt64) time.Time {
	if !n.Valid {
		return time.Time{}
	}
	return time.Unix(n.Int64, 0).UTC()
}
