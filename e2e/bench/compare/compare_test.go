package main

import (
	"context"
	"errors"
	"flag"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/realm-webgpu/realm/e2e/models"
)

// newModel writes atlas to a file.
func newModel(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "atlas.gguf")
	if err := os.WriteFile(path, models.Atlas, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestParse(t *testing.T) {
	path := newModel(t)
	o, err := parse([]string{"--threads", "3", "--prompt", "10", "--tokens", "5", path}, io.Discard)
	if err != nil || o.threads != 3 || o.context != 79 || len(o.models) != 1 {
		t.Errorf("%+v, %v", o, err)
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{nil, "no model"},
		{[]string{"--rounds", "0", path}, "--rounds 0"},
		{[]string{"--prompt", "100", "--context", "50", path}, "--context 50"},
		{[]string{path + ".not"}, path + ".not"},
	} {
		if _, err := parse(c.args, io.Discard); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, want %q", c.args, err, c.want)
		}
	}
	if _, err := parse([]string{"-h"}, io.Discard); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("-h: %v", err)
	}
}

// TestRealm has the real binary measured on the prompt that the other gets too.
func TestRealm(t *testing.T) {
	path, binary := newModel(t), filepath.Join(t.TempDir(), "realm")
	if out, err := exec.Command("go", "build", "-o", binary, "../../../cmd/realm").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	p, err := prompts(path, 20)
	if err != nil || len(p[1]) != 20 || p[0][0] == p[1][0] && p[0][1] == p[1][1] {
		t.Fatalf("%v, %v", p, err)
	}
	o := options{realm: binary, threads: 1, prompt: 20, tokens: 8, context: 64}
	m, err := runRealm(context.Background(), o, "cpu", path)
	if err != nil {
		t.Fatal(err)
	}
	if m.Prefill <= 0 || m.Decode <= 0 || m.Ready <= 0 || m.BytesToken < 1<<20 || m.Peak < m.BytesToken {
		t.Errorf("%+v", m)
	}
	if _, err := runRealm(context.Background(), o, "cpu", path+".not"); err == nil || !strings.Contains(err.Error(), ".not") {
		t.Errorf("no file: %v", err)
	}
	r := report{Threads: 1, Rounds: 1, Bandwidth: 1e10, Models: []modelReport{{
		Model: "atlas.gguf", Pairs: []pair{{Name: "CPU", Realm: []measurement{m}, Llama: []measurement{m}}},
	}}}
	var out strings.Builder
	if err := r.print(&out); err != nil || strings.Count(out.String(), "1.00    1.00  1.00") != len(rows) {
		t.Errorf("%v: %s", err, out.String())
	}
}
