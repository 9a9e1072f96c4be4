package tenant

import (
	"path/filepath"
	"testing"
	"time"
)

// openTest opens a database of a test's own, new or not.
func openTest(t *testing.T, path string, o Options) *Store {
	t.Helper()
	if path == "" {
		path = filepath.Join(t.TempDir(), "realm.db")
	}
	if o.PollInterval == 0 {
		o.PollInterval = 10 * time.Millisecond
	}
	s, err := Open(t.Context(), path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// withKey makes a tenant and a key of it.
func withKey(t *testing.T, s *Store, name string, settings Settings) (tenant *Tenant, key string) {
	t.Helper()
	tenant, err := s.Create(t.Context(), name, settings)
	if err != nil {
		t.Fatal(err)
	}
	key, _, err = s.CreateKey(t.Context(), name, "main", time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	return tenant, key
}
