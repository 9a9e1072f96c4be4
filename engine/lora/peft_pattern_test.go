package lora_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/realm-webgpu/realm/engine/lora"
)

// many returns an object of so many patterns, which text makes of their numbers.
func many(n int, text func(i int) string) string {
	members := make([]string, n)
	for i := range members {
		members[i] = fmt.Sprintf("%q: 4", text(i))
	}
	return "{" + strings.Join(members, ", ") + "}"
}

// TestPEFTLimits has a config, or weights, at each limit and over it.
func TestPEFTLimits(t *testing.T) {
	with := func(member string) string { return strings.Replace(plain, `"use_dora": false`, member, 1) }
	targets := func(value string) string { return strings.Replace(plain, `["q_proj", "v_proj"]`, value, 1) }
	name := func(n int) string { return strings.Repeat("x", n) }
	numbered := func(i int) string { return fmt.Sprintf("module_%d", i) }
	list := func(n int) string {
		names := []string{"q_proj"}
		for i := len(names); i < n; i++ {
			names = append(names, numbered(i))
		}
		text, err := json.Marshal(names)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	pairs := func(n, nameBytes int) map[string]tensor {
		tensors := map[string]tensor{}
		for i := range n {
			module := fmt.Sprintf("%d.", i)
			module += name(nameBytes-len(module)-len(".lora_A.weight")-len(".q_proj")) + ".q_proj"
			tensors[module+".lora_A.weight"], tensors[module+".lora_B.weight"] = ramp(0, 4, 4), ramp(0, 4, 4)
		}
		return tensors
	}
	// An expression of three instructions for each x, in a few dozen bytes.
	large := func(n int) string { return fmt.Sprintf("(?:x?y){%d}", n) }
	for _, c := range []struct {
		name, config string
		tensors      map[string]tensor
		want         string // "": it is read
	}{
		{"as many patterns of ranks", with(`"rank_pattern": ` + many(lora.MaxPatterns, numbered)), halves(), ""},
		{"too many patterns of ranks", with(`"rank_pattern": ` + many(lora.MaxPatterns+1, numbered)), halves(), "rank_pattern: not supported: over the limit: over 4096 patterns"},
		{"too many patterns of alphas", with(`"alpha_pattern": ` + many(lora.MaxPatterns+1, numbered)), halves(), "alpha_pattern: not supported: over the limit: over 4096 patterns"},
		{"as many targets", targets(list(lora.MaxPatterns)), halves(), ""},
		{"too many targets", targets(list(lora.MaxPatterns + 1)), halves(), "target_modules: not supported: over the limit: over 4096 patterns"},
		{"as long a pattern", with(`"alpha_pattern": {"` + name(lora.MaxPatternBytes) + `": 1}`), halves(), ""},
		{"too long a pattern", with(`"alpha_pattern": {"` + name(lora.MaxPatternBytes+1) + `": 1}`), halves(), "1025 bytes, at most 1024"},
		{"too long a target", targets(`["` + name(lora.MaxPatternBytes+1) + `"]`), halves(), "1025 bytes, at most 1024"},
		{"too long an expression of targets", targets(`".*` + name(lora.MaxPatternBytes) + `"`), halves(), "1026 bytes, at most 1024"},
		{"an expression that is large", targets(`"` + large(300) + `|.*q_proj"`), halves(), ""},
		{"expressions that are too large together", with(`"rank_pattern": {"` + large(200) + `": 1, "` + large(201) + `": 1}`), halves(), "expressions of over 1024 instructions in all"},
		{"an expression that is too large with that of targets",
			strings.Replace(targets(`"`+large(200)+`|.*q_proj"`), `"use_dora"`, `"alpha_pattern": {"`+large(200)+`": 1}, "use_dora"`, 1),
			halves(), "alpha_pattern: \"(?:x?y){200}\": not supported: over the limit: expressions of over 1024 instructions in all"},
		{"as many tensors", plain, pairs(lora.MaxTensors/2, 40), ""},
		{"too many tensors", plain, pairs(lora.MaxTensors/2+1, 40), "4098 tensors, at most 4096"},
		{"as long a name", plain, pairs(1, lora.MaxNameBytes), ""},
		{"too long a name", plain, pairs(1, lora.MaxNameBytes+1), "a name of 129 bytes, at most 128"},
	} {
		_, err := lora.ReadPEFT([]byte(c.config), weights(t, c.tensors))
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", c.name, err)
		case c.want != "" && !(errors.Is(err, lora.ErrLimit) && errors.Is(err, lora.ErrUnsupported) && strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

// TestPEFTPatternNames holds patterns that are taken for names to what they say as
// expressions, as PEFT reads them.
func TestPEFTPatternNames(t *testing.T) {
	const module = "model.layers.0.self_attn.q_proj"
	for _, name := range []string{
		"q_proj", "proj", ".q_proj", "_proj", "self_attn.q_proj", "self_attn-q_proj", "self.attn.q.proj", ".....proj",
		module, "x." + module, "." + module, "odel.layers.0.self_attn.q_proj", "q_proj.", "", ".", "q_pröj", "q_pr.j",
		`self_attn\.q_proj`, `self\.attn\.q_proj`, "^" + module, "^q_proj", `^model\.layers\.0.self_attn.q_proj`, "^",
		// These are expressions.
		"q_proj$", "(q|k)_proj", `\w_proj`, "q_proj|x", "^^" + module, "layers.[0-3].*", `q_proj\b`,
	} {
		whole := regexp.MustCompile(`^(?:.*\.)?(?:` + name + `)$`)
		text, err := json.Marshal(map[string]int{name: 4})
		if err != nil {
			t.Fatal(err)
		}
		config := `{"peft_type": "LORA", "r": 3, "lora_alpha": 8, "rank_pattern": ` + string(text) + `}`
		_, err = lora.ReadPEFT([]byte(config), weights(t, halves())) // of rank 4
		if got := err == nil; got != whole.MatchString(module) {
			t.Errorf("%q is the name of %s: %v (%v)", name, module, got, err)
		}
	}
}
