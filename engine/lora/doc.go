// Package lora reads low-rank adapters (Hu et al. 2021,
// https://arxiv.org/abs/2106.09685) and holds them to a model: each adds
// scale * B · A to some of the model's matrices.
//
// Two formats are read. One is llama.cpp's: a GGUF file with general.type
// "adapter", adapter.type "lora", adapter.lora.alpha, and for each matrix NAME the
// tensors NAME.lora_a [n_in, rank] and NAME.lora_b [rank, n_out], the fastest
// dimension first, of any format. The other is PEFT's: a folder with
// adapter_config.json and adapter_model.safetensors
// (https://huggingface.co/docs/peft/developer_guides/checkpoint), whose modules are
// named as the transformers library names them.
//
// # Names and rows
//
// [Adapter.Fit] finds the model's tensor for each pair and checks its shape. PEFT's
// modules are renamed as llama.cpp's converter renames them: model.layers.3.self_attn.q_proj
// is blk.3.attn_q. Of the architecture llama the converter also reorders the rows of
// attn_q and attn_k within each head, from two halves to pairs that are side by side,
// as the rope of that architecture rotates pairs (convert_lora_to_gguf.py of llama.cpp
// lets it act on B, whose rows those are; LlamaModel.permute of its converter). Fit
// does the same to B. Adapters in GGUF have been through it.
//
// # What is refused
//
// What a file asks for and Realm does not compute is an error that names it: DoRA,
// trained biases, modules and embeddings that were saved whole, norms, adapters of
// experts and of token embeddings, activated LoRA, and initialisations that change
// the weights of the model. Nothing is left out in silence.
package lora
