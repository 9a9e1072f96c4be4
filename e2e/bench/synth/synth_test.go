package main

import (
	"bytes"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/realm-webgpu/realm/engine/gguf"
	"github.com/realm-webgpu/realm/engine/token"
	"github.com/realm-webgpu/realm/shaders/quant"
)

// small is a model that takes no time.
func small(path string, more ...string) []string {
	return slices.Concat([]string{"-o", path, "--embd", "256", "--layers", "2", "--heads", "8", "--heads-kv", "2", "--ff", "512", "--vocab", "2000"}, more)
}

func synthesise(t *testing.T, args []string) *gguf.File {
	t.Helper()
	path, s, err := parse(args, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	size, err := create(t.Context(), path, s)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Size() != size {
		t.Errorf("%v, %v; want %d bytes", info, err, size)
	}
	f, err := gguf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func TestDefaults(t *testing.T) {
	_, s, err := parse([]string{"-o", "x"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if n := s.parameters(); n != 134_105_856 {
		t.Errorf("%d parameters, want 134,105,856", n)
	}
}

func TestFormats(t *testing.T) {
	for _, format := range quant.All() {
		f := synthesise(t, small(filepath.Join(t.TempDir(), "m.gguf"), "--type", strings.ToLower(format.Name)))
		if len(f.Tensors) != 3+2*9 {
			t.Errorf("%s: %d tensors", format.Name, len(f.Tensors))
		}
		for _, tensor := range f.Tensors {
			want, deviation := format, 0.02
			if len(tensor.Dims) == 1 {
				want, deviation = mustFormat(t, "F32"), 1
			}
			if tensor.Format.ID != want.ID {
				t.Errorf("%s: tensor %s is %s", format.Name, tensor.Name, tensor.TypeName())
			}
			b, err := tensor.Bytes()
			if err != nil {
				t.Fatal(err)
			}
			x := make([]float32, tensor.Elements())
			if err := want.Decode(x, b); err != nil {
				t.Fatal(err)
			}
			var squares float64
			for _, v := range x {
				squares += float64(v) * float64(v)
			}
			// Quantising takes some of a block's spread away, or adds to it.
			if got := math.Sqrt(squares / float64(len(x))); math.Abs(got/deviation-1) > 0.06 {
				t.Errorf("%s: tensor %s: root mean square %.4f, want %.4f", format.Name, tensor.Name, got, deviation)
			}
		}
	}
}

func mustFormat(t *testing.T, name string) *quant.Format {
	t.Helper()
	f, ok := quant.ByName(name)
	if !ok {
		t.Fatalf("shaders/quant has no %s", name)
	}
	return f
}

func TestSeed(t *testing.T) {
	read := func(seed string) []byte {
		path := filepath.Join(t.TempDir(), "m.gguf")
		synthesise(t, small(path, "--seed", seed))
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	one, again, two := read("1"), read("1"), read("2")
	if !bytes.Equal(one, again) {
		t.Error("the same seed gave two models")
	}
	if bytes.Equal(one, two) {
		t.Error("two seeds gave one model")
	}
}

func TestVocabulary(t *testing.T) {
	f := synthesise(t, small(filepath.Join(t.TempDir(), "m.gguf")))
	vocabulary, err := token.New(f)
	if err != nil {
		t.Fatal(err)
	}
	if vocabulary.Len() != 2000 {
		t.Errorf("%d tokens, want 2000", vocabulary.Len())
	}
	if notes := vocabulary.Notes(); len(notes) > 0 {
		t.Errorf("notes: %q", notes)
	}
	bos, _ := vocabulary.BOS()
	eos, _ := vocabulary.EOS()
	if bos != 1 || eos != 4 || !vocabulary.IsEndOfGeneration(eos) {
		t.Errorf("BOS %d and EOS %d, want 1 and 4", bos, eos)
	}
	const text = "The quick brown fox: 12 + 30 = 42, é 東\n"
	ids := vocabulary.Encode(nil, text, token.Options{})
	if got := vocabulary.Decode(ids, token.DecodeOptions{}); got != text {
		t.Errorf("decoded %q, want %q", got, text)
	}
	const words = " the quick brown fox jumps over the lazy dog"
	if ids := vocabulary.Encode(nil, words, token.Options{}); len(ids) > len(words)*2/3 {
		t.Errorf("%d tokens for %d bytes: pieces are not merged", len(ids), len(words))
	}
}

func TestBadFlags(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"", "give -o FILE"},
		{"-o x extra", `unexpected argument "extra"`},
		{"-o x --type Q9", "there are F32"},
		{"-o x --layers 0", "--layers 0: want 1 to"},
		{"-o x --vocab 260", "--vocab 260: want 261 to"},
		{"-o x --heads 12 --heads-kv 5", "no multiple of --heads-kv 5"},
		{"-o x --embd 770", "no multiple of 4 times --heads 12"},
		{"-o x --type Q4_K --embd 480", "no whole number of Q4_K's blocks of 256"},
		{"-o x --seed -1", "invalid value"},
	} {
		_, _, err := parse(strings.Fields(c.args), io.Discard)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("synth %s: %v, want %q", c.args, err, c.want)
		}
	}
}
