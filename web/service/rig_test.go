package service

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	embedded "github.com/realm-webgpu/realm/e2e/models"
	"github.com/realm-webgpu/realm/engine"
	"github.com/realm-webgpu/realm/engine/gguf"
	"github.com/realm-webgpu/realm/guest"
	"github.com/realm-webgpu/realm/web/tenant"
)

// atlas is the model that is built in.
func atlas() (*gguf.File, error) { return gguf.Read(bytes.NewReader(embedded.Atlas)) }

// newService makes a service of atlas on the CPU.
func newService(t testing.TB, change func(*Options)) *Service {
	t.Helper()
	e, err := engine.Open(engine.Options{Device: "cpu", CacheDir: engine.NoCache})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	o := Options{
		Engine: e,
		Live: Live{
			Guest:  guest.Module,
			Models: []ModelSpec{{Name: "atlas", Open: atlas, Load: engine.LoadOptions{CacheTokens: 4096}}},
		},
	}
	if change != nil {
		change(&o)
	}
	s, err := New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// stopClock has limits of what is used in a minute stay as they are, however long that
// takes. It comes before the first request.
func (s *Service) stopClock() {
	now := time.Now()
	s.limiter = tenant.NewLimiter(func() time.Time { return now })
}

// newStore makes a database of tenants.
func newStore(t testing.TB) *tenant.Store {
	t.Helper()
	store, err := tenant.Open(t.Context(), t.TempDir()+"/realm.db", tenant.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store
}

// newTenant adds a tenant with a key, and lets it in.
func newTenant(t testing.TB, s *Service, name string, change func(*tenant.Settings)) *Tenant {
	t.Helper()
	settings := tenant.NewSettings()
	if change != nil {
		change(&settings)
	}
	store := s.options.Tenants
	if _, err := store.Create(t.Context(), name, settings); err != nil {
		t.Fatal(err)
	}
	key, _, err := store.CreateKey(t.Context(), name, "test", noExpiry)
	if err != nil {
		t.Fatal(err)
	}
	x, err := s.Authenticate(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// question is a conversation of one message.
func question(text string) *Chat {
	return &Chat{Messages: []byte(`[{"role":"user","content":"` + text + `"}]`)}
}

// paris is what atlas says of France.
const paris = "The capital of France is Paris."

// answered is what came of a call.
type answered struct {
	text      string
	finish    string
	deltas    []Delta
	result    Result
	reasoning string
}

// ask runs a call to its end.
func ask(ctx context.Context, s *Service, c Call) (answered, error) {
	var out answered
	c.Deliver = func(d Delta) error {
		out.deltas = append(out.deltas, d)
		if d.Index == 0 {
			out.text += d.Text
			out.reasoning += d.Reasoning
			out.finish += d.Finish
		}
		return nil
	}
	a, err := s.Start(ctx, c)
	if err != nil {
		return out, err
	}
	defer a.Close()
	out.result, err = a.Run()
	return out, err
}

// wantError fails unless an error has a code and says something.
func wantError(t *testing.T, err error, code Code, says string) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) || e.Code != code || !strings.Contains(e.Message, says) {
		t.Errorf("%v, want %s that says %q", err, code, says)
	}
}
