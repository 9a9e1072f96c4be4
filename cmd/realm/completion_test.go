package main

import (
	"os/exec"
	"strings"
	"testing"
)

func TestCompletion(t *testing.T) {
	f := newFolder(t)
	for _, s := range shells() {
		o := f.good("", "completion", s.name)
		if !strings.Contains(o.stdout, "__complete") || o.stderr != "" {
			t.Errorf("%s: printed %.80q, said %q", s.name, o.stdout, o.stderr)
		}
		// Where the shell is there, it is asked whether it can read the script.
		if path, err := exec.LookPath(s.name); err == nil && s.name != "powershell" {
			c := exec.CommandContext(t.Context(), path, "-n")
			c.Stdin = strings.NewReader(o.stdout)
			if said, err := c.CombinedOutput(); err != nil {
				t.Errorf("%s -n: %v\n%s", s.name, err, said)
			}
		}
	}
}

// TestCompletes has the binary offer what the scripts ask it for.
func TestCompletes(t *testing.T) {
	f := newFolder(t)
	for _, c := range []struct{ args, want string }{ // "_" stands for ""
		{"ru", "run\tAsk a model and stream its answer\n:4\n"},
		{"run -m _", "gguf\n:8\n"},
		{"chat --model m", "gguf\n:8\n"},
		{"run _", ":4\n"},
		{"quantize _", "gguf\n:8\n"},
		{"quantize --type q4_k", "Q4_K_S\nQ4_K_M\n:4\n"},
		{"quantize --output-tensor-type Q6", "Q6_K\n:4\n"},
		{"run --speculative m", "model\n:4\n"},
		{"run --kv-type f3", "f32\n:4\n"},
		{"run --template chat", "chatml\n:4\n"},
		{"bench --device c", "cpu\n:4\n"},
		{"completion f", "fish\n:4\n"},
		{"pull _", ":4\n"},
		{"rm _", ":4\n"},
	} {
		args := []string{"__complete"}
		for _, a := range strings.Fields(c.args) {
			if a == "_" {
				a = ""
			}
			args = append(args, a)
		}
		if o := f.good("", args...); o.stdout != c.want {
			t.Errorf("%s: offered %q, want %q", c.args, o.stdout, c.want)
		}
	}
}
