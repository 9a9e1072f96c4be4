package lora_test

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/realm-webgpu/realm/e2e/models"
	"github.com/realm-webgpu/realm/engine/gguf"
	"github.com/realm-webgpu/realm/engine/lora"
	"github.com/realm-webgpu/realm/shaders/quant"
)

func TestRead(t *testing.T) {
	a, err := read(models.Pirate)
	if err != nil {
		t.Fatal(err)
	}
	low, high := a.Ranks()
	if a.Format != "GGUF" || a.Architecture != "llama" || a.Alpha != 16 || low != 8 || high != 8 || len(a.Pairs) != 28 {
		t.Errorf("%s of %s, alpha %v, ranks %d to %d, %d pairs", a.Format, a.Architecture, a.Alpha, low, high, len(a.Pairs))
	}
	for _, p := range a.Pairs {
		if p.Scale != 2 || len(p.A) != p.Rank*p.Columns || len(p.B) != p.Rank*p.Rows {
			t.Errorf("%s: scale %v, %d and %d numbers", p.Name, p.Scale, len(p.A), len(p.B))
		}
	}
}

// TestReadFormats has tensors of every format.
func TestReadFormats(t *testing.T) {
	for _, format := range quant.All() {
		f := good()
		f.format = format.Name
		f.tensors = map[string]tensor{"x.lora_a": ramp(0.5, 256, 4), "x.lora_b": ramp(-0.5, 256, 8)}
		f.tensors["x.lora_a"] = ramp(0.5, 256, 256)
		a, err := read(f.bytes(t))
		if err != nil {
			t.Errorf("%s: %v", format.Name, err)
			continue
		}
		if p := a.Pairs[0]; p.Rank != 256 || p.Columns != 256 || p.Rows != 8 || p.Scale != 8./256 || math.Abs(float64(p.A[100]-0.5-100./64)) > 0.3 {
			t.Errorf("%s: %d by %d of rank %d, A[100] is %v", format.Name, p.Rows, p.Columns, p.Rank, p.A[100])
		}
	}
}

// TestReadAlpha takes the product as it is where there is no alpha.
func TestReadAlpha(t *testing.T) {
	f := good()
	for alpha, want := range map[float32]float32{8: 2, 4: 1, 1: 0.25, 0: 1} {
		f.meta["adapter.lora.alpha"] = gguf.Scalar(alpha)
		a, err := read(f.bytes(t))
		if err != nil || a.Pairs[0].Scale != want {
			t.Errorf("alpha %v: scale %v, want %v (%v)", alpha, a.Pairs[0].Scale, want, err)
		}
	}
	delete(f.meta, "adapter.lora.alpha")
	if a, err := read(f.bytes(t)); err != nil || a.Pairs[0].Scale != 1 {
		t.Errorf("no alpha: %v, %v", a, err)
	}
}

func TestReadMalformed(t *testing.T) {
	const a, b = "blk.0.attn_q.weight.lora_a", "blk.0.attn_q.weight.lora_b"
	for _, c := range []struct {
		name   string
		change func(f *file)
		err    error
		want   string // the name in the error
	}{
		{"no type", func(f *file) { delete(f.meta, "general.type") }, lora.ErrFormat, "general.type"},
		{"a model", func(f *file) { f.meta["general.type"] = gguf.Scalar("model") }, lora.ErrFormat, `"model"`},
		{"a type that is a number", func(f *file) { f.meta["general.type"] = gguf.Scalar(uint32(1)) }, lora.ErrFormat, "general.type"},
		{"no kind", func(f *file) { delete(f.meta, "adapter.type") }, lora.ErrFormat, "adapter.type"},
		{"a control vector", func(f *file) { f.meta["adapter.type"] = gguf.Scalar("control_vector") }, lora.ErrFormat, "control_vector"},
		{"no architecture", func(f *file) { delete(f.meta, "general.architecture") }, lora.ErrFormat, "general.architecture"},
		{"alpha is text", func(f *file) { f.meta["adapter.lora.alpha"] = gguf.Scalar("8") }, lora.ErrFormat, "adapter.lora.alpha"},
		{"alpha is NaN", func(f *file) { f.meta["adapter.lora.alpha"] = gguf.Scalar(float32(math.NaN())) }, lora.ErrFormat, "adapter.lora.alpha"},
		{"alpha is infinite", func(f *file) { f.meta["adapter.lora.alpha"] = gguf.Scalar(float32(math.Inf(1))) }, lora.ErrFormat, "adapter.lora.alpha"},
		{"alpha is negative", func(f *file) { f.meta["adapter.lora.alpha"] = gguf.Scalar(float32(-1)) }, lora.ErrFormat, "adapter.lora.alpha"},
		{"activated", func(f *file) { f.meta["adapter.alora.invocation_tokens"] = gguf.Array([]uint32{1}) }, lora.ErrUnsupported, "invocation_tokens"},
		{"no tensors", func(f *file) { clear(f.tensors) }, lora.ErrFormat, "no tensors"},
		{"no A", func(f *file) { delete(f.tensors, a) }, lora.ErrFormat, b},
		{"no B", func(f *file) { delete(f.tensors, b) }, lora.ErrFormat, a},
		{"ranks that differ", func(f *file) { f.tensors[b] = ramp(0, 8, 8) }, lora.ErrFormat, a},
		{"a rank that is too large", func(f *file) { f.tensors[a], f.tensors[b] = ramp(0, 12, 1025), ramp(0, 1025, 8) }, lora.ErrUnsupported, a},
		{"one dimension", func(f *file) { f.tensors[a] = ramp(0, 12) }, lora.ErrFormat, a},
		{"experts", func(f *file) { f.tensors[a] = ramp(0, 12, 4, 2) }, lora.ErrUnsupported, a},
		{"a norm", func(f *file) { f.tensors["blk.0.attn_norm.weight"] = ramp(0, 12) }, lora.ErrUnsupported, "blk.0.attn_norm.weight"},
		{"something else", func(f *file) { f.tensors["blk.0.attn_q.bias"] = ramp(0, 12) }, lora.ErrFormat, "blk.0.attn_q.bias"},
		{"NaN", func(f *file) { f.tensors[a].values[3] = float32(math.NaN()) }, lora.ErrFormat, "blk.0.attn_q.weight"},
		{"infinity", func(f *file) { f.tensors[b].values[3] = float32(math.Inf(-1)) }, lora.ErrFormat, "blk.0.attn_q.weight"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := good()
			c.change(f)
			if _, err := read(f.bytes(t)); !errors.Is(err, c.err) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v; want %q, naming %s", err, c.err, c.want)
			}
		})
	}
	if _, err := read(good().bytes(t)); err != nil {
		t.Error(err)
	}
}

func TestFit(t *testing.T) {
	a, err := read(good().bytes(t))
	if err != nil {
		t.Fatal(err)
	}
	f, err := a.Fit(target("llama", map[string][2]int{"blk.0.attn_q.weight": {8, 12}}))
	if err != nil {
		t.Fatal(err)
	}
	d := f.Deltas[0]
	if d.Tensor != "blk.0.attn_q.weight" || d.Rank != 4 || !slices.Equal(d.A, a.Pairs[0].A) || d.B[5] != 2*a.Pairs[0].B[5] {
		t.Errorf("%+v", d)
	}
	for _, c := range []struct {
		name   string
		target lora.Target
		want   string
	}{
		{"architecture", target("qwen2", nil), `"llama", and the model is a "qwen2"`},
		{"name", target("llama", map[string][2]int{"blk.1.attn_q.weight": {8, 12}}), "blk.0.attn_q.weight"},
		{"rows", target("llama", map[string][2]int{"blk.0.attn_q.weight": {16, 12}}), "8 by 12"},
		{"columns", target("llama", map[string][2]int{"blk.0.attn_q.weight": {8, 16}}), "8 by 12"},
		{"transposed", target("llama", map[string][2]int{"blk.0.attn_q.weight": {12, 8}}), "12 by 8"},
	} {
		if _, err := a.Fit(c.target); !errors.Is(err, lora.ErrModel) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

// TestHash is of what is added, and of nothing else.
func TestHash(t *testing.T) {
	hash := func(f *file) [32]byte {
		t.Helper()
		a, err := read(f.bytes(t))
		if err != nil {
			t.Fatal(err)
		}
		fitted, err := a.Fit(target("llama", map[string][2]int{"blk.0.attn_q.weight": {8, 12}, "blk.0.attn_k.weight": {8, 12}}))
		if err != nil {
			t.Fatal(err)
		}
		return fitted.Hash
	}
	first := hash(good())
	named := good()
	named.meta["general.name"] = gguf.Scalar("x")
	if hash(named) != first {
		t.Error("the hash is of the name too")
	}
	for name, change := range map[string]func(f *file){
		"alpha": func(f *file) { f.meta["adapter.lora.alpha"] = gguf.Scalar(float32(9)) },
		"A":     func(f *file) { f.tensors["blk.0.attn_q.weight.lora_a"].values[40] = 0 },
		"B":     func(f *file) { f.tensors["blk.0.attn_q.weight.lora_b"].values[20] = 0 },
		"the tensor": func(f *file) {
			for _, half := range []string{".lora_a", ".lora_b"} {
				f.tensors["blk.0.attn_k.weight"+half] = f.tensors["blk.0.attn_q.weight"+half]
				delete(f.tensors, "blk.0.attn_q.weight"+half)
			}
		},
	} {
		f := good()
		change(f)
		if hash(f) == first {
			t.Errorf("the hash is not of %s", name)
		}
	}
}
