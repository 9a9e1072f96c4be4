package tenant

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// Adapter is one that was loaded while a server ran, so that it is there when it runs
// again. Those of the configuration are not kept here.
type Adapter struct {
	Model   string    `json:"model"`
	Name    string    `json:"name"`
	Path    string    `json:"path"` // under the adapters' root; that it stays there is the server's to see to
	Created time.Time `json:"created"`
}

// AddAdapter keeps an adapter. Errors: ErrExists, ErrInvalid.
func (s *Store) AddAdapter(ctx context.Context, a Adapter) error {
	for _, text := range []string{a.Model, a.Name, a.Path} {
		if text == "" || len(text) > maxAdapterText {
			return fmt.Errorf("tenant: add adapter: %.80q: 1 to %d bytes: %w", text, maxAdapterText, ErrInvalid)
		}
	}
	err := s.write(ctx, func(tx *sql.Tx) error {
		r, err := tx.ExecContext(ctx, "INSERT INTO adapters (model, name, path, created) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
			a.Model, a.Name, a.Path, time.Now().Unix())
		return changed(r, err, ErrExists)
	})
	if err != nil {
		return fmt.Errorf("tenant: add adapter %s of %s: %w", a.Name, a.Model, err)
	}
	return nil
}

// maxAdapterText bounds names and paths, in bytes.
const maxAdapterText = 4096

// RemoveAdapter forgets an adapter. Errors: ErrNotFound.
func (s *Store) RemoveAdapter(ctx context.Context, model, name string) error {
	err := s.write(ctx, func(tx *sql.Tx) error {
		r, err := tx.ExecContext(ctx, "DELETE FROM adapters WHERE model = ? AND name = ?", model, name)
		return changed(r, err, ErrNotFound)
	})
	if err != nil {
		return fmt.Errorf("tenant: remove adapter %s of %s: %w", name, model, err)
	}
	return nil
}

// Adapters returns the adapters that are kept, by model and name.
func (s *Store) Adapters(ctx context.Context) ([]Adapter, error) {
	list := []Adapter{}
	err := each(ctx, s.db, "SELECT model, name, path, created FROM adapters ORDER BY model, name", nil, func(rows *sql.Rows) error {
		var a Adapter
		var created int64
		err := rows.Scan(&a.Model, &a.Name, &a.Path, &created)
		a.Created = time.Unix(created, 0).UTC()
		list = append(list, a)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("tenant: adapters: %w", err)
	}
	return list, nil
}

// changed returns otherwise where a statement has changed no row.
func changed(r sql.Result, err, otherwise error) error {
	if err != nil {
		return err
	}
	n, err := r.RowsAffected()
	if err == nil && n == 0 {
		err = otherwise
	}
	return err
}
