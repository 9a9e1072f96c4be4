package lora

import (
	"encoding/json"
	"fmt"
	"math"
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
	TargetModules json.RawMessage `json:"target_modules"`
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

	targets       targets  // of target_modules
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
	var e expressions
	var err error
	if c.targets, err = e.targets(c.TargetModules); err != nil {
		return nil, fmt.Errorf("target_modules: %w", err)
	}
	if c.ranks, err = e.patterns(c.RankPattern); err != nil {
		return nil, fmt.Errorf("rank_pattern: %w", err)
	}
	if c.alphas, err = e.patterns(c.AlphaPattern); err != nil {
		return nil, fmt.Errorf("alpha_pattern: %w", err)
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
	if !c.targets.has(module) {
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
