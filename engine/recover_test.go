package engine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/realm-webgpu/realm/e2e/models"
	"github.com/realm-webgpu/realm/engine"
	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/engine/gguf"
)

// scene is everything that may be under way when a device is lost: texts that are
// greedy, drawn, drafted from the text and by a model, of two adapters and of none,
// and a text whose every row is read. It returns what comes of each.
func scene(t *testing.T, e *engine.Engine) []string {
	t.Helper()
	m := load(t, e, engine.LoadOptions{CacheTokens: 4096, StepTokens: 16}) // prompts take several steps
	f, err := gguf.Read(bytes.NewReader(models.Draft))
	if err != nil {
		t.Fatal(err)
	}
	d, err := e.Load(t.Context(), f, engine.LoadOptions{CacheTokens: 2048})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.SetDraft(d); err != nil {
		t.Fatal(err)
	}
	pirate, terse := add(t, m, models.Pirate), add(t, m, models.Terse)
	drawn := engine.GenerateOptions{MaxTokens: 12}
	drawn.Sampling.Temperature, drawn.Sampling.Seed = 0.9, 7
	penalised := drawn
	penalised.Sampling.RepetitionPenalty = 1.2
	byModel := engine.GenerateOptions{MaxTokens: 12, Draft: engine.DraftOptions{Mode: engine.DraftModel}}
	drawnByModel := drawn
	drawnByModel.Draft = byModel.Draft
	acts := []struct {
		adapter *engine.Adapter
		options engine.GenerateOptions
	}{
		{nil, engine.GenerateOptions{MaxTokens: 12}},
		{nil, drawn},
		{nil, penalised},
		{nil, engine.GenerateOptions{MaxTokens: 12, Draft: engine.DraftOptions{Mode: engine.DraftLookup}}},
		{nil, byModel},
		{nil, drawnByModel},
		{pirate, engine.GenerateOptions{MaxTokens: 12}},
		{terse, drawn},
		{pirate, byModel},
	}
	said := make([]string, len(acts)+1)
	var group sync.WaitGroup
	for i, a := range acts {
		s := askWith(t, m, a.adapter, 1, strings.Replace(question, "France", []string{"France", "Norway", "Japan"}[i%3], 1))
		group.Go(func() {
			text, _, err := collect(s.Generate(t.Context(), a.options))
			if err != nil {
				t.Errorf("text %d: %v", i, err)
			}
			said[i] = text
		})
	}
	rows := ask(t, m, question)
	group.Go(func() {
		var best []int
		for row, err := range rows.AllLogits(t.Context(), 3) {
			if err != nil {
				t.Errorf("rows: %v", err)
				return
			}
			at := 0
			for i, v := range row {
				if v > row[at] {
					at = i
				}
			}
			best = append(best, at)
		}
		said[len(acts)] = fmt.Sprint(best)
	})
	group.Wait()
	return said
}

// TestRecover: whichever step the device is lost at, every text is what it would have
// been, and the device, its models and adapters are there as before.
func TestRecover(t *testing.T) {
	for _, name := range []string{"cpu", "webgpu"} {
		t.Run(name, func(t *testing.T) {
			want := scene(t, open(t, engine.Options{Device: name}))
			if t.Failed() {
				return
			}
			for _, after := range []uint64{1, 2, 4, 9} {
				e := open(t, engine.Options{Device: name, LoseDeviceAfter: after})
				if got := scene(t, e); !slices.Equal(got, want) {
					for i := range want {
						if got[i] != want[i] {
							t.Errorf("lost at step %d: text %d is %q, and was %q", after, i, got[i], want[i])
						}
					}
				}
				if n := e.Totals().Recoveries; n != 1 || len(e.Notices()) == 0 {
					t.Errorf("lost at step %d: opened again %d times; %q", after, n, e.Notices())
				}
				if err := e.Ready(); err != nil {
					t.Errorf("lost at step %d: %v", after, err)
				}
			}
		})
	}
}

// TestRecoverIdle: a device that is lost while nothing runs is noticed by the next
// who needs it: a text, a model to be loaded, an adapter. What was taken is the same
// before and after.
func TestRecoverIdle(t *testing.T) {
	eachDevice(t, func(t *testing.T, e *engine.Engine) {
		m := load(t, e, engine.LoadOptions{CacheTokens: 1024})
		pirate := add(t, m, models.Pirate)
		s := ask(t, m, question)
		before := write(t, s, engine.GenerateOptions{MaxTokens: 5})
		used := e.Memory().Used
		e.Lose()
		if got := before + write(t, s, engine.GenerateOptions{}); got != answer {
			t.Errorf("a text that goes on: %q", got)
		}
		want := write(t, askWith(t, m, pirate, 1, question), engine.GenerateOptions{MaxTokens: 16})
		now := e.Memory().Used
		for _, kind := range []device.Kind{device.KindWeights, device.KindCache, device.KindAdapters} {
			if now[kind] != used[kind] {
				t.Errorf("%v: %d bytes, before %d", kind, now[kind], used[kind])
			}
		}

		e.Lose()
		other := load(t, e, engine.LoadOptions{})
		if got := write(t, ask(t, other, question), engine.GenerateOptions{}); got != answer {
			t.Errorf("a model that was loaded onto a lost device: %q", got)
		}
		e.Lose()
		add(t, m, models.Terse)
		e.Lose()
		add(t, other, models.Pirate)
		if got := write(t, askWith(t, m, pirate, 1, question), engine.GenerateOptions{MaxTokens: 16}); got != want {
			t.Errorf("with an adapter: %q, before %q", got, want)
		}
		if n := e.Totals().Recoveries; n != 4 {
			t.Errorf("opened again %d times", n)
		}
	})
}

// TestRecoverTensors: buffers, weights and keys and values that operations were given
// before are gone, by name, and do not cost the device another loss.
func TestRecoverTensors(t *testing.T) {
	eachDevice(t, func(t *testing.T, e *engine.Engine) {
		m := load(t, e, engine.LoadOptions{})
		const n = 4
		embed := func(x *engine.Tensors, w *engine.Weight) error {
			b, err := x.NewBuffer(int64(4*n*w.Columns), engine.DtypeF32)
			if err != nil {
				return err
			}
			run, err := x.Start(t.Context(), []engine.TensorOp{{
				Kind: engine.TensorEmbed, Rows: n, Width: w.Columns, Weight: w, IDs: []int32{1, 2, 3, 4},
				Out: engine.TensorView{Buffer: b},
			}})
			if err != nil {
				return err
			}
			return run.Wait(t.Context())
		}
		make := func() (*engine.Tensors, *engine.Weight) {
			x, err := e.NewTensors(engine.TensorLimits{})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { x.Close() })
			w, err := m.Weight("token_embd.weight")
			if err != nil {
				t.Fatal(err)
			}
			return x, w
		}
		x, w := make()
		if err := embed(x, w); err != nil {
			t.Fatal(err)
		}
		e.Lose()
		if got := write(t, ask(t, m, question), engine.GenerateOptions{}); got != answer {
			t.Errorf("it says %q", got)
		}
		if err := embed(x, w); !errors.Is(err, device.ErrLost) {
			t.Errorf("on buffers of before: %v", err)
		}
		now, again := make()
		if err := embed(now, w); !errors.Is(err, device.ErrLost) {
			t.Errorf("with a weight of before: %v", err)
		}
		if err := embed(now, again); err != nil {
			t.Errorf("anew: %v", err)
		}
		if n := e.Totals().Recoveries; n != 1 || e.Ready() != nil {
			t.Errorf("opened again %d times, %v", n, e.Ready())
		}
	})
}

// TestRecoverFails: where the device cannot be opened again, all that waits gets a
// device.ErrLost, so does all that comes, and nothing is left behind.
func TestRecoverFails(t *testing.T) {
	for _, name := range []string{"cpu", "webgpu"} {
		t.Run(name, func(t *testing.T) {
			open(t, engine.Options{Device: name}) // what a driver starts once is there by now
			goroutines := runtime.NumGoroutine()
			e, err := engine.Open(engine.Options{Device: name, LoseDeviceAfter: 3})
			if err != nil {
				t.Fatal(err)
			}
			m := load(t, e, engine.LoadOptions{CacheTokens: 2048})
			add(t, m, models.Pirate)
			var requests []engine.Request
			for range 8 {
				requests = append(requests, engine.Request{Sequence: ask(t, m, question), MaxTokens: 50})
			}
			e.Cripple()
			for _, r := range e.Start(t.Context(), requests...) {
				if _, err := drain(t.Context(), r); !errors.Is(err, device.ErrLost) || !errors.Is(err, device.ErrMemory) {
					t.Errorf("a run: %v", err)
				}
			}
			if err := e.Ready(); !errors.Is(err, device.ErrLost) {
				t.Errorf("ready: %v", err)
			}
			f, err := gguf.Read(bytes.NewReader(models.Atlas))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := e.Load(t.Context(), f, engine.LoadOptions{}); err == nil {
				t.Error("a model was loaded onto a device that is lost")
			}
			if _, err := m.AddAdapter(t.Context(), readAdapter(t, models.Terse)); !errors.Is(err, device.ErrLost) {
				t.Errorf("an adapter: %v", err)
			}
			if err := e.Close(); err != nil {
				t.Error(err)
			}
			if n := e.Memory().Total(); name == "cpu" && n != 0 {
				t.Errorf("%d bytes are left", n)
			}
			waitFor(t, func() bool { return runtime.NumGoroutine() <= goroutines })
		})
	}
}

// TestRecoverHopeless: a device that is lost again each time before anything landed is
// given up.
func TestRecoverHopeless(t *testing.T) {
	var e *engine.Engine
	e, err := engine.Open(engine.Options{Device: "cpu", Notice: func(line string) {
		if strings.Contains(line, "opened again after") {
			e.Lose()
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	m := load(t, e, engine.LoadOptions{})
	e.Lose()
	run := e.Start(t.Context(), engine.Request{Sequence: ask(t, m, question), MaxTokens: 5})[0]
	if _, err := drain(t.Context(), run); !errors.Is(err, device.ErrLost) {
		t.Errorf("a run: %v", err)
	}
	if err := e.Ready(); !errors.Is(err, device.ErrLost) {
		t.Errorf("ready: %v", err)
	}
	if n := e.Totals().Recoveries; n != 3 {
		t.Errorf("opened again %d times", n)
	}
}

// TestRecoverWhileClosing: an engine that is closed while its device is opened again
// ends, and so do all that wait.
func TestRecoverWhileClosing(t *testing.T) {
	e, err := engine.Open(engine.Options{Device: "cpu"})
	if err != nil {
		t.Fatal(err)
	}
	m := load(t, e, engine.LoadOptions{})
	e.Cripple() // so that it is tried for seconds
	e.Lose()
	run := e.Start(t.Context(), engine.Request{Sequence: ask(t, m, question), MaxTokens: 5})[0]
	waitFor(t, func() bool { return e.Ready() != nil })
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	if _, err := drain(context.Background(), run); err == nil {
		t.Error("a run of a closed engine ended well")
	}
}

// drain takes all that a run has, and returns its tokens and what it ended with.
func drain(ctx context.Context, r *engine.Run) (tokens []int32, err error) {
	for {
		o, err := r.Next(ctx)
		if err == io.EOF {
			return tokens, nil
		}
		if err != nil {
			return tokens, err
		}
		tokens = append(tokens, o.Token)
	}
}
