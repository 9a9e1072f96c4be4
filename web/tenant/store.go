package tenant

import (
	"context"
	"database/sql"
	_ "embed"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	_ "modernc.org/sqlite" // the driver: SQLite in Go
)

// The times of a Store.
const (
	// PollInterval is how long a change of another process may go unseen.
	PollInterval = time.Second
	// StaleLimit is how long keys are good while the database cannot be read.
	StaleLimit = 15 * time.Second
	// busyTimeout is how long a write waits for those of others, of which each waits for
	// the disk.
	busyTimeout = 30 * time.Second
	// lookTimeout is how long a request waits for a change to be seen.
	lookTimeout = 5 * time.Second
)

// Options say how a Store is opened.
type Options struct {
	// Defaults are the limits of tenants that have none of their own.
	Defaults Limits
	// PollInterval, if not 0, is used in place of the constant.
	PollInterval time.Duration
	// Log, unless nil, is told when the database cannot be read, and when it can again.
	Log *slog.Logger

	now func() time.Time // the clock that keys expire by; nil: time.Now
}

// Store is a database of tenants. It is safe for use by many goroutines, and its file
// by many processes.
type Store struct {
	db   *sql.DB
	path string
	log  *slog.Logger
	now  func() time.Time

	view    atomic.Pointer[view]
	checked atomic.Int64 // when the view was last known to be that of the database, Unix nanoseconds
	changes atomic.Int64 // that this process has made
	taken   atomic.Int64 // of those, the ones that the view has, or could not be made to have

	mu       sync.Mutex // of making views
	defaults Limits

	stop context.CancelFunc
	done chan struct{} // closed when the poll has ended
}

// Open opens a database, and makes it where there is none: for its owner alone to
// read, as are folders that are made for it. Errors: ErrVersion, ErrInvalid, and those
// of the file.
func Open(ctx context.Context, path string, o Options) (*Store, error) {
	s, err := open(ctx, path, o)
	if err != nil {
		return nil, fmt.Errorf("tenant: open %s: %w", path, err)
	}
	return s, nil
}

func open(ctx context.Context, path string, o Options) (_ *Store, err error) {
	if err := o.Defaults.validate(); err != nil {
		return nil, err
	}
	if path == "" || strings.ContainsRune(path, 0) {
		return nil, fmt.Errorf("the name of a file is wanted: %w", ErrInvalid)
	}
	if path, err = filepath.Abs(path); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	// SQLite would make it for everyone to read. Its other files are made like it.
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := file.Close(); err != nil {
		return nil, err
	}
	db, err := sql.Open("sqlite", dataSource(path))
	if err != nil {
		return nil, err
	}
	// Writers take turns anyway. Each connection costs memory.
	db.SetMaxOpenConns(4)
	db.SetMaxIdleConns(2)
	s := &Store{db: db, path: path, log: o.Log, now: o.now, defaults: o.Defaults, done: make(chan struct{})}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.now == nil {
		s.now = time.Now
	}
	if err = s.migrate(ctx); err == nil {
		err = s.refresh(ctx, true)
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	interval := o.PollInterval
	if interval <= 0 {
		interval = PollInterval
	}
	poll, stop := context.WithCancel(context.Background())
	s.stop = stop
	go s.poll(poll, interval)
	return s, nil
}

// dataSource names a file and how it is opened, as the driver takes it.
func dataSource(path string) string {
	path = filepath.ToSlash(path)
	if !strings.HasPrefix(path, "/") {
		path = "/" + path // C:/...
	}
	u := url.URL{Scheme: "file", Path: path, RawQuery: url.Values{
		"_pragma": {
			fmt.Sprintf("busy_timeout(%d)", busyTimeout.Milliseconds()),
			"journal_mode(WAL)", "foreign_keys(1)", "trusted_schema(0)",
		},
		"_txlock":    {"immediate"}, // of transactions that write: none fails half-way for a lock
		"_dqs":       {"0"},
		"_defensive": {"1"},
	}.Encode()}
	return u.String()
}

// Path returns the file of the database, as an absolute path.
func (s *Store) Path() string { return s.path }

// Close ends the use of the database. Recorders are closed before it.
func (s *Store) Close() error {
	s.stop()
	<-s.done
	if err := s.db.Close(); err != nil {
		return fmt.Errorf("tenant: close: %w", err)
	}
	return nil
}

//go:embed schema.sql
var schema string

// migrations are what makes a database of version i+1 of one of version i. One that
// has been released is never changed.
func migrations() []string { return []string{schema} }

// applicationID marks a file as one of Realm's: "RLMT".
const applicationID = 0x524c4d54

// migrate brings the database to the last version.
func (s *Store) migrate(ctx context.Context) error {
	return s.write(ctx, func(tx *sql.Tx) error {
		var version, application, tables int
		err := errors.Join(
			tx.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version),
			tx.QueryRowContext(ctx, "PRAGMA application_id").Scan(&application),
			tx.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema").Scan(&tables))
		if err != nil {
			return err
		}
		last := migrations()
		switch {
		case application != applicationID && (application != 0 || version != 0 || tables != 0):
			return fmt.Errorf("it is another program's: %w", ErrVersion)
		case version > len(last):
			return fmt.Errorf("it has version %d, this Realm knows those up to %d: %w", version, len(last), ErrVersion)
		case version == len(last):
			return nil
		}
		for i, m := range last[version:] {
			if _, err := tx.ExecContext(ctx, m); err != nil {
				return fmt.Errorf("migration to version %d: %w", version+i+1, err)
			}
		}
		// Pragmas take no parameters.
		_, err = tx.ExecContext(ctx, fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = %d", applicationID, len(last)))
		return err
	})
}

// write does f in a transaction that writes.
func (s *Store) write(ctx context.Context, f func(*sql.Tx) error) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := f(tx); err != nil {
		return errors.Join(err, ignoreDone(tx.Rollback()))
	}
	return tx.Commit()
}

// ignoreDone takes away the error of ending a transaction that has ended with its
// context.
func ignoreDone(err error) error {
	if errors.Is(err, sql.ErrTxDone) {
		return nil
	}
	return err
}

// change does f in a transaction that changes what the server answers from. In this
// process it does so from the next request on.
func (s *Store) change(ctx context.Context, what string, f func(*sql.Tx) error) error {
	if err := s.write(ctx, f); err != nil {
		return fmt.Errorf("tenant: %s: %w", what, err)
	}
	s.changes.Add(1)
	return nil
}
