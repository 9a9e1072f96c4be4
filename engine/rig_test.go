package engine_test

import (
	"bytes"
	"errors"
	"iter"
	"os"
	"strings"
	"testing"

	"github.com/realm-webgpu/realm/e2e/models"
	"github.com/realm-webgpu/realm/engine"
	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/engine/gguf"
	"github.com/realm-webgpu/realm/engine/token"
)

// The question of most tests in atlas's chat template, and its answer.
const (
	question = "<|im_start|>user\nWhat is the capital of France?<|im_end|>\n<|im_start|>assistant\n"
	answer   = "The capital of France is Paris."
)

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
	f, err := gguf.Read(bytes.NewReader(models.Atlas))
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

// collect returns the text of a loop, its tokens, and the error it ended with.
func collect(loop iter.Seq2[engine.Token, error]) (string, []engine.Token, error) {
	var text strings.Builder
	var tokens []engine.Token
	for token, err := range loop {
		if err != nil {
			return text.String(), tokens, err
		}
		text.WriteString(token.Text)
		tokens = append(tokens, token)
	}
	return text.String(), tokens, nil
}

// write is collect for a loop that ends well.
func write(t testing.TB, s *engine.Sequence, o engine.GenerateOptions) string {
	t.Helper()
	text, _, err := collect(s.Generate(t.Context(), o))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

var (
	parse     = token.Options{ParseSpecial: true}
	following = token.DecodeOptions{Continue: true}
)
