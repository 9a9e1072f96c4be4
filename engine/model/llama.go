package model

// llama is the plain block itself (Touvron et al. 2023,
// https://arxiv.org/abs/2302.13971): Llama 1 to 3, Mistral, SmolLM and many more
// are files of this architecture, with grouped heads, rope factors, a sliding
// window or biases as their metadata and tensors say.
//
// Pairs of adjacent elements are rotated: the converter has permuted the rows of
// attn_q and attn_k for it.
func llama() architecture { return architecture{name: "llama"} }
