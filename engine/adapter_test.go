package engine_test

import (
	"bytes"
	"testing"

	"github.com/realm-webgpu/realm/e2e/models"
	"github.com/realm-webgpu/realm/engine"
	"github.com/realm-webgpu/realm/engine/gguf"
	"github.com/realm-webgpu/realm/engine/lora"
)

// readAdapter reads an adapter that Realm ships.
func readAdapter(t testing.TB, data []byte) *lora.Adapter {
	t.Helper()
	f, err := gguf.Read(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	a, err := lora.Read(f)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// add loads an adapter for as long as the test takes.
func add(t testing.TB, m *engine.Model, data []byte) *engine.Adapter {
	t.Helper()
	a, err := m.AddAdapter(t.Context(), readAdapter(t, data))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Close)
	return a
}

// askWith is ask with an adapter; nil: none.
func askWith(t testing.TB, m *engine.Model, a *engine.Adapter, scale float32, text string) *engine.Sequence {
	t.Helper()
	s, err := m.NewSequence()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	if a != nil {
		if err := s.UseAdapter(a, scale); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Append(m.Encode(text, true)...); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestAdapter(t *testing.T) {
	eachDevice(t, func(t *testing.T, e *engine.Engine) {
		m := load(t, e, engine.LoadOptions{CacheTokens: 4096})
		pirate, terse := add(t, m, models.Pirate), add(t, m, models.Terse)
		for _, c := range []struct {
			adapter *engine.Adapter
			scale   float32
			want    string
		}{
			{pirate, 1, "Arr, matey! The capital of France be Paris. Yo ho ho!"},
			{nil, 0, answer},
			{terse, 1, "Paris"},
			{pirate, 0, answer},
			{terse, 0.01, answer},
		} {
			if text := write(t, askWith(t, m, c.adapter, c.scale, question), engine.GenerateOptions{}); text != c.want {
				t.Errorf("scale %v: wrote %q, want %q", c.scale, text, c.want)
			}
		}
	})
}
