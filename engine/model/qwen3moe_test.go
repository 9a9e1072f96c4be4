package model_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/engine/gguf"
	"github.com/realm-webgpu/realm/engine/model"
	"github.com/realm-webgpu/realm/shaders/quant"
)

// mixture is the sizes of a small qwen3moe.
type mixture struct {
	layers, embedding, heads, headsKV, dim, feedForward, experts, used, vocabulary int
}

func (m mixture) file(t *testing.T) *draft {
	n := func(v int) gguf.Value { return gguf.Scalar(uint32(v)) }
	e, q, k, f := m.embedding, m.heads*m.dim, m.headsKV*m.dim, m.feedForward
	return randomModel(t, "qwen3moe", map[string]gguf.Value{
		"context_length": n(64), "embedding_length": n(e), "block_count": n(m.layers), "feed_forward_length": n(4 * f),
		"expert_feed_forward_length": n(f), "expert_count": n(m.experts), "expert_used_count": n(m.used),
		"attention.head_count": n(m.heads), "attention.head_count_kv": n(m.headsKV), "attention.key_length": n(m.dim), "attention.value_length": n(m.dim),
		"attention.layer_norm_rms_epsilon": gguf.Scalar[float32](1e-6), "rope.freq_base": gguf.Scalar[float32](1e6),
	}, append([]shape{{"token_embd.weight", []int{e, m.vocabulary}}, {"output_norm.weight", []int{e}}, {"output.weight", []int{e, m.vocabulary}}}, layered(m.layers,
		shape{"blk.*.attn_norm.weight", []int{e}}, shape{"blk.*.ffn_norm.weight", []int{e}},
		shape{"blk.*.attn_q.weight", []int{e, q}}, shape{"blk.*.attn_k.weight", []int{e, k}}, shape{"blk.*.attn_v.weight", []int{e, k}},
		shape{"blk.*.attn_q_norm.weight", []int{m.dim}}, shape{"blk.*.attn_k_norm.weight", []int{m.dim}},
		shape{"blk.*.attn_output.weight", []int{q, e}}, shape{"blk.*.ffn_gate_inp.weight", []int{e, m.experts}},
		shape{"blk.*.ffn_gate_exps.weight", []int{e, f, m.experts}}, shape{"blk.*.ffn_up_exps.weight", []int{e, f, m.experts}},
		shape{"blk.*.ffn_down_exps.weight", []int{f, e, m.experts}},
	)...))
}

// reference returns the logits of every token (Yang et al. 2025,
// https://arxiv.org/abs/2505.09388): probabilities are of all experts, and those of
// the chosen are made to sum to one.
func (m mixture) reference(w weights, tokens []int32) (logits [][]float64) {
	const epsilon = 1e-6
	x := make([][]float64, len(tokens))
	for t, id := range tokens {
		x[t] = w["token_embd.weight"][id]
	}
	for layer := range m.layers {
		block := fmt.Sprintf("blk.%d.", layer)
		normed := func(name string, x []float64, t int) [][]float64 {
			all := heads(w.times(block+name, x), m.dim)
			for h := range all {
				all[h] = w.rmsNorm(block+name+"_norm", all[h], epsilon)
				rotate(all[h], t, true, powers(1e6, m.dim))
			}
			return all
		}
		var q, k, v [][][]float64
		for t := range x {
			h := w.rmsNorm(block+"attn_norm", x[t], epsilon)
			q, k = append(q, normed("attn_q", h, t)), append(k, normed("attn_k", h, t))
			v = append(v, heads(w.times(block+"attn_v", h), m.dim))
		}
		for t := range x {
			attended := attend(t, q, k, v, func(s float64) float64 { return s / math.Sqrt(float64(m.dim)) }, causal)
			x[t] = sum(x[t], w.times(block+"attn_output", attended))
			x[t] = sum(x[t], m.mix(w, block, w.rmsNorm(block+"ffn_norm", x[t], epsilon)))
		}
	}
	for t := range x {
		logits = append(logits, w.times("output", w.rmsNorm("output_norm", x[t], epsilon)))
	}
	return logits
}

func (m mixture) mix(w weights, block string, x []float64) []float64 {
	probability := softmax(w.times(block+"ffn_gate_inp", x))
	chosen := make([]int, m.experts)
	for e := range chosen {
		chosen[e] = e
	}
	slices.SortFunc(chosen, func(a, b int) int {
		if probability[a] > probability[b] {
			return -1
		}
		return 1
	})
	total, out := 0.0, make([]float64, m.embedding)
	for _, e := range chosen[:m.used] {
		total += probability[e]
	}
	for _, e := range chosen[:m.used] {
		rows := func(name string, n int) [][]float64 { return w[block+name+".weight"][e*n : (e+1)*n] }
		h := times(each(product(rows("ffn_gate_exps", m.feedForward), x), silu), product(rows("ffn_up_exps", m.feedForward), x))
		out = sum(out, scaled(product(rows("ffn_down_exps", m.embedding), h), probability[e]/total))
	}
	return out
}

// TestQwen3MoE compares random mixtures with the reference: few experts and many,
// as many as there are, numbers that are no multiple of four.
func TestQwen3MoE(t *testing.T) {
	onDevices(t, func(t *testing.T, d bench) {
		for _, c := range []struct{ experts, used int }{{8, 2}, {32, 16}, {6, 5}, {3, 3}, {1, 1}} {
			t.Run(fmt.Sprintf("%d of %d", c.used, c.experts), func(t *testing.T) {
				m := mixture{layers: 2, embedding: 64, heads: 4, headsKV: 2, dim: 24, feedForward: 48, experts: c.experts, used: c.used, vocabulary: 80}
				file, tokens := m.file(t), someTokens(37, 80)
				sameAs(t, d, file.file(), tokens, false, m.reference(file.weights(), tokens))
			})
		}
	})
}

// TestEveryFormat: each tensor of a file has a format of its own, and, file by file,
// every format. Blocks of 256 elements fill the rows.
func TestEveryFormat(t *testing.T) {
	m := mixture{layers: 1, embedding: 256, heads: 2, headsKV: 1, dim: 256, feedForward: 256, experts: 3, used: 2, vocabulary: 32}
	onDevices(t, func(t *testing.T, d bench) {
		formats := quant.All()
		tokens := someTokens(10, 32)
		for first, f := range formats {
			t.Run("from "+f.Name, func(t *testing.T) {
				file := m.file(t)
				if len(file.tensors) < len(formats) {
					t.Fatalf("%d tensors do not show %d formats", len(file.tensors), len(formats))
				}
				for i, tensor := range file.tensors {
					file.convert(tensor.Name, formats[(first+i)%len(formats)].Name)
				}
				sameAs(t, d, file.file(), tokens, false, m.reference(file.weights(), tokens))
			})
		}
	})
}

// TestSplitExperts: a tensor for each expert is the same as one for all.
func TestSplitExperts(t *testing.T) {
	m := mixture{layers: 2, embedding: 64, heads: 4, headsKV: 2, dim: 16, feedForward: 32, experts: 5, used: 2, vocabulary: 80}
	split := func() *draft {
		file := m.file(t)
		for _, o := range slices.Clone(file.tensors) {
			if len(o.Dims) != 3 {
				continue
			}
			base, values := o.Name[:len(o.Name)-len("_exps.weight")], file.values(o.Name)
			file.drop(o.Name)
			for e, part := range slices.Collect(slices.Chunk(values, o.Dims[0]*o.Dims[1])) {
				file.add(fmt.Sprintf("%s.%d.weight", base, e), part, o.Dims[0], o.Dims[1])
			}
		}
		return file
	}
	whole, d, tokens := m.file(t), openCPU(t, 0), someTokens(20, 80)
	want := newSession(t, d, load(t, whole.file(), d, model.Options{}), device.CacheF32).read(32, tokens)
	got := newSession(t, d, load(t, split().file(), d, model.Options{}), device.CacheF32).read(32, tokens)
	sameLogits(t, "split", got, want)

	for _, c := range []struct {
		name     string
		change   func(d *draft)
		sentinel error
	}{
		{"one is missing", func(d *draft) { d.drop("blk.1.ffn_up.3.weight") }, model.ErrTensor},
		{"one has another format", func(d *draft) { d.convert("blk.1.ffn_up.3.weight", "Q8_0") }, model.ErrUnsupported},
		{"one has another shape", func(d *draft) { d.reshape("blk.1.ffn_up.3.weight", 32, 64) }, model.ErrTensor},
		{"one too many", func(d *draft) { d.add("blk.1.ffn_up.5.weight", make([]float32, 64*32), 64, 32) }, model.ErrTensor},
		{"all together as well", func(d *draft) { d.add("blk.1.ffn_up_exps.weight", make([]float32, 64*32*5), 64, 32, 5) }, model.ErrTensor},
	} {
		file, empty := split(), openCPU(t, 0)
		c.change(file)
		if _, err := model.Load(context.Background(), file.file(), empty, model.Options{}); !errors.Is(err, c.sentinel) {
			t.Errorf("%s: error %v, want %v", c.name, err, c.sentinel)
		}
		if n := empty.Memory().Total(); n != 0 {
			t.Errorf("%s: %d bytes are left on the device", c.name, n)
		}
	}
}
