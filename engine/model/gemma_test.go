package model_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/realm-webgpu/realm/engine/gguf"
)

// gemmaReference returns the logits of every token (Gemma,
// https://arxiv.org/abs/2403.08295), with one head of keys and values, as in the
// smaller model. Norms are those of the file, to which the converter has added 1.
func gemmaReference(w weights, tokens []int32) (logits [][]float64) {
	const layers, embedding, dim, epsilon = 2, 60, 32, 1e-6
	x := make([][]float64, len(tokens))
	for t, id := range tokens {
		x[t] = scaled(w["token_embd.weight"][id], math.Sqrt(embedding))
	}
	for layer := range layers {
		block := fmt.Sprintf("blk.%d.", layer)
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
			attended := attend(t, q, k, v, func(s float64) float64 { return s / math.Sqrt(dim) },
				func(row, other int) bool { return other <= row })
			x[t] = sum(x[t], w.times(block+"attn_output", attended))
			h := w.rmsNorm(block+"ffn_norm", x[t], epsilon)
			h = times(each(w.times(block+"ffn_gate", h), geluTanh), w.times(block+"ffn_up", h))
			x[t] = sum(x[t], w.times(block+"ffn_down", h))
		}
	}
	for t := range x {
		logits = append(logits, w.times("token_embd", w.rmsNorm("output_norm", x[t], epsilon)))
	}
	return logits
}

// TestGemma compares a random model, whose heads together are wider than its
// embedding, with the reference.
func TestGemma(t *testing.T) {
	onDevices(t, func(t *testing.T, d bench) {
		file := randomModel(t, "gemma", map[string]gguf.Value{
			"context_length": gguf.Scalar[uint32](64), "embedding_length": gguf.Scalar[uint32](60), "block_count": gguf.Scalar[uint32](2),
			"feed_forward_length": gguf.Scalar[uint32](100), "attention.head_count": gguf.Scalar[uint32](3), "attention.head_count_kv": gguf.Scalar[uint32](1),
			"attention.key_length": gguf.Scalar[uint32](32), "attention.value_length": gguf.Scalar[uint32](32),
			"attention.layer_norm_rms_epsilon": gguf.Scalar[float32](1e-6),
		}, append([]shape{{"token_embd.weight", []int{60, 83}}, {"output_norm.weight", []int{60}}}, layered(2,
			shape{"blk.*.attn_norm.weight", []int{60}}, shape{"blk.*.ffn_norm.weight", []int{60}},
			shape{"blk.*.attn_q.weight", []int{60, 96}}, shape{"blk.*.attn_k.weight", []int{60, 32}}, shape{"blk.*.attn_v.weight", []int{60, 32}},
			shape{"blk.*.attn_output.weight", []int{96, 60}},
			shape{"blk.*.ffn_gate.weight", []int{60, 100}}, shape{"blk.*.ffn_up.weight", []int{60, 100}}, shape{"blk.*.ffn_down.weight", []int{100, 60}},
		)...))
		tokens := someTokens(40, 83)
		sameAs(t, d, file.file(), tokens, false, gemmaReference(file.weights(), tokens))
	})
}
