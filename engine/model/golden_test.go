package model_test

import (
	"context"
	"encoding/binary"
	"math"
	"math/bits"
	"os"
	"path/filepath"
	"testing"

	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/engine/device/cpu"
	"github.com/realm-webgpu/realm/engine/device/webgpu"
	"github.com/realm-webgpu/realm/engine/gguf"
	"github.com/realm-webgpu/realm/engine/model"
	"github.com/realm-webgpu/realm/shaders/quant"
)

// bench is a device that models are compared on, and how near the reference
// their logits have to be there: the largest NMSE of a float32 model with a
// float32 cache.
type bench struct {
	device.Device
	name  string
	bound float64
}

// onDevices runs a test on the CPU, and on the best WebGPU adapter there is.
// Without one that part is skipped, loudly, or fails where REALM_REQUIRE_GPU is
// set.
func onDevices(t *testing.T, test func(t *testing.T, d bench)) {
	t.Run("cpu", func(t *testing.T) { test(t, openCPU(t, 0)) })
	t.Run("webgpu", func(t *testing.T) {
		d, err := webgpu.Open(webgpu.Options{})
		if err != nil {
			if os.Getenv("REALM_REQUIRE_GPU") != "" {
				t.Fatalf("REALM_REQUIRE_GPU is set: %v", err)
			}
			t.Skipf("NOT TESTED, there is no WebGPU adapter (Debian: apt install mesa-vulkan-drivers): %v", err)
		}
		closeAfter(t, d)
		test(t, bench{d, "webgpu", 1e-5})
	})
}

func openCPU(t testing.TB, budget int64) bench {
	t.Helper()
	d, err := cpu.New(cpu.Options{Budget: budget, Exact: true})
	if err != nil {
		t.Fatal(err)
	}
	closeAfter(t, d)
	return bench{d, "cpu", 1e-6}
}

func closeAfter(t testing.TB, d device.Device) {
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
}

// shared returns a path in the folder that is shared between checkouts, and skips
// the test, loudly, where it is absent.
func shared(t testing.TB, path ...string) string {
	t.Helper()
	full := filepath.Join(append([]string{"..", "..", "..", "shared"}, path...)...)
	if _, err := os.Stat(full); err != nil {
		t.Skipf("NOT TESTED, there is no ../shared beside the module: %v", err)
	}
	return full
}

// numbers reads a file of little-endian numbers.
func numbers[T int32 | float32](t testing.TB, path string) []T {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	list := make([]T, len(data)/4)
	if _, err := binary.Decode(data, binary.LittleEndian, list); err != nil {
		t.Fatal(err)
	}
	return list
}

func open(t testing.TB, path string) *gguf.File {
	t.Helper()
	f, err := gguf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func load(t testing.TB, f *gguf.File, d device.Device, o model.Options) *model.Model {
	t.Helper()
	m, err := model.Load(context.Background(), f, d, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Release)
	return m
}

// session is one sequence of a model on a device.
type session struct {
	t      testing.TB
	d      device.Device
	m      *model.Model
	cache  device.Cache
	tokens []int32 // read so far
	pages  []int32
	hidden bool // outputs are hidden states
	// Of all rows, where banks is not nil.
	banks *model.Banks
	slot  int32
	scale float32
}

func newSession(t testing.TB, d device.Device, m *model.Model, c device.CacheType) *session {
	t.Helper()
	s := &session{t: t, d: d, m: m}
	count := (m.Context() + device.PageTokens - 1) / device.PageTokens
	for i := range count {
		s.pages = append(s.pages, int32(count-1-i)) // in no easy order
	}
	var err error
	if s.cache, err = d.NewCache(m.CacheSpec(count, c)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.cache.Release)
	return s
}

// read reads tokens in steps of at most a number of rows, as far as the device can,
// of which only the last has an output, and returns the logits of the last token.
func (s *session) read(rows int, tokens []int32) []float32 {
	s.t.Helper()
	rows = min(rows, s.d.Info().MaxRows)
	for len(tokens) > rows {
		s.step(tokens[:rows], 0)
		tokens = tokens[rows:]
	}
	return s.step(tokens, 1)[0]
}

// step reads tokens in one step, and returns the outputs of the last few.
func (s *session) step(tokens []int32, outputs int) [][]float32 {
	s.t.Helper()
	p, view := s.m.Program(s.cache, model.Shape{
		Rows: 1 << bits.Len(uint(len(tokens)-1)), Outputs: outputs, Sequences: 1, Pages: len(s.pages), Hidden: s.hidden, Banks: s.banks,
	})
	e, err := s.d.Compile(p)
	if err != nil {
		s.t.Fatal(err)
	}
	defer e.Release()
	step := &device.Step{BlockTables: [][]int32{s.pages}}
	for _, id := range tokens {
		step.Tokens = append(step.Tokens, id)
		step.Positions = append(step.Positions, int32(len(s.tokens)))
		step.Sequences = append(step.Sequences, 0)
		s.tokens = append(s.tokens, id)
		if s.banks != nil {
			step.Adapters, step.Scales = append(step.Adapters, s.slot), append(step.Scales, s.scale)
		}
	}
	step.Lengths = []int32{int32(len(s.tokens))}
	for i := range outputs {
		step.Outputs = append(step.Outputs, int32(len(tokens)-outputs+i))
	}
	if err := e.Submit(step); err != nil {
		s.t.Fatal(err)
	}
	var result device.Result
	if err := e.Wait(&result); err != nil {
		s.t.Fatal(err)
	}
	rows := make([][]float32, outputs)
	for i := range rows {
		rows[i] = make([]float32, view.Width)
		if err := e.Read(view, i, rows[i]); err != nil {
			s.t.Fatal(err)
		}
	}
	return rows
}

// nmse is sum((a-b)²) / sum(b²).
func nmse(a, b []float32) float64 {
	var difference, size float64
	for i := range b {
		d := float64(a[i]) - float64(b[i])
		difference += d * d
		size += float64(b[i]) * float64(b[i])
	}
	return difference / size
}

func argmax(x []float32) int {
	best := 0
	for i := range x {
		if x[i] > x[best] {
			best = i
		}
	}
	return best
}

// compare fails where logits are not the reference's.
func compare(t *testing.T, got, want []float32, bound float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d logits, the reference has %d", len(got), len(want))
	}
	n := nmse(got, want)
	t.Logf("NMSE %.2g", n)
	if !(n < bound) || math.IsNaN(n) {
		t.Errorf("NMSE %v, want under %v", n, bound)
	}
	if a, b := argmax(got), argmax(want); a != b {
		t.Errorf("the best token is %d, want %d", a, b)
	}
}

// TestArchitectures compares a tiny random model of each family with llama.cpp.
func TestArchitectures(t *testing.T) {
	onDevices(t, func(t *testing.T, d bench) {
		for _, name := range []string{"llama", "llama-linear", "llama-mha-tied", "qwen2", "qwen3", "phi3", "gemma3", "mixtral"} {
			t.Run(name, func(t *testing.T) {
				path := filepath.Join("testdata", name)
				if _, err := os.Stat(path + ".gguf"); err != nil {
					path = filepath.Join(shared(t, "goldens", "arch"), name)
				}
				tokens := numbers[int32](t, path+".tokens.i32")
				m := load(t, open(t, path+".gguf"), d, model.Options{Context: 128})
				got := newSession(t, d, m, device.CacheF32).read(128, tokens)
				compare(t, got, numbers[float32](t, path+".logits.f32"), d.bound)
			})
		}
	})
}

// TestAtlas compares a trained model, its matrices in every format, with
// llama.cpp: a short prompt, and a long one in several steps.
func TestAtlas(t *testing.T) {
	onDevices(t, func(t *testing.T, d bench) {
		logits := shared(t, "goldens", "logits")
		type file struct{ name, reference string }
		files := []file{{"f16", "f32"}} // the reference has it as it was trained
		for _, format := range quant.All() {
			if !format.Layout.Plain {
				files = append(files, file{format.Name, format.Name})
			}
		}
		for _, f := range files {
			path := filepath.Join(shared(t, "models"), "atlas-"+f.name+".gguf")
			t.Run(f.name, func(t *testing.T) {
				m := load(t, open(t, path), d, model.Options{})
				for _, prompt := range []struct{ tokens, prefix string }{{"question", ""}, {"long", "long-"}} {
					t.Run(prompt.tokens, func(t *testing.T) {
						tokens := numbers[int32](t, filepath.Join(logits, prompt.tokens+".tokens.i32"))
						got := newSession(t, d, m, device.CacheF16).read(256, tokens)
						compare(t, got, numbers[float32](t, filepath.Join(logits, prompt.prefix+f.reference+".logits.f32")), 1e-5)
					})
				}
			})
		}
	})
}

// TestSteps: logits are the same to the bit however a prompt is cut into steps.
func TestSteps(t *testing.T) {
	onDevices(t, func(t *testing.T, d bench) {
		tokens := numbers[int32](t, "testdata/llama.tokens.i32")[:40]
		m := load(t, open(t, "testdata/llama.gguf"), d, model.Options{Context: 64})
		want := newSession(t, d, m, device.CacheF16).read(64, tokens)
		for _, rows := range []int{32, 16, 1} {
			got := newSession(t, d, m, device.CacheF16).read(rows, tokens)
			for i := range want {
				if got[i] != want[i] {
					t.Fatalf("in steps of %d rows, logit %d is %v, in one step %v", rows, i, got[i], want[i])
				}
			}
		}
	})
}
