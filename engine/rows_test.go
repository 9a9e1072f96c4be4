package engine_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/realm-webgpu/realm/engine"
	"github.com/realm-webgpu/realm/engine/token"
)

// TestAllLogits holds each row to the logits of a sequence that ends there,
// whatever was read before and in how many steps.
func TestAllLogits(t *testing.T) {
	eachDevice(t, func(t *testing.T, e *engine.Engine) {
		text := strings.Repeat(question, 3)
		for _, o := range []engine.LoadOptions{{}, {StepTokens: 8}} {
			m := load(t, e, o)
			s := ask(t, m, text)
			n := s.Len()
			for _, from := range []int{n / 2, n - 1, 0, 5} {
				i := from
				for row, err := range s.AllLogits(t.Context(), from) {
					if err != nil {
						t.Fatal(err)
					}
					if i == from || i == n-1 || i%17 == 0 {
						prefix := ask(t, m, text)
						if err := prefix.Truncate(i + 1); err != nil {
							t.Fatal(err)
						}
						want, err := prefix.Logits(t.Context())
						if err != nil {
							t.Fatal(err)
						}
						if !slices.Equal(row, want) {
							t.Fatalf("from %d in steps of %d: row %d differs", from, o.StepTokens, i)
						}
						prefix.Close()
					}
					i++
				}
				if i != n {
					t.Errorf("from %d: rows up to %d of %d", from, i, n)
				}
			}
			// The sequence is left whole, also by a loop that ends early.
			for range s.AllLogits(t.Context(), 3) {
				break
			}
			if err := s.Truncate(len(m.Encode(question, true))); err != nil {
				t.Fatal(err)
			}
			if got := write(t, s, engine.GenerateOptions{}); got != answer {
				t.Errorf("afterwards the answer is %q", got)
			}
			s.Close()
			if err := m.Close(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestAllLogitsErrors(t *testing.T) {
	m := load(t, open(t, engine.Options{Device: "cpu"}), engine.LoadOptions{})
	s := ask(t, m, question)
	empty, err := m.NewSequence()
	if err != nil {
		t.Fatal(err)
	}
	closed := ask(t, m, question)
	closed.Close()
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range []struct {
		name string
		ctx  context.Context
		s    *engine.Sequence
		from int
		want error
	}{
		{"nothing", t.Context(), empty, 0, engine.ErrEmpty},
		{"before the beginning", t.Context(), s, -1, engine.ErrOption},
		{"behind the end", t.Context(), s, s.Len(), engine.ErrOption},
		{"closed", t.Context(), closed, 0, engine.ErrClosed},
		{"cancelled", cancelled, s, 0, context.Canceled},
	} {
		n := 0
		for _, err := range c.s.AllLogits(c.ctx, c.from) {
			n++
			if !errors.Is(err, c.want) {
				t.Errorf("%s: %v, want %v", c.name, err, c.want)
			}
		}
		if n != 1 {
			t.Errorf("%s: %d pairs", c.name, n)
		}
	}
	for _, err := range s.AllLogits(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Append(m.Tokenizer().Encode(nil, "x", token.Options{})...); !errors.Is(err, engine.ErrBusy) {
			t.Errorf("Append in the loop: %v", err)
		}
		break
	}
}
