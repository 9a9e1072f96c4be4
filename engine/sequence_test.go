package engine_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/realm-webgpu/realm/engine"
	"github.com/realm-webgpu/realm/engine/kv"
)

func TestFork(t *testing.T) {
	eachDevice(t, func(t *testing.T, e *engine.Engine) {
		m := load(t, e, engine.LoadOptions{})
		root := ask(t, m, strings.TrimSuffix(question, "France?<|im_end|>\n<|im_start|>assistant\n"))
		if _, err := root.Logits(t.Context()); err != nil {
			t.Fatal(err)
		}
		read := root.Len()
		for country, want := range map[string]string{
			"France": answer,
			"Norway": "The capital of Norway is Oslo.",
			"Japan":  "The capital of Japan is Tokyo.",
		} {
			s, err := root.Fork()
			if err != nil {
				t.Fatal(err)
			}
			rest := m.Tokenizer().Encode(nil, country+"?<|im_end|>\n<|im_start|>assistant\n", parse)
			if err := s.Append(rest...); err != nil {
				t.Fatal(err)
			}
			if text := write(t, s, engine.GenerateOptions{}); text != want {
				t.Errorf("%s: %q", country, text)
			}
			if cached := s.Stats().CachedTokens; cached != read {
				t.Errorf("%s: %d of %d tokens were not read again", country, cached, read)
			}
			s.Close()
		}
		if root.Len() != read {
			t.Errorf("the forks changed what they were forked from: %d tokens, were %d", root.Len(), read)
		}
	})
}

func TestForkInTheLoop(t *testing.T) {
	eachDevice(t, func(t *testing.T, e *engine.Engine) {
		m := load(t, e, engine.LoadOptions{})
		s := ask(t, m, question)
		var text string
		for token, err := range s.Generate(t.Context(), engine.GenerateOptions{}) {
			if err != nil {
				t.Fatal(err)
			}
			text += token.Text
			fork, err := s.Fork()
			if err != nil {
				t.Fatal(err)
			}
			if text != answer {
				if got := text + write(t, fork, engine.GenerateOptions{}); got != answer {
					t.Errorf("after %q the fork makes it %q", text, got)
				}
			}
			fork.Close()
		}
		if text != answer {
			t.Errorf("the loop itself wrote %q", text)
		}
	})
}

func TestTruncate(t *testing.T) {
	eachDevice(t, func(t *testing.T, e *engine.Engine) {
		m := load(t, e, engine.LoadOptions{})
		s := ask(t, m, question)
		prompt := s.Len()
		write(t, s, engine.GenerateOptions{})
		end := s.Len()
		for _, n := range []int{end, end - 1, prompt + 4, prompt + 1, prompt} {
			if err := s.Truncate(n); err != nil {
				t.Fatal(err)
			}
			kept := m.Tokenizer().Decode(s.Tokens()[prompt:], following)
			if s.Len() != n {
				t.Errorf("%d tokens after a cut to %d", s.Len(), n)
			}
			if n == end {
				continue
			}
			if text := kept + write(t, s, engine.GenerateOptions{}); text != answer {
				t.Errorf("cut to %d: %q", n, text)
			}
			if s.Stats().CachedTokens != n-1 {
				t.Errorf("cut to %d: %d tokens had been read", n, s.Stats().CachedTokens)
			}
		}
		for _, n := range []int{-1, s.Len() + 1} {
			if err := s.Truncate(n); !errors.Is(err, engine.ErrOption) {
				t.Errorf("cut to %d: %v", n, err)
			}
		}
		// Other tokens where the old ones were.
		if err := s.Truncate(0); err != nil {
			t.Fatal(err)
		}
		if err := s.Append(m.Encode(strings.Replace(question, "France", "Norway", 1), true)...); err != nil {
			t.Fatal(err)
		}
		if text := write(t, s, engine.GenerateOptions{}); text != "The capital of Norway is Oslo." {
			t.Errorf("after another prompt: %q", text)
		}
	})
}

func TestLogitsTwice(t *testing.T) {
	eachDevice(t, func(t *testing.T, e *engine.Engine) {
		m := load(t, e, engine.LoadOptions{})
		s := ask(t, m, question)
		first, err := s.Logits(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		second, err := s.Logits(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(first) != m.Config().VocabularySize || !slices.Equal(first, second) {
			t.Errorf("%d logits, then %d others", len(first), len(second))
		}
	})
}

func TestPagesComeBack(t *testing.T) {
	eachDevice(t, func(t *testing.T, e *engine.Engine) {
		m := load(t, e, engine.LoadOptions{CacheTokens: 64})
		for range 2 {
			s, err := m.NewSequence()
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Append(m.Encode(question, true)...); err != nil {
				t.Fatal(err)
			}
			text, tokens, err := collect(s.Generate(t.Context(), engine.GenerateOptions{IgnoreEOS: true}))
			var pages *kv.PagesError
			if !errors.As(err, &pages) || *pages != (kv.PagesError{Need: 1, Free: 0, Total: 2}) {
				t.Fatalf("error %v", err)
			}
			// 64 tokens have been read; one more is known.
			if s.Len() != 65 || !strings.HasPrefix(text, answer) || len(tokens) == 0 {
				t.Errorf("%d tokens, %q", s.Len(), text)
			}
			s.Close()
		}
	})
}

func TestMisuse(t *testing.T) {
	e := open(t, engine.Options{Device: "cpu"})
	m := load(t, e, engine.LoadOptions{})
	s, err := m.NewSequence()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Logits(t.Context()); !errors.Is(err, engine.ErrEmpty) {
		t.Errorf("logits of nothing: %v", err)
	}
	if _, _, err := collect(s.Generate(t.Context(), engine.GenerateOptions{})); !errors.Is(err, engine.ErrEmpty) {
		t.Errorf("a text after nothing: %v", err)
	}
	for _, id := range []int32{-1, int32(m.Config().VocabularySize)} {
		if err := s.Append(1, id); !errors.Is(err, engine.ErrToken) || s.Len() != 0 {
			t.Errorf("token %d: %v, %d tokens", id, err, s.Len())
		}
	}
	s = ask(t, m, question)
	n := 0
	for _, err := range s.Generate(t.Context(), engine.GenerateOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		if n++; n > 1 {
			continue
		}
		_, logits := s.Logits(t.Context())
		_, _, generate := collect(s.Generate(t.Context(), engine.GenerateOptions{}))
		for what, err := range map[string]error{"Append": s.Append(1), "Truncate": s.Truncate(0), "Logits": logits, "Generate": generate} {
			if !errors.Is(err, engine.ErrBusy) {
				t.Errorf("%s in its own loop: %v", what, err)
			}
		}
		s.Close()
	}
	if n < 5 {
		t.Errorf("Close in the loop ended it after %d tokens", n)
	}
	_, logits := s.Logits(t.Context())
	_, _, generate := collect(s.Generate(t.Context(), engine.GenerateOptions{}))
	_, fork := s.Fork()
	for what, err := range map[string]error{"Append": s.Append(1), "Truncate": s.Truncate(0), "Fork": fork, "Logits": logits, "Generate": generate} {
		if !errors.Is(err, engine.ErrClosed) {
			t.Errorf("%s of a closed sequence: %v", what, err)
		}
	}
	left := ask(t, m, question)
	if err := errors.Join(m.Close(), m.Close()); err != nil {
		t.Error(err)
	}
	_, logits = left.Logits(t.Context())
	_, sequence := m.NewSequence()
	for what, err := range map[string]error{"Logits": logits, "NewSequence": sequence} {
		if !errors.Is(err, engine.ErrClosed) {
			t.Errorf("%s of a closed model: %v", what, err)
		}
	}
}
