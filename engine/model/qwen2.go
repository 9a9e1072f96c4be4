package model

import "github.com/realm-webgpu/realm/engine/device"

// qwen2 is Qwen2 and Qwen2.5 (Yang et al. 2024,
// https://arxiv.org/abs/2407.10671): the plain block with biases on query, key
// and value, which are taken up wherever a file has them, and the halves of a
// head rotated together.
func qwen2() architecture {
	return architecture{name: "qwen2", differences: func(c *Config, _ *keys) {
		c.Rope.Mode = device.RopeNeoX
	}}
}
