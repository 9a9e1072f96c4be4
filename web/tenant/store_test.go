package tenant

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestOpen refuses files that are not Realm's, and leaves them as they are.
func TestOpen(t *testing.T) {
	t.Run("new", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "a folder", "50% new?#.db")
		s := openTest(t, path, Options{})
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if mode := info.Mode().Perm(); mode != 0o600 && runtime.GOOS != "windows" {
			t.Errorf("mode %v", mode)
		}
		if s.Path() != path || s.Keyed() || s.Tenants() != 0 {
			t.Errorf("%s, keyed %v, %d tenants", s.Path(), s.Keyed(), s.Tenants())
		}
		var mode string
		if err := s.db.QueryRow("PRAGMA journal_mode").Scan(&mode); err != nil || mode != "wal" {
			t.Errorf("journal mode %q, %v", mode, err)
		}
	})
	statement := func(t *testing.T, path, text string) {
		t.Helper()
		db, err := sql.Open("sqlite", path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := db.Exec(text); err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		before func(t *testing.T, path string)
		want   error
	}{
		"another program's": {func(t *testing.T, path string) { statement(t, path, "CREATE TABLE t (x)") }, ErrVersion},
		"another program's mark": {func(t *testing.T, path string) {
			statement(t, path, "PRAGMA application_id = 7")
		}, ErrVersion},
		"a later version": {func(t *testing.T, path string) {
			s, err := Open(t.Context(), path, Options{})
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			statement(t, path, "PRAGMA user_version = 99")
		}, ErrVersion},
		"no database": {func(t *testing.T, path string) {
			if err := os.WriteFile(path, []byte(strings.Repeat("no database", 100)), 0o600); err != nil {
				t.Fatal(err)
			}
		}, nil},
		"a folder": {func(t *testing.T, path string) {
			if err := os.Mkdir(path, 0o700); err != nil {
				t.Fatal(err)
			}
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			path := newPath(t)
			c.before(t, path)
			s, err := Open(t.Context(), path, Options{})
			if err == nil {
				s.Close()
				t.Fatal("opened")
			}
			if !strings.HasPrefix(err.Error(), "tenant: open ") || c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("%v", err)
			}
		})
	}
	if _, err := Open(t.Context(), newPath(t), Options{Defaults: Limits{Queue: -2}}); !errors.Is(err, ErrInvalid) {
		t.Errorf("a default of -2: %v", err)
	}
}

// TestProcesses has processes make one new database and write to it at the same time,
// and a server see what they did, and what one of them revoked.
func TestProcesses(t *testing.T) {
	path := newPath(t)
	const processes, each = 4, 5
	var wg sync.WaitGroup
	outputs := make([]bytes.Buffer, processes)
	for i := range processes {
		args := []string{"create"}
		for j := range each {
			args = append(args, fmt.Sprintf("t%d-%d", i, j))
		}
		c := process(t, path, args...)
		var stderr bytes.Buffer
		c.Stdout, c.Stderr = &outputs[i], &stderr
		wg.Go(func() {
			if err := c.Run(); err != nil {
				t.Errorf("%v: %s", err, stderr.String())
			}
		})
	}
	s := openTest(t, path, Options{})
	wg.Wait()
	if t.Failed() {
		return
	}
	keys := map[string]bool{}
	for i := range outputs {
		for _, key := range strings.Fields(outputs[i].String()) {
			keys[key] = true
		}
	}
	if len(keys) != processes*each {
		t.Fatalf("%d keys", len(keys))
	}
	for key := range keys {
		eventually(t, "a key is seen", func() bool {
			_, err := s.Authenticate(t.Context(), key)
			return err == nil
		})
	}
	key := strings.Fields(outputs[0].String())[0]
	if said, err := process(t, path, "revoke", "t0-0").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	eventually(t, "the key is revoked", func() bool {
		_, err := s.Authenticate(t.Context(), key)
		return errors.Is(err, ErrUnauthorized)
	})
}

func TestTenants(t *testing.T) {
	s := openTest(t, newPath(t), Options{Defaults: Limits{RequestsPerMinute: 7, Queue: 9}})
	ctx := t.Context()
	for _, name := range []string{"", ".", "..", "a b", "a/b", "ü", "ten_x", "key_x", "rk_x", "local", strings.Repeat("x", MaxName+1)} {
		if _, err := s.Create(ctx, name, NewSettings()); !errors.Is(err, ErrInvalid) {
			t.Errorf("name %q: %v", name, err)
		}
	}
	settings := NewSettings()
	settings.Limits = Limits{TokensPerMinute: 100, Queue: Unlimited, Guest: GuestLimits{Memory: 1 << 20, WallTime: time.Minute}}
	made, err := s.Create(ctx, "acme", settings)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Create(ctx, "acme", settings); !errors.Is(err, ErrExists) {
		t.Errorf("twice: %v", err)
	}
	for _, name := range []string{"acme", made.ID} {
		got, err := s.Get(ctx, name)
		if err != nil || got.ID != made.ID || got.Limits != settings.Limits {
			t.Errorf("get %s: %+v, %v", name, got, err)
		}
	}
	// A server sees the defaults in place of what is not said.
	if got := s.Tenant(made.ID).Limits; got.RequestsPerMinute != 7 || got.TokensPerMinute != 100 || got.Queue != 0 || got.Guest.Host().Memory != 1<<20 {
		t.Errorf("limits %+v", got)
	}
	if err := s.SetDefaults(ctx, Limits{RequestsPerMinute: 8}); err != nil || s.Tenant(made.ID).Limits.RequestsPerMinute != 8 {
		t.Errorf("new defaults: %v", err)
	}
	if err := s.SetDefaults(ctx, Limits{Pages: -3}); !errors.Is(err, ErrInvalid) || s.Tenant(made.ID).Limits.RequestsPerMinute != 8 {
		t.Errorf("bad defaults: %v", err)
	}
	changed, err := s.Update(ctx, "acme", func(s *Settings) error {
		s.Weight, s.Models = 3, Patterns{"atlas"}
		return nil
	})
	if err != nil || changed.Weight != 3 || s.Tenant(made.ID).Weight != 3 || changed.Limits != settings.Limits {
		t.Errorf("update: %+v, %v", changed, err)
	}
	broken := errors.New("no")
	for _, c := range []struct {
		name string
		edit func(*Settings) error
		want error
	}{
		{"acme", func(*Settings) error { return broken }, broken},
		{"acme", func(s *Settings) error { s.Weight = -1; return nil }, ErrInvalid},
		{"acme", func(s *Settings) error { s.Priority = MaxPriority + 1; return nil }, ErrInvalid},
		{"acme", func(s *Settings) error { s.Limits.Guest.Rows = 1025; return nil }, ErrInvalid},
		{"acme", func(s *Settings) error { s.Models = Patterns{""}; return nil }, ErrInvalid},
		{"acme", func(s *Settings) error { s.Guests = make(Patterns, MaxPatterns+1); return nil }, ErrInvalid},
		{"nobody", func(*Settings) error { return nil }, ErrNotFound},
	} {
		if _, err := s.Update(ctx, c.name, c.edit); !errors.Is(err, c.want) {
			t.Errorf("update: %v, want %v", err, c.want)
		}
	}
	if got, err := s.Get(ctx, "acme"); err != nil || got.Weight != 3 {
		t.Errorf("after updates that failed: %+v, %v", got, err)
	}
	if _, err := s.Create(ctx, "beta", NewSettings()); err != nil {
		t.Fatal(err)
	}
	list, err := s.List(ctx)
	if err != nil || len(list) != 2 || list[0].Name != "acme" || list[1].Name != "beta" {
		t.Errorf("list: %v, %v", list, err)
	}
	if err := errors.Join(s.Delete(ctx, "acme"), s.Delete(ctx, "beta")); err != nil {
		t.Fatal(err)
	}
	if err := s.Delete(ctx, "acme"); !errors.Is(err, ErrNotFound) {
		t.Errorf("deleted twice: %v", err)
	}
	if s.Tenant(made.ID) != nil || s.Tenants() != 0 {
		t.Error("still there")
	}
	again, err := s.Create(ctx, "acme", NewSettings())
	if err != nil || again.ID == made.ID {
		t.Errorf("the name again: %+v, %v", again, err)
	}
}

func TestGuestModule(t *testing.T) {
	s := openTest(t, newPath(t), Options{})
	ctx := t.Context()
	a, _ := withKey(t, s, "a", NewSettings())
	b, _ := withKey(t, s, "b", NewSettings())
	if _, err := s.GuestModule(ctx, a.ID); !errors.Is(err, ErrNotFound) {
		t.Errorf("none: %v", err)
	}
	if err := s.SetGuest(ctx, "a", []byte("module")); err != nil {
		t.Fatal(err)
	}
	got, err := s.GuestModule(ctx, a.ID)
	if err != nil || string(got) != "module" || len(s.Tenant(a.ID).GuestHash) != 64 {
		t.Errorf("%q, %q, %v", got, s.Tenant(a.ID).GuestHash, err)
	}
	if _, err := s.GuestModule(ctx, b.ID); !errors.Is(err, ErrNotFound) || s.Tenant(b.ID).GuestHash != "" {
		t.Errorf("another tenant's: %v", err)
	}
	if err := s.SetGuest(ctx, "a", make([]byte, MaxGuestBytes+1)); !errors.Is(err, ErrInvalid) {
		t.Errorf("too large: %v", err)
	}
	before := s.Tenant(a.ID)
	if err := s.SetGuest(ctx, "a", []byte("another")); err != nil || s.Tenant(a.ID).GuestHash == before.GuestHash {
		t.Errorf("replaced: %v", err)
	}
	if err := s.SetGuest(ctx, "a", nil); err != nil || s.Tenant(a.ID).GuestHash != "" {
		t.Errorf("taken away: %v", err)
	}
}

func TestAdapters(t *testing.T) {
	s := openTest(t, newPath(t), Options{})
	ctx := t.Context()
	pirate := Adapter{Model: "atlas", Name: "pirate", Path: "pirate.gguf"}
	if err := s.AddAdapter(ctx, pirate); err != nil {
		t.Fatal(err)
	}
	if err := s.AddAdapter(ctx, pirate); !errors.Is(err, ErrExists) {
		t.Errorf("twice: %v", err)
	}
	if err := s.AddAdapter(ctx, Adapter{Model: "atlas", Name: "x"}); !errors.Is(err, ErrInvalid) {
		t.Errorf("no path: %v", err)
	}
	list, err := s.Adapters(ctx)
	if err != nil || len(list) != 1 || list[0].Path != pirate.Path || list[0].Created.IsZero() {
		t.Errorf("%+v, %v", list, err)
	}
	if err := s.RemoveAdapter(ctx, "atlas", "pirate"); err != nil {
		t.Fatal(err)
	}
	if err := s.RemoveAdapter(ctx, "atlas", "pirate"); !errors.Is(err, ErrNotFound) {
		t.Errorf("removed twice: %v", err)
	}
}

// BenchmarkRefresh takes over a change where there are a thousand tenants with a key each.
func BenchmarkRefresh(b *testing.B) {
	s := openTest(b, filepath.Join(b.TempDir(), "realm.db"), Options{PollInterval: time.Hour})
	for i := range 1000 {
		withKey(b, s, fmt.Sprint("t", i), NewSettings())
	}
	for b.Loop() {
		if err := s.refresh(b.Context(), true); err != nil {
			b.Fatal(err)
		}
	}
}
