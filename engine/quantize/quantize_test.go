package quantize

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/realm-webgpu/realm/engine/gguf"
	"github.com/realm-webgpu/realm/shaders/quant"
)

func format(t testing.TB, name string) *quant.Format {
	t.Helper()
	f, ok := quant.ByName(name)
	if !ok {
		t.Fatalf("shaders/quant has no %s", name)
	}
	return f
}

// normal returns n normally distributed weights.
func normal(n int) []float32 {
	random := rand.New(rand.NewPCG(1, 2))
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(0.02 * random.NormFloat64())
	}
	return x
}

// file returns a file of F32 tensors: name and dimensions of each.
func file(t *testing.T, meta *gguf.Metadata, weights func(n int) []float32, tensors ...gguf.Output) *gguf.File {
	t.Helper()
	for i := range tensors {
		o := &tensors[i]
		o.Format = format(t, "F32")
		n := 1
		for _, d := range o.Dims {
			n *= d
		}
		data, err := binary.Append(nil, binary.LittleEndian, weights(n))
		if err != nil {
			t.Fatal(err)
		}
		o.Data = gguf.From(bytes.NewReader(data))
	}
	var b bytes.Buffer
	if err := gguf.Write(&b, meta, tensors); err != nil {
		t.Fatal(err)
	}
	f, err := gguf.Read(bytes.NewReader(b.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// convert plans and writes f, and reads what was written.
func convert(t *testing.T, f *gguf.File, to *quant.Format, progress func(done, total int64)) *gguf.File {
	t.Helper()
	o := Options{Mix: Pure(to)}
	plan, err := Plan(f, o)
	if err != nil {
		t.Fatal(err)
	}
	return write(t, f, o, plan, progress)
}

func write(t *testing.T, f *gguf.File, o Options, plan []Conversion, progress func(done, total int64)) *gguf.File {
	t.Helper()
	var b bytes.Buffer
	if err := Write(t.Context(), &b, f, o, plan, progress); err != nil {
		t.Fatal(err)
	}
	got, err := gguf.Read(bytes.NewReader(b.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestFallback(t *testing.T) {
	for _, c := range []struct {
		format string
		n      int
		want   string
	}{
		{"Q2_K", 320, "Q4_0"},
		{"Q3_K", 320, "Q4_0"},
		{"Q4_K", 320, "Q5_0"},
		{"Q5_K", 320, "Q8_0"},
		{"Q6_K", 320, "Q8_0"},
		{"Q8_K", 320, "Q8_0"},
		{"Q4_0", 48, "F16"},
		{"Q8_1", 1, "F16"},
		{"Q6_K", 33, "F16"},
	} {
		if got := Fallback(format(t, c.format), c.n); got.Name != c.want {
			t.Errorf("Fallback(%s, %d) = %s, want %s", c.format, c.n, got.Name, c.want)
		}
	}
	for _, f := range quant.All() {
		if got := Fallback(f, 7); got.ErrorBound > f.ErrorBound || 7%got.BlockElements != 0 {
			t.Errorf("Fallback(%s, 7) = %s", f.Name, got.Name)
		}
	}
}

func TestWrite(t *testing.T) {
	meta := new(gguf.Metadata)
	meta.Set("general.architecture", gguf.Scalar("llama"))
	meta.Set("general.file_type", gguf.Scalar[uint32](0))
	meta.Set("split.no", gguf.Scalar[uint16](0))
	meta.Set("split.count", gguf.Scalar[uint16](1))
	meta.Set("split.tensors.count", gguf.Scalar[int32](5))
	meta.Set("tokenizer.ggml.tokens", gguf.Array([]string{"a", "b"}))
	f := file(t, meta, normal,
		gguf.Output{Name: "output_norm.weight", Dims: []int{256}},
		gguf.Output{Name: "blk.0.ffn_gate_inp.weight", Dims: []int{256, 4}},
		gguf.Output{Name: "blk.0.ffn_up_exps.weight", Dims: []int{256, 3, 4}},
		gguf.Output{Name: "blk.0.attn_q.weight", Dims: []int{320, 8}},
		gguf.Output{Name: "blk.0.odd.weight", Dims: []int{7, 3}},
	)
	for _, to := range quant.All() {
		t.Run(to.Name, func(t *testing.T) {
			want := []string{"F32", "F32", to.Name, to.Name, to.Name}
			if to.BlockElements > 32 {
				want[3] = Fallback(to, 320).Name
			}
			if to.BlockElements > 1 {
				want[4] = "F16"
			}
			var last, total int64
			got := convert(t, f, to, func(done, of int64) {
				if done < last || done > of {
					t.Errorf("progress from %d to %d of %d", last, done, of)
				}
				last, total = done, of
			})
			if wantTotal := int64(4 * (256 + 256*4 + 256*12 + 320*8 + 21)); total != wantTotal || last != total {
				t.Errorf("progress ended at %d of %d, want %d", last, total, wantTotal)
			}
			if len(got.Tensors) != len(f.Tensors) {
				t.Fatalf("%d tensors, want %d", len(got.Tensors), len(f.Tensors))
			}
			for i, tensor := range got.Tensors {
				source := f.Tensors[i]
				if tensor.Name != source.Name || tensor.TypeName() != want[i] {
					t.Errorf("tensor %d is %s, %s; want %s, %s", i, tensor.Name, tensor.TypeName(), source.Name, want[i])
				}
				if e, bound := distance(t, tensor, source), float64(tensor.Format.ErrorBound); e > 1.25*bound {
					t.Errorf("tensor %s: relative error %.4f, bound %.4f", tensor.Name, e, bound)
				}
			}
			if n, err := got.Uint("general.quantization_version"); n != 2 || err != nil {
				t.Errorf("general.quantization_version is %d, %v", n, err)
			}
			if n, err := got.Uint("general.file_type"); err != nil || (n == 0) != (to.Name == "F32") {
				t.Errorf("general.file_type is %d, %v", n, err)
			}
			for key := range got.All() {
				if strings.HasPrefix(key, "split.") {
					t.Errorf("metadata has %s", key)
				}
			}
			if words, err := got.Strings("tokenizer.ggml.tokens"); len(words) != 2 || err != nil {
				t.Errorf("tokenizer.ggml.tokens is %q, %v", words, err)
			}
		})
	}
}

// distance returns the root-mean-square error of a against b, relative to b.
func distance(t *testing.T, a, b *gguf.Tensor) float64 {
	t.Helper()
	x, y := values(t, a), values(t, b)
	var difference, size float64
	for i := range y {
		d := float64(x[i]) - float64(y[i])
		difference += d * d
		size += float64(y[i]) * float64(y[i])
	}
	return math.Sqrt(difference / size)
}

func values(t *testing.T, tensor *gguf.Tensor) []float32 {
	t.Helper()
	b, err := tensor.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	x := make([]float32, tensor.Elements())
	if err := tensor.Format.Decode(x, b); err != nil {
		t.Fatal(err)
	}
	return x
}

// TestEncodeChunks holds what is encoded in pieces, on several cores, to what is
// encoded at once.
func TestEncodeChunks(t *testing.T) {
	to, x := format(t, "Q4_K"), normal(5*chunk+3*quant.BlockMax)
	size, err := to.RowBytes(len(x))
	if err != nil {
		t.Fatal(err)
	}
	want := make([]byte, size)
	if err := to.Encode(want, x, nil); err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	err = Encode(t.Context(), &got, to, len(x), func(dst []float32, at int) error {
		copy(dst, x[at:])
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Error("the bytes differ")
	}
}

func TestErrors(t *testing.T) {
	zeros := func(dst []float32, _ int) error { clear(dst); return nil }
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	broken := errors.New("broken")
	for _, c := range []struct {
		name    string
		ctx     context.Context
		w       io.Writer
		n       int
		weights Weights
		want    error
	}{
		{"part of a block", t.Context(), io.Discard, 33, zeros, quant.ErrLength},
		{"cancelled", cancelled, io.Discard, 64, zeros, context.Canceled},
		{"weights", t.Context(), io.Discard, 64, func([]float32, int) error { return broken }, broken},
		{"write", t.Context(), failing{broken}, 64, zeros, broken},
		{"not finite", t.Context(), io.Discard, 64, func(dst []float32, _ int) error {
			dst[5] = float32(math.NaN())
			return nil
		}, quant.ErrNotFinite},
	} {
		if err := Encode(c.ctx, c.w, format(t, "Q4_0"), c.n, c.weights); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

// failing refuses every write.
type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

func TestWriteErrors(t *testing.T) {
	infinite := func(n int) []float32 {
		x := make([]float32, n)
		x[n-1] = float32(math.Inf(1))
		return x
	}
	f := file(t, new(gguf.Metadata), infinite, gguf.Output{Name: "bad.weight", Dims: []int{32, 2}})
	o := Options{Mix: Pure(format(t, "Q4_0"))}
	plan, err := Plan(f, o)
	if err != nil {
		t.Fatal(err)
	}
	err = Write(t.Context(), io.Discard, f, o, plan, nil)
	if !errors.Is(err, quant.ErrNotFinite) || !strings.Contains(err.Error(), "bad.weight") {
		t.Errorf("an infinite weight: %v", err)
	}

	// A copied tensor hears of a cancellation too.
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	o.Mix = Pure(format(t, "F32"))
	plan, err = Plan(f, o)
	if err != nil {
		t.Fatal(err)
	}
	if err := Write(ctx, io.Discard, f, o, plan, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestPlanUnknownType(t *testing.T) {
	f := &gguf.File{Metadata: new(gguf.Metadata), Tensors: []*gguf.Tensor{{Name: "x", Dims: []int{32, 2}, TypeID: 20}}}
	_, err := Plan(f, Options{Mix: Pure(format(t, "Q4_0"))})
	if !errors.Is(err, gguf.ErrFormat) || !strings.Contains(err.Error(), "IQ4_NL") {
		t.Errorf("IQ4_NL: %v", err)
	}
}

// TestReference quantises atlas and compares with the files that GGML's
// quantiser made. It had the weights in float32, where the source here has them
// in float16: the bytes differ, the weights stay within the two's errors.
func TestReference(t *testing.T) {
	models := filepath.Join("..", "..", "..", "shared", "models")
	source, err := gguf.Open(filepath.Join(models, "atlas-f16.gguf"))
	if errors.Is(err, fs.ErrNotExist) {
		t.Skipf("SKIPPED: quantised files are not compared with GGML's: no %s beside the module", models)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	for _, to := range quant.All() {
		if to.Layout.Plain {
			continue
		}
		t.Run(to.Name, func(t *testing.T) {
			want, err := gguf.Open(filepath.Join(models, "atlas-"+to.Name+".gguf"))
			if err != nil {
				t.Fatal(err)
			}
			defer want.Close()
			o := Options{Mix: Pure(to)}
			plan, err := Plan(source, o)
			if err != nil {
				t.Fatal(err)
			}
			// One layer says it all.
			plan = slices.DeleteFunc(plan, func(c Conversion) bool { return !strings.HasPrefix(c.Tensor.Name, "blk.2.") })
			got := write(t, source, o, plan, nil)
			if len(got.Tensors) != 9 {
				t.Fatalf("a layer of %d tensors, want 9", len(got.Tensors))
			}
			for _, g := range got.Tensors {
				w, err := want.Tensor(g.Name)
				if err != nil {
					t.Error(err)
					continue
				}
				if g.TypeID != w.TypeID {
					t.Errorf("tensor %s: %s; GGML has %s", w.Name, g.TypeName(), w.TypeName())
				}
				if d, bound := distance(t, g, w), 1.5*float64(w.Format.ErrorBound); d > bound {
					t.Errorf("tensor %s: %.4f from GGML's, bound %.4f", w.Name, d, bound)
				}
			}
		})
	}
}

// mustWrite writes a file and reads its header.
func mustWrite(meta *gguf.Metadata, tensors []gguf.Output) *gguf.File {
	var b bytes.Buffer
	if err := gguf.Write(&b, meta, tensors); err != nil {
		panic(err)
	}
	f, err := gguf.Read(bytes.NewReader(b.Bytes()))
	if err != nil {
		panic(err)
	}
	return f
}

// zeros is the data of an F32 tensor.
func zeros(dims []int) func(io.Writer) error {
	n := 4
	for _, d := range dims {
		n *= d
	}
	return gguf.From(bytes.NewReader(make([]byte, n)))
}
