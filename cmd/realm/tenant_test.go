package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/realm-webgpu/realm/guest"
	"github.com/realm-webgpu/realm/web/tenant"
)

// store opens a database of the folder as a server does.
func (f folder) store(name string) *tenant.Store {
	f.t.Helper()
	s, err := tenant.Open(f.t.Context(), filepath.Join(f.dir, name), tenant.Options{PollInterval: 10 * time.Millisecond})
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() {
		if err := s.Close(); err != nil {
			f.t.Error(err)
		}
	})
	return s
}

// tenantOf reads what a command printed as JSON.
func (f folder) tenantOf(o outcome) tenant.Tenant {
	f.t.Helper()
	var t tenant.Tenant
	if err := json.Unmarshal([]byte(o.stdout), &t); err != nil {
		f.t.Fatalf("%v: %q", err, o.stdout)
	}
	return t
}

func TestTenant(t *testing.T) {
	f := newFolder(t)
	db := []string{"--db", "realm.db"}
	run := func(args ...string) outcome { t.Helper(); return f.good("", append(args, db...)...) }

	// Only create makes a database.
	if o := f.realm("", append([]string{"tenant", "list"}, db...)...); o.code != exitFailure || !strings.Contains(o.stderr, "realm tenant create") {
		t.Errorf("list without a database: %+v", o)
	}
	f.holds()

	made := f.tenantOf(run("tenant", "create", "acme", "--tokens-per-minute", "1000", "--queue", "none", "--guest-memory", "16MiB",
		"--guest-time", "30s", "--models", "atlas,qwen*", "--models", "b", "--default-adapter", "atlas:pirate", "--json"))
	want := tenant.Limits{TokensPerMinute: 1000, Queue: tenant.Unlimited, Guest: tenant.GuestLimits{Memory: 16 << 20, WallTime: 30 * time.Second}}
	if made.Name != "acme" || made.Limits != want || strings.Join(made.Models, " ") != "atlas qwen* b" || strings.Join(made.Guests, " ") != "*" || made.DefaultAdapter != "atlas:pirate" {
		t.Errorf("%+v", made)
	}
	s := f.store("realm.db") // a server, from now on
	set := f.tenantOf(run("tenant", "set", "acme", "--tokens-per-minute", "default", "--admin", "--models", "", "--weight", "2.5", "--json"))
	if set.ID != made.ID || set.Limits.TokensPerMinute != 0 || set.Limits.Queue != tenant.Unlimited || !set.Admin || len(set.Models) != 0 || set.Weight != 2.5 || len(set.Adapters) != 1 {
		t.Errorf("%+v", set)
	}
	waitUntil(t, func() bool { seen := s.Tenant(made.ID); return seen != nil && seen.Weight == 2.5 })

	f.put("mine.wasm", guest.Module)
	if own := f.tenantOf(run("tenant", "set", made.ID, "--guest-file", "mine.wasm", "--json")); len(own.GuestHash) != 64 {
		t.Errorf("own guest: %+v", own)
	}
	if module, err := s.GuestModule(t.Context(), made.ID); err != nil || string(module) != string(guest.Module) {
		t.Errorf("%d bytes, %v", len(module), err)
	}
	if o := run("tenant", "show", "acme"); !strings.Contains(o.stdout, "\nown guest") || !strings.Contains(o.stdout, "guest memory     16 MiB") || !strings.Contains(o.stdout, "queue            none") {
		t.Errorf("show: %s", o.stdout)
	}
	if none := f.tenantOf(run("tenant", "set", "acme", "--guest-file", "", "--json")); none.GuestHash != "" {
		t.Errorf("no guest: %+v", none)
	}
	run("tenant", "create", "beta")
	if o := run("tenant", "list"); strings.Count(o.stdout, "\n") != 3 || !strings.Contains(o.stdout, "\nbeta ") {
		t.Errorf("list: %s", o.stdout)
	}
	for _, c := range []struct {
		args, want string
		code       int
	}{
		{"tenant create acme", "exists already", exitFailure},
		{"tenant create a/b", "letters, digits", exitUsage},
		{"tenant create gamma --weight -1", "weight", exitUsage},
		{"tenant create gamma --sequences 0", "none or default", exitUsage},
		{"tenant create gamma --sequences -1", "none or default", exitUsage},
		{"tenant create gamma --guest-memory 9TB", "guest memory", exitUsage},
		{"tenant create gamma --guest-file absent.wasm", "absent.wasm", exitFailure},
		{"tenant create gamma --guest-file realm.db", "realm.db", exitFailure},
		{"tenant set acme", "nothing to set", exitUsage},
		{"tenant set gamma --admin", "gamma: not found", exitFailure},
		{"tenant show gamma", "gamma: not found", exitFailure},
		{"tenant delete gamma", "gamma: not found", exitFailure},
		{"tenant show", "a NAME or an ID", exitUsage},
		{"key create gamma", "gamma: not found", exitFailure},
		{"key create acme --expires 2001-01-01", "a time to come", exitUsage},
		{"key revoke acme none", "not found", exitFailure},
		{"usage gamma", "gamma: not found", exitFailure},
		{"usage --days 0", "at least 1", exitUsage},
		{"tenant list --config absent.toml", "absent.toml", exitFailure},
	} {
		if o := f.realm("", append(strings.Fields(c.args), db...)...); o.code != c.code || !strings.Contains(o.stderr, c.want) || strings.Count(o.stderr, "\n") != 1 || o.stdout != "" {
			t.Errorf("%s: code %d, %q, %q", c.args, o.code, o.stderr, o.stdout)
		}
	}
	if o := f.good("", "__complete", "tenant", "show", "--db", "realm.db", "b"); o.stdout != "beta\n:4\n" {
		t.Errorf("completion: %q", o.stdout)
	}
	run("tenant", "delete", "beta")
	if o := run("tenant", "list", "--json"); strings.Contains(o.stdout, "beta") || !strings.Contains(o.stdout, `"tenants":[{`) {
		t.Errorf("after delete: %s", o.stdout)
	}
}

func TestKey(t *testing.T) {
	f := newFolder(t)
	db := []string{"--db", "realm.db"}
	run := func(args ...string) outcome { t.Helper(); return f.good("", append(args, db...)...) }
	run("tenant", "create", "acme")
	s := f.store("realm.db")
	o := run("key", "create", "acme")
	key := strings.TrimSpace(o.stdout)
	if strings.Contains(o.stderr, key) || !strings.Contains(o.stderr, "this once") {
		t.Errorf("said %q", o.stderr)
	}
	opens := func(key string) bool { _, err := s.Authenticate(context.Background(), key); return err == nil }
	waitUntil(t, func() bool { return opens(key) })

	var second struct {
		Key, ID, Tenant, Name string
		Expires               time.Time
	}
	if err := json.Unmarshal([]byte(run("key", "create", "acme", "ci", "--expires", "90d", "--json").stdout), &second); err != nil {
		t.Fatal(err)
	}
	if days := time.Until(second.Expires).Hours() / 24; days < 89 || days > 91 || second.Name != "ci" || second.Tenant != "acme" {
		t.Errorf("%+v", second)
	}
	waitUntil(t, func() bool { return opens(second.Key) })
	if o := run("key", "list", "acme"); strings.Count(o.stdout, "\n") != 3 || strings.Contains(o.stdout, key) || !strings.Contains(o.stdout, "good until") {
		t.Errorf("list: %s", o.stdout)
	}
	run("key", "revoke", "acme", "main")
	waitUntil(t, func() bool { return !opens(key) })
	if !opens(second.Key) {
		t.Error("the other key is revoked too")
	}
	run("key", "revoke", second.ID)
	waitUntil(t, func() bool { return !opens(second.Key) })
	if o := run("key", "list"); strings.Count(o.stdout, "\n") != 1 {
		t.Errorf("list: %s", o.stdout)
	}
	if o := run("key", "list", "--all", "--json"); strings.Count(o.stdout, `"revoked"`) != 2 || strings.Contains(o.stdout, key) {
		t.Errorf("list: %s", o.stdout)
	}
}

// TestUsageCommand shows what a server has written, from the database that the
// configuration names.
func TestUsageCommand(t *testing.T) {
	f := newFolder(t)
	f.put("server.toml", []byte("database = \"data/tenants.db\"\n"))
	acme := f.tenantOf(f.good("", "tenant", "create", "acme", "--config", "server.toml", "--json"))
	s := f.store("data/tenants.db")
	r := s.NewRecorder(time.Hour, nil)
	r.Add(acme.ID, "atlas", "", tenant.Counts{Requests: 2, PromptTokens: 30, CachedTokens: 10, CompletionTokens: 7})
	r.Add(acme.ID, "atlas", "pirate", tenant.Counts{Requests: 1, Errors: 1})
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	o := f.good("", "usage", "acme", "--days", "1", "--config", "server.toml")
	if lines := strings.Split(strings.TrimSpace(o.stdout), "\n"); len(lines) != 4 || strings.Join(strings.Fields(lines[3]), " ") != "total 3 1 30 10 7" || !strings.Contains(lines[2], "pirate") {
		t.Errorf("%s", o.stdout)
	}
	var report usedReport
	if err := json.Unmarshal([]byte(f.good("", "usage", "--json", "--config", "server.toml").stdout), &report); err != nil {
		t.Fatal(err)
	}
	if report.Days != 30 || len(report.Usage) != 2 || report.Total != (tenant.Counts{Requests: 3, Errors: 1, PromptTokens: 30, CachedTokens: 10, CompletionTokens: 7}) {
		t.Errorf("%+v", report)
	}
	// Without flags it is the user's own.
	f.good("", "tenant", "create", "home")
	if _, err := os.Stat(filepath.Join(f.dir, "realm", "realm.db")); err != nil && os.Getenv("LocalAppData") == "" {
		t.Error(err)
	}
}

// waitUntil waits until something is so.
func waitUntil(t *testing.T, so func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !so(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("not within a minute")
		}
	}
}
