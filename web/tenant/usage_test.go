package tenant

import (
	"errors"
	"sync"
	"testing"
	"time"
)

// used adds up what the database has of a tenant.
func used(t *testing.T, s *Store, tenant string, days int) Counts {
	t.Helper()
	list, err := s.Usage(t.Context(), tenant, days)
	if err != nil {
		t.Fatal(err)
	}
	var sum Counts
	for _, u := range list {
		sum.Add(u.Counts)
	}
	return sum
}

// TestUsage counts from many goroutines, in two processes' worth of recorders, and
// loses nothing.
func TestUsage(t *testing.T) {
	path := newPath(t)
	stores := []*Store{openTest(t, path, Options{}), openTest(t, path, Options{})}
	acme, _ := withKey(t, stores[0], "acme", NewSettings())
	beta, _ := withKey(t, stores[0], "beta", NewSettings())
	var recorders []*Recorder
	var wg sync.WaitGroup
	for _, s := range stores {
		r := s.NewRecorder(3*time.Millisecond, nil)
		recorders = append(recorders, r)
		for range 4 {
			wg.Go(func() {
				for i := range 500 {
					adapter := ""
					if i%2 == 0 {
						adapter = "pirate"
					}
					r.Add(acme.ID, "atlas", adapter, Counts{Requests: 1, PromptTokens: 10, CachedTokens: 4, CompletionTokens: 3})
					r.Add(beta.ID, "atlas", "", Counts{Requests: 1, Errors: 1})
				}
			})
		}
	}
	wg.Wait()
	for _, r := range recorders {
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
	s := stores[0]
	if got, want := used(t, s, "acme", 1), (Counts{4000, 0, 40_000, 16_000, 12_000}); got != want {
		t.Errorf("acme: %+v, want %+v", got, want)
	}
	if got, want := used(t, s, beta.ID, 1), (Counts{Requests: 4000, Errors: 4000}); got != want {
		t.Errorf("beta: %+v, want %+v", got, want)
	}
	list, err := s.Usage(t.Context(), "", 1)
	if err != nil || len(list) != 3 || list[0].Adapter != "" || list[1].Adapter != "pirate" || list[2].Tenant != "beta" || list[0].Requests != 2000 {
		t.Errorf("%+v, %v", list, err)
	}
	// It stays when the tenant is gone, under a name that another may have by then.
	if err := s.Delete(t.Context(), "acme"); err != nil {
		t.Fatal(err)
	}
	again, err := s.Create(t.Context(), "acme", NewSettings())
	if err != nil {
		t.Fatal(err)
	}
	if list, err := s.Usage(t.Context(), "acme", 1); err != nil || len(list) != 2 || !list[0].Deleted {
		t.Errorf("of a tenant that is gone: %+v, %v", list, err)
	}
	if got := used(t, s, again.ID, 1); got != (Counts{}) {
		t.Errorf("the new tenant has the usage of the old one: %+v", got)
	}
}

// TestUsageDays looks back as far as it is asked to.
func TestUsageDays(t *testing.T) {
	s := openTest(t, newPath(t), Options{})
	r := s.NewRecorder(time.Hour, nil)
	for days := range 5 {
		day := time.Now().UTC().AddDate(0, 0, -days).Format(time.DateOnly)
		r.add(usageKey{localID, day, "atlas", ""}, Counts{Requests: 1})
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	for _, days := range []int{1, 3, 100} {
		if got := used(t, s, localID, days); got.Requests != int64(min(days, 5)) {
			t.Errorf("%d days: %+v", days, got)
		}
	}
	if list, err := s.Usage(t.Context(), "", 1); err != nil || len(list) != 1 || list[0].Tenant != localID || list[0].Deleted {
		t.Errorf("of a server without keys: %+v, %v", list, err)
	}
	if _, err := s.Usage(t.Context(), "", 0); !errors.Is(err, ErrInvalid) {
		t.Errorf("0 days: %v", err)
	}
	if _, err := s.Usage(t.Context(), "nobody", 1); !errors.Is(err, ErrNotFound) {
		t.Errorf("nobody's: %v", err)
	}
}

// TestUsageIsKept fails to write, and writes it later.
func TestUsageIsKept(t *testing.T) {
	s := openTest(t, newPath(t), Options{})
	r := s.NewRecorder(time.Hour, nil)
	r.Add(localID, "atlas", "", Counts{Requests: 1})
	if _, err := s.db.Exec("ALTER TABLE usage RENAME TO elsewhere"); err != nil {
		t.Fatal(err)
	}
	if err := r.Flush(t.Context()); err == nil {
		t.Fatal("written without a table")
	}
	r.Add(localID, "atlas", "", Counts{Requests: 2})
	if _, err := s.db.Exec("ALTER TABLE elsewhere RENAME TO usage"); err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if got := used(t, s, localID, 1); got.Requests != 3 {
		t.Errorf("%+v", got)
	}
}

// TestUsageAfterDeath kills a process that has written what it counted.
func TestUsageAfterDeath(t *testing.T) {
	path := newPath(t)
	s := openTest(t, path, Options{})
	c := process(t, path, "die")
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	written := func() bool { return used(t, s, "", 1).Requests == 1 }
	eventually(t, "it is written", written)
	if err := c.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(); err == nil {
		t.Error("it ended by itself")
	}
	again := openTest(t, path, Options{})
	if !written() || used(t, again, "", 1).Requests != 1 {
		t.Errorf("after its death: %+v", used(t, again, "", 1))
	}
}

// TestLastUsed writes when keys were used, which is no change that a server answers
// from.
func TestLastUsed(t *testing.T) {
	s := openTest(t, newPath(t), Options{})
	_, key := withKey(t, s, "acme", NewSettings())
	r := s.NewRecorder(time.Hour, nil)
	if keys, err := s.Keys(t.Context(), "acme"); err != nil || len(keys) != 1 || !keys[0].LastUsed.IsZero() {
		t.Fatalf("%+v, %v", keys, err)
	}
	start := time.Now().Truncate(time.Second)
	if _, err := s.Authenticate(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	before := s.view.Load()
	// A view that is made meanwhile does not forget it.
	if err := s.refresh(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	revision := s.view.Load().revision
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	keys, err := s.Keys(t.Context(), "acme")
	if err != nil || len(keys) != 1 || keys[0].LastUsed.Before(start) || keys[0].LastUsed.After(time.Now()) {
		t.Errorf("%+v, %v", keys, err)
	}
	if err := s.refresh(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	if s.view.Load().revision != revision || before.revision != revision {
		t.Error("the use of a key is a change")
	}
}
