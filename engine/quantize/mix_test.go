package quantize

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/realm-webgpu/realm/engine/gguf"
	"github.com/realm-webgpu/realm/shaders/quant"
)

// llama is the header of a model of the Llama family.
type llama struct {
	blocks, heads, headsKV, experts int
	tied                            bool
	columns                         int // 0: 256
}

// file returns the header, with tensors that have no data.
func (l llama) file() *gguf.File {
	meta := new(gguf.Metadata)
	meta.Set("general.architecture", gguf.Scalar("llama"))
	meta.Set("llama.block_count", gguf.Scalar(uint32(l.blocks)))
	meta.Set("llama.attention.head_count", gguf.Scalar(uint32(l.heads)))
	meta.Set("llama.attention.head_count_kv", gguf.Array(slices.Repeat([]uint32{uint32(l.headsKV)}, l.blocks)))
	if l.experts > 0 {
		meta.Set("llama.expert_count", gguf.Scalar(uint32(l.experts)))
	}
	if l.columns == 0 {
		l.columns = 256
	}
	f32, _ := quant.ByName("F32")
	var all []gguf.Output
	add := func(name string, dims ...int) {
		all = append(all, gguf.Output{Name: name, Dims: dims, Format: f32, Data: zeros(dims)})
	}
	add("token_embd.weight", l.columns, 2)
	// The last block first: what counts is the number in the name.
	for i := l.blocks - 1; i >= 0; i-- {
		block := fmt.Sprintf("blk.%d.", i)
		add(block+"attn_norm.weight", l.columns)
		for _, name := range []string{"attn_q", "attn_k", "attn_v", "attn_output"} {
			add(block+name+".weight", l.columns, 2)
		}
		if l.experts > 0 {
			add(block+"ffn_gate_inp.weight", l.columns, l.experts)
			for _, name := range []string{"ffn_gate_exps", "ffn_up_exps", "ffn_down_exps"} {
				add(block+name+".weight", l.columns, 1, l.experts)
			}
			continue
		}
		for _, name := range []string{"ffn_gate", "ffn_up", "ffn_down"} {
			add(block+name+".weight", l.columns, 2)
		}
	}
	if !l.tied {
		add("output.weight", l.columns, 2)
	}
	return mustWrite(meta, all)
}

// formats counts the matrices of each format in a plan, the commonest first.
func formats(plan []Conversion) string {
	counts := map[string]int{}
	for _, c := range plan {
		if len(c.Tensor.Dims) > 1 {
			counts[c.Format.Name]++
		}
	}
	names := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		if counts[a] != counts[b] {
			return counts[b] - counts[a]
		}
		return strings.Compare(a, b)
	})
	for i, name := range names {
		names[i] = fmt.Sprintf("%s:%d", name, counts[name])
	}
	return strings.Join(names, " ")
}

// TestMixes counts what public files have, as llama.cpp says when it loads them:
// Llama 2 7B and 70B, Llama 3 8B, Mixtral 8x7B, and one with a tied embedding.
func TestMixes(t *testing.T) {
	two7B := llama{blocks: 32, heads: 32, headsKV: 32}
	three8B := llama{blocks: 32, heads: 32, headsKV: 8}
	two70B := llama{blocks: 80, heads: 64, headsKV: 8}
	mixtral := llama{blocks: 32, heads: 32, headsKV: 8, experts: 8}
	tied := llama{blocks: 16, heads: 32, headsKV: 8, tied: true}
	narrow := llama{blocks: 2, heads: 4, headsKV: 4, columns: 32}
	for _, c := range []struct {
		mix   string
		model llama
		want  string
	}{
		{"Q2_K", two7B, "Q2_K:129 Q3_K:96 Q6_K:1"},
		{"Q2_K", three8B, "Q2_K:129 Q3_K:64 Q4_K:32 Q6_K:1"},
		{"Q2_K_S", three8B, "Q2_K:189 Q4_K:36 Q6_K:1"},
		{"Q3_K_S", two7B, "Q3_K:225 Q6_K:1"},
		{"Q3_K_M", two7B, "Q3_K:129 Q4_K:92 Q5_K:4 Q6_K:1"},
		{"Q3_K_L", two7B, "Q3_K:129 Q5_K:96 Q6_K:1"},
		{"Q4_K_S", two7B, "Q4_K:217 Q5_K:8 Q6_K:1"},
		{"Q4_K_M", two7B, "Q4_K:193 Q6_K:33"},
		{"q4_k_m", two70B, "Q4_K:441 Q6_K:81 Q5_K:40"},
		{"Q4_K_M", tied, "Q4_K:96 Q6_K:17"},
		{"Q4_K_M", mixtral, "Q4_K:113 Q8_0:64 F32:32 Q5_K:32 Q6_K:17"},
		{"Q5_K_S", two7B, "Q5_K:225 Q6_K:1"},
		{"Q5_K_M", two7B, "Q5_K:193 Q6_K:33"},
		{"Q6_K", two7B, "Q6_K:226"},
		{"Q8_0", two7B, "Q8_0:226"},
		{"Q4_0", two7B, "Q4_0:225 Q6_K:1"},
		{"Q5_1", tied, "Q5_1:112 Q6_K:1"},
		{"F16", tied, "F16:113"},
		{"Q8_1", tied, "Q8_1:113"},
		{"Q4_K_M", narrow, "Q5_0:13 Q8_0:3"},
	} {
		t.Run(c.mix+"/"+c.want, func(t *testing.T) {
			mix, ok := MixByName(c.mix)
			if !ok {
				t.Fatal("there is none of that name")
			}
			plan, err := Plan(c.model.file(), Options{Mix: mix})
			if err != nil {
				t.Fatal(err)
			}
			if got := formats(plan); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}

func TestMixNames(t *testing.T) {
	for name, want := range map[string]string{"Q4_K": "Q4_K_M", "q5_k": "Q5_K_M", "Q3_K": "Q3_K_M", "Q2_K": "Q2_K", "Q8_K": "Q8_K"} {
		if m, ok := MixByName(name); !ok || m.Name != want {
			t.Errorf("%s is %s, want %s", name, m.Name, want)
		}
	}
	if m, ok := MixByName("Q4"); ok {
		t.Errorf("Q4 is %s", m.Name)
	}
	seen, numbers := map[string]bool{}, map[uint32]string{}
	for _, m := range Mixes() {
		if seen[m.Name] {
			t.Errorf("%s is there twice", m.Name)
		}
		seen[m.Name] = true
		if other, twice := numbers[m.fileType]; twice && m.fileType != fileTypeUnnamed {
			t.Errorf("%s and %s have the file type %d", m.Name, other, m.fileType)
		}
		numbers[m.fileType] = m.Name
		for _, r := range m.rules {
			format(t, r.format)
		}
	}
	for _, f := range quant.All() {
		if _, ok := MixByName(f.Name); !ok {
			t.Errorf("no mix of %s", f.Name)
		}
	}
	for _, row := range mixTable() {
		format(t, row.format)
	}
}

func TestOverrides(t *testing.T) {
	mix, _ := MixByName("Q4_K_M")
	f := llama{blocks: 8, heads: 4, headsKV: 4, experts: 4}.file()
	override := func(pattern, name string) Override {
		return Override{regexp.MustCompile(pattern), format(t, name)}
	}
	plan, err := Plan(f, Options{
		Mix: mix, Embedding: format(t, "F16"), Output: format(t, "Q5_1"),
		Overrides: []Override{
			override(`^blk\.0\.`, "Q8_0"),
			override(`gate_inp`, "BF16"),
			override(`attn_[qk]|output\.weight|token_embd`, "Q5_0"),
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range plan {
		want := ""
		switch name := c.Tensor.Name; {
		case len(c.Tensor.Dims) == 1:
			want = "F32"
		case name == "token_embd.weight":
			want = "F16"
		case name == "output.weight":
			want = "Q5_1"
		case strings.HasPrefix(name, "blk.0."):
			want = "Q8_0"
		case strings.Contains(name, "gate_inp"):
			want = "BF16"
		case strings.Contains(name, "attn_q."), strings.Contains(name, "attn_k."), strings.Contains(name, "attn_output."):
			want = "Q5_0"
		default:
			continue
		}
		if c.Format.Name != want || c.Fallback() {
			t.Errorf("%s is %s, want %s", c.Tensor.Name, c.Format.Name, want)
		}
	}
}

// TestKeeps leaves small matrices alone on which much depends.
func TestKeeps(t *testing.T) {
	for name, want := range map[string]bool{
		"blk.3.ffn_gate_inp.weight": true, "blk.3.ffn_gate.weight": false, "position_embd.weight": true, "token_types.weight": true,
		"blk.0.attn_q_norm.weight": true, "blk.0.ssm_a": true, "token_embd.weight": false, "blk.0.attn_q.weight": false,
	} {
		if got := keeps(&gguf.Tensor{Name: name}); got != want {
			t.Errorf("keeps(%s) = %v", name, got)
		}
	}
}
