package service

import (
	"fmt"
	"strings"
	"testing"

	"github.com/realm-webgpu/realm/guest"
	"github.com/realm-webgpu/realm/web/tenant"
)

// thinking is a template whose answers begin inside of reasoning.
const thinking = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}<|im_start|>assistant\n<think>"

// TestReasoning tells what was thought apart, and counts its tokens. What is held to a
// grammar is all content.
func TestReasoning(t *testing.T) {
	s := newService(t, func(o *Options) { o.Models[0].Load.Template = thinking })
	chat := question("What is the capital of France?")
	out, err := ask(t.Context(), s, Call{Chat: chat})
	if err != nil {
		t.Fatal(err)
	}
	if u := out.result.Usage; out.text != "" || out.reasoning == "" || u.Reasoning != u.Completion || u.Completion == 0 {
		t.Errorf("%q was said, %q thought: %+v", out.text, out.reasoning, u)
	}
	for _, d := range out.deltas {
		if len(d.Tokens) > 0 {
			t.Errorf("nobody asked for tokens: %+v", d)
		}
	}
	out, err = ask(t.Context(), s, Call{Chat: chat, Request: guest.Request{Grammar: &guest.Grammar{Kind: "regex", Text: "[0-9]{3}"}}})
	if err != nil || len(out.text) != 3 || out.reasoning != "" || out.result.Usage.Reasoning != 0 {
		t.Errorf("by a grammar %q was said, %q thought, %+v, %v", out.text, out.reasoning, out.result.Usage, err)
	}
}

// TestCutShort charges an answer that its client has left for what was done until then.
func TestCutShort(t *testing.T) {
	s := newService(t, func(o *Options) { o.Tenants = newStore(t) })
	s.stopClock()
	x := newTenant(t, s, "x", func(x *tenant.Settings) { x.Limits.TokensPerMinute = 1000 })
	pieces := 0
	a, err := s.Start(t.Context(), Call{
		Tenant: x, Request: guest.Request{Prompt: "The capital of France", IgnoreEOS: true, MaxTokens: 400},
		Deliver: func(Delta) error {
			if pieces++; pieces == 5 {
				return &Error{Code: Cancelled, Message: "the client has gone"}
			}
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	r, err := a.Run()
	wantError(t, err, Cancelled, "gone")
	if u := r.Usage; u.Prompt == 0 || u.Completion < 5 || u.Completion > 300 || len(r.Finish) != 0 {
		t.Errorf("%+v", r)
	}
	if left, used := x.Rates().Tokens.Remaining, r.Usage.Prompt+r.Usage.Completion; left != 1000-used {
		t.Errorf("%d tokens are left of 1000 after %d", left, used)
	}
}

// TestOwnCount does not take a tenant's own guest at its word.
func TestOwnCount(t *testing.T) {
	s := newService(t, func(o *Options) { o.Tenants = newStore(t) })
	x := newTenant(t, s, "x", nil)
	if err := s.options.Tenants.SetGuest(t.Context(), "x", guest.Module); err != nil {
		t.Fatal(err)
	}
	c := Call{Tenant: x, Chat: question("What is the capital of France?")}
	out, err := ask(t.Context(), s, c)
	if err != nil {
		t.Fatal(err)
	}
	x, err = s.current(x) // with its guest
	if err != nil {
		t.Fatal(err)
	}
	a := &Answer{service: s, call: c, tenant: x, lease: &lease{}}
	honest, liar := newWriter(a), newWriter(a)
	honest.total, liar.total = 28, 28
	for w, told := range map[*writer]string{
		honest: `{"type":"usage","prompt_tokens":19,"completion_tokens":9}`,
		liar:   `{"type":"usage","prompt_tokens":1,"completion_tokens":0,"cached_tokens":7}`,
	} {
		if err := w.event([]byte(told)); err != nil {
			t.Fatal(err)
		}
	}
	if u := honest.result().Usage; u != out.result.Usage {
		t.Errorf("%+v, want %+v", u, out.result.Usage)
	}
	if u := liar.result().Usage; u.Prompt+u.Completion != 28 || u.Cached > u.Prompt {
		t.Errorf("%+v of 28 tokens", u)
	}
}

// TestRefused counts nothing of a prompt that is too long for the model, and says how
// long it is; one that is cut short while it is read was read, and nothing written.
func TestRefused(t *testing.T) {
	s := newService(t, nil)
	words := strings.Repeat("word ", 700)
	out, err := ask(t.Context(), s, Call{Request: guest.Request{Prompt: words}})
	l, open := s.open(t.Context(), nil, "")
	if open != nil {
		t.Fatal(open)
	}
	defer l.release()
	wantError(t, err, ContextOverflow, fmt.Sprintf("%d tokens are too many", len(l.engine.Encode(words, false))))
	if u := out.result.Usage; u.Prompt != 0 || u.Completion != 0 {
		t.Errorf("%+v", u)
	}
	a := &Answer{service: s, tenant: &Tenant{}, lease: &lease{}}
	w := newWriter(a)
	w.total, w.read = 30, 30
	if u := w.result().Usage; u.Prompt != 30 || u.Completion != 0 {
		t.Errorf("of 30 tokens that were read: %+v", u)
	}
}

// TestNothing begins a text with the token that begins texts.
func TestNothing(t *testing.T) {
	out, err := ask(t.Context(), newService(t, nil), Call{Request: guest.Request{MaxTokens: 3}})
	if err != nil || out.text == "" || out.result.Usage.Prompt != 1 {
		t.Errorf("%q, %+v, %v", out.text, out.result.Usage, err)
	}
}

// TestSaved keeps what a tenant has kept between requests from others.
func TestSaved(t *testing.T) {
	s := newService(t, func(o *Options) { o.Tenants, o.SavedSequences = newStore(t), 4 })
	a, b := newTenant(t, s, "a", nil), newTenant(t, s, "b", nil)
	kept := &guest.Saved{Key: "mine", TTL: 60}
	if _, err := ask(t.Context(), s, Call{Tenant: a, Request: guest.Request{Prompt: "The capital of France", MaxTokens: 1, Save: kept}}); err != nil {
		t.Fatal(err)
	}
	goOn := func(x *Tenant) error {
		_, err := ask(t.Context(), s, Call{Tenant: x, Request: guest.Request{Prompt: " is", MaxTokens: 1, Load: kept}})
		return err
	}
	if err := goOn(b); err == nil {
		t.Error("b goes on with a's text")
	}
	if err := goOn(a); err != nil {
		t.Error(err)
	}
}
