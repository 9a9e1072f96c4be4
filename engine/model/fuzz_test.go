package model_test

import (
	"math"
	"testing"

	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/engine/gguf"
	"github.com/realm-webgpu/realm/engine/model"
)

// value returns a metadata value of one of the types, made of bits and text.
func value(kind uint8, bits uint64, text string) gguf.Value {
	switch kind % 8 {
	case 0:
		return gguf.Scalar(uint32(bits))
	case 1:
		return gguf.Scalar(int32(bits))
	case 2:
		return gguf.Scalar(bits)
	case 3:
		return gguf.Scalar(math.Float32frombits(uint32(bits)))
	case 4:
		return gguf.Scalar(math.Float64frombits(bits))
	case 5:
		return gguf.Scalar(bits&1 == 1)
	case 6:
		return gguf.Scalar(text)
	default:
		return gguf.Array([]uint32{uint32(bits), uint32(bits >> 32)})
	}
}

// FuzzConfig changes two keys of a good file. It is read or refused, and what is
// read keeps to the bounds that programs are built on.
func FuzzConfig(f *testing.F) {
	base := open(f, llamaFile)
	architectures := model.Architectures()
	float := func(x float32) uint64 { return uint64(math.Float32bits(x)) }
	f.Add(uint8(0), 0, "block_count", uint8(0), uint64(1<<31), "", "rope.freq_base", uint8(3), float(-1), "")
	f.Add(uint8(0), 0, "rope.scaling.type", uint8(6), uint64(0), "yarn", "rope.scaling.factor", uint8(3), float(1e-30), "")
	f.Add(uint8(6), 0, "attention.sliding_window", uint8(0), uint64(16), "", "attention.sliding_window_pattern", uint8(0), uint64(0), "")
	f.Add(uint8(2), 4096, "attention.key_length", uint8(0), uint64(4096), "", "attention.value_length", uint8(0), uint64(4096), "")
	f.Add(uint8(3), 7, "attention.head_count", uint8(7), uint64(1), "", "embedding_length", uint8(1), uint64(math.MaxUint64), "")
	f.Add(uint8(3), 0, "expert_used_count", uint8(0), uint64(8), "", "feed_forward_length", uint8(0), uint64(4), "")
	f.Add(uint8(5), 0, "attention.head_count", uint8(0), uint64(256), "", "block_count", uint8(0), uint64(46), "")
	f.Add(uint8(7), 0, "attention.causal", uint8(5), uint64(1), "", "pooling_type", uint8(0), uint64(4), "")
	f.Fuzz(func(t *testing.T, architecture uint8, context int, key1 string, kind1 uint8, bits1 uint64, text1, key2 string, kind2 uint8, bits2 uint64, text2 string) {
		name := architectures[int(architecture)%len(architectures)]
		file := *base
		file.Metadata = sized(base.Metadata, name)
		file.Set(name+"."+key1, value(kind1, bits1, text1))
		file.Set(name+"."+key2, value(kind2, bits2, text2))

		plan, err := model.Plan(&file, context, device.CacheF16)
		if err == nil && (plan.Context < 1 || plan.File < 1 || plan.Weights < plan.File || plan.CachePerToken < 1 || plan.Cache < plan.CachePerToken || plan.Scratch < 1) {
			t.Errorf("a plan that cannot be: %+v", plan)
		}
		c, err := model.ReadConfig(&file)
		if err != nil {
			return
		}
		widths := []int{c.EmbeddingLength, c.FeedForwardLength, c.HeadDim, c.HeadCount * c.HeadDim}
		for _, n := range widths {
			if n < 4 || n%4 != 0 || n > 1<<20 {
				t.Errorf("a width of %d in %+v", n, c)
			}
		}
		if c.HeadCount%c.HeadCountKV != 0 || c.ExpertCount > 1024 || c.ExpertsUsed > min(c.ExpertCount, device.MaxExperts) || c.Rope.Dimensions > c.HeadDim || c.Rope.Dimensions%2 != 0 || c.BlockCount > 1024 {
			t.Errorf("sizes that do not fit: %+v", c)
		}
		for _, x := range []float64{float64(c.Epsilon), float64(c.AttentionScale), c.Rope.Base, c.Rope.Factor, c.Rope.AttentionFactor} {
			if !(x > 0) || math.IsInf(x, 0) {
				t.Errorf("a number of %v in %+v", x, c)
			}
		}
	})
}
