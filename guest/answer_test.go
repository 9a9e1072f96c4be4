package guest_test

import (
	"encoding/json"
	"errors"
	"math"
	"regexp"
	"strings"
	"testing"

	"github.com/realm-webgpu/realm/engine"
	"github.com/realm-webgpu/realm/guest"
	"github.com/realm-webgpu/realm/hostfn"
	"github.com/realm-webgpu/realm/hostfn/abi"
)

// TestAnswer asks in every way there is.
func TestAnswer(t *testing.T) {
	r := newRig(t)
	raw := "<|im_start|>user\n" + question + "<|im_end|>\n<|im_start|>assistant\n"
	for _, c := range []struct {
		name    string
		request guest.Request
		want    string
		reason  string
	}{
		{"chat", guest.Request{Messages: user(question)}, answer, "stop"},
		{"model by name", guest.Request{Model: "atlas", Messages: user(question)}, answer, "stop"},
		{"prompt", guest.Request{Prompt: raw, Special: true}, answer, "stop"},
		{"tokens", guest.Request{PromptTokens: r.model.Encode(raw, true)}, answer, "stop"},
		{"a stop string within a token", guest.Request{Messages: user(question), Stop: []string{"ari"}}, "The capital of France is P", "stop"},
		{"a stop string over tokens", guest.Request{Messages: user(question), Stop: []string{"xyz", "France is P"}}, "The capital of ", "stop"},
		{"a stop string that is not there", guest.Request{Messages: user(question), Stop: []string{"Paris!"}}, answer, "stop"},
		{"three tokens", guest.Request{Messages: user(question), MaxTokens: 3}, "", "length"},
		{"cold", guest.Request{Messages: user(question), Temperature: 0.8, TopK: 1, Seed: 7}, answer, "stop"},
		{"a pirate", guest.Request{Messages: user(question), Adapter: "pirate"}, pirateAnswer, "stop"},
		{"a pirate, drafted", guest.Request{Messages: user(question), Adapter: "pirate", Speculative: &guest.Speculation{Mode: "lookup"}}, pirateAnswer, "stop"},
		{"a terse one", guest.Request{Messages: user(question), Adapter: "terse"}, "Paris", "stop"},
		{"lookup", guest.Request{Messages: user(question), Speculative: &guest.Speculation{Mode: "lookup"}}, answer, "stop"},
		{"lookup and a stop string", guest.Request{Messages: user(question), Stop: []string{"France"}, Speculative: &guest.Speculation{Mode: "lookup"}}, "The capital of ", "stop"},
		{"regex", guest.Request{Messages: user(question), Grammar: &guest.Grammar{Kind: "regex", Text: `[0-9]{4}`}}, "", "stop"},
	} {
		t.Run(c.name, func(t *testing.T) {
			out := r.answer(t, c.request)
			ends, usage := out.of(guest.EventEnd), out.of(guest.EventUsage)
			if c.want != "" && out.texts[0] != c.want {
				t.Errorf("said %q, want %q", out.texts[0], c.want)
			}
			if len(ends) != 1 || ends[0].FinishReason != c.reason || len(usage) != 1 || usage[0].CompletionTokens != ends[0].Tokens {
				t.Errorf("events %s", out.raw)
			}
			if starts := out.of(guest.EventStart); len(starts) != 1 || starts[0].PromptTokens != usage[0].PromptTokens || usage[0].PromptTokens < 10 {
				t.Errorf("events %s", out.raw)
			}
			if c.request.Grammar != nil && !regexp.MustCompile(`^[0-9]{4}$`).MatchString(out.texts[0]) {
				t.Errorf("said %q", out.texts[0])
			}
			if c.reason == "length" && ends[0].Tokens != 3 {
				t.Errorf("%d tokens, want 3", ends[0].Tokens)
			}
			if len(c.request.Stop) > 0 && out.texts[0] != answer && !strings.Contains(strings.Join(c.request.Stop, "\n"), ends[0].Stop) {
				t.Errorf("stopped by %q", ends[0].Stop)
			}
		})
	}
}

// TestChoices has several texts of one prompt: each as if it were alone.
func TestChoices(t *testing.T) {
	r := newRig(t)
	request := guest.Request{Messages: user("Where is Oslo?"), N: 3, Temperature: 1.5, Seed: 40, MaxTokens: 12}
	out := r.answer(t, request)
	different := map[string]bool{}
	for i := range 3 {
		alone := request
		alone.N, alone.Seed = 1, request.Seed+uint64(i)
		if want := r.answer(t, alone).texts[0]; out.texts[uint32(i)] != want {
			t.Errorf("choice %d is %q, alone it is %q", i, out.texts[uint32(i)], want)
		}
		different[out.texts[uint32(i)]] = true
	}
	if len(different) < 2 {
		t.Errorf("all choices are %q", out.texts[0])
	}
	if ends := out.of(guest.EventEnd); len(ends) != 3 {
		t.Errorf("events %s", out.raw)
	}

	// Of five, the two most probable ones come, best first.
	request.N, request.BestOf, request.Logprobs = 2, 5, true
	best := r.answer(t, request)
	var means []float64
	for i := range 5 {
		alone := request
		alone.N, alone.BestOf, alone.Seed = 1, 1, request.Seed+uint64(i)
		means = append(means, mean(r.answer(t, alone), 0))
	}
	first, second := mean(best, 0), mean(best, 1)
	above := 0
	for _, m := range means {
		if m > second+1e-6 {
			above++
		}
	}
	if len(best.texts) != 2 || first < second || above > 1 || math.IsNaN(second) {
		t.Errorf("gave texts of mean log-probability %f and %f, there are %v", first, second, means)
	}
	if usage := best.of(guest.EventUsage); len(usage) != 1 || usage[0].CompletionTokens < 5 {
		t.Errorf("usage %+v", usage)
	}

	// Speculation with several choices is the same text, too.
	request = guest.Request{Messages: user("Where is Oslo?"), N: 3, Temperature: 1.5, Seed: 40, MaxTokens: 12, Speculative: &guest.Speculation{Mode: "lookup", Tokens: 8}}
	drafted := r.answer(t, request)
	for i, want := range out.texts {
		if drafted.texts[i] != want {
			t.Errorf("choice %d with drafts is %q, without %q", i, drafted.texts[i], want)
		}
	}
}

// mean returns the mean log-probability of a choice.
func mean(out *reply, index int) float64 {
	sum, n := 0.0, 0.0
	for _, e := range out.of(guest.EventToken) {
		if e.Index == index {
			sum += float64(*e.Logprob)
			n++
		}
	}
	return sum / n
}

// TestLogprobs has what might have been said instead.
func TestLogprobs(t *testing.T) {
	r := newRig(t)
	for _, drafts := range []*guest.Speculation{nil, {Mode: "lookup"}} {
		out := r.answer(t, guest.Request{Messages: user(question), Logprobs: true, TopLogprobs: 3, Speculative: drafts})
		tokens := out.of(guest.EventToken)
		text := ""
		for i, e := range tokens {
			if e.Logprob == nil || len(e.Top) != 3 || e.Top[0].Token != e.Token || *e.Top[0].Logprob != *e.Logprob || *e.Top[1].Logprob > *e.Logprob {
				t.Fatalf("token %d: %s", i, out.raw[i+1])
			}
			if i < len(tokens)-1 {
				text += e.Text
				if len(e.Bytes) != len(e.Text) {
					t.Errorf("token %q has bytes %v", e.Text, e.Bytes)
				}
			}
		}
		if text != answer {
			t.Errorf("the tokens are %q", text)
		}
	}
	echoed := r.answer(t, guest.Request{Messages: user(question), EchoTokens: true}).of(guest.EventToken)
	if len(echoed) != 9 || echoed[0].Logprob != nil {
		t.Errorf("echoed %+v", echoed)
	}
}

// TestSchema holds an answer to a schema.
func TestSchema(t *testing.T) {
	r := newRig(t)
	out := r.answer(t, guest.Request{Messages: user(question), MaxTokens: 200, Grammar: &guest.Grammar{
		Kind: "schema", Text: `{"type":"object","properties":{"city":{"type":"string","maxLength":12},"sure":{"type":"boolean"}},"required":["city","sure"],"additionalProperties":false}`,
	}})
	var said struct {
		City *string
		Sure *bool
	}
	if err := json.Unmarshal([]byte(out.texts[0]), &said); err != nil || said.City == nil || said.Sure == nil {
		t.Errorf("said %q: %v", out.texts[0], err)
	}
}

// TestSpeculation accepts what was proposed where a text repeats itself.
func TestSpeculation(t *testing.T) {
	r := newRig(t)
	request := guest.Request{Prompt: strings.Repeat("one two three four five six seven eight nine ten ", 6), MaxTokens: 40, IgnoreEOS: true}
	want := r.answer(t, request)
	request.Speculative = &guest.Speculation{Mode: "lookup", Tokens: 8}
	got := r.answer(t, request)
	end := got.of(guest.EventEnd)[0]
	if got.texts[0] != want.texts[0] || end.Proposed == 0 || end.Accepted > end.Proposed {
		t.Errorf("with drafts %q, without %q: %+v", got.texts[0], want.texts[0], end)
	}
	t.Logf("%d of %d drafted tokens were accepted", end.Accepted, end.Proposed)
	request.Speculative = &guest.Speculation{Mode: "model"}
	if _, err := r.ask(t, request); code(err) != abi.Noent {
		t.Errorf("without a draft model: %v", err)
	}
}

// TestSaved goes on from a conversation that was kept.
func TestSaved(t *testing.T) {
	r := newRig(t)
	r.answer(t, guest.Request{Messages: user(question), Save: &guest.Saved{Key: "k"}})
	next := "\n<|im_start|>user\nWhere is Oslo?<|im_end|>\n<|im_start|>assistant\n"
	out := r.answer(t, guest.Request{Prompt: next, Special: true, Load: &guest.Saved{Key: "k"}})
	whole := r.answer(t, guest.Request{Special: true,
		Prompt: "<|im_start|>user\n" + question + "<|im_end|>\n<|im_start|>assistant\n" + answer + "<|im_end|>" + next})
	if out.texts[0] != whole.texts[0] {
		t.Errorf("went on with %q, want %q", out.texts[0], whole.texts[0])
	}
	if a, b := out.of(guest.EventUsage)[0], whole.of(guest.EventUsage)[0]; a.PromptTokens != b.PromptTokens {
		t.Errorf("%d tokens, the whole has %d", a.PromptTokens, b.PromptTokens)
	}
	if _, err := r.ask(t, guest.Request{Prompt: "x", Load: &guest.Saved{Key: "other"}}); code(err) != abi.Noent {
		t.Errorf("nothing was kept: %v", err)
	}
}

// TestAdapterChoices has choices of one prompt go by its adapter.
func TestAdapterChoices(t *testing.T) {
	r := newRig(t)
	out := r.answer(t, guest.Request{Messages: user(question), Adapter: "pirate", N: 2})
	for channel := range uint32(2) {
		if out.texts[channel] != pirateAnswer {
			t.Errorf("choice %d said %q", channel, out.texts[channel])
		}
	}
}

// code returns the errno that a guest ended with.
func code(err error) abi.Errno {
	var e *hostfn.ExitError
	if !errors.As(err, &e) {
		return -1
	}
	return abi.Errno(e.Code)
}

// TestRefused has requests that cannot be answered. Each error says why.
func TestRefused(t *testing.T) {
	r := newRig(t)
	long := strings.Repeat("word ", 600)
	for _, c := range []struct {
		name string
		args string
		code abi.Errno
		want string
	}{
		{"no JSON", `{`, abi.Inval, "a string is expected"},
		{"nothing", `{}`, abi.Inval, "messages, prompt and prompt_tokens"},
		{"a member of another type", `{"prompt":"x","seed":"x"}`, abi.Inval, "seed"},
		{"another model", `{"model":"x","prompt":"y"}`, abi.Noent, "model_open"},
		{"an adapter", `{"prompt":"x","adapter":"parrot"}`, abi.Noent, `adapter "parrot"`},
		{"a temperature", `{"prompt":"x","temperature":-1}`, abi.Inval, "Temperature"},
		{"a bias", `{"prompt":"x","logit_bias":{"99999999":1}}`, abi.Inval, "99999999"},
		{"a schema", `{"prompt":"x","grammar":{"kind":"schema","text":"{\"not\":{}}"}}`, abi.Grammar, "not"},
		{"a token", `{"prompt_tokens":[99999999]}`, abi.Inval, "99999999"},
		{"no tokens", `{"prompt_tokens":[]}`, abi.Inval, ""},
		{"a conversation", `{"messages":[{"role":"user","content":[{"type":"image_url"}]}]}`, abi.Inval, "image_url"},
		{"a long text", `{"prompt":"` + long + `"}`, abi.Overflow, "512"},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, err := r.run(t, guest.Module, []byte(c.args))
			if code(err) != c.code || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %v with %q", err, c.code, c.want)
			}
			if told := out.of(guest.EventError); len(told) != 1 || told[0].Errno != c.code.String() || told[0].Message == "" {
				t.Errorf("told %s", out.raw)
			}
		})
	}
	if _, err := r.ask(t, guest.Request{Prompt: long}); !errors.Is(err, engine.ErrContext) {
		t.Errorf("a long text: %v", err)
	}
}
