package model

// llama is the plain block itself (Touvron et al. 2023,
// https://arxiv.org/abs/2302.13971): Llama 1 to 3, Mistral, Mixtral (Jiang et al.
// 2024, https://arxiv.org/abs/2401.04088), SmolLM and many more are files of this
// architecture, with grouped heads, experts, rope factors, a sliding window or
// biases as their metadata and tensors say.
//
// Pairs of adjacent elements are rotated: the converter has permuted the rows of
// attn_q and attn_k for it.
func llama() architecture { return architecture{name: "llama"} }
