package model

// qwen3moe is the mixtures of Qwen3 (Yang et al. 2025,
// https://arxiv.org/abs/2505.09388): Qwen3 with experts in every layer. The weights
// of those that are chosen sum to one (norm_topk_prob), whatever the file says, as
// in llama.cpp (src/models/qwen3moe.cpp).
func qwen3moe() architecture {
	return architecture{name: "qwen3moe", differences: func(c *Config, k *keys) {
		qwen3().differences(c, k)
		if c.ExpertCount == 0 {
			k.fail("expert_count", ErrMetadata, "0, but there are experts in every layer")
			return
		}
		// Without a length of their own the experts used share that of a dense network.
		if !k.has("expert_feed_forward_length") {
			c.FeedForwardLength /= c.ExpertsUsed
			k.quads("feed_forward_length", c.FeedForwardLength)
		}
	}}
}
