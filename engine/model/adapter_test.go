package model_test

import (
	"bytes"
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/realm-webgpu/realm/e2e/models"
	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/engine/gguf"
	"github.com/realm-webgpu/realm/engine/lora"
	"github.com/realm-webgpu/realm/engine/model"
)

// rack is the adapters of a model, and the banks that its programs are made with.
type rack struct {
	*model.Adapters
	t     testing.TB
	model *model.Model
	banks *model.Banks
	made  int // times that banks were made anew
}

func newRack(t testing.TB, d device.Device, m *model.Model, limit int64) *rack {
	r := &rack{t: t, model: m}
	if b, ok := d.(bench); ok {
		d = b.Device // with the powers that it has
	}
	r.Adapters = m.NewAdapters(d, model.NewAdapterBudget(limit), func(_ context.Context, f func() (*model.Banks, error)) error {
		var err error
		r.made++
		r.banks, err = f()
		return err
	})
	t.Cleanup(r.Close)
	return r
}

// fit holds an adapter to the model.
func (r *rack) fit(a *lora.Adapter) *lora.Fitted {
	r.t.Helper()
	f, err := a.Fit(r.model.AdapterTarget())
	if err != nil {
		r.t.Fatal(err)
	}
	return f
}

// load loads an adapter.
func (r *rack) load(a *lora.Adapter) *model.Slot {
	r.t.Helper()
	slot, err := r.Load(r.t.Context(), r.fit(a))
	if err != nil {
		r.t.Fatal(err)
	}
	return slot
}

// session is one that goes by an adapter.
func (r *rack) session(d device.Device, c device.CacheType, slot *model.Slot, scale float32) *session {
	s := newSession(r.t, d, r.model, c)
	s.banks, s.slot, s.scale = r.banks, device.NoAdapter, scale
	if slot != nil {
		s.slot = slot.Index()
	}
	return s
}

func readAdapter(t testing.TB, data []byte) *lora.Adapter {
	t.Helper()
	f, err := gguf.Read(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	a, err := lora.Read(f)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// TestAdapters compares atlas with its two adapters with llama.cpp: a short prompt,
// and a long one in several steps. The reference has atlas as it was trained, which
// the one that is built in, in Q8_0, is near to.
func TestAdapters(t *testing.T) {
	onDevices(t, func(t *testing.T, d bench) {
		built, err := gguf.Read(bytes.NewReader(models.Atlas))
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			name  string
			file  func(t *testing.T) *gguf.File
			bound float64
		}{
			{"f16", func(t *testing.T) *gguf.File { return open(t, filepath.Join(shared(t, "models"), "atlas-f16.gguf")) }, 1e-5},
			{"Q8_0", func(*testing.T) *gguf.File { return built }, 1e-3},
		} {
			t.Run(c.name, func(t *testing.T) {
				m := load(t, c.file(t), d, model.Options{})
				r := newRack(t, d, m, 0)
				for name, data := range models.Adapters() {
					slot := r.load(readAdapter(t, data))
					for _, prompt := range []string{"question", "long"} {
						t.Run(name+"/"+prompt, func(t *testing.T) {
							tokens := numbers[int32](t, filepath.Join("testdata", "adapters", prompt+".tokens.i32"))
							want := numbers[float32](t, filepath.Join("testdata", "adapters", prompt+"-"+name+".logits.f32"))
							compare(t, r.session(d, device.CacheF16, slot, 1).read(64, tokens), want, c.bound)
						})
					}
				}
			})
		}
	})
}

// randomAdapter is one for the matrices of a file that take one, of ranks that are
// no multiples of 4 and differ.
func randomAdapter(t testing.TB, d *draft, m *model.Model, seed uint64, low, high int) *lora.Adapter {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 1))
	a := &lora.Adapter{Format: "GGUF"}
	target := m.AdapterTarget()
	for i := range d.tensors {
		name := d.tensors[i].Name
		rows, columns, err := target.Matrix(name)
		if err != nil {
			continue
		}
		p := lora.Pair{Name: name, Rank: low + r.IntN(high-low+1), Rows: rows, Columns: columns, Scale: 0.5}
		for range p.Rank * columns {
			p.A = append(p.A, float32(r.NormFloat64()/math.Sqrt(float64(columns))))
		}
		for range rows * p.Rank {
			p.B = append(p.B, float32(r.NormFloat64()*0.1))
		}
		a.Pairs = append(a.Pairs, p)
	}
	return a
}

// merge adds an adapter to the matrices of a file.
func merge(t testing.TB, d *draft, a *lora.Adapter, scale float64) {
	t.Helper()
	for _, p := range a.Pairs {
		values := d.values(p.Name)
		for row := range p.Rows {
			for c := range p.Columns {
				sum := 0.0
				for k := range p.Rank {
					sum += float64(p.B[row*p.Rank+k]) * float64(p.A[k*p.Columns+c])
				}
				values[row*p.Columns+c] += float32(scale * float64(p.Scale) * sum)
			}
		}
		o := d.tensor(p.Name)
		o.Format = format(t, "F32")
		o.Data = d.encoded(o.Format, values)
	}
}

// TestAdapterMerged compares a model of each family and an adapter of all matrices
// that take one with the model that the adapter was merged into, beside another
// adapter in the next slot.
func TestAdapterMerged(t *testing.T) {
	onDevices(t, func(t *testing.T, d bench) {
		for _, name := range []string{"llama", "llama-linear", "llama-mha-tied", "qwen2", "qwen3", "phi3", "gemma3", "mixtral"} {
			t.Run(name, func(t *testing.T) {
				path := filepath.Join("testdata", name)
				if _, err := os.Stat(path + ".gguf"); err != nil {
					path = filepath.Join(shared(t, "goldens", "arch"), name)
				}
				tokens := numbers[int32](t, path+".tokens.i32")
				m := load(t, open(t, path+".gguf"), d, model.Options{Context: 128})
				merged := newDraft(t, path+".gguf")
				r := newRack(t, d, m, 0)
				a := randomAdapter(t, merged, m, 7, 1, 9)
				if len(a.Pairs) < 3*m.Config().BlockCount {
					t.Fatalf("%d matrices take an adapter, of %d layers", len(a.Pairs), m.Config().BlockCount)
				}
				r.load(randomAdapter(t, merged, m, 8, 1, 3))
				slot := r.load(a)
				merge(t, merged, a, 0.75)
				got := r.session(d, device.CacheF32, slot, 0.75).read(128, tokens)
				plain := newSession(t, d, m, device.CacheF32).read(128, tokens)
				without := r.session(d, device.CacheF32, nil, 0).read(128, tokens)
				want := newSession(t, d, load(t, merged.file(), d, model.Options{Context: 128}), device.CacheF32).read(128, tokens)
				compare(t, got, want, d.bound)
				if n := nmse(got, plain); n < 1e-3 {
					t.Errorf("the adapter changes nothing: NMSE %v", n)
				}
				if !slices.Equal(without, plain) {
					t.Error("a row without an adapter is not what it is without adapters, to the bit")
				}
			})
		}
	})
}

// TestAdapterTarget names what takes no adapter.
func TestAdapterTarget(t *testing.T) {
	d := openCPU(t, 0)
	target := load(t, open(t, llamaFile), d, model.Options{Context: 64}).AdapterTarget()
	for name, want := range map[string]error{
		"blk.0.attn_q.weight": nil, "output.weight": nil, "token_embd.weight": lora.ErrUnsupported,
		"blk.0.attn_norm.weight": lora.ErrModel, "blk.99.attn_q.weight": lora.ErrModel, "blk.0.attn_qkv.weight": lora.ErrModel, "": lora.ErrModel,
	} {
		if _, _, err := target.Matrix(name); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", name, err, want)
		}
	}
	mixed := mixture{layers: 1, embedding: 32, heads: 2, headsKV: 1, dim: 16, feedForward: 32, experts: 4, used: 2, vocabulary: 64}.file(t)
	target = load(t, mixed.file(), d, model.Options{Context: 64}).AdapterTarget()
	for name, want := range map[string]error{
		"blk.0.ffn_gate_inp.weight": nil, "blk.0.attn_k.weight": nil, "blk.0.ffn_up_exps.weight": lora.ErrUnsupported, "blk.0.ffn_down_exps.weight": lora.ErrUnsupported,
	} {
		if _, _, err := target.Matrix(name); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", name, err, want)
		}
	}
}

// TestAdapterMemory loads more adapters than there is room for.
func TestAdapterMemory(t *testing.T) {
	onDevices(t, func(t *testing.T, d bench) {
		m := load(t, open(t, llamaFile), d, model.Options{Context: 128})
		base := newDraft(t, llamaFile)
		tokens := numbers[int32](t, "testdata/llama.tokens.i32")[:20]
		all := make([]*lora.Adapter, 6)
		for i := range all {
			all[i] = randomAdapter(t, base, m, uint64(20+i), 3, 4)
		}
		// What one slot takes, and what each adapter gives alone.
		one := newRack(t, d, m, 0)
		one.load(all[0])
		bytes := one.Usage().Bytes
		want := make([][]float32, len(all))
		for i, a := range all {
			r := newRack(t, d, m, 0)
			want[i] = r.session(d, device.CacheF16, r.load(a), 1).read(128, tokens)
			r.Close()
		}
		one.Close()
		before := d.Memory().Used[device.KindAdapters]
		if before != 0 {
			t.Errorf("%d bytes of adapters are left", before)
		}

		r := newRack(t, d, m, 3*bytes)
		check := func(what string, slot *model.Slot, i int) {
			t.Helper()
			if got := r.session(d, device.CacheF16, slot, 1).read(128, tokens); !slices.Equal(got, want[i]) {
				t.Errorf("%s: adapter %d gives other logits than alone", what, i)
			}
		}
		slots := make([]*model.Slot, len(all))
		for i := range 3 {
			slots[i] = r.load(all[i])
		}
		if u := r.Usage(); u.Loaded != 3 || u.Used != 3 || u.Slots != 3 || u.Bytes != 3*bytes || d.Memory().Used[device.KindAdapters] != u.Bytes {
			t.Errorf("%+v of slots of %d bytes, and the device says %v", u, bytes, d.Memory().Used)
		}
		for i := range 3 {
			check("grown", slots[i], i)
		}
		if again := r.load(all[1]); again != slots[1] {
			t.Error("an adapter is there twice")
		}
		var memory *device.MemoryError
		if _, err := r.Load(t.Context(), r.fit(all[3])); !errors.As(err, &memory) || memory.Kind != device.KindAdapters || memory.Need <= memory.Budget || memory.Budget != 3*bytes {
			t.Errorf("a fourth adapter: %v", err)
		}
		slots[1].Release()
		if _, err := r.Load(t.Context(), r.fit(all[3])); !errors.Is(err, device.ErrMemory) {
			t.Errorf("one that is still in use gave way: %v", err)
		}
		// The one that was used the longest ago gives way, and the others stay.
		slots[1].Release()
		slots[0].Release()
		if slot := r.Find(slots[0].Hash()); slot != slots[0] {
			t.Error("an idle adapter is not found")
		}
		slots[0].Release()
		slots[3] = r.load(all[3])
		if r.Find(slots[1].Hash()) != nil || slots[1].Hold() {
			t.Error("the adapter that was used the longest ago is still there")
		}
		check("evicted", slots[3], 3)
		check("beside", slots[2], 2)
		if again := r.load(all[0]); again != slots[0] {
			t.Error("the other idle one gave way")
		}
		check("again", slots[0], 0)
		if made := r.made; made > 3 {
			t.Errorf("banks were made %d times", made)
		}
		r.Close()
		if left := d.Memory().Used[device.KindAdapters]; left != 0 {
			t.Errorf("%d bytes of adapters are left", left)
		}
	})
}

// TestAdapterGrows has adapters of larger ranks, and of other matrices, come after
// those that are in use.
func TestAdapterGrows(t *testing.T) {
	d := openCPU(t, 0)
	m := load(t, open(t, llamaFile), d, model.Options{Context: 128})
	base := newDraft(t, llamaFile)
	tokens := numbers[int32](t, "testdata/llama.tokens.i32")[:20]
	only := func(a *lora.Adapter, part string) *lora.Adapter {
		a.Pairs = slices.DeleteFunc(a.Pairs, func(p lora.Pair) bool { return !strings.Contains(p.Name, part) })
		return a
	}
	queries := only(randomAdapter(t, base, m, 40, 2, 2), "attn_q")
	downs := only(randomAdapter(t, base, m, 41, 4, 4), "ffn_down")
	large := randomAdapter(t, base, m, 42, 17, 21)
	alone := func(a *lora.Adapter) []float32 {
		r := newRack(t, d, m, 0)
		defer r.Close()
		return r.session(d, device.CacheF16, r.load(a), 1).read(128, tokens)
	}
	want := [][]float32{alone(queries), alone(downs), alone(large)}
	r := newRack(t, d, m, 0)
	slots := []*model.Slot{r.load(queries), r.load(downs), r.load(large)}
	for i, slot := range slots {
		if got := r.session(d, device.CacheF16, slot, 1).read(128, tokens); !slices.Equal(got, want[i]) {
			t.Errorf("adapter %d gives other logits than alone", i)
		}
	}
	// A bound that has room for the small ones, once the large one is gone.
	r.Close()
	r = newRack(t, d, m, 0)
	r.load(queries)
	r.load(downs)
	small := r.Usage().Bytes
	r.Close()
	r = newRack(t, d, m, 0)
	r.load(large)
	huge := r.Usage().Bytes
	r.Close()
	if huge <= small {
		t.Fatalf("%d bytes, and %d", huge, small)
	}
	r = newRack(t, d, m, huge)
	r.load(large).Release()
	for i, a := range []*lora.Adapter{queries, downs} {
		slot := r.load(a)
		if got := r.session(d, device.CacheF16, slot, 1).read(128, tokens); !slices.Equal(got, want[i]) {
			t.Errorf("after the large one, adapter %d gives other logits than alone", i)
		}
	}
	if _, err := r.Load(t.Context(), r.fit(large)); !errors.Is(err, device.ErrMemory) {
		t.Errorf("the large one beside others: %v", err)
	}
}

// TestAdapterDevice has the device itself be full: what was there goes on.
func TestAdapterDevice(t *testing.T) {
	d := openCPU(t, 64<<20)
	m := load(t, open(t, llamaFile), d, model.Options{Context: 128})
	base := newDraft(t, llamaFile)
	tokens := numbers[int32](t, "testdata/llama.tokens.i32")[:20]
	r := newRack(t, d, m, 0)
	slot := r.load(randomAdapter(t, base, m, 50, 4, 4))
	want := r.session(d, device.CacheF16, slot, 1).read(128, tokens)
	n := 1
	for ; n < 10000; n++ {
		a := randomAdapter(t, base, m, uint64(50+n), 64, 64)
		if _, err := r.Load(t.Context(), r.fit(a)); err != nil {
			if !errors.Is(err, device.ErrMemory) {
				t.Fatal(err)
			}
			break
		}
	}
	t.Logf("%d adapters had room", n)
	if got := r.session(d, device.CacheF16, slot, 1).read(128, tokens); !slices.Equal(got, want) {
		t.Error("the first adapter gives other logits than before")
	}
	if u := r.Usage(); u.Loaded != n || d.Memory().Used[device.KindAdapters] != u.Bytes {
		t.Errorf("%+v of %d, and the device says %v", u, n, d.Memory().Used)
	}
}
