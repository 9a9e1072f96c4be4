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
		gemma(c, gemma2Blocks27B)
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
			c.SlidingPattern = k.integerOr("attention.sliding_window_pattern", gemma2Pattern, 1, maxBlocks)
		}
	}}
}
