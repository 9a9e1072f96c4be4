package tenant

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// FlushInterval is how often a Recorder writes, and so the most that is lost when a
// process dies.
const FlushInterval = 5 * time.Second

// Counts are what was used.
type Counts struct {
	Requests         int64 `json:"requests"`
	Errors           int64 `json:"errors"`            // requests that failed
	PromptTokens     int64 `json:"prompt_tokens"`     // cached ones too
	CachedTokens     int64 `json:"cached_tokens"`     // of the prompts, that were known
	CompletionTokens int64 `json:"completion_tokens"` // written
}

// Add adds other counts.
func (c *Counts) Add(o Counts) {
	c.Requests += o.Requests
	c.Errors += o.Errors
	c.PromptTokens += o.PromptTokens
	c.CachedTokens += o.CachedTokens
	c.CompletionTokens += o.CompletionTokens
}

// Recorder counts what tenants use in memory, and writes it to the database from time
// to time. It is safe for use by many goroutines.
type Recorder struct {
	store *Store
	log   *slog.Logger

	mu      sync.Mutex
	pending map[usageKey]*Counts
	writing sync.Mutex       // one at a time
	written map[string]int64 // the last use of each key that the database has, guarded by writing

	stop context.CancelFunc
	done chan struct{}
}

type usageKey struct{ tenant, day, model, adapter string }

// NewRecorder returns a Recorder that writes every interval, 0: FlushInterval. log,
// unless nil, is told when it cannot; what was counted is kept then.
func (s *Store) NewRecorder(interval time.Duration, log *slog.Logger) *Recorder {
	if interval <= 0 {
		interval = FlushInterval
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	ctx, stop := context.WithCancel(context.Background())
	r := &Recorder{store: s, log: log, pending: map[usageKey]*Counts{}, written: map[string]int64{}, stop: stop, done: make(chan struct{})}
	go r.run(ctx, interval)
	return r
}

// Add counts something that a tenant, by its ID, used today of a model, with an adapter
// or with "". The names are those of things that there are, not what a request said:
// each pair of them is a row a day.
func (r *Recorder) Add(tenant, model, adapter string, c Counts) {
	k := usageKey{tenant, time.Now().UTC().Format(time.DateOnly), model, adapter}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.add(k, c)
}

func (r *Recorder) add(k usageKey, c Counts) {
	p := r.pending[k]
	if p == nil {
		p = &Counts{}
		r.pending[k] = p
	}
	p.Add(c)
}

func (r *Recorder) run(ctx context.Context, interval time.Duration) {
	defer close(r.done)
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if err := r.Flush(ctx); err != nil && ctx.Err() == nil {
				r.log.Error("usage was not written; it will be tried again", "error", err)
			}
		}
	}
}

// Flush writes what was counted, and when keys were last used. What could not be
// written is kept for the next time.
func (r *Recorder) Flush(ctx context.Context) error {
	r.writing.Lock()
	defer r.writing.Unlock()
	r.mu.Lock()
	batch := r.pending
	r.pending = map[usageKey]*Counts{}
	r.mu.Unlock()
	uses := map[string]int64{}
	for id, c := range r.store.current().byKey {
		if at := c.used.Load(); at > r.written[id] {
			uses[id] = at
		}
	}
	if len(batch) == 0 && len(uses) == 0 {
		return nil
	}
	err := r.store.write(ctx, func(tx *sql.Tx) error {
		return errors.Join(writeUsage(ctx, tx, batch), writeUses(ctx, tx, uses))
	})
	if err != nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		for k, c := range batch {
			r.add(k, *c)
		}
		return fmt.Errorf("tenant: usage: %w", err)
	}
	for id, at := range uses {
		r.written[id] = at
	}
	return nil
}

func writeUsage(ctx context.Context, tx *sql.Tx, batch map[usageKey]*Counts) error {
	if len(batch) == 0 {
		return nil
	}
	insert, err := tx.PrepareContext(ctx, `INSERT INTO usage (tenant_id, day, model, adapter, requests, errors, prompt_tokens, cached_tokens, completion_tokens)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET requests = requests + excluded.requests, errors = errors + excluded.errors,
		prompt_tokens = prompt_tokens + excluded.prompt_tokens, cached_tokens = cached_tokens + excluded.cached_tokens,
		completion_tokens = completion_tokens + excluded.completion_tokens`)
	if err != nil {
		return err
	}
	for k, c := range batch {
		if _, err := insert.ExecContext(ctx, k.tenant, k.day, k.model, k.adapter, c.Requests, c.Errors, c.PromptTokens, c.CachedTokens, c.CompletionTokens); err != nil {
			return errors.Join(fmt.Errorf("of tenant %s: %w", k.tenant, err), insert.Close())
		}
	}
	return insert.Close()
}

// writeUses keeps the later of two times: several servers may share a database.
func writeUses(ctx context.Context, tx *sql.Tx, uses map[string]int64) error {
	for id, at := range uses {
		_, err := tx.ExecContext(ctx, "INSERT INTO key_uses (key_id, at) VALUES (?, ?) ON CONFLICT DO UPDATE SET at = max(at, excluded.at)", id, at)
		if err != nil {
			return err
		}
	}
	return nil
}

// Close writes what is left and ends the Recorder, which is not to be used any more.
func (r *Recorder) Close() error {
	r.stop()
	<-r.done
	ctx, cancel := context.WithTimeout(context.Background(), 2*busyTimeout)
	defer cancel()
	return r.Flush(ctx)
}

// Usage is what a tenant used in a day, of a model with an adapter.
type Usage struct {
	TenantID string `json:"tenant_id"`
	Tenant   string `json:"tenant"` // its name
	Deleted  bool   `json:"deleted,omitempty"`
	Day      string `json:"day"` // UTC, 2006-01-02
	Model    string `json:"model"`
	Adapter  string `json:"adapter,omitempty"`
	Counts
}

// Usage returns what was written of the last days, today being the first of them, of a
// tenant by its name or its ID or, with "", of all, those that are gone too; by day,
// tenant, model and adapter. Errors: ErrNotFound, ErrInvalid.
func (s *Store) Usage(ctx context.Context, tenant string, days int) ([]Usage, error) {
	if days < 1 {
		return nil, fmt.Errorf("tenant: usage: %d days: at least 1: %w", days, ErrInvalid)
	}
	if tenant != "" && tenant != localID {
		var known bool
		if err := s.db.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM tenants WHERE ? IN (id, name))", tenant).Scan(&known); err != nil {
			return nil, fmt.Errorf("tenant: usage: %w", err)
		}
		if !known {
			return nil, fmt.Errorf("tenant: usage: tenant %s: %w", tenant, ErrNotFound)
		}
	}
	first := time.Now().UTC().AddDate(0, 0, 1-days).Format(time.DateOnly)
	list := []Usage{}
	err := each(ctx, s.db, `SELECT u.tenant_id, coalesce(t.name, u.tenant_id), t.deleted IS NOT NULL, u.day, u.model, u.adapter,
		u.requests, u.errors, u.prompt_tokens, u.cached_tokens, u.completion_tokens
		FROM usage u LEFT JOIN tenants t ON t.id = u.tenant_id WHERE u.day >= ?1 AND ?2 IN ('', u.tenant_id, t.name)
		ORDER BY u.day, t.name, u.tenant_id, u.model, u.adapter`, []any{first, tenant}, func(rows *sql.Rows) error {
		var u Usage
		err := rows.Scan(&u.TenantID, &u.Tenant, &u.Deleted, &u.Day, &u.Model, &u.Adapter,
			&u.Requests, &u.Errors, &u.PromptTokens, &u.CachedTokens, &u.CompletionTokens)
		list = append(list, u)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("tenant: usage: %w", err)
	}
	return list, nil
}
