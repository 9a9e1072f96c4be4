package hostfn_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/realm-webgpu/realm/hostfn"
)

func TestResolve(t *testing.T) {
	dir := t.TempDir()
	file := func(name string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	c := hostfn.Candidates{
		Flag: file("flag"), Environment: file("environment"),
		Tenant: []byte("tenant"), TenantName: "acme", Embedded: []byte("embedded"),
	}
	check := func(module, why string) {
		t.Helper()
		choice, err := hostfn.Resolve(c)
		if err != nil {
			t.Fatal(err)
		}
		if string(choice.Module) != module || !strings.Contains(choice.Why, why) || choice.Source == "" {
			t.Errorf("%q runs (%q), because %s; want %s", choice.Module, choice.Source, choice.Why, module)
		}
	}
	check("flag", "asked for")
	c.Flag = ""
	check("environment", hostfn.GuestVariable)
	c.Environment = ""
	check("tenant", "tenant")
	c.Tenant = nil
	check("embedded", "nothing else")
	c.Embedded = nil
	if _, err := hostfn.Resolve(c); err == nil {
		t.Error("something runs where there is nothing")
	}
	// One that was asked for and is not there is an error, not the next one.
	c.Embedded, c.Environment = []byte("embedded"), filepath.Join(dir, "missing")
	if _, err := hostfn.Resolve(c); err == nil || !strings.Contains(err.Error(), hostfn.GuestVariable) || !strings.Contains(err.Error(), "missing") {
		t.Errorf("a file that is not there: %v", err)
	}
	large := file("large")
	if err := os.Truncate(large, 65<<20); err != nil {
		t.Fatal(err)
	}
	c.Flag = large
	if _, err := hostfn.Resolve(c); err == nil || !strings.Contains(err.Error(), "at most") {
		t.Errorf("a file that is too large: %v", err)
	}
}
