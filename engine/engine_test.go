package engine_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/realm-webgpu/realm/e2e/models"
	"github.com/realm-webgpu/realm/engine"
	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/engine/gguf"
	"github.com/realm-webgpu/realm/engine/model"
)

func TestOpenUnknownDevice(t *testing.T) {
	for _, name := range []string{"cuda", "cpu:0", "WebGPU", "webgpu0"} {
		_, err := engine.Open(engine.Options{Device: name})
		if !errors.Is(err, engine.ErrDevice) || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "webgpu:NAME-OR-INDEX") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := engine.Open(engine.Options{Device: "webgpu:no such adapter"}); !errors.Is(err, device.ErrNotFound) {
		t.Errorf("no such adapter: %v", err)
	}
	if _, err := engine.Open(engine.Options{Device: "cpu", Memory: -1}); !errors.Is(err, engine.ErrOption) {
		t.Errorf("negative memory: %v", err)
	}
}

// A fallback is told: the CPU where there is no adapter, and an adapter that
// computes on the CPU.
func TestOpenTellsOfFallbacks(t *testing.T) {
	var told []string
	e := open(t, engine.Options{Notice: func(line string) { told = append(told, line) }})
	if !slices.Equal(told, e.Notices()) {
		t.Errorf("told %q, notices %q", told, e.Notices())
	}
	info := e.Device()
	want := ""
	switch {
	case info.Backend == "cpu":
		want = "computing on the CPU"
	case info.Software:
		want = info.Name + " (" + info.Driver + ") is software"
	}
	if (len(told) == 1) != (want != "") || len(told) == 1 && !strings.Contains(told[0], want) {
		t.Errorf("%+v: told %q", info, told)
	}
	if e := open(t, engine.Options{Device: "cpu"}); len(e.Notices()) != 0 {
		t.Errorf("the CPU was asked for: %q", e.Notices())
	}
}

func TestDevices(t *testing.T) {
	all := engine.Devices()
	if last := all[len(all)-1]; last.Option != "cpu" || !last.Software {
		t.Errorf("the last device is %+v", last)
	}
	for _, d := range all {
		t.Run(d.Option, func(t *testing.T) {
			e := open(t, engine.Options{Device: d.Option})
			if info := e.Device(); info.Backend != d.Backend || info.Software != d.Software || info.Class != d.Class {
				t.Errorf("listed as %+v, open as %+v", d, info)
			}
		})
	}
}

func TestLoad(t *testing.T) {
	eachDevice(t, func(t *testing.T, e *engine.Engine) {
		before := e.Memory()
		var last, total int64
		m := load(t, e, engine.LoadOptions{Context: 100, Progress: func(done, of int64) {
			if done < last || done > of {
				t.Errorf("%d of %d bytes after %d", done, of, last)
			}
			last, total = done, of
		}})
		if last != total || total == 0 {
			t.Errorf("%d of %d bytes in the end", last, total)
		}
		if m.Context() != 100 || m.Config().ContextLength != 512 || m.Tokenizer().Len() != m.Config().VocabularySize {
			t.Errorf("context %d, config %+v", m.Context(), m.Config())
		}
		used := e.Memory().Used
		config := m.Config()
		if used[device.KindWeights] < total || used[device.KindCache] < config.CacheSpec(4, device.CacheF16).Bytes() {
			t.Errorf("memory %+v", used)
		}
		if err := m.Close(); err != nil {
			t.Error(err)
		}
		settle(t, e, before)
	})
}

func TestLoadLeavesNothingBehind(t *testing.T) {
	const mib = 1 << 20
	for _, c := range []struct {
		name    string
		memory  int64
		options engine.LoadOptions
		want    error
	}{
		{"memory for neither", 1 * mib, engine.LoadOptions{}, device.ErrMemory},
		{"memory for the weights alone", 4 * mib, engine.LoadOptions{}, device.ErrMemory},
		{"context too long", 0, engine.LoadOptions{Context: 1 << 30}, model.ErrContext},
		{"negative context", 0, engine.LoadOptions{Context: -1}, engine.ErrOption},
		{"endless cache", 0, engine.LoadOptions{CacheTokens: 1 << 40}, engine.ErrOption},
		{"cache over its own bound", 0, engine.LoadOptions{CacheMemory: 1 << 16}, device.ErrMemory},
		{"negative cache", 0, engine.LoadOptions{CacheMemory: -1}, engine.ErrOption},
		{"negative step", 0, engine.LoadOptions{StepTokens: -1}, engine.ErrOption},
	} {
		for _, name := range []string{"cpu", "webgpu"} {
			t.Run(c.name+"/"+name, func(t *testing.T) {
				e := open(t, engine.Options{Device: name, Memory: c.memory})
				before := e.Memory()
				f, err := gguf.Read(bytes.NewReader(models.Atlas))
				if err != nil {
					t.Fatal(err)
				}
				_, err = e.Load(t.Context(), f, c.options)
				if !errors.Is(err, c.want) || !strings.HasPrefix(err.Error(), "engine: load: ") {
					t.Errorf("error %v", err)
				}
				settle(t, e, before)
			})
		}
	}
}

func TestLoadCancelled(t *testing.T) {
	eachDevice(t, func(t *testing.T, e *engine.Engine) {
		before := e.Memory()
		f, err := gguf.Read(bytes.NewReader(models.Atlas))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		_, err = e.Load(ctx, f, engine.LoadOptions{Progress: func(done, _ int64) {
			if done > 1<<20 {
				cancel()
			}
		}})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
		settle(t, e, before)
	})
}

// settle waits until no more memory is taken than before: a device gives it
// back after the steps in flight.
func settle(t *testing.T, e *engine.Engine, before device.Memory) {
	t.Helper()
	waitFor(t, func() bool {
		now := e.Memory()
		// Scratch memory is shared by models to come.
		now.Used[device.KindScratch], before.Used[device.KindScratch] = 0, 0
		return now == before
	})
}

func TestCloseEverything(t *testing.T) {
	e, err := engine.Open(engine.Options{Device: "cpu"})
	if err != nil {
		t.Fatal(err)
	}
	m := load(t, e, engine.LoadOptions{})
	s := ask(t, m, question)
	for _, err := range s.Generate(t.Context(), engine.GenerateOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		break // with a step in flight
	}
	if err := errors.Join(e.Close(), e.Close()); err != nil {
		t.Error(err)
	}
	if _, err := s.Logits(t.Context()); !errors.Is(err, engine.ErrClosed) {
		t.Errorf("logits of a closed engine: %v", err)
	}
	f, err := gguf.Read(bytes.NewReader(models.Atlas))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Load(t.Context(), f, engine.LoadOptions{}); err == nil {
		t.Error("a closed engine loads")
	}
}

// Close ends the texts that are being written.
func TestCloseUnderWriters(t *testing.T) {
	eachDevice(t, func(t *testing.T, e *engine.Engine) {
		m := load(t, e, engine.LoadOptions{CacheTokens: 2048})
		var group sync.WaitGroup
		begun := make(chan struct{}, 3)
		for range cap(begun) {
			s := ask(t, m, question)
			group.Go(func() {
				n := 0
				for _, err := range s.Generate(t.Context(), engine.GenerateOptions{IgnoreEOS: true}) {
					if err != nil {
						if !errors.Is(err, engine.ErrClosed) {
							t.Error(err)
						}
						return
					}
					if n++; n == 2 {
						begun <- struct{}{}
					}
				}
				t.Error("a text came to its end")
			})
		}
		for range cap(begun) {
			<-begun
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
		group.Wait()
	})
}
