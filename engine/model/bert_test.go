package model_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"testing"

	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/engine/gguf"
	"github.com/realm-webgpu/realm/engine/model"
)

// bertReference returns the hidden states of every token (Devlin et al. 2018,
// https://arxiv.org/abs/1810.06405), all of them of the first type.
func bertReference(w weights, tokens []int32) [][]float64 {
	const layers, dim, epsilon = 2, 16, 1e-12
	x := make([][]float64, len(tokens))
	for t, id := range tokens {
		embedding := sum(sum(w["token_embd.weight"][id], w["position_embd.weight"][t]), w["token_types.weight"][0])
		x[t] = w.layerNorm("token_embd_norm", embedding, epsilon)
	}
	for layer := range layers {
		block := fmt.Sprintf("blk.%d.", layer)
		var q, k, v [][][]float64
		for t := range x {
			q = append(q, heads(w.times(block+"attn_q", x[t]), dim))
			k = append(k, heads(w.times(block+"attn_k", x[t]), dim))
			v = append(v, heads(w.times(block+"attn_v", x[t]), dim))
		}
		for t := range x {
			attended := attend(t, q, k, v, func(s float64) float64 { return s / math.Sqrt(dim) }, func(int, int) bool { return true })
			x[t] = w.layerNorm(block+"attn_output_norm", sum(x[t], w.times(block+"attn_output", attended)), epsilon)
			h := each(w.times(block+"ffn_up", x[t]), gelu)
			x[t] = w.layerNorm(block+"layer_output_norm", sum(x[t], w.times(block+"ffn_down", h)), epsilon)
		}
	}
	return x
}

// smallBERT is two layers of 4 heads of 16, for 50 positions.
func smallBERT(t *testing.T) *draft {
	return randomModel(t, "bert", map[string]gguf.Value{
		"context_length": gguf.Scalar[uint32](50), "embedding_length": gguf.Scalar[uint32](64), "block_count": gguf.Scalar[uint32](2),
		"feed_forward_length": gguf.Scalar[uint32](96), "attention.head_count": gguf.Scalar[uint32](4),
		"attention.layer_norm_epsilon": gguf.Scalar[float32](1e-12), "attention.causal": gguf.Scalar(false), "pooling_type": gguf.Scalar[uint32](1),
	}, append([]shape{
		{"token_embd.weight", []int{64, 80}}, {"position_embd.weight", []int{64, 50}}, {"token_types.weight", []int{64, 2}},
		{"token_embd_norm.weight", []int{64}}, {"token_embd_norm.bias", []int{64}},
	}, layered(2,
		shape{"blk.*.attn_q.weight", []int{64, 64}}, shape{"blk.*.attn_k.weight", []int{64, 64}}, shape{"blk.*.attn_v.weight", []int{64, 64}},
		shape{"blk.*.attn_q.bias", []int{64}}, shape{"blk.*.attn_k.bias", []int{64}}, shape{"blk.*.attn_v.bias", []int{64}},
		shape{"blk.*.attn_output.weight", []int{64, 64}}, shape{"blk.*.attn_output.bias", []int{64}},
		shape{"blk.*.attn_output_norm.weight", []int{64}}, shape{"blk.*.attn_output_norm.bias", []int{64}},
		shape{"blk.*.ffn_up.weight", []int{64, 96}}, shape{"blk.*.ffn_up.bias", []int{96}},
		shape{"blk.*.ffn_down.weight", []int{96, 64}}, shape{"blk.*.ffn_down.bias", []int{64}},
		shape{"blk.*.layer_output_norm.weight", []int{64}}, shape{"blk.*.layer_output_norm.bias", []int{64}},
	)...))
}

// TestBERT compares the hidden states of all tokens with the reference.
func TestBERT(t *testing.T) {
	onDevices(t, func(t *testing.T, d bench) {
		file := smallBERT(t)
		tokens := someTokens(37, 80)
		sameAs(t, d, file.file(), tokens, false, bertReference(file.weights(), tokens))
	})
}

// TestBERTPositions: the tables may have other formats, and the types may be missing.
func TestBERTPositions(t *testing.T) {
	tokens := someTokens(20, 80)
	file := smallBERT(t)
	file.convert("position_embd.weight", "Q8_0")
	file.convert("token_types.weight", "F16")
	sameAs(t, openCPU(t, 0), file.file(), tokens, false, bertReference(file.weights(), tokens))

	file.drop("token_types.weight")
	w := file.weights()
	w["token_types.weight"] = [][]float64{make([]float64, 64)}
	sameAs(t, openCPU(t, 0), file.file(), tokens, false, bertReference(w, tokens))
}

// TestBERTLoad: all bytes of a file are reported, the plan says what is taken, and
// a file without one of its tensors is refused.
func TestBERTLoad(t *testing.T) {
	f, d := smallBERT(t).file(), openCPU(t, 0)
	var last int64
	m := load(t, f, d, model.Options{Context: 20, Progress: func(done, _ int64) { last = done }})
	plan, err := model.PlanOn(d.Device, f, 20, device.CacheF32)
	if err != nil {
		t.Fatal(err)
	}
	want := int64(0)
	for _, x := range f.Tensors {
		want += x.Size
	}
	if last != want || plan.File != want {
		t.Errorf("%d bytes are reported, the plan says %d, the file has %d", last, plan.File, want)
	}
	if got := d.Memory().Used[device.KindWeights]; got != plan.Weights {
		t.Errorf("weights take %d bytes, the plan says %d", got, plan.Weights)
	}
	if c := m.Config(); !c.Encoder || !c.Bidirectional || c.Pooling != model.PoolingMean || c.Pooling.String() != "mean" {
		t.Errorf("not an encoder whose states are averaged: %+v", c)
	}
	for _, x := range f.Tensors {
		if x.Name == "token_types.weight" || len(x.Dims) == 1 && x.Name[len(x.Name)-len(".bias"):] == ".bias" {
			continue // these may be missing, but for the biases of norms, below
		}
		file := smallBERT(t)
		file.drop(x.Name)
		if _, err := model.Load(context.Background(), file.file(), d, model.Options{}); !errors.Is(err, model.ErrTensor) {
			t.Errorf("without %s: %v", x.Name, err)
		}
	}
	for _, name := range []string{"token_embd_norm.bias", "blk.1.attn_output_norm.bias", "blk.1.layer_output_norm.bias"} {
		file := smallBERT(t)
		file.drop(name)
		if _, err := model.Load(context.Background(), file.file(), d, model.Options{}); !errors.Is(err, model.ErrTensor) {
			t.Errorf("without %s: %v", name, err)
		}
	}
}
