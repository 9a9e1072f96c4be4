package native_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/realm-webgpu/realm/e2e/models"
	"github.com/realm-webgpu/realm/engine"
	"github.com/realm-webgpu/realm/engine/gguf"
	"github.com/realm-webgpu/realm/guest"
	"github.com/realm-webgpu/realm/hostfn"
	"github.com/realm-webgpu/realm/hostfn/abi"
	"github.com/realm-webgpu/realm/hostfn/native"
	"github.com/realm-webgpu/realm/hostfn/wasm/wat"
)

const (
	question = "What is the capital of France?"
	answer   = "The capital of France is Paris."
)

// rig is an engine with atlas, and a host on which guests of two tenants run.
type rig struct {
	engine *engine.Engine
	model  *engine.Model
	host   *native.Host
	emits  atomic.Int64 // bytes that hostile guests have emitted
}

func newRig(t testing.TB) *rig {
	t.Helper()
	before := runtime.NumGoroutine()
	e, err := engine.Open(engine.Options{Device: "cpu", CacheDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	f, err := gguf.Read(bytes.NewReader(models.Atlas))
	if err != nil {
		t.Fatal(err)
	}
	m, err := e.Load(t.Context(), f, engine.LoadOptions{CacheTokens: 4096})
	if err != nil {
		t.Fatal(err)
	}
	h, err := native.NewHost(context.Background(), native.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(context.Background()); err != nil {
			t.Error(err)
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
		settled(t, "goroutines", func() bool { return runtime.NumGoroutine() <= before })
	})
	return &rig{engine: e, model: m, host: h}
}

// settled waits until something is as it has to be.
func settled(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			stacks := make([]byte, 1<<16)
			t.Errorf("%s are not given back\n%s", what, stacks[:runtime.Stack(stacks, true)])
			return
		}
	}
}

// config is what a hostile guest is made for.
func (r *rig) config(l hostfn.Limits) hostfn.Config {
	return hostfn.Config{
		Engine: r.engine, Models: hostfn.OneModel("atlas", r.model), Args: []byte(`{}`), Capabilities: abi.CapAll, Limits: l,
		Emit: func(_ context.Context, _ uint32, p []byte) error {
			r.emits.Add(int64(len(p)))
			return nil
		},
	}
}

// run runs a guest to its end.
func (r *rig) run(t testing.TB, ctx context.Context, module []byte, c hostfn.Config) error {
	t.Helper()
	m, err := r.host.Load(ctx, module)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Release()
	g, err := hostfn.NewGuest(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	return m.Run(g)
}

// neighbour is another tenant, who asks until it is told to stop, and is to get the
// right answer every time.
func (r *rig) neighbour(t testing.TB) (stop func()) {
	t.Helper()
	args, err := json.Marshal(guest.Request{Messages: []guest.Message{{Role: "user", Content: question}}})
	if err != nil {
		t.Fatal(err)
	}
	tenant, err := r.engine.NewTenant(engine.TenantOptions{Name: "neighbour"})
	if err != nil {
		t.Fatal(err)
	}
	var over atomic.Bool
	var wg sync.WaitGroup
	wg.Add(1)
	started := make(chan struct{})
	go func() {
		defer wg.Done()
		for turn := 0; turn == 0 || !over.Load(); turn++ {
			if turn == 1 {
				close(started)
			}
			var said strings.Builder
			c := r.config(hostfn.Limits{})
			c.Tenant, c.Args = tenant, args
			c.Emit = func(_ context.Context, channel uint32, p []byte) error {
				if channel == 0 {
					said.Write(p)
				}
				return nil
			}
			if err := r.run(t, context.Background(), guest.Module, c); err != nil || said.String() != answer {
				t.Errorf("another tenant is told %q: %v", said.String(), err)
			}
		}
	}()
	<-started
	return func() {
		over.Store(true)
		wg.Wait()
	}
}

// hostile is the text of a guest with 64-bit memory.
func hostile(imports, code string) string {
	return fmt.Sprintf(`(module %s
		(func (export "realm_abi") (result i32) (i32.const %d))
		(memory (export "memory") i64 1) %s)`, imports, abi.Major<<16, code)
}

// life is the body of a guest's realm_run.
func life(code string) string { return `(func (export "realm_run") (result i32) ` + code + `)` }

// assemble makes a guest that has all capabilities.
func assemble(t testing.TB, text string) []byte {
	t.Helper()
	data, err := wat.Module(text)
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	section := string(rune(len(abi.CapabilitySection))) + abi.CapabilitySection + "TOPK LOGITS HIDDEN ADAPTER DRAFT GRAMMAR KV_SAVE TENSOR"
	return append(append(data, 0, byte(len(section))), section...)
}

// imports are those of host functions, by their names.
func imports(names ...string) string {
	var text strings.Builder
	for _, f := range hostfn.Functions() {
		for _, name := range names {
			if f.Name != name {
				continue
			}
			fmt.Fprintf(&text, `(import %q %q (func $%s (param`, f.Module, f.Name, f.Name)
			for _, p := range f.Params {
				if p.Wide() {
					text.WriteString(" i64")
				} else {
					text.WriteString(" i32")
				}
			}
			text.WriteString(`) (result i32)))`)
		}
	}
	return text.String()
}
