package engine_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/realm-webgpu/realm/engine"
	"github.com/realm-webgpu/realm/engine/sample"
)

func TestAnswer(t *testing.T) {
	eachDevice(t, func(t *testing.T, e *engine.Engine) {
		m := load(t, e, engine.LoadOptions{})
		s := ask(t, m, question)
		prompt, before := s.Len(), e.Counters()
		text, tokens, err := collect(s.Generate(t.Context(), engine.GenerateOptions{}))
		if err != nil {
			t.Fatal(err)
		}
		// The prompt's step gives the first token, and one step is looked ahead.
		if steps := e.Counters().Submits - before.Submits; int(steps) != len(tokens)+1 {
			t.Errorf("%d steps for %d tokens", steps, len(tokens))
		}
		if text != answer || s.FinishReason() != engine.FinishStop {
			t.Errorf("got %q, %q", text, s.FinishReason())
		}
		last := tokens[len(tokens)-1]
		if !m.Tokenizer().IsEndOfGeneration(last.ID) || last.Text != "" {
			t.Errorf("the last token is %+v", last)
		}
		for i, token := range tokens {
			if s.Tokens()[prompt+i] != token.ID {
				t.Errorf("token %d of the sequence is %d, the loop was given %d", prompt+i, s.Tokens()[prompt+i], token.ID)
			}
		}
		stats := s.Stats()
		if stats.PromptTokens != prompt || stats.CachedTokens != 0 || stats.GeneratedTokens != len(tokens) ||
			stats.Prefill <= 0 || stats.FirstToken < stats.Prefill || stats.Decode <= 0 ||
			stats.PrefillRate() <= 0 || stats.DecodeRate() <= 0 {
			t.Errorf("stats %+v of %d prompt tokens and %d others", stats, prompt, len(tokens))
		}
	})
}

// The same text, however the prompt is cut into steps.
func TestStepsDoNotMatter(t *testing.T) {
	eachDevice(t, func(t *testing.T, e *engine.Engine) {
		var want []float32
		for _, tokens := range []int{0, 1, 3, 8, 16} {
			m := load(t, e, engine.LoadOptions{StepTokens: tokens})
			s := ask(t, m, question)
			logits, err := s.Logits(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if want == nil {
				want = logits
			}
			if !slices.Equal(logits, want) {
				t.Errorf("steps of %d: other logits", tokens)
			}
			if text := write(t, s, engine.GenerateOptions{}); text != answer {
				t.Errorf("steps of %d: %q", tokens, text)
			}
			if err := m.Close(); err != nil {
				t.Error(err)
			}
		}
	})
}

// Sampled text is that of package sample on whole rows, whichever way it is
// drawn: on the device, by the host from candidates, or by the host from a row
// that the candidates do not decide.
func TestSeedDecides(t *testing.T) {
	// What comes next is a question, of which there are many.
	const prompt = "<|im_start|>user\n"
	const tokens = 16
	eachDevice(t, func(t *testing.T, e *engine.Engine) {
		m := load(t, e, engine.LoadOptions{})
		draw := func(spec sample.Spec) []int32 {
			s := ask(t, m, prompt)
			defer s.Close()
			write(t, s, engine.GenerateOptions{Sampling: spec, MaxTokens: tokens, IgnoreEOS: true})
			return s.Tokens()
		}
		for _, c := range []struct {
			spec sample.Spec
			rows bool // the candidates are not always enough
		}{
			{sample.Spec{Temperature: 1.5, Seed: 7}, true},
			{sample.Spec{Temperature: 1, Seed: 8}, true},
			{sample.Spec{Temperature: 3, TopK: 20, Seed: 9}, false},
			{sample.Spec{Temperature: 2, TopP: 0.9, Seed: 10}, true},
			{sample.Spec{Temperature: 2, MinP: 0.01, Seed: 11}, false},
			{sample.Spec{Temperature: 2, TopK: 40, TopP: 0.8, MinP: 0.001, Seed: 12}, false},
		} {
			want := drawRows(t, m, prompt, c.spec, tokens)
			before := e.Counters().ReadBack
			if got := draw(c.spec); !slices.Equal(got, want) {
				t.Errorf("%+v: on the device %v, want %v", c.spec, got, want)
			}
			// Candidates are some 500 bytes a token, a row is 8 KiB.
			if read := e.Counters().ReadBack - before; (read > tokens*750) != c.rows {
				t.Errorf("%+v: %d bytes were read back", c.spec, read)
			}
			// Biases are the host's; this one changes nothing.
			host := c.spec
			host.LogitBias = map[int32]float32{0: -1e-30}
			if got := draw(host); !slices.Equal(got, want) {
				t.Errorf("%+v: on the host %v, want %v", c.spec, got, want)
			}
			other := c.spec
			other.Seed += 100
			if got := draw(other); slices.Equal(got, want) {
				t.Errorf("%+v: another seed drew the same", c.spec)
			}
		}
	})
}

// drawRows is Generate as one would write it with Logits.
func drawRows(t *testing.T, m *engine.Model, prompt string, spec sample.Spec, tokens int) []int32 {
	t.Helper()
	s := ask(t, m, prompt)
	defer s.Close()
	sampler, err := sample.New(spec, m.Config().VocabularySize, nil)
	if err != nil {
		t.Fatal(err)
	}
	for range tokens {
		row, err := s.Logits(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		id, _, err := sampler.Row(row, nil, uint64(s.Len()))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Append(id); err != nil {
			t.Fatal(err)
		}
	}
	return s.Tokens()
}

func TestLogprobs(t *testing.T) {
	eachDevice(t, func(t *testing.T, e *engine.Engine) {
		m := load(t, e, engine.LoadOptions{})
		s := ask(t, m, question)
		for token, err := range s.Generate(t.Context(), engine.GenerateOptions{Logprobs: 3}) {
			if err != nil {
				t.Fatal(err)
			}
			if len(token.Top) != 3 || token.Top[0] != (sample.Logprob{Token: token.ID, Logprob: token.Logprob}) ||
				token.Top[1].Logprob < token.Top[2].Logprob || token.Logprob > 0 {
				t.Errorf("%+v", token)
			}
		}
		_, plain, err := collect(ask(t, m, question).Generate(t.Context(), engine.GenerateOptions{MaxTokens: 1}))
		if err != nil {
			t.Fatal(err)
		}
		logits, err := ask(t, m, question).Logits(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		sampler, err := sample.New(sample.Spec{}, len(logits), nil)
		if err != nil {
			t.Fatal(err)
		}
		id, logprob, err := sampler.Row(logits, nil, 0)
		if d := logprob - plain[0].Logprob; err != nil || id != plain[0].ID || d > 1e-3 || d < -1e-3 {
			t.Errorf("the row gives %d %v (%v), the loop %+v", id, logprob, err, plain[0])
		}
	})
}

func TestPenalties(t *testing.T) {
	e := open(t, engine.Options{Device: "cpu"})
	m := load(t, e, engine.LoadOptions{})
	penalty := sample.Spec{FrequencyPenalty: 2, PresencePenalty: 2}
	once := write(t, ask(t, m, question), engine.GenerateOptions{Sampling: penalty, MaxTokens: 30, IgnoreEOS: true})
	with := write(t, ask(t, m, question), engine.GenerateOptions{Sampling: penalty, MaxTokens: 30, IgnoreEOS: true, PenalizePrompt: true})
	plain := write(t, ask(t, m, question), engine.GenerateOptions{MaxTokens: 30, IgnoreEOS: true})
	if once == plain || with == once || with == plain {
		t.Errorf("without penalties %q, with %q, of the prompt too %q", plain, once, with)
	}
}

func TestStopStrings(t *testing.T) {
	eachDevice(t, func(t *testing.T, e *engine.Engine) {
		m := load(t, e, engine.LoadOptions{})
		for _, c := range []struct {
			stop   []string
			want   string
			reason engine.FinishReason
		}{
			{[]string{"France"}, "The capital of ", engine.FinishStop},
			{[]string{"of France is Pa"}, "The capital ", engine.FinishStop}, // over several tokens
			{[]string{"Paris. And"}, answer, engine.FinishStop},              // held back, and let go at the end
			{[]string{"xyz", "capital", "The capital of"}, "The ", engine.FinishStop},
			{[]string{"T"}, "", engine.FinishStop},
		} {
			s := ask(t, m, question)
			if text := write(t, s, engine.GenerateOptions{Stop: c.stop}); text != c.want || s.FinishReason() != c.reason {
				t.Errorf("stop at %q: %q, %q", c.stop, text, s.FinishReason())
			}
		}
	})
}

func TestLength(t *testing.T) {
	eachDevice(t, func(t *testing.T, e *engine.Engine) {
		m := load(t, e, engine.LoadOptions{})
		s := ask(t, m, question)
		prompt, before := s.Len(), e.Counters()
		text := write(t, s, engine.GenerateOptions{MaxTokens: 3})
		if s.Len() != prompt+3 || s.FinishReason() != engine.FinishLength || !strings.HasPrefix(answer, text) {
			t.Errorf("%d tokens, %q, %q", s.Len()-prompt, text, s.FinishReason())
		}
		// Where the end is known, no step is computed in vain.
		if steps := e.Counters().Submits - before.Submits; steps != 3 {
			t.Errorf("%d steps for 3 tokens", steps)
		}
		if text += write(t, s, engine.GenerateOptions{}); text != answer {
			t.Errorf("going on: %q", text)
		}
		if stats := s.Stats(); stats.CachedTokens != prompt+2 {
			t.Errorf("going on read %d of %d tokens again", stats.PromptTokens-stats.CachedTokens, stats.PromptTokens)
		}
	})
}

func TestContextIsFull(t *testing.T) {
	eachDevice(t, func(t *testing.T, e *engine.Engine) {
		m := load(t, e, engine.LoadOptions{Context: 40})
		s := ask(t, m, question)
		write(t, s, engine.GenerateOptions{IgnoreEOS: true})
		if s.Len() != 40 || s.FinishReason() != engine.FinishContext {
			t.Errorf("%d tokens, %q", s.Len(), s.FinishReason())
		}
		var full *engine.ContextError
		_, _, err := collect(s.Generate(t.Context(), engine.GenerateOptions{}))
		if !errors.As(err, &full) || *full != (engine.ContextError{Need: 41, Limit: 40}) {
			t.Errorf("error %v", err)
		}
		if err := s.Append(1, 2); !errors.As(err, &full) || full.Need != 42 || !errors.Is(err, engine.ErrContext) {
			t.Errorf("error %v", err)
		}
		if _, err := s.Logits(t.Context()); err != nil || s.Len() != 40 {
			t.Errorf("a full sequence has no logits: %v", err)
		}
	})
}

func TestCancelInPrefill(t *testing.T) {
	eachDevice(t, func(t *testing.T, e *engine.Engine) {
		m := load(t, e, engine.LoadOptions{StepTokens: 4, CacheTokens: 1024})
		s := ask(t, m, strings.Repeat(question, 15))
		prompt := s.Tokens()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		// Another text hears of its tokens between two steps, and the next one waits for it.
		over := make(chan struct{})
		beside := e.Start(t.Context(), engine.Request{Sequence: ask(t, m, question), MaxTokens: 60, Notify: func() {
			for running, waiting := e.Runs(); running+waiting < 2 && ctx.Err() == nil; running, waiting = e.Runs() {
				runtime.Gosched() // the prompt is still to come
			}
			if s.Cached() >= 8 && ctx.Err() == nil {
				cancel()
				<-over
			}
		}})[0]
		text, _, err := collect(s.Generate(ctx, engine.GenerateOptions{}))
		close(over)
		beside.Cancel()
		if !errors.Is(err, context.Canceled) || text != "" || s.FinishReason() != "" || !slices.Equal(s.Tokens(), prompt) {
			t.Fatalf("%q, %q, %d of %d tokens, error %v", text, s.FinishReason(), s.Len(), len(prompt), err)
		}
		if cached := s.Cached(); cached < 8 || cached >= len(prompt) {
			t.Errorf("%d of %d tokens were read", cached, len(prompt))
		}
		want := write(t, ask(t, m, strings.Repeat(question, 15)), engine.GenerateOptions{MaxTokens: 20})
		if text := write(t, s, engine.GenerateOptions{MaxTokens: 20}); text != want {
			t.Errorf("going on: %q, want %q", text, want)
		}
		if cached := s.Stats().CachedTokens; cached < 8 {
			t.Errorf("%d tokens were read before", cached)
		}
	})
}

func TestCancelInDecode(t *testing.T) {
	eachDevice(t, func(t *testing.T, e *engine.Engine) {
		m := load(t, e, engine.LoadOptions{})
		s := ask(t, m, question)
		prompt := s.Len()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var text string
		var last error
		n := 0
		for token, err := range s.Generate(ctx, engine.GenerateOptions{}) {
			if last = err; err != nil {
				break
			}
			text += token.Text
			if n++; n == 3 {
				cancel()
			}
		}
		if !errors.Is(last, context.Canceled) || s.Len() != prompt+3 {
			t.Fatalf("%d tokens, error %v", s.Len()-prompt, last)
		}
		if text += write(t, s, engine.GenerateOptions{}); text != answer {
			t.Errorf("going on: %q", text)
		}
	})
}

func TestLeaveTheLoop(t *testing.T) {
	eachDevice(t, func(t *testing.T, e *engine.Engine) {
		m := load(t, e, engine.LoadOptions{})
		for leave := range 5 {
			s := ask(t, m, question)
			text, n := "", 0
			for token, err := range s.Generate(t.Context(), engine.GenerateOptions{}) {
				if err != nil {
					t.Fatal(err)
				}
				text += token.Text
				if n++; n > leave {
					break
				}
			}
			if s.FinishReason() != "" {
				t.Errorf("finish reason %q of a loop that was left", s.FinishReason())
			}
			if text += write(t, s, engine.GenerateOptions{}); text != answer {
				t.Errorf("left after %d tokens: %q", leave+1, text)
			}
		}
	})
}

// Sequences in many goroutines write what each writes alone.
func TestTogether(t *testing.T) {
	countries := []string{"France", "Norway", "Japan", "Brazil", "Kenya", "Canada"}
	eachDevice(t, func(t *testing.T, e *engine.Engine) {
		m := load(t, e, engine.LoadOptions{CacheTokens: 2048})
		options := func(i int) engine.GenerateOptions {
			if i%2 == 0 {
				return engine.GenerateOptions{}
			}
			return engine.GenerateOptions{Sampling: sample.Spec{Temperature: 2, TopP: 0.95, Seed: uint64(i)}, MaxTokens: 25}
		}
		prompt := func(country string) string { return strings.Replace(question, "France", country, 1) }
		var alone []string
		for i, country := range countries {
			alone = append(alone, write(t, ask(t, m, prompt(country)), options(i)))
		}
		var group sync.WaitGroup
		for i, country := range countries {
			s := ask(t, m, prompt(country))
			group.Go(func() {
				text, _, err := collect(s.Generate(t.Context(), options(i)))
				if err != nil || text != alone[i] {
					t.Errorf("%s: %q alone, %q together, %v", country, alone[i], text, err)
				}
			})
		}
		group.Wait()
	})
}

// A loop's body has the device to itself: nothing waits for the loop.
func TestLoopInLoop(t *testing.T) {
	eachDevice(t, func(t *testing.T, e *engine.Engine) {
		m := load(t, e, engine.LoadOptions{CacheTokens: 1024})
		other := load(t, e, engine.LoadOptions{})
		var text string
		for token, err := range ask(t, m, question).Generate(t.Context(), engine.GenerateOptions{}) {
			if err != nil {
				t.Fatal(err)
			}
			text += token.Text
			for _, m := range []*engine.Model{m, other} {
				if inner := write(t, ask(t, m, question), engine.GenerateOptions{}); inner != answer {
					t.Errorf("inside: %q", inner)
				}
			}
			if len(text) > 10 {
				continue
			}
			if _, err := ask(t, m, "some text").Logits(t.Context()); err != nil {
				t.Error(err)
			}
		}
		if text != answer {
			t.Errorf("outside: %q", text)
		}
	})
}

func TestOptionsOutsideTheirLimits(t *testing.T) {
	e := open(t, engine.Options{Device: "cpu"})
	m := load(t, e, engine.LoadOptions{})
	for _, c := range []struct {
		options engine.GenerateOptions
		want    error
	}{
		{engine.GenerateOptions{MaxTokens: -1}, engine.ErrOption},
		{engine.GenerateOptions{Logprobs: 65}, engine.ErrOption},
		{engine.GenerateOptions{Stop: []string{""}}, engine.ErrOption},
		{engine.GenerateOptions{Sampling: sample.Spec{TopP: 2}}, sample.ErrSpec},
		{engine.GenerateOptions{Sampling: sample.Spec{LogitBias: map[int32]float32{1 << 20: 1}}}, sample.ErrToken},
	} {
		t.Run(fmt.Sprint(c.want), func(t *testing.T) {
			_, tokens, err := collect(ask(t, m, question).Generate(t.Context(), c.options))
			if !errors.Is(err, c.want) || len(tokens) != 0 || !strings.HasPrefix(err.Error(), "engine: generate: ") {
				t.Errorf("%+v: %d tokens, error %v", c.options, len(tokens), err)
			}
		})
	}
}
