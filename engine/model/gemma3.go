package model

// What gemma3 files leave unsaid (Gemma 3 technical report,
// https://arxiv.org/abs/2503.19786, and the models' published configurations).
const (
	gemma3Blocks27B   = 62
	gemma3Pattern     = 6     // five sliding layers to a global one
	gemma3SlidingBase = 10000 // rope base of sliding layers
)

// gemma3 is Gemma 3: heads of queries and keys are normalised, and sliding layers
// have a rope of their own.
func gemma3() architecture {
	return architecture{name: "gemma3", differences: func(c *Config, k *keys) {
		postNormedGemma(c, gemma3Blocks27B)
		c.QueryKeyNorm = true
		if c.SlidingWindow > 0 {
			c.slidingPattern(k, gemma3Pattern)
			c.SlidingRope = c.Rope.plain(k.numberOr("rope.freq_base_swa", gemma3SlidingBase, 1, maxBase))
		}
	}}
}
