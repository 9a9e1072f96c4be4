package engine_test

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/realm-webgpu/realm/e2e/models"
	"github.com/realm-webgpu/realm/engine"
	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/engine/lora"
)

// TestAdapterRows has rows of several adapters and of none in the same steps: what
// each of them gives is what it gives alone, to the bit.
func TestAdapterRows(t *testing.T) {
	eachDevice(t, func(t *testing.T, e *engine.Engine) {
		m := load(t, e, engine.LoadOptions{CacheTokens: 8192})
		pirate, terse := add(t, m, models.Pirate), add(t, m, models.Terse)
		type text struct {
			adapter *engine.Adapter
			scale   float32
			country string
		}
		var texts []text
		for i, country := range []string{"France", "Norway", "Japan", "Peru"} {
			texts = append(texts, text{nil, 0, country}, text{pirate, 1, country}, text{terse, 1, country}, text{pirate, []float32{0.5, -1, 2, 0}[i], country})
		}
		request := func(x text) engine.Request {
			s := askWith(t, m, x.adapter, x.scale, "<|im_start|>user\nWhat is the capital of "+x.country+"?<|im_end|>\n<|im_start|>assistant\n")
			s.NoPrefix()
			return engine.Request{Sequence: s, MaxTokens: 12, Logits: true}
		}
		rows := func(r *engine.Run) (all [][]float32, tokens []int32) {
			for {
				o, err := r.Next(t.Context())
				if err != nil {
					return all, tokens
				}
				all, tokens = append(all, slices.Clone(o.Logits)), append(tokens, o.Token)
			}
		}
		var alone [][][]float32
		var words [][]int32
		for _, x := range texts {
			logits, tokens := rows(e.Start(t.Context(), request(x))[0])
			if len(tokens) != 12 {
				t.Fatalf("%d tokens", len(tokens))
			}
			alone, words = append(alone, logits), append(words, tokens)
		}
		var requests []engine.Request
		for _, x := range texts {
			requests = append(requests, request(x))
		}
		before := e.Totals()
		for i, run := range e.Start(t.Context(), requests...) {
			logits, tokens := rows(run)
			if !slices.Equal(tokens, words[i]) || len(logits) != len(alone[i]) {
				t.Errorf("%s with scale %v: %v in a batch, %v alone", texts[i].country, texts[i].scale, tokens, words[i])
				continue
			}
			for j := range logits {
				if !slices.Equal(logits[j], alone[i][j]) {
					t.Errorf("%s with scale %v: logits of token %d are not those alone", texts[i].country, texts[i].scale, j)
					break
				}
			}
		}
		if after := e.Totals(); after.Sequences-before.Sequences < 2*(after.Steps-before.Steps) {
			t.Errorf("%d steps of %d rows: they did not ride together", after.Steps-before.Steps, after.Sequences-before.Sequences)
		}
	})
}

// TestAdapterPlain has texts without an adapter cost what they did before there were
// any: they use the same programs, and as many dispatches and bytes.
func TestAdapterPlain(t *testing.T) {
	eachDevice(t, func(t *testing.T, e *engine.Engine) {
		m := load(t, e, engine.LoadOptions{CacheTokens: 4096})
		cost := func(a *engine.Adapter, scale float32) (compiles int64, c device.Counters) {
			s := askWith(t, m, a, scale, question)
			s.NoPrefix()
			totals, before := e.Totals(), e.Counters()
			write(t, s, engine.GenerateOptions{MaxTokens: 8})
			now := e.Counters()
			return e.Totals().Compiles - totals.Compiles, device.Counters{
				Submits: now.Submits - before.Submits, Dispatches: now.Dispatches - before.Dispatches,
				Written: now.Written - before.Written, ReadBack: now.ReadBack - before.ReadBack,
			}
		}
		cost(nil, 0)
		_, want := cost(nil, 0)
		a := add(t, m, models.Pirate)
		if compiles, got := cost(nil, 0); compiles != 0 || got != want {
			t.Errorf("%d programs compiled, %+v; it was %+v before there was an adapter", compiles, got, want)
		}
		if compiles, got := cost(a, 1); compiles == 0 || got.Written <= want.Written {
			t.Errorf("with an adapter %d programs compiled, %+v: %+v without is no measure", compiles, got, want)
		}
	})
}

// TestAdapterPrefix has the index of prefixes hold pages of adapters apart.
func TestAdapterPrefix(t *testing.T) {
	e := open(t, engine.Options{Device: "cpu"})
	m := load(t, e, engine.LoadOptions{CacheTokens: 8192})
	pirate, terse := add(t, m, models.Pirate), add(t, m, models.Terse)
	long := "<|im_start|>user\nTell me of France, of Norway, of Japan, of Brazil, of Kenya and of Canada, of Italy and of Spain, of Poland and of Egypt, of India and Chile; and then: what is the capital of France?<|im_end|>\n<|im_start|>assistant\n"
	cached := func(a *engine.Adapter, scale float32) int {
		t.Helper()
		s := askWith(t, m, a, scale, long)
		write(t, s, engine.GenerateOptions{MaxTokens: 4})
		n := s.Stats().CachedTokens
		s.Close()
		return n
	}
	for _, c := range []struct {
		name    string
		adapter *engine.Adapter
		scale   float32
	}{{"none", nil, 0}, {"pirate", pirate, 1}, {"terse", terse, 1}, {"half a pirate", pirate, 0.5}} {
		if n := cached(c.adapter, c.scale); n != 0 {
			t.Errorf("%s: %d tokens are another's", c.name, n)
		}
		if n := cached(c.adapter, c.scale); n < device.PageTokens {
			t.Errorf("%s: %d tokens were kept", c.name, n)
		}
	}
	// The same adapter by another handle is the same.
	again := add(t, m, models.Pirate)
	if n := cached(again, 1); n < device.PageTokens {
		t.Errorf("another handle: %d tokens were kept", n)
	}
}

// TestAdapterFork has forks go by the adapter, also when its handle is closed.
func TestAdapterFork(t *testing.T) {
	e := open(t, engine.Options{Device: "cpu"})
	m := load(t, e, engine.LoadOptions{CacheTokens: 4096})
	a := add(t, m, models.Pirate)
	s := askWith(t, m, a, 1, question)
	f, err := s.Fork()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	a.Close()
	s.Close()
	if hash, scale, ok := f.Adapter(); !ok || scale != 1 || hash != a.Hash() {
		t.Errorf("the fork has adapter %x, %v, %v", hash, scale, ok)
	}
	if text := write(t, f, engine.GenerateOptions{}); text != pirateAnswer {
		t.Errorf("the fork wrote %q", text)
	}
	if u := m.AdapterUsage(); u.Used != 1 {
		t.Errorf("%+v while a fork uses it", u)
	}
	f.Close()
	if u := m.AdapterUsage(); u.Used != 0 || u.Loaded != 1 {
		t.Errorf("%+v when nobody uses it", u)
	}
}

const pirateAnswer = "Arr, matey! The capital of France be Paris. Yo ho ho!"

// TestAdapterPreempted has more texts than there are pages for: they give way to each
// other and go on as if nothing had been.
func TestAdapterPreempted(t *testing.T) {
	e := open(t, engine.Options{Device: "cpu"})
	m := load(t, e, engine.LoadOptions{CacheTokens: 160})
	adapters := []*engine.Adapter{add(t, m, models.Pirate), nil, add(t, m, models.Terse)}
	request := func(i int) engine.Request {
		scale := float32(1)
		if adapters[i%3] == nil {
			scale = 0
		}
		return engine.Request{Sequence: askWith(t, m, adapters[i%3], scale, question), MaxTokens: 60}
	}
	finish := func(r *engine.Run) (tokens []int32) {
		for {
			o, err := r.Next(t.Context())
			if err != nil {
				return tokens
			}
			tokens = append(tokens, o.Token)
		}
	}
	var want [][]int32
	for i := range 3 {
		r := request(i)
		want = append(want, finish(e.Start(t.Context(), r)[0]))
		r.Sequence.Close()
	}
	var requests []engine.Request
	for i := range 6 {
		requests = append(requests, request(i))
	}
	runs := e.Start(t.Context(), requests...)
	got := make([][]int32, len(runs))
	var all sync.WaitGroup
	for i, r := range runs {
		all.Go(func() { got[i] = finish(r) })
	}
	all.Wait()
	for i := range runs {
		if len(got[i]) != 60 || !slices.Equal(got[i], want[i%3]) {
			t.Errorf("text %d: %v, want %v", i, got[i], want[i%3])
		}
	}
	if e.Totals().Preemptions == 0 {
		t.Error("none gave way: the test is of nothing")
	}
}

// TestAdapterDrafts has drafts of the text itself and of a model without an adapter:
// the text is the adapter's, the same as without drafts.
func TestAdapterDrafts(t *testing.T) {
	e := open(t, engine.Options{Device: "cpu"})
	m := load(t, e, engine.LoadOptions{CacheTokens: 4096})
	d := load(t, e, engine.LoadOptions{CacheTokens: 4096})
	if err := m.SetDraft(d); err != nil {
		t.Fatal(err)
	}
	a := add(t, m, models.Pirate)
	for _, mode := range []engine.DraftMode{engine.DraftLookup, engine.DraftModel} {
		s := askWith(t, m, a, 1, question)
		if text := write(t, s, engine.GenerateOptions{Draft: engine.DraftOptions{Mode: mode, Tokens: 4, Fixed: true}}); text != pirateAnswer {
			t.Errorf("mode %v: wrote %q", mode, text)
		}
		if mode == engine.DraftModel && s.Stats().Proposed == 0 {
			t.Error("nothing was drafted")
		}
	}
}

// TestAdapterErrors uses adapters where they are of no use.
func TestAdapterErrors(t *testing.T) {
	e := open(t, engine.Options{Device: "cpu", AdapterMemory: 1 << 20})
	m := load(t, e, engine.LoadOptions{CacheTokens: 4096})
	other := load(t, e, engine.LoadOptions{CacheTokens: 512})
	a := add(t, m, models.Pirate)
	s, err := m.NewSequence()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for name, c := range map[string]struct {
		do   func() error
		want error
	}{
		"another model": {func() error {
			s, err := other.NewSequence()
			if err != nil {
				return err
			}
			defer s.Close()
			return s.UseAdapter(a, 1)
		}, engine.ErrOption},
		"NaN":      {func() error { return s.UseAdapter(a, float32(math.NaN())) }, engine.ErrOption},
		"infinity": {func() error { return s.UseAdapter(a, float32(math.Inf(1))) }, engine.ErrOption},
		"tokens": {func() error {
			s := askWith(t, m, nil, 0, question)
			return s.UseAdapter(a, 1)
		}, engine.ErrOption},
		"a path that is none": {func() error {
			_, err := m.LoadAdapter(t.Context(), filepath.Join(t.TempDir(), "x.gguf"))
			return err
		}, os.ErrNotExist},
		"a model": {func() error {
			path := filepath.Join(t.TempDir(), "x.gguf")
			if err := os.WriteFile(path, models.Atlas, 0o644); err != nil {
				return err
			}
			_, err := m.LoadAdapter(t.Context(), path)
			return err
		}, lora.ErrFormat},
		"over the budget": {func() error {
			_, err := m.AddAdapter(t.Context(), readAdapter(t, models.Terse))
			return err
		}, device.ErrMemory},
	} {
		if err := c.do(); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	var memory *device.MemoryError
	if _, err := m.AddAdapter(t.Context(), readAdapter(t, models.Terse)); !errors.As(err, &memory) || memory.Budget != 1<<20 || memory.Need <= memory.Budget {
		t.Errorf("over the budget: %v", err)
	}
	// The one that nobody uses gives way.
	if err := s.UseAdapter(a, 1); err != nil {
		t.Error(err)
	}
	a.Close()
	if err := s.UseAdapter(nil, 0); err != nil {
		t.Error(err)
	}
	b, err := m.AddAdapter(t.Context(), readAdapter(t, models.Terse))
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if err := s.UseAdapter(a, 1); !errors.Is(err, engine.ErrAdapter) {
		t.Errorf("an adapter that was closed and has given way: %v", err)
	}
	if used, limit := e.AdapterMemory(); used == 0 || used > limit || used != e.Memory().Used[device.KindAdapters] {
		t.Errorf("%d of %d bytes, and the device says %v", used, limit, e.Memory().Used)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := m.AddAdapter(t.Context(), readAdapter(t, models.Terse)); !errors.Is(err, engine.ErrClosed) {
		t.Errorf("of a closed model: %v", err)
	}
	if used, _ := e.AdapterMemory(); used != 0 || e.Memory().Used[device.KindAdapters] != 0 {
		t.Errorf("%d bytes of adapters are left", used)
	}
}

// TestLoadAdapter loads files, again and after they have changed.
func TestLoadAdapter(t *testing.T) {
	e := open(t, engine.Options{Device: "cpu"})
	m := load(t, e, engine.LoadOptions{CacheTokens: 4096})
	path := filepath.Join(t.TempDir(), "x.gguf")
	put := func(data []byte) *engine.Adapter {
		t.Helper()
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		a, err := m.LoadAdapter(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	first := put(models.Pirate)
	again, err := m.LoadAdapter(t.Context(), path)
	if err != nil || again.Hash() != first.Hash() || m.AdapterUsage().Loaded != 1 {
		t.Errorf("again: %v, %+v", err, m.AdapterUsage())
	}
	if other := put(append(slices.Clone(models.Terse), make([]byte, 64)...)); other.Hash() == first.Hash() || m.AdapterUsage().Loaded != 2 {
		t.Errorf("a file that has changed: %+v", m.AdapterUsage())
	}
}

// TestAdaptersAtOnce loads, uses and closes adapters from many goroutines.
func TestAdaptersAtOnce(t *testing.T) {
	e := open(t, engine.Options{Device: "cpu", AdapterMemory: 2 << 20})
	m := load(t, e, engine.LoadOptions{CacheTokens: 8192})
	want := [][]byte{models.Pirate, models.Terse}
	answers := []string{pirateAnswer, "Paris"}
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for j := range 4 {
				k := (i + j) % 2
				a, err := m.AddAdapter(t.Context(), readAdapter(t, want[k]))
				if err != nil {
					t.Error(err)
					return
				}
				s, err := m.NewSequence()
				if err == nil {
					err = s.UseAdapter(a, 1)
				}
				a.Close()
				if err == nil {
					err = s.Append(m.Encode(question, true)...)
				}
				if err != nil {
					t.Error(err)
					return
				}
				text, _, err := collect(s.Generate(t.Context(), engine.GenerateOptions{}))
				if err != nil || text != answers[k] {
					t.Errorf("wrote %q, want %q: %v", text, answers[k], err)
				}
				s.Close()
			}
		})
	}
	all.Wait()
	if u := m.AdapterUsage(); u.Used != 0 {
		t.Errorf("%+v when all is closed", u)
	}
}
