package hostfn_test

import (
	"bytes"
	"context"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/realm-webgpu/realm/e2e/models"
	"github.com/realm-webgpu/realm/engine"
	"github.com/realm-webgpu/realm/engine/gguf"
	"github.com/realm-webgpu/realm/engine/lora"
	"github.com/realm-webgpu/realm/hostfn"
	"github.com/realm-webgpu/realm/hostfn/abi"
)

// The question of most tests in atlas's chat template, and its answer.
const (
	question = "<|im_start|>user\nWhat is the capital of France?<|im_end|>\n<|im_start|>assistant\n"
	answer   = "The capital of France is Paris."
)

// house is an engine on the CPU with atlas, where guests are.
type house struct {
	testing.TB
	engine *engine.Engine
	model  *engine.Model
}

// open opens an engine. When the test ends it has to have its pages back.
func open(t testing.TB) *house {
	t.Helper()
	e, err := engine.Open(engine.Options{Device: "cpu", CacheDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	h := &house{TB: t, engine: e}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	h.model = h.load(t)
	t.Cleanup(func() {
		if u := h.model.CacheUsage(); u.Free != u.Pages {
			t.Errorf("%d of %d cache pages are not given back", u.Pages-u.Free, u.Pages)
		}
	})
	return h
}

// load loads atlas.
func (h *house) load(t testing.TB) *engine.Model {
	t.Helper()
	f, err := gguf.Read(bytes.NewReader(models.Atlas))
	if err != nil {
		t.Fatal(err)
	}
	m, err := h.engine.Load(t.Context(), f, engine.LoadOptions{CacheTokens: 4096})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// rig is a guest that the test plays: it calls host functions over a memory of bytes.
type rig struct {
	*linear
	house     *house
	t         testing.TB
	guest     *hostfn.Guest
	functions map[string]*hostfn.Function
	model     uint64 // what open has opened
	emitted   []emission
	log       bytes.Buffer
}

// emission is what a call of emit has sent.
type emission struct {
	channel uint32
	text    string
}

// guest makes a guest; options change what it is made for. It has all capabilities.
func (h *house) guest(t testing.TB, options ...func(*hostfn.Config)) *rig {
	t.Helper()
	r := &rig{linear: newLinear(1 << 20), house: h, t: t, functions: functions()}
	c := hostfn.Config{
		Engine:       h.engine,
		Models:       hostfn.OneModel("atlas", h.model),
		Args:         []byte(`{"prompt": "Hi"}`),
		Adapters:     adapters(t),
		Capabilities: abi.CapAll,
		Emit: func(_ context.Context, channel uint32, p []byte) error {
			r.emitted = append(r.emitted, emission{channel, string(p)})
			return nil
		},
		Log: slog.New(slog.NewTextHandler(&r.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	for _, o := range options {
		o(&c)
	}
	var err error
	if r.guest, err = hostfn.NewGuest(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.guest.Close)
	return r
}

// adapters are those that Realm ships, and one that is there twice.
func adapters(t testing.TB) hostfn.NamedAdapters {
	t.Helper()
	all := hostfn.NamedAdapters{}
	for name, data := range models.Adapters() {
		f, err := gguf.Read(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		a, err := lora.Read(f)
		if err != nil {
			t.Fatal(err)
		}
		all[name] = hostfn.AdapterSource{Read: a, Scale: 1}
	}
	all["half a pirate"] = hostfn.AdapterSource{Read: all["pirate"].Read, Scale: 0.5}
	return all
}

// begin opens an engine and makes a guest.
func begin(t testing.TB, options ...func(*hostfn.Config)) *rig {
	t.Helper()
	return open(t).guest(t, options...)
}

// functions returns the host functions by their names.
func functions() map[string]*hostfn.Function {
	all := map[string]*hostfn.Function{}
	for _, f := range hostfn.Functions() {
		all[f.Name] = &f
	}
	return all
}

// call calls a host function.
func (r *rig) call(name string, args ...uint64) abi.Errno {
	r.t.Helper()
	f, ok := r.functions[name]
	if !ok {
		r.t.Fatalf("there is no function %s", name)
	}
	if len(args) != len(f.Params) {
		r.t.Fatalf("%s has %d parameters, not %d", name, len(f.Params), len(args))
	}
	r.writes = r.writes[:0]
	return abi.Errno(f.Call(r.guest, r.linear, args))
}

// want calls a host function that is to return an errno.
func (r *rig) want(e abi.Errno, name string, args ...uint64) {
	r.t.Helper()
	if got := r.call(name, args...); got != e {
		r.t.Fatalf("%s(%v) is %v, want %v; the log says:\n%s", name, args, got, e, r.log.String())
	}
}

// must calls a host function that is to succeed.
func (r *rig) must(name string, args ...uint64) {
	r.t.Helper()
	r.want(abi.OK, name, args...)
}

// only checks that the last call wrote inside of some ranges alone.
func (r *rig) only(spans ...span) {
	r.t.Helper()
	for _, w := range r.writes {
		if !slices.ContainsFunc(spans, func(s span) bool { return w.at >= s.at && w.at+w.n <= s.at+s.n }) {
			r.t.Errorf("%d bytes were written at %d, outside of %v", w.n, w.at, spans)
		}
	}
}

// handle calls a host function whose last parameter is where a handle goes.
func (r *rig) handle(name string, args ...uint64) uint64 {
	r.t.Helper()
	out := r.alloc(4)
	r.must(name, append(args, out)...)
	r.only(span{out, 4})
	return uint64(r.u32(out))
}

// open opens the request's model.
func (r *rig) open() uint64 {
	r.t.Helper()
	r.model = r.handle("model_open", 0, 0)
	return r.model
}

// sequence opens an empty sequence.
func (r *rig) sequence(model uint64) uint64 { return r.handle("seq_open", model, 0) }

// tokens are those of a text with special tokens in it.
func (r *rig) tokens(text string) []int32 { return r.house.model.Encode(text, true) }

// decode returns the text of tokens.
func (r *rig) decode(ids []int32) string {
	r.t.Helper()
	at, n := r.ids(ids)
	out, count := r.alloc(4096), r.alloc(8)
	r.must("detokenize", r.model, at, n, out, 4096, count)
	return string(r.bytes[out : out+r.u64(count)])
}

// ticket calls a host function whose last parameter is where a ticket goes.
func (r *rig) ticket(name string, args ...uint64) uint64 {
	r.t.Helper()
	out := r.alloc(8)
	r.must(name, append(args, out)...)
	return r.u64(out)
}

// forever is the time that is never reached.
const forever = ^uint64(0)

// wait waits for a ticket.
func (r *rig) wait(ticket uint64) {
	r.t.Helper()
	r.must("wait", r.numbers(ticket), 1, forever, r.alloc(8))
}

// aborted calls f, which is to end the guest, and returns why.
func aborted(t testing.TB, f func()) (err error) {
	t.Helper()
	defer func() {
		x := recover()
		a, ok := x.(*hostfn.Abort)
		if !ok {
			t.Fatalf("the guest went on (%v)", x)
		}
		err = a.Err
	}()
	f()
	return nil
}

// idle waits until there are no more goroutines than there were.
func idle(t testing.TB, before int) {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		if runtime.NumGoroutine() <= before {
			return
		}
		if time.Now().After(end) {
			stacks := make([]byte, 1<<16)
			stacks = stacks[:runtime.Stack(stacks, true)]
			t.Fatalf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before, stacks)
		}
	}
}

// limits is an option that bounds the guest.
func limits(l hostfn.Limits) func(*hostfn.Config) {
	return func(c *hostfn.Config) { c.Limits = l }
}

// may is an option that gives the guest some capabilities only.
func may(capabilities uint64) func(*hostfn.Config) {
	return func(c *hostfn.Config) { c.Capabilities = capabilities }
}

// lines returns the lines of the guest's log that have some text.
func (r *rig) lines(text string) int {
	n := 0
	for line := range strings.Lines(r.log.String()) {
		if strings.Contains(line, text) {
			n++
		}
	}
	return n
}
