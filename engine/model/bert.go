package model

import "github.com/realm-webgpu/realm/engine/device"

// bert is BERT (Devlin et al. 2018, https://arxiv.org/abs/1810.04805) and the
// embedding models made from it, such as BGE, E5 and MiniLM: an encoder with learned
// positions, LayerNorm after every sum, and GELU by the error function, without a
// gate. Texts are all of the first token type.
//
// A file that does not say how to pool leaves it to the caller, as in llama.cpp.
func bert() architecture {
	return architecture{name: "bert", differences: func(c *Config, k *keys) {
		c.Encoder = true
		c.Bidirectional = !k.flagOr("attention.causal", false)
		c.Pooling = k.poolingOr(PoolingNone)
		c.LearnedPositions = true
		c.Rope.Dimensions = 0
		c.LayerNorm = true
		c.NormedStream = true
		c.Ungated = true
		c.Activation = device.GELU
	}}
}
