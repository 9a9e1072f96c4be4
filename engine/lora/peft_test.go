package lora_test

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/realm-webgpu/realm/engine/lora"
)

func TestReadPEFT(t *testing.T) {
	for _, c := range []struct {
		name, config string
		scale        float32
	}{
		{"plain", plain, 2},
		{"rsLoRA", strings.Replace(plain, `"use_dora"`, `"use_rslora": true, "use_dora"`, 1), 4},
		{"alpha pattern", strings.Replace(plain, `"use_dora"`, `"alpha_pattern": {"k_proj": 1, "q_proj": 2, ".*": 3}, "use_dora"`, 1), 0.5},
		{"rank pattern", `{"peft_type": "LORA", "r": 16, "lora_alpha": 8, "rank_pattern": {"^model.layers.0.self_attn.q_proj": 4}}`, 2},
		{"an expression", strings.Replace(plain, `["q_proj", "v_proj"]`, `".*\\.(q|v)_proj"`, 1), 2},
		{"all", strings.Replace(plain, `["q_proj", "v_proj"]`, `"all-linear"`, 1), 2},
		{"lists that are empty", strings.Replace(plain, `"modules_to_save": null`, `"modules_to_save": [], "trainable_token_indices": null, "layer_replication": null`, 1), 2},
	} {
		a, err := lora.ReadPEFT([]byte(c.config), weights(t, halves()))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if p := a.Pairs[0]; len(a.Pairs) != 1 || p.Name != "model.layers.0.self_attn.q_proj" || p.Rank != 4 || p.Rows != 8 || p.Columns != 12 || p.Scale != c.scale {
			t.Errorf("%s: %+v, want scale %v", c.name, p, c.scale)
		}
	}
}

// TestPEFTRefused has configs of what Realm does not compute, or that are none.
func TestPEFTRefused(t *testing.T) {
	with := func(member string) string { return strings.Replace(plain, `"use_dora": false`, member, 1) }
	for _, c := range []struct {
		config string
		err    error
		want   string
	}{
		{`{`, lora.ErrFormat, "adapter_config.json"},
		{`[]`, lora.ErrFormat, "adapter_config.json"},
		{`{"peft_type": "IA3"}`, lora.ErrUnsupported, "IA3"},
		{`{}`, lora.ErrUnsupported, "peft_type"},
		{with(`"use_dora": true`), lora.ErrUnsupported, "use_dora"},
		{with(`"use_qalora": true`), lora.ErrUnsupported, "use_qalora"},
		{with(`"lora_bias": true`), lora.ErrUnsupported, "lora_bias"},
		{with(`"fan_in_fan_out": true`), lora.ErrUnsupported, "fan_in_fan_out"},
		{with(`"trainable_token_indices": [1]`), lora.ErrUnsupported, "trainable_token_indices"},
		{with(`"target_parameters": ["x"]`), lora.ErrUnsupported, "target_parameters"},
		{with(`"layer_replication": [[0, 4]]`), lora.ErrUnsupported, "layer_replication"},
		{with(`"alora_invocation_tokens": [1]`), lora.ErrUnsupported, "alora_invocation_tokens"},
		{strings.Replace(plain, `"bias": "none"`, `"bias": "all"`, 1), lora.ErrUnsupported, "bias"},
		{strings.Replace(plain, `"modules_to_save": null`, `"modules_to_save": ["lm_head"]`, 1), lora.ErrUnsupported, "modules_to_save"},
		{strings.Replace(plain, `"init_lora_weights": true`, `"init_lora_weights": "pissa_niter_4"`, 1), lora.ErrUnsupported, "init_lora_weights"},
		{strings.Replace(plain, `"r": 4`, `"r": 0`, 1), lora.ErrFormat, "r:"},
		{strings.Replace(plain, `"r": 4`, `"r": 5000`, 1), lora.ErrFormat, "5000"},
		{strings.Replace(plain, `"r": 4`, `"r": 8`, 1), lora.ErrFormat, queryA},
		{strings.Replace(plain, `"lora_alpha": 8`, `"lora_alpha": 0`, 1), lora.ErrFormat, "lora_alpha"},
		{strings.Replace(plain, `"lora_alpha": 8`, `"lora_alpha": -1`, 1), lora.ErrFormat, "lora_alpha"},
		{with(`"alpha_pattern": {"q_proj": 0}`), lora.ErrFormat, queryA},
		{with(`"alpha_pattern": {"(": 1}`), lora.ErrFormat, "alpha_pattern"},
		{with(`"rank_pattern": {"q_proj": 5}`), lora.ErrFormat, queryA},
		{with(`"rank_pattern": [1]`), lora.ErrFormat, "rank_pattern"},
		{strings.Replace(plain, `["q_proj", "v_proj"]`, `["k_proj"]`, 1), lora.ErrFormat, queryA},
		{strings.Replace(plain, `["q_proj", "v_proj"]`, `"(?<=x)y"`, 1), lora.ErrFormat, "target_modules"},
	} {
		_, err := lora.ReadPEFT([]byte(c.config), weights(t, halves()))
		if !errors.Is(err, c.err) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v; want %q, naming %s", c.config, err, c.err, c.want)
		}
	}
}

func TestPEFTWeightsRefused(t *testing.T) {
	const layer = "base_model.model.model.layers.0."
	for _, c := range []struct {
		name    string
		tensors map[string]tensor
		err     error
		want    string
	}{
		{"no B", map[string]tensor{queryA: ramp(0, 12, 4)}, lora.ErrFormat, queryA},
		{"no A", map[string]tensor{queryB: ramp(0, 4, 8)}, lora.ErrFormat, queryB},
		{"ranks that differ", map[string]tensor{queryA: ramp(0, 12, 4), queryB: ramp(0, 8, 8)}, lora.ErrFormat, queryA},
		{"three dimensions", map[string]tensor{queryA: ramp(0, 12, 2, 2)}, lora.ErrFormat, queryA},
		{"DoRA", map[string]tensor{layer + "self_attn.q_proj.lora_magnitude_vector.weight": ramp(0, 4, 4)}, lora.ErrUnsupported, "DoRA"},
		{"an embedding", map[string]tensor{"base_model.model.model.embed_tokens.lora_embedding_A": ramp(0, 4, 4)}, lora.ErrUnsupported, "embed_tokens"},
		{"a saved output", map[string]tensor{"base_model.model.lm_head.weight": ramp(0, 4, 4)}, lora.ErrUnsupported, "lm_head"},
		{"a bias", map[string]tensor{layer + "self_attn.q_proj.bias": ramp(0, 4)}, lora.ErrUnsupported, "bias"},
		{"a norm", map[string]tensor{layer + "input_layernorm.weight": ramp(0, 4)}, lora.ErrUnsupported, "layernorm"},
		{"something else", map[string]tensor{layer + "self_attn.q_proj.weight": ramp(0, 4, 4)}, lora.ErrFormat, "q_proj.weight"},
		{"nothing", nil, lora.ErrFormat, "no tensors"},
	} {
		if _, err := lora.ReadPEFT([]byte(plain), weights(t, c.tensors)); !errors.Is(err, c.err) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v; want %q, naming %s", c.name, err, c.err, c.want)
		}
	}
	whole := weights(t, halves())
	long := binary.LittleEndian.AppendUint64(nil, 1<<40)
	for name, data := range map[string][]byte{
		"empty": nil, "short": whole[:7], "cut": whole[:len(whole)-1], "longer": append(append([]byte{}, whole...), 0),
		"a header that is too long": append(long, whole[8:]...), "half": whole[:40],
		"bytes": append(binary.LittleEndian.AppendUint64(nil, 2), "{]"...),
		"a type that is none": []byte("\x48\x00\x00\x00\x00\x00\x00\x00" +
			`{"a.lora_A.weight":{"dtype":"I8","shape":[1,4],"data_offsets":[0,4]}}   ` + "1234"),
		"an empty shape": []byte("\x48\x00\x00\x00\x00\x00\x00\x00" +
			`{"a.lora_A.weight":{"dtype":"F32","shape":[0,4],"data_offsets":[0,0]}}  `),
	} {
		if _, err := lora.ReadPEFT([]byte(plain), data); !errors.Is(err, lora.ErrFormat) && !errors.Is(err, lora.ErrUnsupported) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestPEFTRows has rows of queries and keys of a llama in the order of its file, and
// those of others as they are.
func TestPEFTRows(t *testing.T) {
	tensors := map[string]tensor{}
	for _, module := range []string{"q_proj", "k_proj", "v_proj"} {
		tensors["base_model.model.model.layers.0.self_attn."+module+".lora_A.weight"] = ramp(1, 12, 1)
		b := tensor{dims: []int{1, 16}}
		for i := range 16 {
			b.values = append(b.values, float32(i))
		}
		tensors["base_model.model.model.layers.0.self_attn."+module+".lora_B.weight"] = b
	}
	a, err := lora.ReadPEFT([]byte(`{"peft_type": "LORA", "r": 1, "lora_alpha": 1}`), weights(t, tensors))
	if err != nil {
		t.Fatal(err)
	}
	matrices := map[string][2]int{"blk.0.attn_q.weight": {16, 12}, "blk.0.attn_k.weight": {16, 12}, "blk.0.attn_v.weight": {16, 12}}
	same := []float32{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}
	for architecture, want := range map[string]map[string][]float32{
		// Of two heads of 8, and of one of 16.
		"llama": {
			"blk.0.attn_q.weight": {0, 4, 1, 5, 2, 6, 3, 7, 8, 12, 9, 13, 10, 14, 11, 15},
			"blk.0.attn_k.weight": {0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15},
			"blk.0.attn_v.weight": same,
		},
		"qwen2": {"blk.0.attn_q.weight": same, "blk.0.attn_k.weight": same, "blk.0.attn_v.weight": same},
	} {
		f, err := a.Fit(target(architecture, matrices))
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Deltas {
			for i, v := range want[d.Tensor] {
				if d.B[i] != v {
					t.Errorf("%s, %s: %v, want %v", architecture, d.Tensor, d.B, want[d.Tensor])
					break
				}
			}
		}
	}
}

func TestPEFTNames(t *testing.T) {
	for module, want := range map[string]string{
		"model.layers.12.self_attn.k_proj":                       "blk.12.attn_k.weight",
		"model.layers.0.self_attn.o_proj":                        "blk.0.attn_output.weight",
		"model.layers.0.self_attn.qkv_proj":                      "blk.0.attn_qkv.weight",
		"model.layers.0.mlp.gate_proj":                           "blk.0.ffn_gate.weight",
		"model.layers.0.mlp.gate_up_proj":                        "blk.0.ffn_up.weight",
		"model.layers.0.mlp.down_proj":                           "blk.0.ffn_down.weight",
		"model.layers.0.mlp.gate":                                "blk.0.ffn_gate_inp.weight",
		"model.layers.0.mlp.experts.7.up_proj":                   "blk.0.ffn_up_exps.weight",
		"model.layers.0.block_sparse_moe.experts.1.w2":           "blk.0.ffn_down_exps.weight",
		"model.language_model.layers.0.mlp.up_proj":              "blk.0.ffn_up.weight",
		"language_model.model.layers.0.mlp.up_proj":              "blk.0.ffn_up.weight",
		"bert.encoder.layer.3.attention.self.query":              "blk.3.attn_q.weight",
		"encoder.layer.3.attention.output.dense":                 "blk.3.attn_output.weight",
		"encoder.layer.3.output.dense":                           "blk.3.ffn_down.weight",
		"lm_head":                                                "output.weight",
		"model.layers.0.mlp.left_proj":                           "",
		"model.layers.-1.mlp.up_proj":                            "",
		"model.layers.01.mlp.up_proj":                            "",
		"model.layers.99999999999999999999.mlp.up_proj":          "",
		"model.layers.0":                                         "",
		"model.vision_tower.encoder.layers.0.self_attn.q_proj":   "",
		"transformer.h.0.attn.c_attn":                            "",
		"model.layers.0.block_sparse_moe.experts.1.w9":           "",
		"model.layers.0.self_attn.q_proj.model.layers.0.q_projs": "",
	} {
		tensors := map[string]tensor{"base_model.model." + module + ".lora_A.weight": ramp(0, 4, 4), "base_model.model." + module + ".lora_B.weight": ramp(0, 4, 4)}
		a, err := lora.ReadPEFT([]byte(`{"peft_type": "LORA", "r": 4, "lora_alpha": 1}`), weights(t, tensors))
		if err != nil {
			t.Fatal(err)
		}
		f, err := a.Fit(target("x", map[string][2]int{want: {4, 4}}))
		switch {
		case want == "" && !(errors.Is(err, lora.ErrModel) && strings.Contains(err.Error(), module)):
			t.Errorf("%s: %v", module, err)
		case want != "" && (err != nil || f.Deltas[0].Tensor != want):
			t.Errorf("%s: %v, want %s", module, err, want)
		}
	}
}

func TestOpen(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "mine")
	write := func(name string, data []byte) {
		t.Helper()
		if err := os.MkdirAll(folder, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if lora.Exists(folder) {
		t.Error("a folder that is not there exists")
	}
	if _, err := lora.Open(folder); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	write("adapter_model.bin", nil)
	if lora.Exists(folder) {
		t.Error("a folder without a config is an adapter")
	}
	write("adapter_config.json", []byte(plain))
	if _, err := lora.Open(folder); !errors.Is(err, lora.ErrUnsupported) || !strings.Contains(err.Error(), "adapter_model.bin") {
		t.Errorf("pickled weights: %v", err)
	}
	write("adapter_model.safetensors", weights(t, halves()))
	if a, err := lora.Open(folder); err != nil || a.Format != "PEFT" || a.Name != "mine" {
		t.Errorf("%+v, %v", a, err)
	}
	write("x.gguf", good().bytes(t))
	if a, err := lora.Open(filepath.Join(folder, "x.gguf")); err != nil || a.Format != "GGUF" {
		t.Errorf("%+v, %v", a, err)
	}
	write("adapter_config.json", make([]byte, 1<<20+1))
	if _, err := lora.Open(folder); !errors.Is(err, lora.ErrFormat) {
		t.Errorf("a config of a mebibyte and more: %v", err)
	}
}
