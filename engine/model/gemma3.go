package model

import (
	"math"

	"github.com/realm-webgpu/realm/engine/device"
)

// What gemma3 files leave unsaid (Gemma 3 technical report,
// https://arxiv.org/abs/2503.19786, and the models' published configurations).
const (
	gemma3Pattern     = 6     // five sliding layers to a global one
	gemma3SlidingBase = 10000 // rope base of sliding layers
	gemma3Blocks27B   = 62    // the size whose scores are scaled by embedding/heads
)

// gemma3 is Gemma 3: the plain block with scaled embeddings, a norm after each
// branch as well, GELU, normalised heads of queries and keys, and sliding layers
// that have a rope of their own. The converter has added 1 to the norms' weights.
func gemma3() architecture {
	return architecture{name: "gemma3", differences: func(c *Config, k *keys) {
		c.EmbeddingScale = float32(math.Sqrt(float64(c.EmbeddingLength)))
		c.Activation = device.GELUTanh
		c.QueryKeyNorm = true
		c.PostNorm = true
		c.Rope.Mode = device.RopeNeoX
		if c.BlockCount == gemma3Blocks27B {
			c.AttentionScale = float32(1 / math.Sqrt(float64(c.EmbeddingLength)/float64(c.HeadCount)))
		}
		if c.SlidingWindow > 0 {
			c.SlidingPattern = k.integerOr("attention.sliding_window_pattern", gemma3Pattern, 1, maxBlocks)
			c.SlidingRope = c.Rope.plain(k.numberOr("rope.freq_base_swa", gemma3SlidingBase, 1, maxBase))
		}
	}}
}
