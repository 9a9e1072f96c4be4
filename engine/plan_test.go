package engine_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/realm-webgpu/realm/e2e/models"
	"github.com/realm-webgpu/realm/engine"
	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/engine/gguf"
)

// TestPlan: what the plan says of weights and cache is what loading takes, to the
// byte, and what Usage tells then.
func TestPlan(t *testing.T) {
	eachDevice(t, func(t *testing.T, e *engine.Engine) {
		f, err := gguf.Read(bytes.NewReader(models.Atlas))
		if err != nil {
			t.Fatal(err)
		}
		o := engine.LoadOptions{Context: 100, CacheTokens: 1000, CacheType: device.CacheF32}
		p, err := e.Plan(f, o)
		if err != nil || p.Err != nil {
			t.Fatal(err, p.Err)
		}
		if e.Usage().Weights.Used != 0 {
			t.Error("a plan takes memory")
		}
		m := load(t, e, o)
		used := e.Usage()
		if p.Context != 100 || p.CacheTokens != 1024 || p.Weights != used.Weights.Used || p.Cache != used.Cache.Used {
			t.Errorf("planned %+v, taken %+v", p, used)
		}
		u := m.Usage()
		if u.Weights != p.Weights || u.Cache != 1024*p.CachePerToken || u.CacheUsed != 0 || u.Adapters != 0 {
			t.Errorf("the model takes %+v, planned %+v", u, p)
		}
		if p.Scratch <= 0 || p.Adapter <= 0 {
			t.Errorf("%+v", p)
		}
		s := ask(t, m, question)
		write(t, s, engine.GenerateOptions{MaxTokens: 1})
		if got, want := m.Usage().CacheUsed, int64(s.Pages())*32*p.CachePerToken; got != want || want == 0 {
			t.Errorf("%d bytes of keys and values in use, %d pages are %d", got, s.Pages(), want)
		}
		add(t, m, models.Pirate)
		used = e.Usage()
		if n := m.Usage().Adapters; n == 0 || used.Adapters.Used != n {
			t.Errorf("adapters take %d bytes, %+v", n, used)
		}
		if sum := used.Weights.Used + used.Cache.Used + used.Scratch.Used + used.Adapters.Used; used.Total.Used != sum || used.Scratch.Used == 0 {
			t.Errorf("%+v", used)
		}
	})
}

// TestCacheMemory: keys and values are bounded, of a model and of all together, and
// where nobody says how many tokens there are to be it is as many as have room.
func TestCacheMemory(t *testing.T) {
	eachDevice(t, func(t *testing.T, e *engine.Engine) {
		f, err := gguf.Read(bytes.NewReader(models.Atlas))
		if err != nil {
			t.Fatal(err)
		}
		p, err := e.Plan(f, engine.LoadOptions{Context: 64})
		if err != nil {
			t.Fatal(err)
		}
		page := 32 * p.CachePerToken
		for _, c := range []struct {
			options engine.LoadOptions
			tokens  int // 0: it is refused
		}{
			{engine.LoadOptions{Context: 64}, 64},
			{engine.LoadOptions{Context: 64, CacheMemory: 2 * page}, 64},
			{engine.LoadOptions{Context: 64, CacheMemory: 5*page - 1}, 128},
			{engine.LoadOptions{Context: 64, CacheMemory: 5 * page, CacheTokens: 96}, 96},
			{engine.LoadOptions{Context: 64, CacheMemory: 2*page - 1}, 0},
			{engine.LoadOptions{Context: 64, CacheMemory: 5 * page, CacheTokens: 161}, 0},
		} {
			p, err := e.Plan(f, c.options)
			if c.tokens == 0 {
				if !errors.Is(err, device.ErrMemory) {
					t.Errorf("%+v: %v", c.options, err)
				}
			} else if err != nil || p.CacheTokens != c.tokens {
				t.Errorf("%+v: %d tokens, %v; want %d", c.options, p.CacheTokens, err, c.tokens)
			}
		}

		bounded := open(t, engine.Options{Device: e.Device().Backend, CacheMemory: 5 * page})
		a := load(t, bounded, engine.LoadOptions{Context: 64, CacheTokens: 96})
		b := load(t, bounded, engine.LoadOptions{Context: 64})
		var short *device.MemoryError
		if _, err := bounded.Load(t.Context(), f, engine.LoadOptions{Context: 32}); !errors.As(err, &short) || short.Kind != device.KindCache || short.Used != 5*page || short.Budget != 5*page || short.Need != page {
			t.Errorf("a model more: %v", err)
		}
		if u := bounded.Usage().Cache; u.Budget != 5*page {
			t.Errorf("%+v", u)
		}
		a.Close()
		b.Close()
		load(t, bounded, engine.LoadOptions{Context: 160})
	})
}

// TestCPUBudget: what no machine has is an error on the CPU, too, with nothing said.
func TestCPUBudget(t *testing.T) {
	e := open(t, engine.Options{Device: "cpu"})
	f, err := gguf.Read(bytes.NewReader(models.Atlas))
	if err != nil {
		t.Fatal(err)
	}
	if e.Usage().Total.Budget <= 0 {
		t.Skip("SKIPPED: nobody says how much memory this machine has")
	}
	p, err := e.Plan(f, engine.LoadOptions{CacheTokens: 1 << 28})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Load(t.Context(), f, engine.LoadOptions{CacheTokens: 1 << 28}); !errors.Is(err, device.ErrMemory) || !errors.Is(p.Err, device.ErrMemory) {
		t.Errorf("%d bytes: %v; the plan: %v", p.Cache, err, p.Err)
	}
}
