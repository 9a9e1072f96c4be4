package model

import (
	"math"

	"github.com/realm-webgpu/realm/engine/device"
)

// gemma is Gemma (Gemma Team 2024, https://arxiv.org/abs/2403.08295), CodeGemma and
// others of the first generation.
func gemma() architecture {
	return architecture{name: "gemma", differences: func(c *Config, _ *keys) { gemmaBlock(c) }}
}

// gemmaBlock is what all Gemmas have in common: the plain block with scaled
// embeddings, GELU, and the halves of a head rotated together. The converter has
// added 1 to the norms' weights.
func gemmaBlock(c *Config) {
	c.EmbeddingScale = float32(math.Sqrt(float64(c.EmbeddingLength)))
	c.Activation = device.GELUTanh
	c.Rope.Mode = device.RopeNeoX
}

// postNormedGemma is what Gemma 2 and 3 add: a norm after each branch as well.
//
// Files do not say query_pre_attn_scalar, which scores are divided by the root of.
// It is HeadDim in all sizes but the largest, which is known by its layers, as in
// llama.cpp: there it is EmbeddingLength/HeadCount.
func postNormedGemma(c *Config, largest int) {
	gemmaBlock(c)
	c.PostNorm = true
	if c.BlockCount == largest {
		c.AttentionScale = float32(1 / math.Sqrt(float64(c.EmbeddingLength)/float64(c.HeadCount)))
	}
}
