package tenant

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// childVariable makes the test binary another process that uses a database: it names
// the database, and the process adds a tenant and a key for each of its arguments.
const childVariable = "REALM_TEST_TENANT_DATABASE"

func TestMain(m *testing.M) {
	if path := os.Getenv(childVariable); path != "" {
		if err := child(context.Background(), path, os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func child(ctx context.Context, path string, args []string) error {
	s, err := Open(ctx, path, Options{})
	if err != nil {
		return err
	}
	switch args[0] {
	case "revoke":
		_, err = s.RevokeKey(ctx, args[1], "main")
	case "die":
		r := s.NewRecorder(5*time.Millisecond, nil)
		r.Add(localID, "atlas", "", Counts{Requests: 1})
		select {} // until it is killed
	case "create":
		for _, name := range args[1:] {
			if _, err = s.Create(ctx, name, NewSettings()); err != nil {
				break
			}
			var key string
			if key, _, err = s.CreateKey(ctx, name, "main", time.Time{}); err != nil {
				break
			}
			fmt.Println(key)
		}
	}
	if err != nil {
		return err
	}
	return s.Close()
}

// process is another process that does something with a database.
func process(t *testing.T, path string, args ...string) *exec.Cmd {
	t.Helper()
	c := exec.CommandContext(t.Context(), os.Args[0], args...)
	c.Env = append(os.Environ(), childVariable+"="+path)
	return c
}

// newPath is that of a database which there is none of yet.
func newPath(t *testing.T) string { return filepath.Join(t.TempDir(), "realm.db") }

// openTest opens a database, and closes it when the test ends.
func openTest(t testing.TB, path string, o Options) *Store {
	t.Helper()
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
func withKey(t testing.TB, s *Store, name string, settings Settings) (tenant *Tenant, key string) {
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

// eventually waits until something is so.
func eventually(t *testing.T, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !so(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within a minute: %s", what)
		}
	}
}
