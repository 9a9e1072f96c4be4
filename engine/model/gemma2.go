package model

// What gemma2 files leave unsaid (Gemma 2, https://arxiv.org/abs/2408.00118, and
// llama.cpp, src/models/gemma2.cpp).
const (
	gemma2Blocks27B    = 46
	gemma2Window       = 4096 // tokens
	gemma2Pattern      = 2    // every other layer slides, the first does
	gemma2AttentionCap = 50
	gemma2LogitCap     = 30
)

// gemma2 is Gemma 2: scores and logits are capped, and every other layer slides.
func gemma2() architecture {
	return architecture{name: "gemma2", differences: func(c *Config, k *keys) {
		postNormedGemma(c, gemma2Blocks27B)
		if !k.has("attn_logit_softcapping") {
			c.AttentionSoftCap = gemma2AttentionCap
		}
		if !k.has("final_logit_softcapping") {
			c.LogitSoftCap = gemma2LogitCap
		}
		if !k.has("attention.sliding_window") {
			c.SlidingWindow = gemma2Window
		}
		if c.SlidingWindow > 0 {
			c.slidingPattern(k, gemma2Pattern)
			if base := k.numberOr("rope.freq_base_swa", c.Rope.Base, 1, maxBase); base != c.Rope.Base {
				rope := c.Rope
				rope.Base = base
				c.SlidingRope = &rope
			}
		}
	}}
}
