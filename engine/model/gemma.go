package model

import (
	"math"

	"github.com/realm-webgpu/realm/engine/device"
)

// gemma is what Gemma 2 and 3 have in common: the plain block with scaled
// embeddings, a norm after each branch as well, GELU, and the halves of a head
// rotated together. The converter has added 1 to the norms' weights.
//
// Files do not say query_pre_attn_scalar, which scores are divided by the root of.
// It is HeadDim in all sizes but the largest, which is known by its layers, as in
// llama.cpp: there it is EmbeddingLength/HeadCount.
func gemma(c *Config, largest int) {
	c.EmbeddingScale = float32(math.Sqrt(float64(c.EmbeddingLength)))
	c.Activation = device.GELUTanh
	c.PostNorm = true
	c.Rope.Mode = device.RopeNeoX
	if c.BlockCount == largest {
		c.AttentionScale = float32(1 / math.Sqrt(float64(c.EmbeddingLength)/float64(c.HeadCount)))
	}
}
