package model_test

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/engine/gguf"
	"github.com/realm-webgpu/realm/engine/model"
)

// TestBroken: a file that no model can be made of is refused with an error that
// names what is wrong, and nothing stays on the device.
func TestBroken(t *testing.T) {
	set := func(key string, v gguf.Value) func(*draft) {
		return func(d *draft) { d.meta.Set(key, v) }
	}
	remove := func(key string) func(*draft) { return func(d *draft) { d.meta.Delete(key) } }
	u32, f32 := gguf.Scalar[uint32], gguf.Scalar[float32]
	for _, c := range []struct {
		name     string
		change   func(d *draft)
		context  int
		sentinel error
		text     string
	}{
		// Metadata that is missing or of another type.
		{name: "no architecture", change: remove("general.architecture"), sentinel: model.ErrMetadata, text: "general.architecture"},
		{name: "architecture is a number", change: set("general.architecture", u32(1)), sentinel: model.ErrMetadata, text: "general.architecture"},
		{name: "unknown architecture", change: set("general.architecture", gguf.Scalar("mamba")), sentinel: model.ErrArchitecture, text: `"mamba"`},
		{name: "keys of another architecture", change: set("general.architecture", gguf.Scalar("qwen2")), sentinel: model.ErrMetadata, text: "qwen2.context_length"},
		{name: "no epsilon", change: remove("llama.attention.layer_norm_rms_epsilon"), sentinel: model.ErrMetadata, text: "layer_norm_rms_epsilon"},
		{name: "no blocks said", change: remove("llama.block_count"), sentinel: model.ErrMetadata, text: "llama.block_count"},
		{name: "blocks in words", change: set("llama.block_count", gguf.Scalar("two")), sentinel: model.ErrMetadata, text: "llama.block_count"},
		{name: "heads of three layers", change: set("llama.attention.head_count", gguf.Array([]uint32{4, 4, 4})), sentinel: model.ErrMetadata, text: "llama.attention.head_count"},
		{name: "no heads of keys in a layer", change: set("llama.attention.head_count_kv", gguf.Array([]uint32{2, 0})), sentinel: model.ErrMetadata, text: "llama.attention.head_count_kv"},
		{name: "lengths in words", change: set("llama.feed_forward_length", gguf.Array([]string{"256", "256"})), sentinel: model.ErrMetadata, text: "llama.feed_forward_length"},
		{name: "causal is a number", change: set("llama.attention.causal", u32(0)), sentinel: model.ErrMetadata, text: "llama.attention.causal"},
		{name: "experts, but not how many are used", change: set("llama.expert_count", u32(8)), sentinel: model.ErrMetadata, text: "llama.expert_used_count"},
		{name: "scaling is a number", change: set("llama.rope.scaling.type", u32(1)), sentinel: model.ErrMetadata, text: "rope.scaling.type"},

		// Metadata that is out of range.
		{name: "no layers", change: set("llama.block_count", u32(0)), sentinel: model.ErrMetadata, text: "llama.block_count"},
		{name: "2^31 layers", change: set("llama.block_count", u32(1<<31)), sentinel: model.ErrMetadata, text: "llama.block_count"},
		{name: "2^64-1 layers", change: set("llama.block_count", gguf.Scalar[uint64](math.MaxUint64)), sentinel: model.ErrMetadata, text: "llama.block_count"},
		{name: "-1 layers", change: set("llama.block_count", gguf.Scalar[int32](-1)), sentinel: model.ErrMetadata, text: "llama.block_count"},
		{name: "2^31 experts", change: set("llama.expert_count", u32(1<<31)), sentinel: model.ErrMetadata, text: "llama.expert_count"},
		{name: "more experts used than there are", change: func(d *draft) {
			d.meta.Set("llama.expert_count", u32(2))
			d.meta.Set("llama.expert_used_count", u32(3))
		}, sentinel: model.ErrMetadata, text: "llama.expert_used_count"},
		{name: "pooling of another kind", change: set("llama.pooling_type", u32(5)), sentinel: model.ErrMetadata, text: "llama.pooling_type"},
		{name: "no context", change: set("llama.context_length", u32(0)), sentinel: model.ErrMetadata, text: "llama.context_length"},
		{name: "2^32-1 tokens of context", change: set("llama.context_length", u32(math.MaxUint32)), sentinel: model.ErrMetadata, text: "llama.context_length"},
		{name: "no embedding", change: set("llama.embedding_length", u32(0)), sentinel: model.ErrMetadata, text: "llama.embedding_length"},
		{name: "embedding of 2^31", change: set("llama.embedding_length", u32(1<<31)), sentinel: model.ErrMetadata, text: "llama.embedding_length"},
		{name: "odd feed-forward", change: set("llama.feed_forward_length", u32(255)), sentinel: model.ErrUnsupported, text: "llama.feed_forward_length"},
		{name: "no heads", change: set("llama.attention.head_count", u32(0)), sentinel: model.ErrMetadata, text: "llama.attention.head_count"},
		{name: "no heads of keys", change: set("llama.attention.head_count_kv", u32(0)), sentinel: model.ErrMetadata, text: "head_count_kv"},
		{name: "head length 0", change: set("llama.attention.key_length", u32(0)), sentinel: model.ErrMetadata, text: "llama.attention.key_length"},
		{name: "heads too wide together", change: func(d *draft) {
			d.meta.Set("llama.attention.head_count", u32(4096))
			d.meta.Set("llama.attention.key_length", u32(4096))
			d.meta.Set("llama.attention.value_length", u32(4096))
		}, sentinel: model.ErrMetadata, text: "llama.attention.head_count"},
		{name: "epsilon 0", change: set("llama.attention.layer_norm_rms_epsilon", f32(0)), sentinel: model.ErrMetadata, text: "epsilon"},
		{name: "epsilon NaN", change: set("llama.attention.layer_norm_rms_epsilon", f32(float32(math.NaN()))), sentinel: model.ErrMetadata, text: "epsilon"},
		{name: "rope base 0", change: set("llama.rope.freq_base", f32(0)), sentinel: model.ErrMetadata, text: "llama.rope.freq_base"},
		{name: "rope base infinite", change: set("llama.rope.freq_base", f32(float32(math.Inf(1)))), sentinel: model.ErrMetadata, text: "llama.rope.freq_base"},
		{name: "rope factor -1", change: set("llama.rope.scaling.factor", f32(-1)), sentinel: model.ErrMetadata, text: "rope.scaling.factor"},
		{name: "no rope dimensions", change: set("llama.rope.dimension_count", u32(0)), sentinel: model.ErrMetadata, text: "rope.dimension_count"},
		{name: "rope over the head", change: set("llama.rope.dimension_count", u32(64)), sentinel: model.ErrMetadata, text: "rope.dimension_count"},
		{name: "odd rope", change: set("llama.rope.dimension_count", u32(31)), sentinel: model.ErrMetadata, text: "rope.dimension_count"},

		// Metadata that contradicts itself or the tensors.
		{name: "heads do not share the embedding", change: set("llama.attention.head_count", u32(6)), sentinel: model.ErrMetadata, text: "llama.attention.head_count"},
		{name: "heads of keys do not divide heads", change: set("llama.attention.head_count_kv", u32(3)), sentinel: model.ErrMetadata, text: "head_count_kv"},
		{name: "experts without tensors", change: func(d *draft) {
			d.meta.Set("llama.expert_count", u32(4))
			d.meta.Set("llama.expert_used_count", u32(2))
		}, sentinel: model.ErrTensor, text: `"blk.0.ffn_gate_inp.weight"`},
		{name: "other heads", change: set("llama.attention.head_count_kv", u32(4)), sentinel: model.ErrTensor, text: `"blk.0.attn_k.weight"`},
		{name: "more layers than tensors", change: set("llama.block_count", u32(3)), sentinel: model.ErrTensor, text: `"blk.2.attn_norm.weight"`},
		{name: "fewer layers than tensors", change: set("llama.block_count", u32(1)), sentinel: model.ErrTensor, text: `"blk.1.`},
		{name: "another embedding", change: set("llama.embedding_length", u32(256)), sentinel: model.ErrTensor, text: `"token_embd.weight"`},
		{name: "tokens without a row", change: set("tokenizer.ggml.tokens", gguf.Array(make([]string, 513))), sentinel: model.ErrMetadata, text: "tokenizer.ggml.tokens"},
		{name: "yarn upside down", change: set("llama.rope.scaling.yarn_beta_slow", f32(64)), sentinel: model.ErrMetadata, text: "yarn_beta_fast"},

		// What is well said, and not computed.
		{name: "values of another length", change: set("llama.attention.value_length", u32(64)), sentinel: model.ErrUnsupported, text: "value_length"},
		{name: "heads of 2", change: set("llama.attention.head_count", u32(64)), sentinel: model.ErrUnsupported, text: "key_length"},
		{name: "heads that differ by layer", change: set("llama.attention.head_count_kv", gguf.Array([]int64{2, 4})), sentinel: model.ErrUnsupported, text: "llama.attention.head_count_kv"},
		{name: "heads of another length where layers slide", change: set("llama.attention.key_length_swa", u32(64)), sentinel: model.ErrUnsupported, text: "key_length_swa"},
		{name: "other rope dimensions where layers slide", change: set("llama.rope.dimension_count_swa", u32(16)), sentinel: model.ErrUnsupported, text: "dimension_count_swa"},
		{name: "17 experts used", change: func(d *draft) {
			d.meta.Set("llama.expert_count", u32(32))
			d.meta.Set("llama.expert_used_count", u32(17))
		}, sentinel: model.ErrUnsupported, text: "llama.expert_used_count"},
		{name: "experts chosen by a sigmoid", change: set("llama.expert_gating_func", u32(2)), sentinel: model.ErrUnsupported, text: "llama.expert_gating_func"},
		{name: "expert weights of any sum", change: set("llama.expert_weights_norm", gguf.Scalar(false)), sentinel: model.ErrUnsupported, text: "llama.expert_weights_norm"},
		{name: "groups of experts", change: set("llama.expert_group_count", u32(4)), sentinel: model.ErrUnsupported, text: "llama.expert_group_count"},
		{name: "rank", change: set("llama.pooling_type", u32(4)), sentinel: model.ErrUnsupported, text: "llama.pooling_type"},
		{name: "half of yarn", change: func(d *draft) {
			d.meta.Set("llama.rope.scaling.type", gguf.Scalar("yarn"))
			d.meta.Set("llama.rope.scaling.yarn_ext_factor", f32(0.5))
		}, sentinel: model.ErrUnsupported, text: "yarn_ext_factor"},
		{name: "yarn of another name", change: set("llama.rope.scaling.yarn_ext_factor", f32(1)), sentinel: model.ErrUnsupported, text: "yarn_ext_factor"},
		{name: "not causal", change: set("llama.attention.causal", gguf.Scalar(false)), sentinel: model.ErrUnsupported, text: "llama.attention.causal"},
		{name: "another scaling", change: set("llama.rope.scaling.type", gguf.Scalar("su")), sentinel: model.ErrUnsupported, text: "rope.scaling.type"},

		// Tensors.
		{name: "no embedding tensor", change: func(d *draft) { d.drop("token_embd.weight") }, sentinel: model.ErrTensor, text: `"token_embd.weight"`},
		{name: "no output norm", change: func(d *draft) { d.drop("output_norm.weight") }, sentinel: model.ErrTensor, text: `"output_norm.weight"`},
		{name: "no value", change: func(d *draft) { d.drop("blk.1.attn_v.weight") }, sentinel: model.ErrTensor, text: `"blk.1.attn_v.weight"`},
		{name: "no gate", change: func(d *draft) { d.drop("blk.1.ffn_gate.weight") }, sentinel: model.ErrTensor, text: `"blk.1.ffn_gate.weight"`},
		{name: "transposed", change: func(d *draft) { d.reshape("blk.0.ffn_down.weight", 128, 256) }, sentinel: model.ErrTensor, text: "want [256 128], got [128 256]"},
		{name: "transposed embedding", change: func(d *draft) { d.reshape("token_embd.weight", 512, 128) }, sentinel: model.ErrTensor, text: `"token_embd.weight"`},
		{name: "a dimension too many", change: func(d *draft) { d.reshape("blk.0.attn_q.weight", 128, 128, 1) }, sentinel: model.ErrTensor, text: "want [128 128], got [128 128 1]"},
		{name: "a norm of two dimensions", change: func(d *draft) { d.reshape("blk.0.attn_norm.weight", 128, 1) }, sentinel: model.ErrTensor, text: `"blk.0.attn_norm.weight"`},
		{name: "a bias of another length", change: func(d *draft) { d.add("blk.0.attn_q.bias", make([]float32, 64), 64) }, sentinel: model.ErrTensor, text: `"blk.0.attn_q.bias"`},
		{name: "a tensor of another architecture", change: func(d *draft) { d.add("blk.0.attn_q_norm.weight", make([]float32, 32), 32) }, sentinel: model.ErrTensor, text: `"blk.0.attn_q_norm.weight"`},
		{name: "a type of another program", change: func(d *draft) {
			f := *format(d.t, "F32")
			f.ID = 20
			d.tensor("blk.1.ffn_up.weight").Format = &f
		}, sentinel: model.ErrUnsupported, text: "IQ4_NL"},
		{name: "rope factors of another length", change: func(d *draft) { d.add("rope_freqs.weight", make([]float32, 8), 8) }, sentinel: model.ErrTensor, text: "want [16], got [8]"},
		{name: "rope factor 0", change: func(d *draft) { d.add("rope_freqs.weight", make([]float32, 16), 16) }, sentinel: model.ErrTensor, text: "factor 0 is 0"},
		{name: "only short rope factors", change: func(d *draft) { d.add("rope_factors_short.weight", make([]float32, 16), 16) }, sentinel: model.ErrTensor, text: "rope_factors_long.weight"},

		// Contexts.
		{name: "more context than there is", context: 2049, sentinel: model.ErrContext, text: "2049"},
		{name: "less than no context", context: -1, sentinel: model.ErrContext, text: "-1"},
		{name: "a rope table of 2 GiB", change: set("llama.context_length", u32(1<<24)), sentinel: model.ErrContext, text: "rope table"},
		{name: "a rope table over the budget", change: set("llama.context_length", u32(1<<17)), sentinel: device.ErrMemory, text: "rope table"},
		{name: "weights over the budget", change: func(d *draft) {
			d.meta.Delete("tokenizer.ggml.tokens")
			d.reshape("token_embd.weight", 128, 1<<13)
			d.reshape("output.weight", 128, 1<<13)
		}, sentinel: device.ErrMemory, text: "output.weight"},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := newDraft(t, llamaFile)
			if c.change != nil {
				c.change(file)
			}
			d := openCPU(t, 8<<20)
			m, err := model.Load(context.Background(), file.file(), d, model.Options{Context: c.context})
			if m != nil || !errors.Is(err, c.sentinel) {
				t.Fatalf("error %v, want %v", err, c.sentinel)
			}
			if !strings.HasPrefix(err.Error(), "model: load: ") || !strings.Contains(err.Error(), c.text) {
				t.Errorf("error %q does not say %q", err, c.text)
			}
			if n := d.Memory().Total(); n != 0 {
				t.Errorf("%d bytes are left on the device", n)
			}
		})
	}
}
