package model_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/realm-webgpu/realm/engine/gguf"
)

// gemma2Reference returns the logits of every token (Gemma 2,
// https://arxiv.org/abs/2408.00118): layers 0, 2 and so on see the last 7 tokens.
// Norms are those of the file, to which the converter has added 1.
func gemma2Reference(w weights, tokens []int32) (logits [][]float64) {
	const layers, embedding, dim, window, epsilon, scoreCap, logitCap = 3, 64, 24, 7, 1e-6, 5, 3
	x := make([][]float64, len(tokens))
	for t, id := range tokens {
		x[t] = scaled(w["token_embd.weight"][id], math.Sqrt(embedding))
	}
	for layer := range layers {
		block := fmt.Sprintf("blk.%d.", layer)
		sees := func(row, other int) bool { return other <= row && (layer%2 == 1 || other > row-window) }
		var q, k, v [][][]float64
		for t := range x {
			h := w.rmsNorm(block+"attn_norm", x[t], epsilon)
			q = append(q, heads(w.times(block+"attn_q", h), dim))
			k = append(k, heads(w.times(block+"attn_k", h), dim))
			v = append(v, heads(w.times(block+"attn_v", h), dim))
			for _, head := range append(q[t], k[t]...) {
				rotate(head, t, true, powers(10000, dim))
			}
		}
		for t := range x {
			attended := attend(t, q, k, v, func(s float64) float64 { return capped(scoreCap)(s / math.Sqrt(dim)) }, sees)
			x[t] = sum(x[t], w.rmsNorm(block+"post_attention_norm", w.times(block+"attn_output", attended), epsilon))
			h := w.rmsNorm(block+"ffn_norm", x[t], epsilon)
			h = times(each(w.times(block+"ffn_gate", h), geluTanh), w.times(block+"ffn_up", h))
			x[t] = sum(x[t], w.rmsNorm(block+"post_ffw_norm", w.times(block+"ffn_down", h), epsilon))
		}
	}
	for t := range x {
		out := w.times("token_embd", w.rmsNorm("output_norm", x[t], epsilon))
		logits = append(logits, each(out, capped(logitCap)))
	}
	return logits
}

// TestGemma2 compares a random model whose caps bite with the reference.
func TestGemma2(t *testing.T) {
	onDevices(t, func(t *testing.T, d bench) {
		file := randomModel(t, "gemma2", map[string]gguf.Value{
			"context_length": gguf.Scalar[uint32](64), "embedding_length": gguf.Scalar[uint32](64), "block_count": gguf.Scalar[uint32](3),
			"feed_forward_length": gguf.Scalar[uint32](96), "attention.head_count": gguf.Scalar[uint32](4), "attention.head_count_kv": gguf.Scalar[uint32](2),
			"attention.key_length": gguf.Scalar[uint32](24), "attention.value_length": gguf.Scalar[uint32](24),
			"attention.layer_norm_rms_epsilon": gguf.Scalar[float32](1e-6), "attention.sliding_window": gguf.Scalar[uint32](7),
			"attn_logit_softcapping": gguf.Scalar[float32](5), "final_logit_softcapping": gguf.Scalar[float32](3),
		}, append([]shape{{"token_embd.weight", []int{64, 83}}, {"output_norm.weight", []int{64}}}, layered(3,
			shape{"blk.*.attn_norm.weight", []int{64}}, shape{"blk.*.post_attention_norm.weight", []int{64}},
			shape{"blk.*.ffn_norm.weight", []int{64}}, shape{"blk.*.post_ffw_norm.weight", []int{64}},
			shape{"blk.*.attn_q.weight", []int{64, 96}}, shape{"blk.*.attn_k.weight", []int{64, 48}}, shape{"blk.*.attn_v.weight", []int{64, 48}},
			shape{"blk.*.attn_output.weight", []int{96, 64}},
			shape{"blk.*.ffn_gate.weight", []int{64, 96}}, shape{"blk.*.ffn_up.weight", []int{64, 96}}, shape{"blk.*.ffn_down.weight", []int{96, 64}},
		)...))
		tokens := someTokens(40, 83)
		sameAs(t, d, file.file(), tokens, false, gemma2Reference(file.weights(), tokens))
	})
}
