package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
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
	f.put(source, written(t, f32Output("norm", 256), f32Output("matrix", 256, 3)))
	for _, format := range quant.All() {
		t.Run(format.Name, func(t *testing.T) {
			f := folder{t, f.dir}
			f.put(out, []byte("what was there before"))
			if o := f.good("", "quantize", source, out, "--type", strings.ToLower(format.Name)); o.stdout != "" || o.stderr != "" {
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
	o := f.good("", "quantize", f.atlas(), "smaller.gguf", "--type", "Q4_1")
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
	in := f.put("in.gguf", written(t, f32Output("a", 320, 2), f32Output("b", 256, 2), f32Output("c", 320, 3), f32Output("d", 7, 3)))
	o := f.good("", "quantize", in, "out.gguf", "--type", "Q4_K")
	const want = "realm: 2 tensors become Q5_0: rows of 320 are no multiple of Q4_K's 256 (the first is a)\n" +
		"realm: 1 tensors become F16: rows of 7 are no multiple of Q4_K's 256 (the first is d)\n"
	if o.stderr != want {
		t.Errorf("said %q, want %q", o.stderr, want)
	}
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
	in := f.put("in.gguf", written(t, gguf.Output{Name: "a", Dims: []int{1 << 12, 1 << 12}, Format: f16,
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
