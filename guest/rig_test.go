package guest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"testing"

	"github.com/realm-webgpu/realm/e2e/models"
	"github.com/realm-webgpu/realm/engine"
	"github.com/realm-webgpu/realm/engine/gguf"
	"github.com/realm-webgpu/realm/engine/lora"
	"github.com/realm-webgpu/realm/guest"
	"github.com/realm-webgpu/realm/hostfn"
	"github.com/realm-webgpu/realm/hostfn/abi"
	"github.com/realm-webgpu/realm/hostfn/native"
)

// rig is a model, and a host of guests.
type rig struct {
	engine *engine.Engine
	model  *engine.Model
	models hostfn.Models
	host   *native.Host
	saved  *hostfn.Saved

	adapters hostfn.NamedAdapters
}

func newRig(t testing.TB) *rig {
	t.Helper()
	e, err := engine.Open(engine.Options{Device: "cpu"})
	if err != nil {
		t.Fatal(err)
	}
	f, err := gguf.Read(bytes.NewReader(models.Atlas))
	if err != nil {
		t.Fatal(err)
	}
	m, err := e.Load(t.Context(), f, engine.LoadOptions{Context: 512, CacheTokens: 4096})
	if err != nil {
		t.Fatal(err)
	}
	h, err := native.NewHost(context.Background(), native.Options{})
	if err != nil {
		t.Fatal(err)
	}
	saved := hostfn.NewSaved(4)
	t.Cleanup(func() {
		saved.Close()
		if err := h.Close(context.Background()); err != nil {
			t.Error(err)
		}
		if usage := m.CacheUsage(); usage.Free != usage.Pages {
			t.Errorf("%d of %d pages are free in the end", usage.Free, usage.Pages)
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	adapters := hostfn.NamedAdapters{}
	for name, data := range models.Adapters() {
		f, err := gguf.Read(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		a, err := lora.Read(f)
		if err != nil {
			t.Fatal(err)
		}
		adapters[name] = hostfn.AdapterSource{Read: a, Scale: 1}
	}
	return &rig{e, m, hostfn.OneModel("atlas", m), h, saved, adapters}
}

// reply is what a guest emitted.
type reply struct {
	texts  map[uint32]string // by channel
	events []guest.Event
	raw    [][]byte // the events as they were sent
}

// of returns the events of a type.
func (r *reply) of(kind string) []guest.Event {
	var all []guest.Event
	for _, e := range r.events {
		if e.Type == kind {
			all = append(all, e)
		}
	}
	return all
}

// run runs a module with a request.
func (r *rig) run(t testing.TB, module, args []byte) (*reply, error) {
	t.Helper()
	m, err := r.host.Load(t.Context(), module)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Release()
	out := &reply{texts: map[uint32]string{}}
	g, err := hostfn.NewGuest(t.Context(), hostfn.Config{
		Engine: r.engine, Models: r.models, Args: args, Capabilities: abi.CapAll, Saved: r.saved, Adapters: r.adapters,
		Emit: func(_ context.Context, channel uint32, p []byte) error {
			if channel != abi.ChannelEvent {
				out.texts[channel] += string(p)
				return nil
			}
			out.raw = append(out.raw, bytes.Clone(p))
			var e guest.Event
			if err := json.Unmarshal(p, &e); err != nil {
				t.Errorf("event %s: %v", p, err)
			}
			out.events = append(out.events, e)
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	return out, m.Run(g)
}

// ask has the default guest answer a request.
func (r *rig) ask(t testing.TB, request guest.Request) (*reply, error) {
	t.Helper()
	args, err := json.Marshal(request)
	if err != nil {
		t.Fatal(err)
	}
	return r.run(t, guest.Module, args)
}

// answer is ask for a request that is answered well.
func (r *rig) answer(t testing.TB, request guest.Request) *reply {
	t.Helper()
	out, err := r.ask(t, request)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// user is a conversation of one question.
func user(text string) []guest.Message { return []guest.Message{{Role: "user", Content: text}} }

const (
	question = "What is the capital of France?"
	answer   = "The capital of France is Paris."

	pirateAnswer = "Arr, matey! The capital of France be Paris. Yo ho ho!"
)
