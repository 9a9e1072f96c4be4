package model_test

import (
	"fmt"
	"maps"
	"math"
	"testing"

	"github.com/realm-webgpu/realm/engine/gguf"
)

// smallLlama is two layers of 4 heads of 16, of which pairs share keys.
func smallLlama(t *testing.T, extra map[string]gguf.Value) *draft {
	keys := map[string]gguf.Value{
		"context_length": gguf.Scalar[uint32](64), "embedding_length": gguf.Scalar[uint32](64), "block_count": gguf.Scalar[uint32](2),
		"feed_forward_length": gguf.Scalar[uint32](96), "attention.head_count": gguf.Scalar[uint32](4), "attention.head_count_kv": gguf.Scalar[uint32](2),
		"attention.layer_norm_rms_epsilon": gguf.Scalar[float32](1e-5),
	}
	maps.Copy(keys, extra)
	shapes := []shape{{"token_embd.weight", []int{64, 80}}, {"output_norm.weight", []int{64}}, {"output.weight", []int{64, 80}}}
	return randomModel(t, "llama", keys, append(shapes, layered(2,
		shape{"blk.*.attn_norm.weight", []int{64}}, shape{"blk.*.ffn_norm.weight", []int{64}},
		shape{"blk.*.attn_q.weight", []int{64, 64}}, shape{"blk.*.attn_k.weight", []int{64, 32}}, shape{"blk.*.attn_v.weight", []int{64, 32}},
		shape{"blk.*.attn_output.weight", []int{64, 64}},
		shape{"blk.*.ffn_gate.weight", []int{64, 96}}, shape{"blk.*.ffn_up.weight", []int{64, 96}}, shape{"blk.*.ffn_down.weight", []int{96, 64}},
	)...))
}

// llamaReference returns the hidden states and the logits of every token. Rotated
// heads are multiplied by magnitude.
func llamaReference(w weights, tokens []int32, frequency func(pair int) float64, magnitude float64) (hidden, logits [][]float64) {
	const layers, dim, epsilon = 2, 16, 1e-5
	x := make([][]float64, len(tokens))
	for t, id := range tokens {
		x[t] = w["token_embd.weight"][id]
	}
	for layer := range layers {
		block := fmt.Sprintf("blk.%d.", layer)
		var q, k, v [][][]float64
		for t := range x {
			h := w.rmsNorm(block+"attn_norm", x[t], epsilon)
			q = append(q, heads(scaled(w.times(block+"attn_q", h), magnitude), dim))
			k = append(k, heads(scaled(w.times(block+"attn_k", h), magnitude), dim))
			v = append(v, heads(w.times(block+"attn_v", h), dim))
			for _, head := range append(q[t], k[t]...) {
				rotate(head, t, false, frequency)
			}
		}
		for t := range x {
			attended := attend(t, q, k, v, func(s float64) float64 { return s / math.Sqrt(dim) }, causal)
			x[t] = sum(x[t], w.times(block+"attn_output", attended))
			h := w.rmsNorm(block+"ffn_norm", x[t], epsilon)
			h = times(each(w.times(block+"ffn_gate", h), silu), w.times(block+"ffn_up", h))
			x[t] = sum(x[t], w.times(block+"ffn_down", h))
		}
	}
	for t := range x {
		hidden = append(hidden, w.rmsNorm("output_norm", x[t], epsilon))
		logits = append(logits, w.times("output", hidden[t]))
	}
	return hidden, logits
}

// TestRopeScaling: a llama whose rope is stretched in each of the ways there are.
func TestRopeScaling(t *testing.T) {
	const dim, base, original, factor = 16, 500.0, 32.0, 4.0
	plain := powers(base, dim)
	// YaRN leaves pairs alone that make 8 rotations and more over the original context,
	// and stretches in full those that make less than a half. The bounds are whole
	// pairs, as in the authors' code (https://github.com/jquesnelle/yarn).
	pair := func(rotations float64) float64 {
		return dim * math.Log(original/(rotations*2*math.Pi)) / (2 * math.Log(base))
	}
	low, high := math.Max(math.Floor(pair(8)), 0), math.Min(math.Ceil(pair(0.5)), dim-1)
	yarn := func(i int) float64 {
		stretched := math.Min(math.Max((float64(i)-low)/(high-low), 0), 1)
		return plain(i)*(1-stretched) + plain(i)/factor*stretched
	}
	factors := []float32{1, 1.25, 1.5, 2, 3, 4, 6, 8}
	divided := func(i int) float64 { return plain(i) / float64(factors[i]) }

	number := gguf.Scalar[float32]
	for _, c := range []struct {
		name      string
		keys      map[string]gguf.Value
		factors   string // tensor
		frequency func(int) float64
		magnitude float64
	}{
		{name: "none", frequency: plain, magnitude: 1},
		{
			name: "linear", frequency: func(i int) float64 { return plain(i) / factor }, magnitude: 1,
			keys: map[string]gguf.Value{"rope.scaling.type": gguf.Scalar("linear"), "rope.scaling.factor": number(factor)},
		},
		{
			name: "yarn", frequency: yarn, magnitude: 0.1*math.Log(factor) + 1,
			keys: map[string]gguf.Value{
				"rope.scaling.type": gguf.Scalar("yarn"), "rope.scaling.factor": number(factor),
				"rope.scaling.yarn_beta_fast": number(8), "rope.scaling.yarn_beta_slow": number(0.5),
			},
		},
		{
			name: "yarn with a factor of attention", frequency: yarn, magnitude: 0.75 * (0.1*math.Log(factor) + 1),
			keys: map[string]gguf.Value{
				"rope.scaling.type": gguf.Scalar("yarn"), "rope.scaling.factor": number(factor), "rope.scaling.attn_factor": number(0.75),
				"rope.scaling.yarn_beta_fast": number(8), "rope.scaling.yarn_beta_slow": number(0.5),
			},
		},
		{name: "llama 3", factors: "rope_freqs.weight", frequency: divided, magnitude: 1},
		{
			name: "longrope", factors: "rope_factors_long.weight", frequency: divided, magnitude: 1.19,
			keys: map[string]gguf.Value{"rope.scaling.type": gguf.Scalar("longrope"), "rope.scaling.attn_factor": number(1.19)},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			keys := map[string]gguf.Value{"rope.freq_base": number(base), "rope.scaling.original_context_length": gguf.Scalar[uint32](original)}
			maps.Copy(keys, c.keys)
			file := smallLlama(t, keys)
			tokens := someTokens(40, 80)
			_, want := llamaReference(file.weights(), tokens, c.frequency, c.magnitude)
			if c.factors != "" {
				file.add(c.factors, factors, 8)
			}
			if c.factors == "rope_factors_long.weight" {
				file.add("rope_factors_short.weight", make([]float32, 8), 8)
			}
			sameAs(t, openCPU(t, 0), file.file(), tokens, false, want)
		})
	}
}

// TestHidden: a program that asks for hidden states gives what logits are made of.
func TestHidden(t *testing.T) {
	onDevices(t, func(t *testing.T, d bench) {
		file := smallLlama(t, nil)
		tokens := someTokens(20, 80)
		want, _ := llamaReference(file.weights(), tokens, powers(10000, 16), 1)
		sameAs(t, d, file.file(), tokens, true, want)
	})
}
