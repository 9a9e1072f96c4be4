// Package model turns a GGUF file into weights on a device and into the
// Programs that run it.
//
// Every architecture is the plain block with a few differences. The plain block
// is that of Llama (Touvron et al. 2023, https://arxiv.org/abs/2302.13971), with
// T rows, E = EmbeddingLength, Q = HeadCount*HeadDim, K = HeadCountKV*HeadDim and
// F = FeedForwardLength:
//
//	x [T, E]        token_embd, times EmbeddingScale
//	for each block
//	  normed        RMSNorm(x += down) · attn_norm
//	  qkv [T, Q+2K] normed · [attn_q; attn_k; attn_v]
//	  q, k          RMSNorm of each head · attn_q_norm, attn_k_norm    (QueryKeyNorm)
//	  q, k          rotated by position; k and v to the cache
//	  attended      Attention(q) [T, Q]
//	  proj          attended · attn_output
//	  proj          RMSNorm(proj) · post_attention_norm                (PostNorm)
//	  normed        RMSNorm(x += proj) · ffn_norm
//	  gate_up       normed · [ffn_gate; ffn_up] [T, 2F]
//	  hidden        activation(gate) * up [T, F]
//	  down          hidden · ffn_down
//	  down          of ExpertsUsed of ExpertCount such networks        (ExpertCount)
//	  down          RMSNorm(down) · post_ffw_norm                      (PostNorm)
//	hidden state    RMSNorm(x += down) · output_norm                   (Encoder, Shape.Hidden)
//	logits          hidden state · output
//	logits          LogitSoftCap * tanh(logits / LogitSoftCap)         (LogitSoftCap)
//
// Sums with x are part of the norm that follows, and matrices that read the same
// input are one product, so a block of Llama is nine operations. After the
// attention of the last block only the rows that want output go on.
//
// An encoder of the kind of BERT is the same block with its norms moved: one that
// follows a sum is the one before what comes next, and what it gives is x from there
// on (NormedStream). So token_embd_norm stands for the attn_norm of the first block,
// attn_output_norm for ffn_norm, and layer_output_norm for the attn_norm of the next
// block and at last for output_norm; positions are added as a branch is.
//
// [Config] says which of the differences a file has. It is read from metadata and
// the shape of the embedding alone: what the file does not say is either the
// default that the GGUF specification names
// (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md) or an error. The
// names of metadata and tensors are those of llama.cpp (src/llama-arch.cpp).
package model
