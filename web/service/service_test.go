package service

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	embedded "github.com/realm-webgpu/realm/e2e/models"
	"github.com/realm-webgpu/realm/engine"
	"github.com/realm-webgpu/realm/engine/gguf"
	"github.com/realm-webgpu/realm/engine/lora"
	"github.com/realm-webgpu/realm/guest"
	"github.com/realm-webgpu/realm/hostfn"
	"github.com/realm-webgpu/realm/web/tenant"
)

// noExpiry is that of a key that lives for ever.
var noExpiry time.Time

// TestAnswer asks for the capital of France.
func TestAnswer(t *testing.T) {
	s := newService(t, nil)
	out, err := ask(t.Context(), s, Call{ID: "one", Chat: question("What is the capital of France?"), Request: guest.Request{EchoTokens: true}})
	if err != nil {
		t.Fatal(err)
	}
	if out.text != paris || out.finish != "stop" {
		t.Errorf("%q, %q", out.text, out.finish)
	}
	u, x := out.result.Usage, out.result.Timings
	tokens := 0
	for _, d := range out.deltas {
		tokens += len(d.Tokens)
	}
	if u.Prompt == 0 || u.Completion == 0 || tokens != u.Completion || x.FirstToken <= 0 || x.Total < x.FirstToken || x.Queue <= 0 || x.Decode <= 0 {
		t.Errorf("%d tokens, %+v, %+v", tokens, u, x)
	}
	if out.result.Model != "atlas" {
		t.Errorf("of %q", out.result.Model)
	}
	list, err := s.Models(nil)
	if err != nil || len(list) != 1 || !list[0].Loaded || !list[0].Chat || !list[0].Default || list[0].Context != 512 {
		t.Errorf("%+v, %v", list, err)
	}
}

// TestChoices has several texts, and log-probabilities of none that ends one.
func TestChoices(t *testing.T) {
	s := newService(t, nil)
	finished := map[int]string{}
	a, err := s.Start(t.Context(), Call{
		Chat: question("What is the capital of Norway?"), Request: guest.Request{N: 3, Logprobs: true, TopLogprobs: 2},
		Deliver: func(d Delta) error {
			finished[d.Index] += d.Finish
			for _, l := range d.Logprobs {
				if l.Text == "" || l.Logprob == nil || len(l.Top) != 2 {
					t.Errorf("%+v", l)
				}
			}
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if _, err := a.Run(); err != nil {
		t.Fatal(err)
	}
	if len(finished) != 3 || finished[0] != "stop" || finished[2] != "stop" {
		t.Errorf("%v", finished)
	}
}

// TestToolCalls has a model call a tool that it was told to.
func TestToolCalls(t *testing.T) {
	s := newService(t, nil)
	for _, choice := range []ToolChoice{ToolRequired, ToolNamed} {
		chat := question("What is the capital of France?")
		chat.Tools, chat.Choice, chat.OneCall = []byte(weather), choice, true
		if choice == ToolNamed {
			chat.Function = "weather"
		}
		out, err := ask(t.Context(), s, Call{Chat: chat, Request: guest.Request{MaxTokens: 200}})
		if err != nil {
			t.Fatal(err)
		}
		calls := 0
		for _, d := range out.deltas {
			calls += len(slices.DeleteFunc(d.Calls, func(c CallDelta) bool { return c.Name == "" }))
		}
		if out.text != "" || calls != 1 || out.finish != "tool_calls" {
			t.Errorf("choice %d: %q, %d calls, %q", choice, out.text, calls, out.finish)
		}
	}
}

// TestNames says what is not there.
func TestNames(t *testing.T) {
	s := newService(t, nil)
	for _, test := range []struct {
		call Call
		code Code
		says string
	}{
		{Call{Model: "gpt-4"}, ModelNotFound, `"gpt-4"`},
		{Call{Model: "atlas:pirate"}, AdapterNotFound, `"pirate"`},
		{Call{Adapter: "pirate"}, AdapterNotFound, `"pirate"`},
		{Call{Model: "atlas:pirate", Adapter: "terse"}, InvalidRequest, `"terse"`},
		{Call{Guest: "beam"}, GuestNotFound, `"beam"`},
		{Call{Chat: &Chat{Messages: []byte(`[]`)}}, InvalidRequest, "messages"},
		{Call{Chat: question("x"), Request: guest.Request{Temperature: 1000}}, InvalidRequest, "Temperature"},
		{Call{Chat: question("x"), Request: guest.Request{Grammar: &guest.Grammar{Kind: "schema", Text: `{"type":"stone"}`}}}, InvalidRequest, "stone"},
	} {
		_, err := ask(t.Context(), s, test.call)
		wantError(t, err, test.code, test.says)
	}
}

// TestTenants keeps tenants to what they may use, and out of each other's caches.
func TestTenants(t *testing.T) {
	s := newService(t, func(o *Options) {
		o.Tenants = newStore(t)
		o.Models = append(o.Models, ModelSpec{Name: "other", Open: atlas})
	})
	wantError(t, func() error { _, err := s.Authenticate(t.Context(), "rk_none"); return err }(), Unauthorized, "key")
	a := newTenant(t, s, "a", nil)
	b := newTenant(t, s, "b", func(x *tenant.Settings) { x.Models = tenant.Patterns{"other"} })
	long := question("What is the capital of France? What is the capital of Norway? What is the capital of Chad? What is the capital of Peru?")
	cached := func(x *Tenant, model string) int {
		out, err := ask(t.Context(), s, Call{Tenant: x, Model: model, Chat: long})
		if err != nil {
			t.Fatal(err)
		}
		return out.result.Usage.Cached
	}
	first, again := cached(a, "other"), cached(a, "other")
	if first != 0 || again == 0 {
		t.Errorf("a's own prompt: %d tokens were known, then %d", first, again)
	}
	if n := cached(b, "other"); n != 0 {
		t.Errorf("%d tokens of a's prompt were known to b", n)
	}
	_, err := ask(t.Context(), s, Call{Tenant: b, Model: "atlas", Chat: long})
	wantError(t, err, ModelNotFound, `"atlas"`)
	if list, err := s.Models(b); err != nil || len(list) != 1 || list[0].ID != "other" {
		t.Errorf("b sees %+v, %v", list, err)
	}
	if err := s.options.Tenants.Delete(t.Context(), "b"); err != nil {
		t.Fatal(err)
	}
	_, err = ask(t.Context(), s, Call{Tenant: b, Model: "other", Chat: long})
	wantError(t, err, Unauthorized, "key")
}

// TestOwnGuest has a tenant's own guest answer, and others' not.
func TestOwnGuest(t *testing.T) {
	s := newService(t, func(o *Options) {
		o.Tenants = newStore(t)
		o.Guests = map[string][]byte{"same": guest.Module}
	})
	// An empty module is one, and no guest.
	own := newTenant(t, s, "own", nil)
	if err := s.options.Tenants.SetGuest(t.Context(), "own", []byte("\x00asm\x01\x00\x00\x00")); err != nil {
		t.Fatal(err)
	}
	chat := question("What is the capital of France?")
	_, err := ask(t.Context(), s, Call{Tenant: own, Chat: chat})
	wantError(t, err, GuestTrapped, "not a guest")
	if out, err := ask(t.Context(), s, Call{Tenant: own, Guest: "same", Chat: chat}); err != nil || out.text != paris {
		t.Errorf("%q, %v", out.text, err)
	}
	if err := s.options.Tenants.SetGuest(t.Context(), "own", guest.Module); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if out, err := ask(t.Context(), s, Call{Tenant: own, Chat: chat}); err != nil || out.text != paris {
			t.Errorf("%q, %v", out.text, err)
		}
	}
	barred := newTenant(t, s, "barred", func(x *tenant.Settings) { x.Guests = nil })
	_, err = ask(t.Context(), s, Call{Tenant: barred, Guest: "same", Chat: chat})
	wantError(t, err, GuestNotFound, `"same"`)
	if names, err := s.GuestNames(barred); err != nil || len(names) != 0 {
		t.Errorf("%v, %v", names, err)
	}
}

// TestAdapters answers with adapters by all the ways to name one.
func TestAdapters(t *testing.T) {
	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "pirate.gguf"), embedded.Pirate, 0o600); err != nil {
		t.Fatal(err)
	}
	s := newService(t, func(o *Options) {
		o.Tenants, o.AdapterRoot = newStore(t), root
		file, err := gguf.Read(bytes.NewReader(embedded.Terse))
		if err != nil {
			t.Fatal(err)
		}
		terse, err := lora.Read(file)
		if err != nil {
			t.Fatal(err)
		}
		o.Models[0].Adapters = []AdapterSpec{{"terse", hostfn.AdapterSource{Read: terse, Scale: 1}}}
	})
	x := newTenant(t, s, "x", nil)
	usual := newTenant(t, s, "usual", func(x *tenant.Settings) { x.DefaultAdapter = "terse" })
	barred := newTenant(t, s, "barred", func(x *tenant.Settings) { x.Adapters = nil })
	chat := question("What is the capital of France?")
	text := func(c Call) string {
		c.Chat = chat
		out, err := ask(t.Context(), s, c)
		if err != nil {
			t.Fatal(err)
		}
		return out.text
	}
	plain, terse := text(Call{Tenant: x}), text(Call{Tenant: x, Adapter: "terse"})
	if plain != paris || terse == plain {
		t.Fatalf("%q, and tersely %q", plain, terse)
	}
	if got := text(Call{Tenant: x, Model: "atlas:terse"}); got != terse {
		t.Errorf("by the model's name: %q", got)
	}
	if got := text(Call{Tenant: usual}); got != terse {
		t.Errorf("by default: %q", got)
	}
	if got := text(Call{Tenant: usual, Adapter: NoAdapter}); got != plain {
		t.Errorf("none: %q", got)
	}
	_, err := ask(t.Context(), s, Call{Tenant: barred, Adapter: "terse", Chat: chat})
	wantError(t, err, AdapterNotFound, `"terse"`)

	for _, path := range []string{"../pirate.gguf", "/etc/passwd", "none.gguf", "."} {
		err := s.LoadAdapter(t.Context(), LoadAdapterCall{Name: "pirate", Path: path})
		wantError(t, err, Forbidden, "lora_path")
	}
	if err := s.LoadAdapter(t.Context(), LoadAdapterCall{Name: "pirate", Path: "pirate.gguf"}); err != nil {
		t.Fatal(err)
	}
	wantError(t, s.LoadAdapter(t.Context(), LoadAdapterCall{Name: "pirate", Path: "pirate.gguf"}), InvalidRequest, "already")
	if got := text(Call{Tenant: x, Model: "atlas:pirate"}); got == plain || got == terse {
		t.Errorf("as a pirate: %q", got)
	}
	list, err := s.Models(x)
	if err != nil || len(list) != 3 || list[1].ID != "atlas:pirate" || list[1].Parent != "atlas" {
		t.Errorf("%+v, %v", list, err)
	}
	if err := s.Update(t.Context(), *s.live.Load()); err != nil { // as after a restart
		t.Fatal(err)
	}
	if got := text(Call{Tenant: x, Model: "atlas:pirate"}); got == plain || got == terse {
		t.Errorf("as a pirate, after an update: %q", got)
	}
	if err := s.UnloadAdapter(t.Context(), "atlas", "pirate"); err != nil {
		t.Fatal(err)
	}
	_, err = ask(t.Context(), s, Call{Tenant: x, Model: "atlas:pirate", Chat: chat})
	wantError(t, err, AdapterNotFound, `"pirate"`)
}

// TestMemory has more models than there is memory for: those that nobody holds give way.
func TestMemory(t *testing.T) {
	spec := func(name string, tokens int) ModelSpec {
		return ModelSpec{Name: name, Open: atlas, Load: engine.LoadOptions{CacheTokens: tokens}}
	}
	s := newService(t, func(o *Options) {
		e, err := engine.Open(engine.Options{Device: "cpu", CacheDir: engine.NoCache, Memory: 14 << 20})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := e.Close(); err != nil {
				t.Error(err)
			}
		})
		o.Engine = e
		o.Models = []ModelSpec{spec("one", 1024), spec("two", 2048), spec("large", 1<<20)}
	})
	loaded := func() (names []string) {
		for _, m := range s.Snapshot().Models {
			names = append(names, m.Name)
		}
		return names
	}
	call := func(model string) error {
		out, err := ask(t.Context(), s, Call{Model: model, Chat: question("What is the capital of France?")})
		if err == nil && out.text != paris {
			t.Errorf("%s says %q", model, out.text)
		}
		return err
	}
	for _, model := range []string{"one", "two", "one"} {
		if err := call(model); err != nil {
			t.Fatal(err)
		}
		if got := loaded(); !slices.Equal(got, []string{model}) {
			t.Errorf("%q are loaded after %s", got, model)
		}
	}
	held, err := s.open(t.Context(), nil, "one")
	if err != nil {
		t.Fatal(err)
	}
	wantError(t, errorOf(call("two")), OutOfMemory, "out of device memory")
	held.release()
	wantError(t, errorOf(call("large")), OutOfMemory, "out of device memory")
	if got := loaded(); !slices.Equal(got, []string{"one"}) {
		t.Errorf("%q gave way to what has no room", got)
	}
	if err := call("two"); err != nil {
		t.Error(err)
	}
}

// within waits until something is so.
func within(t *testing.T, what string, so func() bool) {
	t.Helper()
	for start := time.Now(); !so(); time.Sleep(time.Millisecond) {
		if time.Since(start) > time.Minute {
			t.Fatalf("waited a minute for %s", what)
		}
	}
}

// TestUpdate takes over other models while an answer is written.
func TestUpdate(t *testing.T) {
	s := newService(t, nil)
	l, err := s.open(t.Context(), nil, "atlas")
	if err != nil {
		t.Fatal(err)
	}
	live := *s.live.Load()
	live.Models = []ModelSpec{{Name: "globe", Open: atlas}}
	if err := s.Update(t.Context(), live); err != nil {
		t.Fatal(err)
	}
	if l.engine.Encode("it is still there", false) == nil {
		t.Error("the model is closed")
	}
	_, err = ask(t.Context(), s, Call{Model: "atlas", Chat: question("x")})
	wantError(t, err, ModelNotFound, `"atlas"`)
	before := s.Snapshot().Memory.Total.Used
	l.release()
	within(t, "the model to be unloaded", func() bool { return s.Snapshot().Memory.Total.Used < before })
	out, err := ask(t.Context(), s, Call{Chat: question("What is the capital of France?")})
	if err != nil || out.text != paris || out.result.Model != "globe" {
		t.Errorf("%+v, %v", out, err)
	}
	live.Models = nil
	if err := s.Update(t.Context(), live); err == nil {
		t.Error("there may be no models")
	}
}

// TestRates refuses what is over a tenant's limits, and settles what was not used.
func TestRates(t *testing.T) {
	s := newService(t, func(o *Options) { o.Tenants = newStore(t) })
	s.stopClock()
	x := newTenant(t, s, "x", func(x *tenant.Settings) { x.Limits.RequestsPerMinute, x.Limits.TokensPerMinute = 2, 300 })
	call := Call{Tenant: x, Chat: question("What is the capital of France?"), Request: guest.Request{MaxTokens: 200}}
	out, err := ask(t.Context(), s, call)
	if err != nil {
		t.Fatal(err)
	}
	used := out.result.Usage.Prompt + out.result.Usage.Completion
	if left := x.Rates().Tokens.Remaining; left != 300-used {
		t.Errorf("%d tokens are left of 300 after %d", left, used)
	}
	large := call
	large.Request.MaxTokens = 1000
	_, err = ask(t.Context(), s, large)
	wantError(t, err, QuotaExceeded, "300")
	if _, err := ask(t.Context(), s, call); err != nil {
		t.Fatal(err)
	}
	_, err = ask(t.Context(), s, call)
	wantError(t, err, RateLimit, "2 requests")
	var e *Error
	if errors.As(err, &e) && e.RetryAfter <= 0 {
		t.Error("it is not said when to try again")
	}
}

// TestTickets are good once.
func TestTickets(t *testing.T) {
	s := newService(t, func(o *Options) { o.Tenants = newStore(t) })
	x := newTenant(t, s, "x", nil)
	text, _ := s.NewTicket(x)
	got, err := s.RedeemTicket(text)
	if err != nil || got.ID() != x.ID() {
		t.Fatalf("%v, %v", got, err)
	}
	_, err = s.RedeemTicket(text)
	wantError(t, err, Unauthorized, "ticket")
}

// TestLength holds texts to the server's limit.
func TestLength(t *testing.T) {
	s := newService(t, func(o *Options) { o.MaxTokens, o.DefaultTokens = 5, 3 })
	for asked, want := range map[int]int{0: 3, 2: 2, 5: 5} {
		out, err := ask(t.Context(), s, Call{Request: guest.Request{Prompt: "The", IgnoreEOS: true, MaxTokens: asked}})
		if err != nil || out.result.Usage.Completion != want || out.finish != "length" {
			t.Errorf("%d: %+v, %v", asked, out.result.Usage, err)
		}
	}
	_, err := ask(t.Context(), s, Call{Request: guest.Request{Prompt: "The", MaxTokens: 6}})
	wantError(t, err, InvalidRequest, "at most 5")
}

// TestDrain lets what runs end, and cuts short what takes too long.
func TestDrain(t *testing.T) {
	s := newService(t, nil)
	begun := make(chan struct{})
	var once sync.Once
	ended := make(chan error, 1)
	a, err := s.Start(t.Context(), Call{
		Request: guest.Request{Prompt: "The", IgnoreEOS: true},
		Deliver: func(Delta) error { once.Do(func() { close(begun) }); return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		defer a.Close()
		_, err := a.Run()
		ended <- err
	}()
	<-begun
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Drain(ctx); !errors.Is(err, context.Canceled) {
		// The text ends by itself at the end of the context, which is short.
		t.Logf("drain: %v", err)
	}
	if err := <-ended; err != nil {
		wantError(t, err, Unavailable, "shutting down")
	}
	_, err = ask(t.Context(), s, Call{Chat: question("x")})
	wantError(t, err, Unavailable, "shutting down")
	if err := s.Ready(); err == nil {
		t.Error("it is ready")
	}
}

// TestMany answers many at once, each as alone.
func TestMany(t *testing.T) {
	s := newService(t, nil)
	countries := []string{"France", "Norway", "Peru", "Chad", "Japan", "Kenya", "Cuba", "Spain"}
	alone := map[string]string{}
	for _, c := range countries {
		out, err := ask(t.Context(), s, Call{Chat: question("What is the capital of " + c + "?")})
		if err != nil {
			t.Fatal(err)
		}
		alone[c] = out.text
	}
	var group sync.WaitGroup
	for range 3 {
		for _, c := range countries {
			group.Go(func() {
				out, err := ask(t.Context(), s, Call{Chat: question("What is the capital of " + c + "?")})
				if err != nil || out.text != alone[c] {
					t.Errorf("%s: %q, %v, want %q", c, out.text, err, alone[c])
				}
			})
		}
	}
	group.Wait()
	x := s.Snapshot()
	if x.Answers != 0 || x.Running != 0 || x.Models[0].Leases != 0 || x.Models[0].Cache.Free != x.Models[0].Cache.Pages {
		t.Errorf("left behind: %+v", x)
	}
}

// TestEmbed gives vectors of length 1.
func TestEmbed(t *testing.T) {
	s := newService(t, nil)
	r, err := s.Embed(t.Context(), EmbedCall{Texts: []string{"Paris", "Oslo is in Norway"}, Tokens: [][]int32{{1, 2, 3}}})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Vectors) != 3 || r.Usage.Prompt < 5 || r.Model != "atlas" {
		t.Fatalf("%d vectors, %+v", len(r.Vectors), r.Usage)
	}
	for _, v := range r.Vectors {
		sum := 0.0
		for _, x := range v {
			sum += float64(x) * float64(x)
		}
		if sum < 0.999 || sum > 1.001 {
			t.Errorf("a vector of length² %v", sum)
		}
	}
	_, err = s.Embed(t.Context(), EmbedCall{Tokens: [][]int32{{}}})
	wantError(t, err, InvalidRequest, "input[0]")
}

// TestTokens go there and back.
func TestTokens(t *testing.T) {
	s := newService(t, nil)
	r, err := s.Tokenize(t.Context(), TokenizeCall{Text: "The capital of France", WithTexts: true})
	if err != nil || len(r.Tokens) == 0 || len(r.Texts) != len(r.Tokens) || r.Context != 512 {
		t.Fatalf("%+v, %v", r, err)
	}
	text, err := s.Detokenize(t.Context(), nil, "", r.Tokens)
	if err != nil || text != "The capital of France" {
		t.Errorf("%q, %v", text, err)
	}
	_, err = s.Detokenize(t.Context(), nil, "", []int32{1 << 30})
	wantError(t, err, InvalidRequest, "tokens[0]")
	if r, err = s.Tokenize(t.Context(), TokenizeCall{Chat: question("Hello")}); err != nil || len(r.Tokens) < 5 {
		t.Errorf("%+v, %v", r, err)
	}
}

// TestLoadFails says why a model cannot be loaded, and holds nothing then.
func TestLoadFails(t *testing.T) {
	s := newService(t, func(o *Options) {
		o.Models = []ModelSpec{{Name: "broken", Open: func() (*gguf.File, error) { return gguf.Read(strings.NewReader("GGUF")) }}}
	})
	for range 2 {
		_, err := ask(t.Context(), s, Call{Chat: question("x")})
		wantError(t, err, InternalError, "log")
	}
	if x := s.Snapshot(); x.Answers != 0 || len(x.Models) != 0 {
		t.Errorf("left behind: %+v", x)
	}
}
