package lora

import (
	"strconv"
	"strings"
)

// tensorOf returns the name in GGUF of a module of the transformers library, as
// llama.cpp's converter names it (gguf-py/gguf/tensor_mapping.py):
// "model.layers.3.mlp.up_proj" is "blk.3.ffn_up.weight".
func tensorOf(module string) (string, bool) {
	// What wraps the text model, of models that see or were made for embeddings.
	for {
		rest := module
		for _, wrapper := range []string{"model.", "language_model.", "bert."} {
			rest = strings.TrimPrefix(rest, wrapper)
		}
		if rest == module {
			break
		}
		module = rest
	}
	if module == "lm_head" {
		return "output.weight", true
	}
	rest, ok := strings.CutPrefix(module, "layers.")
	if !ok {
		if rest, ok = strings.CutPrefix(module, "encoder.layer."); !ok {
			return "", false
		}
	}
	layer, rest, ok := strings.Cut(rest, ".")
	n, err := strconv.ParseUint(layer, 10, 16)
	if !ok || err != nil || strconv.FormatUint(n, 10) != layer {
		return "", false
	}
	name, ok := blockNames()[rest]
	if !ok {
		// An expert's matrix gets the name of all of them, which the model refuses.
		for _, experts := range []string{"mlp.experts.", "block_sparse_moe.experts."} {
			if strings.HasPrefix(rest, experts) {
				name, ok = expertNames()[rest[strings.LastIndexByte(rest, '.')+1:]]
			}
		}
	}
	return "blk." + layer + "." + name + ".weight", ok
}

// blockNames are the matrices of a layer.
func blockNames() map[string]string {
	return map[string]string{
		"self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
		"self_attn.o_proj": "attn_output",
		"mlp.gate_proj":    "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
		// Phi-3 has products side by side.
		"self_attn.qkv_proj": "attn_qkv", "mlp.gate_up_proj": "ffn_up",
		// The routers of Qwen3 MoE and of Mixtral.
		"mlp.gate": "ffn_gate_inp", "block_sparse_moe.gate": "ffn_gate_inp",
		// BERT.
		"attention.self.query": "attn_q", "attention.self.key": "attn_k", "attention.self.value": "attn_v",
		"attention.output.dense": "attn_output", "intermediate.dense": "ffn_up", "output.dense": "ffn_down",
	}
}

// expertNames are the matrices of an expert.
func expertNames() map[string]string {
	return map[string]string{
		"gate_proj": "ffn_gate_exps", "up_proj": "ffn_up_exps", "down_proj": "ffn_down_exps",
		"w1": "ffn_gate_exps", "w3": "ffn_up_exps", "w2": "ffn_down_exps",
	}
}
