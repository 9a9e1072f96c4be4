package cpu_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"testing"

	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/engine/device/cpu"
)

func f32Matrix(rows, columns int, data []byte) device.Matrix {
	return device.Matrix{
		Name: "m", Format: format("F32"), Columns: columns,
		Sources: []device.Source{{Rows: rows, Reader: bytes.NewReader(data)}},
	}
}

func TestUploadErrors(t *testing.T) {
	r := newRig(t, cpu.Options{Budget: 1 << 20})
	ctx := context.Background()
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	good := make([]byte, 4*4*8)
	experts := func(n, rows int) device.Matrix {
		m := f32Matrix(rows, 8, good)
		m.Experts = n
		return m
	}
	ragged := f32Matrix(4, 8, good)
	ragged.Format = format("Q4_K")
	shown := f32Matrix(4, 8, nil)
	shown.Sources[0].Reader = mapped{bytes.NewReader(good[:40])}
	for _, test := range []struct {
		name string
		ctx  context.Context
		m    device.Matrix
		want error
	}{
		{"fewer than no experts", ctx, experts(-1, 4), device.ErrUnsupported},
		{"experts past counting", ctx, experts(math.MaxInt32, math.MaxInt32), device.ErrUnsupported},
		{"more experts than there are", ctx, experts(2, 4), io.ErrUnexpectedEOF},
		{"experts over the budget", ctx, experts(1<<13, 5), device.ErrMemory},
		{"a row of half a block", ctx, ragged, device.ErrUnsupported},
		{"no format", ctx, device.Matrix{Columns: 8, Sources: ragged.Sources}, device.ErrUnsupported},
		{"no sources", ctx, device.Matrix{Format: format("F32"), Columns: 8}, device.ErrUnsupported},
		{"no rows", ctx, f32Matrix(0, 8, good), device.ErrUnsupported},
		{"too many rows", ctx, f32Matrix(math.MaxInt32+1, 8, good), device.ErrUnsupported},
		{"bytes past counting", ctx, f32Matrix(math.MaxInt32, 1<<60, good), device.ErrUnsupported},
		{"over the budget", ctx, f32Matrix(1<<15+1, 8, good), device.ErrMemory},
		{"a short source", ctx, f32Matrix(5, 8, good), io.ErrUnexpectedEOF},
		{"cancelled", cancelled, f32Matrix(4, 8, good), context.Canceled},
	} {
		w, err := r.Upload(test.ctx, test.m)
		if !errors.Is(err, test.want) || w != nil {
			t.Errorf("%s: %v, want %v", test.name, err, test.want)
		}
	}
	if _, err := r.Upload(ctx, shown); err == nil {
		t.Error("a source that shows too little was taken")
	}
	if used := r.Memory().Total(); used != 0 {
		t.Errorf("%d bytes are in use after uploads that failed", used)
	}
}

// TestClaimedRows uploads a matrix that says it is large from a source that is
// not, without a budget: the claim must fail before it takes memory.
func TestClaimedRows(t *testing.T) {
	r := newRig(t, cpu.Options{})
	_, err := r.Upload(context.Background(), f32Matrix(math.MaxInt32, 1<<20, make([]byte, 64)))
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%v, want %v", err, io.ErrUnexpectedEOF)
	}
}

func TestBudget(t *testing.T) {
	const budget = 4096
	r := newRig(t, cpu.Options{Budget: budget})
	first := r.vector(make([]float32, 512))
	_, err := r.UploadVector(make([]float32, 600))
	var memory *device.MemoryError
	if !errors.As(err, &memory) || memory.Need != 2400 || memory.Used != 2048 || memory.Budget != budget || memory.Kind != device.KindWeights {
		t.Fatalf("%v, want need 2400, used 2048 of %d", err, budget)
	}
	if _, err = r.NewCache(device.CacheSpec{Layers: 1, HeadCountKV: 1, HeadDim: 8, Pages: 4}); !errors.Is(err, device.ErrMemory) {
		t.Errorf("cache: %v", err)
	}
	p := program(128)
	p.Add(&device.Embed{Out: p.NewBuffer(8), Table: must(r.Upload(context.Background(), f32Matrix(4, 8, make([]byte, 128))))})
	if _, err = r.Compile(p); !errors.As(err, &memory) || memory.Kind != device.KindScratch {
		t.Errorf("compile: %v", err)
	}
	first.Release()
	first.Release()
	r.vector(make([]float32, 600))
	if got, want := r.Memory(), int64(2400+128); got.Total() != want || got.Budget != budget {
		t.Errorf("%d bytes of %d in use, want %d of %d", got.Total(), got.Budget, want, budget)
	}
}

// TestMemoryComesBack releases all that a model took while steps are in flight.
func TestMemoryComesBack(t *testing.T) {
	r := newRig(t, cpu.Options{})
	m := newTiny(r, 8)
	e := m.compile(8)
	r.check(e.Submit(sequenceStep(0, []int32{1, 2}, []int32{0})))
	e.Release()
	m.cache.Release()
	for _, l := range m.layers {
		for _, w := range []device.Weights{l.norm, l.qkv, l.out, l.gateUp, l.down, l.bias} {
			w.Release()
		}
	}
	for _, w := range []device.Weights{m.embedding, m.table, m.norm, m.head} {
		w.Release()
	}
	// A step of another program is behind all of that.
	other, _ := logitsProgram(r, [][]float32{{1, 2, 3, 4}}, &device.TopK{K: 1})
	r.run(other, plainStep(1))
	if used := r.Memory().Used; used[device.KindCache] != 0 || used[device.KindWeights] != 16 {
		t.Errorf("in use: %v", used)
	}
}

// TestReleaseMakesRoom replaces weights that fill the budget as soon as the step
// that used them is waited for, or still in flight.
func TestReleaseMakesRoom(t *testing.T) {
	r := newRig(t, cpu.Options{Budget: 100 << 10})
	table, _ := r.matrix(format("F32"), r.normal(4, 16))
	var result device.Result
	for i := range 100 {
		weight, _ := r.matrix(format("F32"), r.normal(1024, 16)) // 64 KiB
		p := program(1)
		out := p.NewBuffer(16)
		p.Add(&device.Embed{Out: out, Table: table}, &device.MatMul{Out: p.NewBuffer(1024), X: out, Weight: weight})
		e := r.compile(p)
		r.check(e.Submit(plainStep(1)))
		if i%2 == 0 {
			r.check(e.Wait(&result))
		}
		e.Release()
		weight.Release()
	}
}

func TestCacheErrors(t *testing.T) {
	r := newRig(t, cpu.Options{})
	good := device.CacheSpec{Layers: 1, HeadCountKV: 1, HeadDim: 8, Pages: 4}
	for name, change := range map[string]func(*device.CacheSpec){
		"Layers":      func(s *device.CacheSpec) { s.Layers = 0 },
		"HeadCountKV": func(s *device.CacheSpec) { s.HeadCountKV = -1 },
		"HeadDim":     func(s *device.CacheSpec) { s.HeadDim = 6 },
		"Pages":       func(s *device.CacheSpec) { s.Pages = 0 },
		"Type":        func(s *device.CacheSpec) { s.Type = 7 },
		"size":        func(s *device.CacheSpec) { s.Pages, s.Layers = math.MaxInt32, math.MaxInt32 },
	} {
		spec := good
		change(&spec)
		if _, err := r.NewCache(spec); !errors.Is(err, device.ErrUnsupported) {
			t.Errorf("%s: %v", name, err)
		}
	}
	c := must(r.NewCache(good))
	for _, pages := range [][2]int{{-1, 0}, {0, 4}} {
		if err := c.CopyPage(pages[0], pages[1]); !errors.Is(err, device.ErrStep) {
			t.Errorf("copy %v: %v", pages, err)
		}
	}
}

func TestForeignAndMisplaced(t *testing.T) {
	r, other := newRig(t, cpu.Options{}), newRig(t, cpu.Options{})
	x := [][]float32{{1, 2, 3, 4}}
	matrix, _ := r.matrix(format("F32"), x)
	foreign, _ := other.matrix(format("F32"), x)
	vector := r.vector(x[0])
	for name, build := range map[string]func(p *device.Program){
		"weights of another device": func(p *device.Program) {
			p.Add(&device.Embed{Out: p.NewBuffer(4), Table: foreign})
		},
		"a vector as a table": func(p *device.Program) {
			p.Add(&device.Embed{Out: p.NewBuffer(4), Table: vector})
		},
		"a matrix as a norm": func(p *device.Program) {
			v := r.input(p, x)
			p.Add(&device.RMSNorm{Out: v, X: v, Weight: matrix})
		},
		"a vector as a table of positions": func(p *device.Program) {
			p.Add(&device.EmbedPosition{Out: p.NewBuffer(4), Table: vector})
		},
		"a matrix as a shift": func(p *device.Program) {
			v := r.input(p, x)
			p.Add(&device.LayerNorm{Out: v, X: v, Weight: vector, Bias: matrix})
		},
		"an expert of another device": func(p *device.Program) {
			v, router, out := r.input(p, x), r.input(p, x), p.NewBuffer(4)
			own, _ := r.experts(format("F32"), 4, r.normal(16, 4))
			foreign, _ := other.experts(format("F32"), 4, r.normal(16, 4))
			p.Add(&device.Experts{Out: out, X: v, Router: router, Gate: own, Up: own, Down: foreign, Used: 1})
		},
		"a cache of another device": func(p *device.Program) {
			p.Cache = must(other.NewCache(device.CacheSpec{Layers: 1, HeadCountKV: 1, HeadDim: 4, Pages: 1}))
			p.Sequences, p.Pages = 1, 1
		},
		"rows past MaxRows": func(p *device.Program) { p.Rows = 2 * r.Info().MaxRows },
	} {
		p := program(1)
		build(p)
		before := r.Memory().Used[device.KindScratch]
		if _, err := r.Compile(p); !errors.Is(err, device.ErrProgram) {
			t.Errorf("%s: %v", name, err)
		}
		if after := r.Memory().Used[device.KindScratch]; after != before {
			t.Errorf("%s: %d bytes of scratch are left behind", name, after-before)
		}
	}
}

func TestReleased(t *testing.T) {
	r := newRig(t, cpu.Options{})
	step := sequenceStep(0, []int32{1}, []int32{0})
	var result device.Result
	for name, release := range map[string]func(*tiny, device.Executable){
		"weights":    func(m *tiny, e device.Executable) { m.layers[0].qkv.Release() },
		"vector":     func(m *tiny, e device.Executable) { m.norm.Release() },
		"cache":      func(m *tiny, e device.Executable) { m.cache.Release() },
		"executable": func(m *tiny, e device.Executable) { e.Release() },
	} {
		m := newTiny(r, 8)
		e := m.compile(1)
		release(m, e)
		if err := e.Submit(step); !errors.Is(err, device.ErrClosed) {
			t.Errorf("submit after the release of %s: %v", name, err)
		}
		if name == "cache" {
			if err := m.cache.CopyPage(1, 0); !errors.Is(err, device.ErrClosed) {
				t.Errorf("copy page: %v", err)
			}
		}
		if name == "executable" {
			if err := e.Wait(&result); !errors.Is(err, device.ErrClosed) {
				t.Errorf("wait: %v", err)
			}
			if err := e.Read(m.logits, 0, make([]float32, tinyVocab)); !errors.Is(err, device.ErrClosed) {
				t.Errorf("read: %v", err)
			}
			continue
		}
		p := program(1)
		p.Cache, p.Sequences, p.Pages = m.cache, 1, 1
		out := p.NewBuffer(tinyEmbed)
		p.Add(&device.Embed{Out: out, Table: m.embedding},
			&device.RMSNorm{Out: out, X: out, Weight: m.norm},
			&device.MatMul{Out: p.NewBuffer((tinyHeads + 2*tinyKV) * tinyDim), X: out, Weight: m.layers[0].qkv})
		if _, err := r.Compile(p); !errors.Is(err, device.ErrClosed) {
			t.Errorf("compile after the release of %s: %v", name, err)
		}
	}
}

// TestClose closes a device with steps in flight, and uses all it made.
func TestClose(t *testing.T) {
	r := newRig(t, cpu.Options{Workers: 2})
	m := newTiny(r, 8)
	e, waiting := m.compile(8), m.compile(8)
	step := sequenceStep(0, []int32{1}, []int32{0})
	for range device.InFlight {
		r.check(e.Submit(step))
		r.check(waiting.Submit(step))
	}
	waited := make(chan error)
	go func() {
		var result device.Result
		var err error
		for err == nil {
			err = waiting.Wait(&result)
		}
		waited <- err
	}()
	r.check(r.Close())
	r.check(r.Close())
	if err := <-waited; !errors.Is(err, device.ErrClosed) && !errors.Is(err, device.ErrStep) {
		t.Errorf("a wait in progress: %v", err)
	}

	var result device.Result
	_, upload := r.Upload(context.Background(), f32Matrix(1, 4, make([]byte, 16)))
	_, vector := r.UploadVector([]float32{1})
	_, cache := r.NewCache(m.cache.Spec())
	_, compile := r.Compile(program(1))
	for name, err := range map[string]error{
		"submit": e.Submit(step), "wait": e.Wait(&result), "read": e.Read(m.logits, 0, make([]float32, tinyVocab)),
		"upload": upload, "vector": vector, "cache": cache, "compile": compile, "copy page": m.cache.CopyPage(1, 0),
	} {
		if !errors.Is(err, device.ErrClosed) {
			t.Errorf("%s after Close: %v", name, err)
		}
	}
	e.Release()
	m.cache.Release()
	m.norm.Release()
	if used := r.Memory().Total(); used != 0 {
		t.Errorf("%d bytes are in use after Close", used)
	}
}
