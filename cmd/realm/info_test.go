package main

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/realm-webgpu/realm/e2e/models"
	"github.com/realm-webgpu/realm/engine/gguf"
)

func TestInfo(t *testing.T) {
	o := newFolder(t).good("", "info", "--tensors", "--ctx", "128", "--kv-type", "f32")
	for _, want := range []string{
		"atlas (built in): GGUF version 3",
		`general.architecture                    "llama"`,
		`string[2048]{"<unk>", "<s>", "</s>",`,
		"blk.3.ffn_down.weight",
		"for 128 tokens of context with f32 keys and values",
		"keys and values     512 KiB", // 4 layers, 4 heads of 32, twice, 4 bytes, 128 tokens
	} {
		if !strings.Contains(o.stdout, want) {
			t.Errorf("%q is missing in\n%s", want, o.stdout)
		}
	}
	for line := range strings.Lines(o.stdout) {
		if len(line) > 300 {
			t.Errorf("a line of %d bytes: %.80s...", len(line), line)
		}
	}
}

func TestInfoJSON(t *testing.T) {
	f := newFolder(t)
	o := f.good("", "info", "--json", "--tensors", "-m", f.atlas())
	var r infoReport
	if err := json.Unmarshal([]byte(o.stdout), &r); err != nil {
		t.Fatal(err)
	}
	if r.File != "atlas.gguf" || len(r.Types) != 2 || len(r.Tensors) != 38 || r.Memory == nil || r.Unsupported != "" {
		t.Errorf("%+v", r)
	}
	if total := r.Types[0].Bytes + r.Types[1].Bytes; r.Parameters != 3672320 || total > int64(len(models.Atlas)) {
		t.Errorf("%d weights in %d bytes", r.Parameters, total)
	}
	if r.Metadata["llama.context_length"] != 512.0 || r.Metadata["general.name"] != "Atlas 3.7M" {
		t.Errorf("metadata %v", r.Metadata)
	}
	words, ok := r.Metadata["tokenizer.ggml.tokens"].(map[string]any)
	if !ok || words["elements"] != 2048.0 || len(words["first"].([]any)) != shownElements {
		t.Errorf("tokenizer.ggml.tokens is %v", r.Metadata["tokenizer.ggml.tokens"])
	}
}

// TestInfoDevice: on a device it is known what fits.
func TestInfoDevice(t *testing.T) {
	f := newFolder(t)
	for _, c := range []struct {
		args []string
		want string
	}{
		{nil, "It fits: "},
		{[]string{"--memory", "2MiB"}, "It does not fit: device: weights"},
		{[]string{"--kv-memory", "100KiB"}, "It does not fit: device: cache"},
	} {
		o := f.good("", append([]string{"info", "--device", "cpu"}, c.args...)...)
		if !strings.Contains(o.stdout, c.want) || !strings.Contains(o.stdout, "workers, for 512 tokens") {
			t.Errorf("%q: %q is missing in\n%s", c.args, c.want, o.stdout)
		}
	}
	var r infoReport
	if err := json.Unmarshal([]byte(f.good("", "info", "--json", "--device", "cpu", "--memory", "1GiB").stdout), &r); err != nil {
		t.Fatal(err)
	}
	if m := r.Memory; m.Fits == nil || !*m.Fits || m.Budget != 1<<30 || m.Device.Backend != "cpu" || m.Total != m.Weights+m.Cache+m.Scratch || m.Adapter == 0 {
		t.Errorf("%+v", r.Memory)
	}
}

// TestInfoOdd looks into files that cannot be run, with metadata that neither
// JSON nor a terminal should be given as it is.
func TestInfoOdd(t *testing.T) {
	meta := new(gguf.Metadata)
	meta.Set("general.architecture", gguf.Scalar("abacus"))
	meta.Set("x.nan", gguf.Scalar(float32(math.NaN())))
	meta.Set("x.inf", gguf.Array([]float64{math.Inf(1), math.Inf(-1)}))
	meta.Set("x.bytes", gguf.Array([]uint8{1, 2}))
	meta.Set("x.nested", gguf.Nested(gguf.Array([]string{"a"}), gguf.Array([]bool{true})))
	meta.Set("x.\x1b[31m", gguf.Scalar("\x1b]0;title\a"))
	var b bytes.Buffer
	if err := gguf.Write(&b, meta, nil); err != nil {
		t.Fatal(err)
	}
	f := newFolder(t)
	name := f.put("odd.gguf", b.Bytes())
	var r infoReport
	if err := json.Unmarshal([]byte(f.good("", "info", "--json", "-m", name).stdout), &r); err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(r.Metadata)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"general.architecture":"abacus","x.\u001b[31m":"\u001b]0;title\u0007","x.bytes":[1,2],"x.inf":["+Inf","-Inf"],"x.nan":"NaN","x.nested":[["a"],[true]]}`
	if string(got) != want {
		t.Errorf("metadata %s, want %s", got, want)
	}
	if !strings.Contains(r.Unsupported, "abacus") || r.Memory != nil {
		t.Errorf("unsupported %q, memory %v", r.Unsupported, r.Memory)
	}
	o := f.good("", "info", "-m", name)
	if strings.ContainsAny(o.stdout, "\x1b\a") || !strings.Contains(o.stdout, "Realm cannot run this file: ") {
		t.Errorf("printed %q", o.stdout)
	}
	if o := f.realm("", "run", "--device", "cpu", "-m", name, "x"); o.code != exitModel {
		t.Errorf("realm run: exit code %d, %s", o.code, o.stderr)
	}
}
