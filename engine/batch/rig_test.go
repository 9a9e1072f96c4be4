package batch_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/realm-webgpu/realm/e2e/models"
	"github.com/realm-webgpu/realm/engine"
	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/engine/gguf"
	"github.com/realm-webgpu/realm/engine/model"
)

// The question of most tests in atlas's chat template.
const question = "<|im_start|>user\nWhat is the capital of France?<|im_end|>\n<|im_start|>assistant\n"

var countries = []string{
	"France", "Norway", "Japan", "Brazil", "Kenya", "Canada", "Italy", "Spain",
	"Poland", "Egypt", "India", "Chile", "Peru", "Cuba", "Iran", "Ghana",
}

// about returns the question of a country.
func about(country string) string { return strings.Replace(question, "France", country, 1) }

// eachDevice runs a test on the CPU, and on the best adapter where there is one.
func eachDevice(t *testing.T, test func(t *testing.T, e *engine.Engine)) {
	for _, name := range []string{"cpu", "webgpu"} {
		t.Run(name, func(t *testing.T) { test(t, open(t, engine.Options{Device: name})) })
	}
}

// open opens a device, or skips where it is an adapter that is not there.
func open(t testing.TB, o engine.Options) *engine.Engine {
	t.Helper()
	e, err := engine.Open(o)
	if errors.Is(err, device.ErrNotFound) && os.Getenv("REALM_REQUIRE_GPU") != "1" {
		t.Skipf("SKIPPED: %v (REALM_REQUIRE_GPU=1 makes this a failure)", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

// load loads atlas.
func load(t testing.TB, e *engine.Engine, o engine.LoadOptions) *engine.Model {
	t.Helper()
	return loadBytes(t, e, models.Atlas, o)
}

// loadFile loads the model of a file.
func loadFile(t testing.TB, e *engine.Engine, path string, o engine.LoadOptions) *engine.Model {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return loadBytes(t, e, data, o)
}

// loadBytes loads the model of a file in memory.
func loadBytes(t testing.TB, e *engine.Engine, data []byte, o engine.LoadOptions) *engine.Model {
	t.Helper()
	f, err := gguf.Read(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	m, err := e.Load(t.Context(), f, o)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// ask returns a sequence with a text in it.
func ask(t testing.TB, m *engine.Model, text string) *engine.Sequence {
	t.Helper()
	s, err := m.NewSequence()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	if err := s.Append(m.Encode(text, true)...); err != nil {
		t.Fatal(err)
	}
	return s
}

// drain takes all that a run has, and returns its tokens and what it ended with.
func drain(ctx context.Context, r *engine.Run) (tokens []int32, err error) {
	for {
		o, err := r.Next(ctx)
		if err == io.EOF {
			return tokens, nil
		}
		if err != nil {
			return tokens, err
		}
		if o.Token != engine.NoToken {
			tokens = append(tokens, o.Token)
		}
	}
}

// finish is drain for a run that ends well.
func finish(t testing.TB, r *engine.Run) []int32 {
	t.Helper()
	tokens, err := drain(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return tokens
}

// last is the pooling that takes the state of the last token.
func last() *model.Pooling {
	p := model.PoolingLast
	return &p
}
