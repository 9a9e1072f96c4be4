package lora

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
)

// config is adapter_config.json, as far as the numbers depend on it.
type config struct {
	Type          string          `json:"peft_type"`
	Rank          int             `json:"r"`
	Alpha         float64         `json:"lora_alpha"`
	RsLoRA        bool            `json:"use_rslora"`
	RankPattern   json.RawMessage `json:"rank_pattern"`
	AlphaPattern  json.RawMessage `json:"alpha_pattern"`
	TargetModules targets         `json:"target_modules"`
	Init          any             `json:"init_lora_weights"`
	Bias          string          `json:"bias"`
	FanInFanOut   bool            `json:"fan_in_fan_out"`
	DoRA          bool            `json:"use_dora"`
	QALoRA        bool            `json:"use_qalora"`
	LoRABias      bool            `json:"lora_bias"`
	Saved         []any           `json:"modules_to_save"`
	Tokens        any             `json:"trainable_token_indices"`
	Parameters    []any           `json:"target_parameters"`
	Replication   []any           `json:"layer_replication"`
	Invocation    []any           `json:"alora_invocation_tokens"`

	ranks, alphas patterns // of the two patterns
}

// parseConfig reads adapter_config.json and refuses what Realm does not compute.
func parseConfig(data []byte) (*config, error) {
	c := &config{Bias: "none"}
	if err := json.Unmarshal(data, c); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	if c.Type != "LORA" {
		return nil, fmt.Errorf("peft_type: %w: %.40q, want \"LORA\"", ErrUnsupported, c.Type)
	}
	tokens := c.Tokens != nil
	switch t := c.Tokens.(type) {
	case []any:
		tokens = len(t) > 0
	case map[string]any:
		tokens = len(t) > 0
	}
	// Initialisations that take something out of the weights of the model: the
	// adapter is of what is left.
	init, _ := c.Init.(string)
	changes := strings.HasPrefix(init, "pissa") || slices.Contains([]string{"olora", "corda", "lora_ga"}, init)
	for _, refused := range []struct {
		key string
		is  bool
	}{
		{"use_dora", c.DoRA}, {"use_qalora", c.QALoRA}, {"lora_bias", c.LoRABias}, {"fan_in_fan_out", c.FanInFanOut},
		{"bias", c.Bias != "none" && c.Bias != ""}, {"modules_to_save", len(c.Saved) > 0}, {"trainable_token_indices", tokens},
		{"target_parameters", len(c.Parameters) > 0}, {"layer_replication", len(c.Replication) > 0},
		{"alora_invocation_tokens", len(c.Invocation) > 0}, {"init_lora_weights", changes},
	} {
		if refused.is {
			return nil, fmt.Errorf("%s: %w", refused.key, ErrUnsupported)
		}
	}
	if c.Rank < 1 || c.Rank > MaxRank {
		return nil, fmt.Errorf("r: %w: %d is not in 1 to %d", ErrFormat, c.Rank, MaxRank)
	}
	var err error
	if c.ranks, err = parsePatterns("rank_pattern", c.RankPattern); err != nil {
		return nil, err
	}
	if c.alphas, err = parsePatterns("alpha_pattern", c.AlphaPattern); err != nil {
		return nil, err
	}
	return c, checkAlpha("lora_alpha", c.Alpha)
}

// pair makes the pair of a module of its halves, either of which may be missing.
func (c *config) pair(module string, a, b *matrix) (Pair, error) {
	if a == nil {
		return Pair{}, fmt.Errorf("tensor %q: %w: its lora_A is missing", b.name, ErrFormat)
	}
	if b == nil {
		return Pair{}, fmt.Errorf("tensor %q: %w: its lora_B is missing", a.name, ErrFormat)
	}
	if !c.TargetModules.has(module) {
		return Pair{}, fmt.Errorf("tensor %q: %w: target_modules does not have it", a.name, ErrFormat)
	}
	rank := c.ranks.of(module, float64(c.Rank))
	if float64(a.rows) != rank || b.columns != a.rows {
		return Pair{}, fmt.Errorf("tensor %q [%d, %d]: %w: rank %d, %q [%d, %d] has %d, and the config says %v", a.name, a.rows, a.columns, ErrFormat,
			a.rows, b.name, b.rows, b.columns, b.columns, rank)
	}
	if a.rows > MaxRank {
		return Pair{}, fmt.Errorf("tensor %q: %w: rank %d, at most %d", a.name, ErrUnsupported, a.rows, MaxRank)
	}
	alpha := c.alphas.of(module, c.Alpha)
	if err := checkAlpha(fmt.Sprintf("tensor %q: its alpha", a.name), alpha); err != nil {
		return Pair{}, err
	}
	scale := alpha / rank
	if c.RsLoRA { // Kalajdzievski 2023, https://arxiv.org/abs/2312.03732
		scale = alpha / math.Sqrt(rank)
	}
	return Pair{Name: module, Rank: a.rows, Columns: a.columns, Rows: b.rows, Scale: float32(scale), A: a.values, B: b.values}, nil
}

// targets is target_modules: ends of names, or an expression that all of a name
// matches, or "all-linear".
type targets struct {
	names []string
	whole *regexp.Regexp
	all   bool // nothing is said, or all-linear
}

func (t *targets) UnmarshalJSON(data []byte) error {
	*t = targets{}
	var text string
	switch {
	case string(data) == "null":
		t.all = true
	case json.Unmarshal(data, &text) == nil:
		if t.all = text == "all-linear"; t.all {
			return nil
		}
		var err error
		if t.whole, err = regexp.Compile("^(?:" + text + ")$"); err != nil {
			return fmt.Errorf("target_modules: %w", err)
		}
	default:
		return json.Unmarshal(data, &t.names)
	}
	return nil
}

func (t *targets) has(module string) bool {
	switch {
	case t.whole != nil:
		return t.whole.MatchString(module)
	case t.all || t.names == nil:
		return true
	}
	return slices.ContainsFunc(t.names, func(name string) bool {
		return module == name || strings.HasSuffix(module, "."+name)
	})
}

// patterns are numbers for the modules whose names end in what an expression
// matches, the first that does counting.
type patterns []pattern

type pattern struct {
	end   *regexp.Regexp
	value float64
}

// maxPatterns bounds the expressions, each of which is tried on each module.
const maxPatterns = 1 << 12

// parsePatterns reads an object of expressions and numbers, in its order.
func parsePatterns(key string, data []byte) (p patterns, err error) {
	if len(data) == 0 || string(data) == "null" {
		return nil, nil
	}
	fail := func(err error) (patterns, error) { return nil, fmt.Errorf("%s: %w: %w", key, ErrFormat, err) }
	d := json.NewDecoder(bytes.NewReader(data))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return fail(errors.New("want an object"))
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return fail(err)
		}
		var value float64
		if err := d.Decode(&value); err != nil {
			return fail(err)
		}
		end, err := regexp.Compile(`^(?:.*\.)?(?:` + name.(string) + `)$`)
		if err != nil {
			return fail(err)
		}
		if p = append(p, pattern{end, value}); len(p) > maxPatterns {
			return fail(fmt.Errorf("over %d patterns", maxPatterns))
		}
	}
	return p, nil
}

func (p patterns) of(module string, otherwise float64) float64 {
	for _, x := range p {
		if x.end.MatchString(module) {
			return x.value
		}
	}
	return otherwise
}
