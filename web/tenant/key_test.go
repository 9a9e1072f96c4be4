package tenant

import (
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestNewKey(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		key := newKey()
		if len(key) != keyLength || !strings.HasPrefix(key, KeyPrefix) || seen[key] {
			t.Fatalf("%q", key)
		}
		seen[key] = true
		if _, err := HashKey(key); err != nil {
			t.Fatal(err)
		}
	}
}

func TestHashKey(t *testing.T) {
	good := KeyPrefix + strings.Repeat("Az0", 14) + "9"
	if _, err := HashKey(good); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{
		"", "rk_", good[:len(good)-1], good + "0", "sk_" + good[3:], "RK_" + good[3:], " " + good[1:],
		good[:20] + "\x00" + good[21:], good[:20] + "-" + good[21:], good[:20] + "é" + good[22:], strings.Repeat("x", 1<<20),
	} {
		if _, err := HashKey(key); !errors.Is(err, ErrUnauthorized) {
			t.Errorf("%.60q: %v", key, err)
		} else if len(key) > 3 && strings.Contains(err.Error(), key) {
			t.Errorf("the error shows the key: %v", err)
		}
	}
}

// FuzzHashKey takes any text for a key.
func FuzzHashKey(f *testing.F) {
	f.Add("")
	f.Add("rk_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG")
	f.Add("rk_0123456789abcdefghijklmnopqrstuvwxyzABCDEé")
	f.Fuzz(func(t *testing.T, key string) {
		hash, err := HashKey(key)
		digits, ok := strings.CutPrefix(key, "rk_")
		good := ok && len(digits) == 43 && strings.Trim(digits, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
		if good != (err == nil) || good == (hash == KeyHash{}) {
			t.Errorf("%q: %x, %v", key, hash, err)
		}
	})
}

func TestAuthenticate(t *testing.T) {
	s := openTest(t, newPath(t), Options{})
	ctx := t.Context()
	acme, key := withKey(t, s, "acme", NewSettings())
	beta, other := withKey(t, s, "beta", NewSettings())
	authenticated := func(key string) *Tenant {
		t.Helper()
		got, err := s.Authenticate(ctx, key)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	refused := func(what, key string) {
		t.Helper()
		if got, err := s.Authenticate(ctx, key); !errors.Is(err, ErrUnauthorized) {
			t.Errorf("%s: %v, %v", what, got, err)
		}
	}
	first := authenticated(key)
	if first.ID != acme.ID || authenticated(other).ID != beta.ID {
		t.Error("a key opens another tenant")
	}
	refused("unknown", newKey())
	refused("malformed", key[:len(key)-1])

	// A change of one tenant leaves the pointer of another.
	theirs := authenticated(other)
	if _, err := s.Update(ctx, "acme", func(s *Settings) error { s.Weight = 2; return nil }); err != nil {
		t.Fatal(err)
	}
	if now := authenticated(key); now == first || now.Weight != 2 || first.Weight != 1 {
		t.Errorf("after a change: weight %v, before %v", now.Weight, first.Weight)
	}
	if authenticated(other) != theirs {
		t.Error("the other's pointer has changed")
	}

	// Keys of one tenant have names of their own while they live.
	if _, _, err := s.CreateKey(ctx, "acme", "main", time.Time{}); !errors.Is(err, ErrExists) {
		t.Errorf("a second key of one name: %v", err)
	}
	if _, _, err := s.CreateKey(ctx, "nobody", "main", time.Time{}); !errors.Is(err, ErrNotFound) {
		t.Errorf("a key of nobody: %v", err)
	}
	if _, _, err := s.CreateKey(ctx, "acme", "old", time.Now().Add(-time.Hour)); !errors.Is(err, ErrInvalid) {
		t.Errorf("a key that has expired: %v", err)
	}
	second, k, err := s.CreateKey(ctx, acme.ID, "second", time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	authenticated(second)
	if _, err := s.RevokeKey(ctx, "beta", "second"); !errors.Is(err, ErrNotFound) {
		t.Errorf("revoked by another tenant's name: %v", err)
	}
	if _, err := s.RevokeKey(ctx, "beta", k.ID); !errors.Is(err, ErrNotFound) {
		t.Errorf("revoked by another tenant's ID: %v", err)
	}
	if _, err := s.RevokeKey(ctx, "", "second"); !errors.Is(err, ErrNotFound) {
		t.Errorf("revoked by name without a tenant: %v", err)
	}
	if revoked, err := s.RevokeKey(ctx, "", k.ID); err != nil || revoked.Revoked.IsZero() || revoked.Tenant != "acme" {
		t.Errorf("%+v, %v", revoked, err)
	}
	refused("revoked", second)
	if _, err := s.RevokeKey(ctx, "acme", "second"); !errors.Is(err, ErrNotFound) {
		t.Errorf("revoked twice: %v", err)
	}
	if _, _, err := s.CreateKey(ctx, "acme", "second", time.Time{}); err != nil {
		t.Errorf("the name of a revoked key: %v", err)
	}

	if err := s.Delete(ctx, "acme"); err != nil {
		t.Fatal(err)
	}
	refused("of a tenant that is gone", key)
	authenticated(other)
	if _, err := s.RevokeKey(ctx, "beta", "main"); err != nil {
		t.Fatal(err)
	}
	if !s.Keyed() {
		t.Error("without keys once the last one is revoked")
	}
	list, err := s.Keys(ctx, "")
	if err != nil || len(list) != 1 || list[0].Tenant != "beta" || list[0].Live(time.Now()) {
		t.Errorf("keys: %+v, %v", list, err)
	}
}

// TestExpiry has a key live until the second that it was given. The clock is the test's.
func TestExpiry(t *testing.T) {
	var clock atomic.Int64 // Unix nanoseconds
	clock.Store(time.Now().UnixNano())
	s := openTest(t, newPath(t), Options{PollInterval: time.Hour, now: func() time.Time { return time.Unix(0, clock.Load()) }})
	withKey(t, s, "acme", NewSettings())
	key, k, err := s.CreateKey(t.Context(), "acme", "short", time.Now().Add(time.Hour))
	if err != nil || !k.Live(time.Now()) {
		t.Fatalf("%+v, %v", k, err)
	}
	if _, err := s.Authenticate(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	clock.Store(k.Expires.UnixNano() - 1)
	if _, err := s.Authenticate(t.Context(), key); err != nil {
		t.Errorf("right before: %v", err)
	}
	clock.Store(k.Expires.UnixNano())
	if _, err := s.Authenticate(t.Context(), key); !errors.Is(err, ErrUnauthorized) {
		t.Errorf("an expired key: %v", err)
	}
}

// TestKeyIsNotKept looks for keys in the file.
func TestKeyIsNotKept(t *testing.T) {
	s := openTest(t, newPath(t), Options{})
	_, key := withKey(t, s, "acme", NewSettings())
	var dump strings.Builder
	for _, query := range []string{"SELECT hex(hash) || hint || name || id FROM keys", "SELECT settings || id FROM tenants"} {
		var text string
		if err := s.db.QueryRow(query).Scan(&text); err != nil {
			t.Fatal(err)
		}
		dump.WriteString(text)
	}
	if strings.Contains(dump.String(), key[len(KeyPrefix):]) || strings.Contains(dump.String(), key[10:30]) {
		t.Error("the database has the key")
	}
}

// TestUnavailable takes the database away.
func TestUnavailable(t *testing.T) {
	s, err := Open(t.Context(), newPath(t), Options{PollInterval: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	_, key := withKey(t, s, "acme", NewSettings())
	long := time.Now().Add(-StaleLimit - time.Second).UnixNano()

	// A machine that slept looks again, and goes on.
	s.checked.Store(long)
	if _, err := s.Authenticate(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	if err := s.db.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Authenticate(t.Context(), key); err != nil {
		t.Errorf("right after: %v", err)
	}
	s.checked.Store(long)
	if _, err := s.Authenticate(t.Context(), key); !errors.Is(err, ErrUnavailable) || errors.Is(err, ErrUnauthorized) {
		t.Errorf("after long: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// TestSettingsByOtherHands breaks one tenant's row.
func TestSettingsByOtherHands(t *testing.T) {
	s := openTest(t, newPath(t), Options{})
	_, bad := withKey(t, s, "bad", NewSettings())
	_, good := withKey(t, s, "good", NewSettings())
	for _, settings := range []string{`{"limits":{"unheard_of":1}}`, `{"weight":-1}`, `no JSON`} {
		if _, err := s.db.Exec("UPDATE tenants SET settings = ? WHERE name = 'bad'", settings); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the tenant is refused: "+settings, func() bool {
			_, err := s.Authenticate(t.Context(), bad)
			return errors.Is(err, ErrUnauthorized)
		})
		if _, err := s.Authenticate(t.Context(), good); err != nil {
			t.Errorf("the other: %v", err)
		}
		if _, err := s.Get(t.Context(), "bad"); err == nil || !strings.Contains(err.Error(), "bad") {
			t.Errorf("get: %v", err)
		}
	}
	if err := s.Delete(t.Context(), "bad"); err != nil {
		t.Errorf("delete: %v", err)
	}
}

// TestAuthenticateWhileChanging reads and writes at the same time.
func TestAuthenticateWhileChanging(t *testing.T) {
	path := newPath(t)
	s, editor := openTest(t, path, Options{}), openTest(t, path, Options{})
	settings := NewSettings()
	settings.Limits.Queue = 1
	_, key := withKey(t, editor, "acme", settings)
	eventually(t, "the key is seen", func() bool {
		_, err := s.Authenticate(t.Context(), key)
		return err == nil
	})
	var wg sync.WaitGroup
	done := make(chan struct{})
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				got, err := s.Authenticate(t.Context(), key)
				if err != nil || got.Name != "acme" || got.Limits.Queue != int(got.Weight) {
					t.Errorf("%+v, %v", got, err)
					return
				}
			}
		})
	}
	for i := 2; i < 40; i++ {
		if _, err := editor.Update(t.Context(), "acme", func(s *Settings) error {
			s.Weight, s.Limits.Queue = float64(i), i
			return nil
		}); err != nil {
			t.Error(err)
		}
		if err := s.SetDefaults(t.Context(), Limits{Pages: i}); err != nil {
			t.Error(err)
		}
	}
	close(done)
	wg.Wait()
}

// TestAllocations holds the path of every request to allocating nothing.
func TestAllocations(t *testing.T) {
	s := openTest(t, newPath(t), Options{PollInterval: time.Hour})
	_, key := withKey(t, s, "acme", NewSettings())
	unknown := newKey()
	if n := testing.AllocsPerRun(100, func() { _, _ = s.Authenticate(t.Context(), key) }); n != 0 {
		t.Errorf("a key: %v allocations", n)
	}
	if n := testing.AllocsPerRun(100, func() { _, _ = s.Authenticate(t.Context(), unknown) }); n != 0 {
		t.Errorf("an unknown key: %v allocations", n)
	}
}

func BenchmarkAuthenticate(b *testing.B) {
	s := openTest(b, filepath.Join(b.TempDir(), "realm.db"), Options{PollInterval: time.Hour})
	_, key := withKey(b, s, "acme", NewSettings())
	b.ReportAllocs()
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			if _, err := s.Authenticate(b.Context(), key); err != nil {
				b.Error(err)
			}
		}
	})
}
