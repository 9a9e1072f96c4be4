package model_test

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/engine/gguf"
	"github.com/realm-webgpu/realm/engine/model"
)

// logitsOf loads a file and returns the logits after the first n tokens of the
// prompt.
func logitsOf(t *testing.T, f *gguf.File, context, n int) []float32 {
	t.Helper()
	d := openCPU(t, 0)
	m := load(t, f, d, model.Options{Context: context})
	return newSession(t, d, m, device.CacheF32).read(128, prompt(t)[:n])
}

func prompt(t *testing.T) []int32 { return numbers[int32](t, "testdata/llama.tokens.i32") }

func sameLogits(t *testing.T, what string, got, want []float32) {
	t.Helper()
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("%s: logit %d is %v, want %v", what, i, got[i], want[i])
		}
	}
}

// TestProgress: a load reports all bytes, in order, and Release gives back what
// it took.
func TestProgress(t *testing.T) {
	f, d := open(t, llamaFile), openCPU(t, 0)
	var last, all, calls int64
	m, err := model.Load(context.Background(), f, d, model.Options{Context: 64, Progress: func(done, total int64) {
		if done <= last || done > total || all != 0 && total != all {
			t.Errorf("%d of %d bytes after %d of %d", done, total, last, all)
		}
		last, all = done, total
		calls++
	}})
	if err != nil {
		t.Fatal(err)
	}
	want := int64(0)
	for _, x := range f.Tensors {
		want += x.Size
	}
	if last != want || all != want || calls < 10 {
		t.Errorf("%d of %d bytes in %d calls, the file has %d", last, all, calls, want)
	}
	if m.Context() != 64 {
		t.Errorf("context %d, want 64", m.Context())
	}
	m.Release()
	m.Release()
	if n := d.Memory().Total(); n != 0 {
		t.Errorf("%d bytes are left on the device", n)
	}
}

// TestCancel: a load that is cancelled leaves nothing.
func TestCancel(t *testing.T) {
	for calls := range 8 {
		d := openCPU(t, 0)
		ctx, cancel := context.WithCancel(context.Background())
		left := calls
		stop := func(int64, int64) {
			if left--; left <= 0 {
				cancel()
			}
		}
		if calls == 0 {
			cancel()
		}
		_, err := model.Load(ctx, open(t, llamaFile), d, model.Options{Context: 64, Progress: stop})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled after %d tensors: %v", calls, err)
		}
		if n := d.Memory().Total(); n != 0 {
			t.Errorf("cancelled after %d tensors: %d bytes are left on the device", calls, n)
		}
		cancel()
	}
}

var errFault = errors.New("fault")

// faulty fails after some reads of tensor data.
type faulty struct {
	*bytes.Reader
	data int64 // where it starts
	left int
}

func (f *faulty) ReadAt(p []byte, off int64) (int, error) {
	if off >= f.data {
		if f.left == 0 {
			return 0, errFault
		}
		f.left--
	}
	return f.Reader.ReadAt(p, off)
}

// TestFaults: whichever read fails, the load says so and leaves nothing.
func TestFaults(t *testing.T) {
	data := newDraft(t, llamaFile).bytes()
	first := open(t, llamaFile).Tensors[0].Offset
	for _, x := range open(t, llamaFile).Tensors {
		first = min(first, x.Offset)
	}
	for reads := 0; ; reads++ {
		f, err := gguf.Read(&faulty{bytes.NewReader(data), first, reads})
		if err != nil {
			t.Fatal(err)
		}
		d := openCPU(t, 0)
		m, err := model.Load(context.Background(), f, d, model.Options{Context: 64})
		if err == nil {
			m.Release()
			if reads < len(f.Tensors) {
				t.Errorf("%d tensors were loaded with %d reads", len(f.Tensors), reads)
			}
			return
		}
		if m != nil || !errors.Is(err, errFault) {
			t.Fatalf("read %d fails: %v", reads, err)
		}
		if n := d.Memory().Total(); n != 0 {
			t.Errorf("read %d fails: %d bytes are left on the device", reads, n)
		}
	}
}

// TestMixedFormats: tensors that are one product may have formats of their own.
func TestMixedFormats(t *testing.T) {
	want := logitsOf(t, open(t, llamaFile), 128, 20)
	for _, names := range [][]string{
		{"blk.0.attn_q.weight"}, {"blk.0.attn_k.weight"}, {"blk.0.attn_v.weight"},
		{"blk.1.ffn_gate.weight"}, {"blk.1.ffn_up.weight"}, {"token_embd.weight"}, {"output.weight"},
		{"blk.0.attn_norm.weight", "output_norm.weight", "blk.1.attn_q.weight", "blk.1.attn_v.weight", "blk.0.ffn_down.weight"},
	} {
		file := newDraft(t, llamaFile)
		for _, name := range names {
			file.convert(name, "F16")
		}
		got := logitsOf(t, file.file(), 128, 20)
		if n := nmse(got, want); !(n > 0 && n < 1e-6) {
			t.Errorf("%q as F16: NMSE %v, want a little", names, n)
		}
	}
}

// TestOddVocabulary: logits of 509 tokens are those of the first of 512.
func TestOddVocabulary(t *testing.T) {
	onDevices(t, func(t *testing.T, d bench) {
		file := newDraft(t, llamaFile)
		file.meta.Delete("tokenizer.ggml.tokens")
		for _, name := range []string{"token_embd.weight", "output.weight"} {
			rows := file.values(name)[:509*128]
			file.drop(name)
			file.add(name, rows, 128, 509)
		}
		tokens := prompt(t)[:20]
		got := newSession(t, d, load(t, file.file(), d, model.Options{Context: 64}), device.CacheF32).read(32, tokens)
		want := newSession(t, d, load(t, open(t, llamaFile), d, model.Options{Context: 64}), device.CacheF32).read(32, tokens)
		sameLogits(t, "509 tokens", got, want[:509])
	})
}

// TestFused: one tensor of query, key and value is the same as three.
func TestFused(t *testing.T) {
	file := newDraft(t, llamaFile)
	for _, prefix := range []string{"blk.0.", "blk.1."} {
		var rows []float32
		for _, name := range []string{"attn_q.weight", "attn_k.weight", "attn_v.weight"} {
			rows = append(rows, file.values(prefix+name)...)
			file.drop(prefix + name)
		}
		file.add(prefix+"attn_qkv.weight", rows, 128, 128+2*64)
	}
	sameLogits(t, "fused", logitsOf(t, file.file(), 64, 20), logitsOf(t, open(t, llamaFile), 64, 20))
}

// TestBias: attention weights sum to one, so a bias on the values of a layer is
// one on its output, where the heads of a group all have the bias of their key
// head. Query and key have none, so theirs are zeros in the stacked matrix.
func TestBias(t *testing.T) {
	const embedding, heads, headsKV, dim = 128, 4, 2, 32
	bias := make([]float32, headsKV*dim)
	for i := range bias {
		bias[i] = float32(i%7) - 3
	}
	onValues := newDraft(t, llamaFile)
	onValues.add("blk.1.attn_v.bias", bias, len(bias))

	onOutput := newDraft(t, llamaFile)
	weight := onOutput.values("blk.1.attn_output.weight")
	sums := make([]float32, embedding)
	for o := range sums {
		for i := range heads * dim {
			sums[o] += weight[o*heads*dim+i] * bias[i/dim*headsKV/heads*dim+i%dim]
		}
	}
	onOutput.add("blk.1.attn_output.bias", sums, embedding)

	got, want := logitsOf(t, onValues.file(), 64, 20), logitsOf(t, onOutput.file(), 64, 20)
	if n := nmse(got, want); !(n < 1e-10) {
		t.Errorf("NMSE %v", n)
	}
	if n := nmse(want, logitsOf(t, open(t, llamaFile), 64, 20)); !(n > 1e-6) {
		t.Errorf("the bias changes nothing: NMSE %v", n)
	}
}

// TestSlidingWindow: two layers that see 8 tokens each see 15 together, and where
// these stand makes no difference.
func TestSlidingWindow(t *testing.T) {
	windowed := func(n uint32) *gguf.File {
		file := newDraft(t, llamaFile)
		file.meta.Set("llama.attention.sliding_window", gguf.Scalar(n))
		return file.file()
	}
	sameLogits(t, "a window over all", logitsOf(t, windowed(40), 64, 40), logitsOf(t, open(t, llamaFile), 64, 40))

	d := openCPU(t, 0)
	m := load(t, windowed(8), d, model.Options{Context: 64})
	tokens := prompt(t)[:40]
	all := newSession(t, d, m, device.CacheF32).read(128, tokens)
	if n := nmse(newSession(t, d, m, device.CacheF32).read(128, tokens[25:]), all); !(n < 1e-9) {
		t.Errorf("the last 15 tokens alone: NMSE %v", n)
	}
	if n := nmse(newSession(t, d, m, device.CacheF32).read(128, tokens[26:]), all); !(n > 1e-9) {
		t.Errorf("the last 14 tokens alone: NMSE %v, though the one before is seen", n)
	}
}

// TestLongFactors: a context over the original one takes the long factors.
func TestLongFactors(t *testing.T) {
	short, long := make([]float32, 16), make([]float32, 16)
	for i := range short {
		short[i], long[i] = 1+float32(i)/16, 2+float32(i)
	}
	plain := func(factors []float32) *gguf.File {
		file := newDraft(t, llamaFile)
		file.add("rope_freqs.weight", factors, 16)
		return file.file()
	}
	file := newDraft(t, llamaFile)
	file.meta.Set("llama.rope.scaling.type", gguf.Scalar("longrope"))
	file.meta.Set("llama.rope.scaling.original_context_length", gguf.Scalar[uint32](64))
	file.add("rope_factors_long.weight", long, 16)
	file.add("rope_factors_short.weight", short, 16)
	both := file.file()
	sameLogits(t, "the original context", logitsOf(t, both, 64, 20), logitsOf(t, plain(short), 64, 20))
	sameLogits(t, "a longer context", logitsOf(t, both, 65, 20), logitsOf(t, plain(long), 65, 20))
}

// TestStretchedRope: a model that is stretched by YaRN is not the same as one that
// is not, and one that is stretched by 1 is.
func TestStretchedRope(t *testing.T) {
	want := logitsOf(t, open(t, llamaFile), 64, 20)
	for _, scaling := range []string{"linear", "yarn", "longrope"} {
		for _, factor := range []float32{1, 4} {
			file := newDraft(t, llamaFile)
			file.meta.Set("llama.rope.scaling.type", gguf.Scalar(scaling))
			file.meta.Set("llama.rope.scaling.factor", gguf.Scalar(factor))
			n := nmse(logitsOf(t, file.file(), 64, 20), want)
			if factor == 1 && !(n < 1e-9) || factor != 1 && !(n > 1e-6) {
				t.Errorf("%s by %v: NMSE %v", scaling, factor, n)
			}
		}
	}
}
