package main

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/realm-webgpu/realm/e2e/models"
)

// TestSpeculation has the same answers drafted in every way.
func TestSpeculation(t *testing.T) {
	f := newFolder(t)
	atlas, small := f.atlas(), f.put("draft.gguf", models.Draft)
	for _, way := range []struct {
		name string
		args []string
	}{
		{"greedy", nil},
		{"sampled", []string{"--temperature", "1.2", "--top-p", "0.98", "--seed", "5"}},
		{"penalties", []string{"--repeat-penalty", "1.3", "--presence-penalty", "0.5"}},
	} {
		t.Run(way.name, func(t *testing.T) {
			ask := func(args ...string) (r runReport) {
				t.Helper()
				args = slices.Concat([]string{"run", "--device", "cpu", "--json", "-n", "60"}, way.args, args, []string{"Tell me about Brazil."})
				o := folder{t, f.dir}.good("", args...)
				if err := json.Unmarshal([]byte(o.stdout), &r); err != nil {
					t.Fatal(err)
				}
				return r
			}
			plain := ask()
			if plain.Usage.DraftsProposed != 0 || plain.Usage.CompletionTokens < 16 {
				t.Errorf("without drafts: %+v", plain.Usage)
			}
			for _, c := range []struct {
				args  []string
				model bool
			}{
				{[]string{"--speculative", "none"}, false},
				{[]string{"--speculative", "lookup"}, false},
				{[]string{"--speculative", "model"}, true},
				{[]string{"--speculative", "model", "--draft-tokens", "16"}, true},
				{[]string{"--draft", small}, true},
				{[]string{"-m", atlas, "--draft", small, "--draft-tokens", "1"}, true},
				{[]string{"-m", atlas, "--draft", atlas}, true},
			} {
				r := ask(c.args...)
				if r.Text != plain.Text || !slices.Equal(r.Tokens, plain.Tokens) || r.FinishReason != plain.FinishReason {
					t.Errorf("%q: %q (%s), without drafts %q", c.args, r.Text, r.FinishReason, plain.Text)
				}
				if u := r.Usage; c.model != (u.DraftsProposed > 0) && c.args[1] != "lookup" || u.DraftsAccepted > u.DraftsProposed || c.model && u.DraftsAccepted == 0 ||
					u.DraftsAccepted > u.CompletionTokens || u.CachedTokens != plain.Usage.CachedTokens {
					t.Errorf("%q: %+v", c.args, u)
				}
			}
		})
	}
	f.holds("atlas.gguf", "draft.gguf")
}

// TestSpeculationLookup finds in the prompt what comes next.
func TestSpeculationLookup(t *testing.T) {
	f := newFolder(t)
	prompt := strings.Repeat("<|im_start|>user\n"+question+"<|im_end|>\n<|im_start|>assistant\n"+strings.TrimSpace(answer)+"<|im_end|>\n", 2) +
		"<|im_start|>user\n" + question + "<|im_end|>\n<|im_start|>assistant\n"
	o := f.good("", "run", "--device", "cpu", "--raw", "-v", "--speculative", "lookup", prompt)
	if o.stdout != answer || !strings.Contains(o.stderr, "drafted tokens were accepted") || strings.Contains(o.stderr, "realm: 0 of") {
		t.Errorf("printed %q, said %q", o.stdout, o.stderr)
	}
}

func TestSpeculationChat(t *testing.T) {
	f := newFolder(t)
	const questions = question + "\nWhere is Oslo?\n"
	plain := f.good(questions, "chat", "--device", "cpu")
	o := f.good(questions, "chat", "--device", "cpu", "--speculative", "model", "-v")
	if o.stdout != plain.stdout || strings.Count(o.stderr, "drafted tokens were accepted") != 2 {
		t.Errorf("printed %q, said %q; without drafts %q", o.stdout, o.stderr, plain.stdout)
	}
}

func TestSpeculationRefused(t *testing.T) {
	f := newFolder(t)
	atlas := f.atlas()
	other, err := os.ReadFile("../../engine/model/testdata/llama.gguf")
	if err != nil {
		t.Fatal(err)
	}
	f.put("other.gguf", other)
	f.put("broken.gguf", models.Draft[:1000])
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"--speculative", "magic"}, exitUsage, "want lookup, model or none"},
		{[]string{"--speculative", "model", "-m", atlas}, exitUsage, "name the draft model of atlas.gguf with --draft"},
		{[]string{"--speculative", "lookup", "--draft", atlas}, exitUsage, "--speculative lookup has no use for it"},
		{[]string{"--speculative", "lookup", "--draft-tokens", "17"}, exitUsage, "17 tokens, at most 16"},
		{[]string{"--draft-tokens", "4"}, exitUsage, "nothing is drafted without --speculative"},
		{[]string{"--draft", "nowhere.gguf"}, exitModel, "nowhere.gguf"},
		{[]string{"--draft", "broken.gguf"}, exitModel, "broken.gguf: "},
		{[]string{"--draft", "other.gguf"}, exitModel, "the vocabularies differ"},
	} {
		o := f.realm("", slices.Concat([]string{"run", "--device", "cpu"}, c.args, []string{question})...)
		if o.code != c.code || !strings.Contains(o.stderr, c.want) || strings.Count(o.stderr, "\n") != 1 || o.stdout != "" {
			t.Errorf("%q: exit code %d, printed %q, said %q, want %d and %q", c.args, o.code, o.stdout, o.stderr, c.code, c.want)
		}
	}
}
