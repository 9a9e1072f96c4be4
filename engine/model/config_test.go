package model_test

import (
	"errors"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/engine/gguf"
	"github.com/realm-webgpu/realm/engine/model"
)

// llamaConfig is what testdata/llama.gguf says, most of it by saying nothing.
func llamaConfig() model.Config {
	return model.Config{
		Architecture: "llama", VocabularySize: 512,
		ContextLength: 2048, EmbeddingLength: 128, BlockCount: 2, FeedForwardLength: 256,
		HeadCount: 4, HeadCountKV: 2, HeadDim: 32,
		Epsilon: 1e-5, EmbeddingScale: 1, AttentionScale: float32(1 / math.Sqrt(32)), Pooling: model.PoolingLast,
		Rope: model.Rope{
			Dimensions: 32, Base: 10000, Scaling: "none", Factor: 1,
			OriginalContext: 2048, AttentionFactor: 1, BetaFast: 32, BetaSlow: 1,
		},
	}
}

// bertConfig makes the Config of a llama that of a BERT of the same size.
func bertConfig(c *model.Config) {
	c.Epsilon, c.Activation, c.Rope.Dimensions = 1e-12, device.GELU, 0
	c.LayerNorm, c.NormedStream, c.LearnedPositions, c.Ungated, c.Bidirectional, c.Encoder = true, true, true, true, true, true
}

func TestReadConfig(t *testing.T) {
	for _, c := range []struct {
		name, arch string
		set        map[string]gguf.Value
		want       func(c *model.Config)
	}{
		{name: "llama"},
		{name: "no grouped heads", set: map[string]gguf.Value{"attention.head_count_kv": {}}, want: func(c *model.Config) { c.HeadCountKV = 4 }},
		{
			name: "head length",
			set:  map[string]gguf.Value{"attention.key_length": gguf.Scalar[uint32](64), "attention.value_length": gguf.Scalar[uint32](64)},
			want: func(c *model.Config) { c.HeadDim, c.AttentionScale = 64, 0.125 },
		},
		{
			name: "arrays of one value",
			set: map[string]gguf.Value{
				"attention.head_count": gguf.Array([]uint32{4, 4}), "attention.head_count_kv": gguf.Array([]int32{2, 2}),
				"feed_forward_length": gguf.Array([]uint32{256, 256}),
			},
		},
		{name: "a rope scaling factor that is none", set: map[string]gguf.Value{"rope.scaling.type": gguf.Scalar("linear"), "rope.scaling.factor": gguf.Scalar[float32](0)},
			want: func(c *model.Config) { c.Rope.Scaling = "linear" }},
		{name: "no rope dimensions", set: map[string]gguf.Value{"rope.dimension_count": {}}},
		{name: "some rope dimensions", set: map[string]gguf.Value{"rope.dimension_count": gguf.Scalar[uint32](16)}, want: func(c *model.Config) { c.Rope.Dimensions = 16 }},
		{name: "rope base", set: map[string]gguf.Value{"rope.freq_base": gguf.Scalar[float32](5e5)}, want: func(c *model.Config) { c.Rope.Base = 5e5 }},
		{
			name: "linear rope",
			set:  map[string]gguf.Value{"rope.scaling.type": gguf.Scalar("linear"), "rope.scaling.factor": gguf.Scalar[float32](4)},
			want: func(c *model.Config) { c.Rope.Scaling, c.Rope.Factor = "linear", 4 },
		},
		{
			name: "linear rope of old files",
			set:  map[string]gguf.Value{"rope.scale_linear": gguf.Scalar[float32](2)},
			want: func(c *model.Config) { c.Rope.Scaling, c.Rope.Factor = "linear", 2 },
		},
		{
			name: "no scaling, whatever the factor",
			set:  map[string]gguf.Value{"rope.scaling.type": gguf.Scalar("none"), "rope.scaling.factor": gguf.Scalar[float32](4)},
		},
		{
			name: "yarn",
			set: map[string]gguf.Value{
				"rope.scaling.type": gguf.Scalar("yarn"), "rope.scaling.factor": gguf.Scalar[float32](4),
				"rope.scaling.original_context_length": gguf.Scalar[uint32](512), "rope.scaling.attn_factor": gguf.Scalar[float32](0.5),
				"rope.scaling.yarn_beta_fast": gguf.Scalar[float32](16), "rope.scaling.yarn_beta_slow": gguf.Scalar[float32](2),
			},
			want: func(c *model.Config) {
				c.Rope.Scaling, c.Rope.Factor, c.Rope.OriginalContext, c.Rope.AttentionFactor = "yarn", 4, 512, 0.5
				c.Rope.BetaFast, c.Rope.BetaSlow = 16, 2
			},
		},
		{name: "window", set: map[string]gguf.Value{"attention.sliding_window": gguf.Scalar[uint32](100)}, want: func(c *model.Config) { c.SlidingWindow = 100 }},
		{name: "attention scale", set: map[string]gguf.Value{"attention.scale": gguf.Scalar[float32](0.25)}, want: func(c *model.Config) { c.AttentionScale = 0.25 }},
		{name: "soft cap", set: map[string]gguf.Value{"attn_logit_softcapping": gguf.Scalar[float32](50)}, want: func(c *model.Config) { c.AttentionSoftCap = 50 }},
		{
			name: "keys that change nothing",
			set: map[string]gguf.Value{
				"expert_count": gguf.Scalar[uint32](0), "attention.causal": gguf.Scalar(true), "final_logit_softcapping": gguf.Scalar[float32](0),
				"logit_scale": gguf.Scalar[float32](1), "attn_logit_softcapping": gguf.Scalar[float32](0), "vocab_size": gguf.Scalar[uint32](7),
				"expert_weights_norm": gguf.Scalar(true), "expert_weights_scale": gguf.Scalar[float32](1), "expert_gating_func": gguf.Scalar[uint32](1),
				"rope.scaling.yarn_ext_factor": gguf.Scalar[float32](-1), "pooling_type": gguf.Scalar[uint32](3),
			},
		},
		{name: "soft cap of the logits", set: map[string]gguf.Value{"final_logit_softcapping": gguf.Scalar[float32](30)}, want: func(c *model.Config) { c.LogitSoftCap = 30 }},
		{name: "pooling", set: map[string]gguf.Value{"pooling_type": gguf.Scalar[uint32](1)}, want: func(c *model.Config) { c.Pooling = model.PoolingMean }},
		{
			name: "experts",
			set:  map[string]gguf.Value{"expert_count": gguf.Scalar[uint32](8), "expert_used_count": gguf.Scalar[uint32](2)},
			want: func(c *model.Config) { c.ExpertCount, c.ExpertsUsed = 8, 2 },
		},
		{
			name: "experts of a length of their own",
			set: map[string]gguf.Value{
				"expert_count": gguf.Scalar[uint32](8), "expert_used_count": gguf.Scalar[uint32](8),
				"expert_feed_forward_length": gguf.Scalar[uint32](64), "feed_forward_length": {},
			},
			want: func(c *model.Config) { c.ExpertCount, c.ExpertsUsed, c.FeedForwardLength = 8, 8, 64 },
		},
		{name: "qwen2", arch: "qwen2", want: func(c *model.Config) { c.Rope.Mode = device.RopeNeoX }},
		{name: "qwen3", arch: "qwen3", want: func(c *model.Config) { c.Rope.Mode, c.QueryKeyNorm = device.RopeNeoX, true }},
		{
			name: "qwen3moe", arch: "qwen3moe",
			set: map[string]gguf.Value{
				"expert_count": gguf.Scalar[uint32](128), "expert_used_count": gguf.Scalar[uint32](8), "expert_feed_forward_length": gguf.Scalar[uint32](96),
			},
			want: func(c *model.Config) {
				c.Rope.Mode, c.QueryKeyNorm = device.RopeNeoX, true
				c.ExpertCount, c.ExpertsUsed, c.FeedForwardLength = 128, 8, 96
			},
		},
		{
			name: "qwen3moe whose experts share a length", arch: "qwen3moe",
			set: map[string]gguf.Value{"expert_count": gguf.Scalar[uint32](16), "expert_used_count": gguf.Scalar[uint32](8)},
			want: func(c *model.Config) {
				c.Rope.Mode, c.QueryKeyNorm = device.RopeNeoX, true
				c.ExpertCount, c.ExpertsUsed, c.FeedForwardLength = 16, 8, 256/8
			},
		},
		{
			name: "phi3", arch: "phi3", set: map[string]gguf.Value{"attention.sliding_window": gguf.Scalar[uint32](100)},
			want: func(c *model.Config) { c.Rope.Mode, c.FusedGateUp = device.RopeNeoX, true },
		},
		{
			name: "gemma", arch: "gemma",
			want: func(c *model.Config) {
				c.EmbeddingScale, c.Activation, c.Rope.Mode = float32(math.Sqrt(128)), device.GELUTanh, device.RopeNeoX
			},
		},
		{
			name: "gemma2 with a rope for layers that slide", arch: "gemma2",
			set: map[string]gguf.Value{
				"rope.freq_base_swa": gguf.Scalar[float32](500), "attention.sliding_window_pattern": gguf.Scalar[uint32](0),
				"rope.scaling.type": gguf.Scalar("linear"), "rope.scaling.factor": gguf.Scalar[float32](2),
			},
			want: func(c *model.Config) {
				c.EmbeddingScale, c.Activation, c.PostNorm, c.Rope.Mode = float32(math.Sqrt(128)), device.GELUTanh, true, device.RopeNeoX
				c.SlidingWindow, c.AttentionSoftCap, c.LogitSoftCap = 4096, 50, 30
				c.Rope.Scaling, c.Rope.Factor = "linear", 2
				sliding := c.Rope
				sliding.Base = 500
				c.SlidingRope = &sliding
			},
		},
		{
			name: "gemma2", arch: "gemma2",
			set: map[string]gguf.Value{
				"attention.sliding_window": gguf.Scalar[uint32](16), "attn_logit_softcapping": gguf.Scalar[float32](20), "final_logit_softcapping": gguf.Scalar[float32](10),
			},
			want: func(c *model.Config) {
				c.EmbeddingScale, c.Activation, c.PostNorm, c.Rope.Mode = float32(math.Sqrt(128)), device.GELUTanh, true, device.RopeNeoX
				c.SlidingWindow, c.SlidingPattern, c.AttentionSoftCap, c.LogitSoftCap = 16, 2, 20, 10
			},
		},
		{
			name: "gemma2 of 27 B that says little", arch: "gemma2", set: map[string]gguf.Value{"block_count": gguf.Scalar[uint32](46)},
			want: func(c *model.Config) {
				c.EmbeddingScale, c.Activation, c.PostNorm, c.Rope.Mode = float32(math.Sqrt(128)), device.GELUTanh, true, device.RopeNeoX
				c.SlidingWindow, c.SlidingPattern, c.AttentionSoftCap, c.LogitSoftCap = 4096, 2, 50, 30
				c.BlockCount, c.AttentionScale = 46, float32(1/math.Sqrt(128/4))
			},
		},
		{
			name: "bert", arch: "bert",
			set: map[string]gguf.Value{
				"attention.layer_norm_rms_epsilon": {}, "attention.layer_norm_epsilon": gguf.Scalar[float32](1e-12),
				"attention.causal": gguf.Scalar(false), "pooling_type": gguf.Scalar[uint32](2),
			},
			want: func(c *model.Config) { bertConfig(c); c.Pooling = model.PoolingCLS },
		},
		{
			name: "bert that says little", arch: "bert", set: map[string]gguf.Value{"attention.layer_norm_epsilon": gguf.Scalar[float32](1e-12)},
			want: func(c *model.Config) { bertConfig(c); c.Pooling = model.PoolingNone },
		},
		{
			name: "gemma3", arch: "gemma3",
			set: map[string]gguf.Value{
				"attention.sliding_window": gguf.Scalar[uint32](16), "rope.freq_base": gguf.Scalar[float32](1e6),
				"rope.scaling.type": gguf.Scalar("linear"), "rope.scaling.factor": gguf.Scalar[float32](8),
			},
			want: func(c *model.Config) {
				c.EmbeddingScale, c.Activation, c.QueryKeyNorm, c.PostNorm = float32(math.Sqrt(128)), device.GELUTanh, true, true
				c.SlidingWindow, c.SlidingPattern = 16, 6
				c.Rope.Mode = device.RopeNeoX
				sliding := c.Rope
				c.SlidingRope = &sliding
				c.Rope.Base, c.Rope.Scaling, c.Rope.Factor = 1e6, "linear", 8
			},
		},
		{
			name: "gemma3 that says of each layer whether it slides", arch: "gemma3",
			set: map[string]gguf.Value{
				"attention.sliding_window": gguf.Scalar[uint32](16), "attention.sliding_window_pattern": gguf.Array([]bool{false, true}),
			},
			want: func(c *model.Config) {
				c.EmbeddingScale, c.Activation, c.QueryKeyNorm, c.PostNorm = float32(math.Sqrt(128)), device.GELUTanh, true, true
				c.SlidingWindow, c.SlidingLayers = 16, []bool{false, true}
				c.Rope.Mode = device.RopeNeoX
				sliding := c.Rope
				c.SlidingRope = &sliding
			},
		},
		{
			name: "gemma3 of 27 B", arch: "gemma3", set: map[string]gguf.Value{"block_count": gguf.Scalar[uint32](62)},
			want: func(c *model.Config) {
				c.EmbeddingScale, c.Activation, c.QueryKeyNorm, c.PostNorm = float32(math.Sqrt(128)), device.GELUTanh, true, true
				c.Rope.Mode, c.BlockCount = device.RopeNeoX, 62
				c.HeadCount, c.HeadDim, c.AttentionScale = 4, 32, float32(1/math.Sqrt(128/4))
			},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := llamaConfig()
			if c.arch != "" {
				want.Architecture = c.arch
			}
			if c.want != nil {
				c.want(&want)
			}
			f := *open(t, llamaFile)
			f.Metadata = renamed(f.Metadata, want.Architecture)
			for key, v := range c.set {
				if f.Delete(want.Architecture + "." + key); v != (gguf.Value{}) {
					f.Set(want.Architecture+"."+key, v)
				}
			}
			got, err := model.ReadConfig(&f)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(*got, want) {
				t.Errorf("got  %+v\nwant %+v", *got, want)
			}
		})
	}
}

func TestWindow(t *testing.T) {
	for _, c := range []struct {
		config model.Config
		want   []int // by layer
	}{
		{model.Config{}, []int{0, 0, 0}},
		{model.Config{SlidingPattern: 2}, []int{0, 0, 0}},
		{model.Config{SlidingWindow: 9}, []int{9, 9, 9}},
		{model.Config{SlidingWindow: 9, SlidingPattern: 1}, []int{0, 0, 0}},
		{model.Config{SlidingWindow: 9, SlidingPattern: 1, SlidingLayers: []bool{true, false, true}}, []int{9, 0, 9}},
		{model.Config{SlidingLayers: []bool{true, false}}, []int{0, 0}},
		{model.Config{SlidingWindow: 9, SlidingPattern: 3}, []int{9, 9, 0, 9, 9, 0, 9}},
	} {
		for layer, want := range c.want {
			if got := c.config.Window(layer); got != want {
				t.Errorf("window %d, pattern %d: layer %d sees %d, want %d", c.config.SlidingWindow, c.config.SlidingPattern, layer, got, want)
			}
		}
	}
}

func TestArchitecturesAreKnown(t *testing.T) {
	known := model.Architectures()
	if !slices.Contains(known, "llama") {
		t.Errorf("no llama among %q", known)
	}
	f := *open(t, llamaFile)
	for _, name := range known {
		f.Metadata = sized(open(t, llamaFile).Metadata, name)
		if c, err := model.ReadConfig(&f); err != nil || c.Architecture != name {
			t.Errorf("%s: %v", name, err)
		}
	}
	f.Metadata = renamed(open(t, llamaFile).Metadata, "mamba")
	_, err := model.ReadConfig(&f)
	if !errors.Is(err, model.ErrArchitecture) {
		t.Fatalf("mamba: %v, want ErrArchitecture", err)
	}
	for _, name := range append(known, "mamba") {
		if !strings.Contains(err.Error(), name) {
			t.Errorf("%q does not name %s", err, name)
		}
	}
}
