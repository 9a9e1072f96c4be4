package model

import "github.com/realm-webgpu/realm/engine/device"

// qwen3 is the dense Qwen3 (Yang et al. 2025, https://arxiv.org/abs/2505.09388):
// the plain block with every head of queries and keys normalised, and the halves
// of a head rotated together.
func qwen3() architecture {
	return architecture{name: "qwen3", differences: func(c *Config, _ *keys) {
		c.Rope.Mode = device.RopeNeoX
		c.QueryKeyNorm = true
	}}
}
