package model

import "github.com/realm-webgpu/realm/engine/device"

// phi3 is Phi-3, Phi-3.5 and Phi-4-mini (Abdin et al. 2024,
// https://arxiv.org/abs/2404.14219): the plain block with gate and up in one
// tensor, and the halves of a head rotated together. Query, key and value are in
// one tensor too, which every architecture may have. Long contexts have LongRoPE
// factors.
//
// The sliding window that files name is not used, as in llama.cpp: converters wrote
// it without saying which layers slide, and wrong for some of the models
// (https://github.com/ggml-org/llama.cpp/pull/13676).
func phi3() architecture {
	return architecture{name: "phi3", differences: func(c *Config, _ *keys) {
		c.Rope.Mode = device.RopeNeoX
		c.FusedGateUp = true
		c.SlidingWindow = 0
	}}
}
