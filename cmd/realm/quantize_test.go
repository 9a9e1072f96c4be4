package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/realm-webgpu/realm/engine/gguf"
	"github.com/realm-webgpu/realm/shaders/quant"
)

func TestQuantize(t *testing.T) {
	f := newFolder(t)
	const source, out = "in.gguf", "out.gguf"
	f.put(source, written(t, f32Output("norm.weight", 256), f32Output("matrix.weight", 256, 3)))
	for _, format := range quant.All() {
		t.Run(format.Name, func(t *testing.T) {
			f := folder{t, f.dir}
			f.put(out, []byte("what was there before"))
			if o := f.good("", "quantize", source, out, "--pure", "--type", strings.ToLower(format.Name)); o.stdout != "" || o.stderr != "" {
				t.Errorf("printed %q, said %q", o.stdout, o.stderr)
			}
			var r infoReport
			if err := json.Unmarshal([]byte(f.good("", "info", "--tensors", "--json", "-m", out).stdout), &r); err != nil {
				t.Fatal(err)
			}
			if len(r.Tensors) != 2 || r.Tensors[0].Type != "F32" || r.Tensors[1].Type != format.Name {
				t.Errorf("tensors %+v", r.Tensors)
			}
			f.holds(source, out)
		})
	}
}

// TestQuantizeAndRun asks a model that was made smaller.
func TestQuantizeAndRun(t *testing.T) {
	f := newFolder(t)
	o := f.good("", "quantize", f.atlas(), "smaller.gguf", "--type", "Q4_1", "--pure")
	if want := "realm: 29 tensors come from Q8_0 and keep its errors: quantize from F16 or F32 where you can\n"; o.stderr != want {
		t.Errorf("said %q, want %q", o.stderr, want)
	}
	if o := f.good("", "run", "--device", "cpu", "-m", "smaller.gguf", question); o.stdout != answer {
		t.Errorf("in Q4_1 the answer is %q", o.stdout)
	}
	if a, b := len(f.get("smaller.gguf")), len(f.get("atlas.gguf")); a > b*6/10 {
		t.Errorf("%d bytes of %d", a, b)
	}
}

// f32Output is a tensor of zeros.
func f32Output(name string, dims ...int) gguf.Output {
	f32, _ := quant.ByName("F32")
	size := 4
	for _, d := range dims {
		size *= d
	}
	return gguf.Output{Name: name, Dims: dims, Format: f32, Data: gguf.From(bytes.NewReader(make([]byte, size)))}
}

// written is a GGUF file of the tensors.
func written(t *testing.T, tensors ...gguf.Output) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := gguf.Write(&b, new(gguf.Metadata), tensors); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestQuantizeFallback(t *testing.T) {
	f := newFolder(t)
	in := f.put("in.gguf", written(t, f32Output("a.weight", 320, 2), f32Output("b.weight", 256, 2), f32Output("c.weight", 320, 3), f32Output("d.weight", 7, 3)))
	o := f.good("", "quantize", in, "out.gguf", "--type", "Q4_K")
	const want = "realm: 2 tensors become Q5_0: rows of 320 are no multiple of Q4_K's 256 (the first is a.weight)\n" +
		"realm: 1 tensors become F16: rows of 7 are no multiple of Q4_K's 256 (the first is d.weight)\n"
	if o.stderr != want {
		t.Errorf("said %q, want %q", o.stderr, want)
	}
}

// TestQuantizeMix makes the mix of a name, with exceptions of the user's.
func TestQuantizeMix(t *testing.T) {
	f := newFolder(t)
	f.atlas()
	types := func(args ...string) map[string]string {
		t.Helper()
		f.good("", append([]string{"quantize", "atlas.gguf", "out.gguf"}, args...)...)
		var r infoReport
		if err := json.Unmarshal([]byte(f.good("", "info", "--tensors", "--json", "-m", "out.gguf").stdout), &r); err != nil {
			t.Fatal(err)
		}
		found := map[string]string{"file type": fmt.Sprint(r.Metadata["general.file_type"])}
		for _, tensor := range r.Tensors {
			found[tensor.Name] = tensor.Type
		}
		return found
	}
	for _, c := range []struct {
		args string
		want map[string]string
	}{
		{"--type Q4_K_M", map[string]string{
			"file type": "15", "token_embd.weight": "Q6_K", "output_norm.weight": "F32",
			"blk.0.attn_v.weight": "Q4_K", "blk.2.attn_v.weight": "Q6_K", "blk.3.ffn_down.weight": "Q6_K", "blk.0.attn_q.weight": "Q4_K",
		}},
		{"--type q4_k --pure", map[string]string{"file type": "14", "token_embd.weight": "Q4_K", "blk.2.attn_v.weight": "Q4_K"}},
		{"--type Q5_0 --output-tensor-type Q8_0", map[string]string{"token_embd.weight": "Q8_0", "blk.0.attn_q.weight": "Q5_0"}},
		{"--type Q5_0 --token-embedding-type f16 --output-tensor-type Q8_0", map[string]string{"token_embd.weight": "F16"}},
		{`--type Q5_0 --tensor ^blk\.0\.=Q8_0 --tensor attn_[qk]=bf16 --tensor attn_=Q4_0`, map[string]string{
			"blk.0.attn_q.weight": "Q8_0", "blk.1.attn_q.weight": "BF16", "blk.1.attn_v.weight": "Q4_0", "blk.1.ffn_up.weight": "Q5_0",
		}},
	} {
		found := types(strings.Fields(c.args)...)
		for name, want := range c.want {
			if found[name] != want {
				t.Errorf("%s: %s is %s, want %s", c.args, name, found[name], want)
			}
		}
	}
	if o := f.good("", "run", "--device", "cpu", "-m", "out.gguf", question); o.stdout != answer {
		t.Errorf("the answer is %q", o.stdout)
	}
}

// TestQuantizeImportance favours columns, and says which matrices it knows none of.
func TestQuantizeImportance(t *testing.T) {
	f := newFolder(t)
	in := f.put("in.gguf", written(t, f32Output("blk.0.a.weight", 256, 2), f32Output("blk.0.b.weight", 256, 2), f32Output("output.weight", 256, 2)))
	f.put("a.dat", importance("blk.0.a.weight", 256))
	f.put("short.dat", importance("blk.0.a.weight", 128))
	f.put("other.dat", importance("blk.9.a.weight", 256))
	o := f.good("", "quantize", in, "out.gguf", "--type", "Q2_K_S", "--imatrix", "a.dat")
	if want := "realm: 1 matrices are not in the importance matrix (the first is blk.0.b.weight)\n"; o.stderr != want {
		t.Errorf("said %q, want %q", o.stderr, want)
	}
	if o := f.good("", "info", "-m", "out.gguf"); !strings.Contains(o.stdout, `quantize.imatrix.file           "a.dat"`) {
		t.Errorf("metadata\n%s", o.stdout)
	}
	if o := f.good("", "quantize", in, "out.gguf", "--type", "Q2_K_S"); !strings.Contains(o.stderr, "Q2_K_S was made for use with --imatrix") {
		t.Errorf("said %q", o.stderr)
	}
	for file, want := range map[string]string{
		"short.dat":   "128 columns, the tensor has 256",
		"other.dat":   "it has none of the matrices of in.gguf",
		"in.gguf":     "bad importance matrix: general.type",
		"nowhere.dat": "nowhere.dat",
	} {
		o := f.realm("", "quantize", in, "new.gguf", "--type", "Q2_K", "--imatrix", file)
		if o.code != exitFailure || !strings.Contains(o.stderr, want) || strings.Count(o.stderr, "\n") != 1 {
			t.Errorf("%s: exit code %d, said %q, want %q in it", file, o.code, o.stderr, want)
		}
	}
	f.holds("in.gguf", "out.gguf", "a.dat", "short.dat", "other.dat")
}

// importance is a file of llama.cpp's older format, with one matrix.
func importance(name string, columns int) []byte {
	b := binary.LittleEndian.AppendUint32(nil, 1)
	b = append(binary.LittleEndian.AppendUint32(b, uint32(len(name))), name...)
	b = binary.LittleEndian.AppendUint32(b, 1)
	b = binary.LittleEndian.AppendUint32(b, uint32(columns))
	for i := range columns {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(float32(i)))
	}
	return b
}

// TestQuantizeInterrupted stops a quantisation in the middle.
func TestQuantizeInterrupted(t *testing.T) {
	f := newFolder(t)
	f16, _ := quant.ByName("F16")
	// 16 M weights: some seconds of Q2_K.
	random := rand.New(rand.NewPCG(1, 1))
	data := make([]byte, 1<<20)
	for i := range len(data) / 2 {
		binary.LittleEndian.PutUint16(data[2*i:], quant.F32ToF16(float32(random.NormFloat64())))
	}
	in := f.put("in.gguf", written(t, gguf.Output{Name: "a.weight", Dims: []int{1 << 12, 1 << 12}, Format: f16,
		Data: gguf.From(bytes.NewReader(bytes.Repeat(data, 32)))}))
	c := f.command("quantize", in, "out.gguf", "--type", "Q2_K")
	var stderr strings.Builder
	c.Stderr = &stderr
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	// Its temporary file says that it is at work.
	for start := time.Now(); len(mustGlob(t, filepath.Join(f.dir, "*.tmp"))) == 0; time.Sleep(time.Millisecond) {
		if time.Since(start) > time.Minute {
			t.Fatal("no temporary file in a minute")
		}
	}
	if err := c.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(); err == nil || c.ProcessState.ExitCode() != exitInterrupted || stderr.String() != "realm: interrupted\n" {
		t.Errorf("ended with %v, said %q", err, stderr.String())
	}
	f.holds("in.gguf")
}

func mustGlob(t *testing.T, pattern string) []string {
	t.Helper()
	names, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	return names
}
