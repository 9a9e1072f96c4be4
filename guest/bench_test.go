package guest_test

import (
	"context"
	"encoding/json"
	"os"
	"testing"
	"time"

	"github.com/realm-webgpu/realm/engine"
	"github.com/realm-webgpu/realm/engine/gguf"
	"github.com/realm-webgpu/realm/guest"
	"github.com/realm-webgpu/realm/hostfn"
	"github.com/realm-webgpu/realm/hostfn/abi"
	"github.com/realm-webgpu/realm/hostfn/native"
)

// BenchmarkShare writes texts of 64 tokens through the default guest, and tells what
// part of the time was the guest's and the host functions': what was not spent waiting
// for the engine. REALM_BENCH_MODEL is the file of a model, REALM_BENCH_DEVICE the
// device; else it is atlas on the CPU.
func BenchmarkShare(b *testing.B) {
	r := benchRig(b)
	module, err := r.host.Load(b.Context(), guest.Module)
	if err != nil {
		b.Fatal(err)
	}
	defer module.Release()
	args, err := json.Marshal(guest.Request{PromptTokens: []int32{1, 2, 3, 4}, MaxTokens: 64, IgnoreEOS: true})
	if err != nil {
		b.Fatal(err)
	}
	var all, waited time.Duration
	var calls, tokens uint64
	for b.Loop() {
		g, err := hostfn.NewGuest(b.Context(), hostfn.Config{
			Engine: r.engine, Models: r.models, Args: args, Capabilities: abi.CapAll,
			Emit: func(context.Context, uint32, []byte) error { return nil },
		})
		if err != nil {
			b.Fatal(err)
		}
		start := time.Now()
		if err := module.Run(g); err != nil {
			b.Fatal(err)
		}
		all += time.Since(start)
		u := g.Usage()
		waited, calls, tokens = waited+u.Waited, calls+u.Calls, tokens+64
		g.Close()
	}
	b.ReportMetric(100*float64(all-waited)/float64(all), "%guest")
	b.ReportMetric(float64((all-waited).Nanoseconds())/float64(tokens)/1e3, "guest-µs/token")
	b.ReportMetric(float64(calls)/float64(tokens), "calls/token")
	b.ReportMetric(float64(tokens)/all.Seconds(), "tokens/s")
}

// benchRig is newRig for a model and a device of the environment's.
func benchRig(b *testing.B) *rig {
	path, device := os.Getenv("REALM_BENCH_MODEL"), os.Getenv("REALM_BENCH_DEVICE")
	if path == "" {
		return newRig(b)
	}
	f, err := gguf.Open(path)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { f.Close() })
	e, err := engine.Open(engine.Options{Device: device})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { e.Close() })
	m, err := e.Load(b.Context(), f, engine.LoadOptions{Context: 512})
	if err != nil {
		b.Fatal(err)
	}
	h, err := native.NewHost(context.Background(), native.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { h.Close(context.Background()) })
	return &rig{engine: e, model: m, models: hostfn.OneModel("bench", m), host: h}
}
