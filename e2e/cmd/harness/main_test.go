package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/realm-webgpu/realm/e2e/harness"
)

// TestFlags lists checks, chooses among them, and refuses what there is not.
func TestFlags(t *testing.T) {
	for _, c := range []struct {
		args []string
		code int
		out  string // that is printed, in part
		err  string
		not  string // that is not printed
	}{
		{args: []string{"--list"}, out: "paris-cli "},
		{args: []string{"--list", "--only", "crash,guests"}, out: "guests ", not: "paris"},
		{args: []string{"--list", "--pictures", "somewhere"}, out: "pictures "},
		{args: []string{"--only", "nobody"}, code: exitUsage, err: `"nobody"`},
		{args: []string{"--only", "pictures"}, code: exitUsage, err: `"pictures"`},
		{args: []string{"paris-cli"}, code: exitUsage, err: `"paris-cli"`},
		{args: []string{"--binary", "no/such/file"}, code: exitUsage, err: "no/such/file"},
		{args: []string{"--nothing"}, code: exitUsage},
	} {
		var stdout, stderr bytes.Buffer
		code, err := run(t.Context(), c.args, &stdout, &stderr)
		said := ""
		if err != nil {
			said = err.Error()
		}
		if code != c.code || !strings.Contains(said, c.err) || !strings.Contains(stdout.String(), c.out) || c.not != "" && strings.Contains(stdout.String(), c.not) {
			t.Errorf("%q: code %d, %q, printed\n%s", c.args, code, said, &stdout)
		}
	}
}

// TestNames wants names of checks that can be chosen, each once.
func TestNames(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range harness.Checks() {
		if seen[c.Name] || strings.ContainsAny(c.Name, ", _") || c.About == "" || c.Run == nil {
			t.Errorf("check %+v", c)
		}
		seen[c.Name] = true
	}
}
