// Package counts holds what a token costs to what it did when that was last looked at:
// in counts, which are the same on a busy machine and on an idle one. Times are logged as
// a share of what memory could do, and never fail.
package counts

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/realm-webgpu/realm/e2e/bench/memory"
	"github.com/realm-webgpu/realm/e2e/models"
	"github.com/realm-webgpu/realm/engine"
	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/engine/gguf"
	"github.com/realm-webgpu/realm/guest"
	"github.com/realm-webgpu/realm/hostfn"
	"github.com/realm-webgpu/realm/hostfn/abi"
	"github.com/realm-webgpu/realm/hostfn/native"
)

var update = flag.Bool("update", false, "write what is counted to testdata/counts.json")

// golden has the counts by class of device.
const golden = "testdata/counts.json"

// counts are what something costs.
type counts struct {
	Steps      float64 `json:"steps"`
	Submits    float64 `json:"submits"`
	Dispatches float64 `json:"dispatches"`
	Written    float64 `json:"written_bytes"`
	ReadBack   float64 `json:"read_back_bytes"`
	HostCalls  float64 `json:"host_calls"`
	Objects    float64 `json:"allocations"`
	Bytes      float64 `json:"allocated_bytes"`
}

// costs are those of a class of device.
type costs struct {
	Prefill counts `json:"prefill_of_64_tokens"`
	Decode  counts `json:"decoded_token"`
}

// rig is atlas on a device, and the default guest.
type rig struct {
	engine *engine.Engine
	models hostfn.Models
	module *native.Module
}

func newRig(t *testing.T, name string) *rig {
	t.Helper()
	e, err := engine.Open(engine.Options{Device: name, CacheDir: engine.NoCache})
	if errors.Is(err, device.ErrNotFound) && os.Getenv("REALM_REQUIRE_GPU") != "1" {
		t.Skipf("SKIPPED: %v (REALM_REQUIRE_GPU=1 makes this a failure)", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	f, err := gguf.Read(bytes.NewReader(models.Atlas))
	if err != nil {
		t.Fatal(err)
	}
	m, err := e.Load(t.Context(), f, engine.LoadOptions{StepTokens: 64})
	if err != nil {
		t.Fatal(err)
	}
	h, err := native.NewHost(context.Background(), native.Options{})
	if err != nil {
		t.Fatal(err)
	}
	module, err := h.Load(t.Context(), guest.Module)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		module.Release()
		if err := errors.Join(h.Close(context.Background()), e.Close()); err != nil {
			t.Error(err)
		}
	})
	return &rig{e, hostfn.OneModel("atlas", m), module}
}

// write has the guest read a prompt of 64 tokens that begins with first, which no other
// may, so that nothing is known of it, and write so many. It returns what that cost, and
// how long it took.
func (r *rig) write(t *testing.T, first int32, tokens int) (counts, time.Duration) {
	t.Helper()
	prompt := make([]int32, 64)
	for i := range prompt {
		prompt[i] = first + int32(i)
	}
	args, err := json.Marshal(guest.Request{PromptTokens: prompt, MaxTokens: tokens, IgnoreEOS: true})
	if err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	d, steps := r.engine.Counters(), r.engine.Totals().Steps
	runtime.ReadMemStats(&before)
	start := time.Now()
	g, err := hostfn.NewGuest(t.Context(), hostfn.Config{
		Engine: r.engine, Models: r.models, Args: args, Capabilities: abi.CapAll,
		Emit: func(context.Context, uint32, []byte) error { return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	if err := r.module.Run(g); err != nil {
		t.Fatal(err)
	}
	took := time.Since(start)
	runtime.ReadMemStats(&after)
	now := r.engine.Counters()
	return counts{
		Steps:   float64(r.engine.Totals().Steps - steps),
		Submits: float64(now.Submits - d.Submits), Dispatches: float64(now.Dispatches - d.Dispatches),
		Written: float64(now.Written - d.Written), ReadBack: float64(now.ReadBack - d.ReadBack),
		HostCalls: float64(g.Usage().Calls), Objects: float64(after.Mallocs - before.Mallocs), Bytes: float64(after.TotalAlloc - before.TotalAlloc),
	}, took
}

// per returns the difference to a, by n.
func (c counts) per(a counts, n float64) counts {
	return counts{
		(c.Steps - a.Steps) / n, (c.Submits - a.Submits) / n, (c.Dispatches - a.Dispatches) / n, (c.Written - a.Written) / n,
		(c.ReadBack - a.ReadBack) / n, (c.HostCalls - a.HostCalls) / n, (c.Objects - a.Objects) / n, (c.Bytes - a.Bytes) / n,
	}
}

// least returns the smaller one of each count: what comes on top of it is of the
// machine's mood, a step that was begun in vain or an allocation of the runtime's own.
func (c counts) least(a counts) counts {
	return counts{
		min(c.Steps, a.Steps), min(c.Submits, a.Submits), min(c.Dispatches, a.Dispatches), min(c.Written, a.Written),
		min(c.ReadBack, a.ReadBack), min(c.HostCalls, a.HostCalls), min(c.Objects, a.Objects), min(c.Bytes, a.Bytes),
	}
}

// measure counts what a prompt and a token cost. A token's is the difference of two
// texts, each at its least: a difference is too small where the shorter one had bad luck.
func (r *rig) measure(t *testing.T) (c costs, rate float64) {
	t.Helper()
	const few, many, rounds = 8, 72, 5
	var short, long counts
	for i := range int32(rounds + 1) {
		s, _ := r.write(t, 100+20*i, few)
		l, took := r.write(t, 110+20*i, many)
		prefill, _ := r.write(t, 105+20*i, 1)
		switch i {
		case 0: // programs are compiled, and slices grow
			continue
		case 1:
			short, long, c.Prefill = s, l, prefill
		}
		short, long, c.Prefill = s.least(short), l.least(long), prefill.least(c.Prefill)
		rate = max(rate, many/took.Seconds())
	}
	c.Decode = long.per(short, many-few)
	return c, rate
}

// TestCounts holds the counts to what stands in testdata. What allocates is given a tenth
// and an object: the runtime allocates, too.
func TestCounts(t *testing.T) {
	var want map[string]costs
	text, err := os.ReadFile(golden)
	if err == nil {
		err = json.Unmarshal(text, &want)
	}
	if err != nil && !*update {
		t.Fatal(err)
	}
	got := map[string]costs{}
	bandwidth := memory.Bandwidth(runtime.GOMAXPROCS(0))
	for _, name := range []string{"cpu", "webgpu"} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, name)
			c, rate := r.measure(t)
			info := r.engine.Device()
			class := info.Backend + " " + info.Class
			got[class] = c
			// The weights of atlas may lie in a cache, which is faster than memory.
			t.Logf("%s: %.0f tokens/s, the prompt's time included: weights are read at %.2f of what the probe of memory reads", info.Name, rate,
				rate*float64(r.engine.Memory().Used[device.KindWeights])/bandwidth)
			if *update {
				return
			}
			w, ok := want[class]
			if !ok {
				t.Skipf("SKIPPED: nothing is known of devices of the class %q; -update on this machine writes it down", class)
			}
			hold(t, "prefill", c.Prefill, w.Prefill)
			hold(t, "decode", c.Decode, w.Decode)
		})
	}
	if *update {
		text, err := json.MarshalIndent(got, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Dir(golden), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(golden, append(text, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// hold compares counts with those that are known.
func hold(t *testing.T, what string, got, want counts) {
	t.Helper()
	for _, c := range []struct {
		name      string
		got, want float64
		slack     float64
	}{
		{"steps", got.Steps, want.Steps, 0.05},
		{"submits", got.Submits, want.Submits, 0.05},
		{"dispatches", got.Dispatches, want.Dispatches, 0.05 * want.Dispatches},
		{"bytes written", got.Written, want.Written, 0.05 * want.Written},
		{"bytes read back", got.ReadBack, want.ReadBack, 0.05 * want.ReadBack},
		{"host calls", got.HostCalls, want.HostCalls, 1}, // one takes all the tokens that are there
		{"allocations", got.Objects, want.Objects, 1.5 + 0.1*want.Objects},
		{"bytes allocated", got.Bytes, want.Bytes, 256 + 0.1*want.Bytes},
	} {
		switch {
		case c.got > c.want+c.slack:
			t.Errorf("%s: %.4g %s, and it was %.4g: it costs more than before (-update takes it over, if it is worth it)", what, c.got, c.name, c.want)
		case c.got < c.want-c.slack:
			t.Errorf("%s: %.4g %s, and it was %.4g: better, so hold on to it with -update", what, c.got, c.name, c.want)
		}
	}
}
