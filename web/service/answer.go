package service

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/realm-webgpu/realm/guest"
	"github.com/realm-webgpu/realm/hostfn"
	"github.com/realm-webgpu/realm/hostfn/abi"
	"github.com/realm-webgpu/realm/hostfn/native"
	"github.com/realm-webgpu/realm/web/tenant"
)

// Answer is a call that was let in. It holds a model and a guest until it is closed.
type Answer struct {
	service *Service
	ctx     context.Context
	cancel  context.CancelCauseFunc
	call    Call
	tenant  *Tenant
	lease   *lease
	module  *native.Module
	charge  *tenant.Admission // nil: it was not let in
	held    *guest.Grammar    // what the answer is held to; nil: nothing
	// reasons says that the answer may reason, and opened that the prompt has begun it.
	reasons, opened bool
	closed          sync.Once
}

// Start lets a call in, or says why not: what it names is not there or not the
// tenant's, its limits are used up, or the server drains. A model that is not loaded
// is loaded first. The answer has to be closed; ctx ends it.
func (s *Service) Start(ctx context.Context, c Call) (*Answer, error) {
	if c.Deliver == nil {
		return nil, errorOf(errors.New("service: start: Deliver is missing"))
	}
	a, err := s.enter(ctx, c)
	if err != nil {
		return nil, errorOf(err)
	}
	if err := a.prepare(); err != nil {
		a.Close()
		told := a.fault(err)
		if o := s.options.Observer; o != nil {
			o.End(Observation{Call: &a.call, Tenant: a.tenant, Error: told})
		}
		return nil, told
	}
	return a, nil
}

// prepare finds all that the answer needs.
func (a *Answer) prepare() error {
	s, c := a.service, &a.call
	spec, adapter, err := s.models.resolve(a.tenant, c.Model, c.Adapter)
	if err != nil {
		return err
	}
	if a.module, err = s.guests.load(a.ctx, s.live.Load(), a.tenant, c.Guest); err != nil {
		return err
	}
	if err := c.Chat.check(); err != nil {
		return err
	}
	if err := a.bound(); err != nil {
		return err
	}
	// Before the model is loaded: whoever is over the limit costs nothing.
	if a.charge, err = a.tenant.admit(estimate(c)); err != nil {
		return err
	}
	if a.lease, err = s.models.acquire(a.ctx, spec, adapter); err != nil {
		return err
	}
	if err := a.vocabulary(); err != nil {
		return err
	}
	// Behind nothing comes what may begin a text, where the model has a token for that.
	if r := &c.Request; c.Chat == nil && r.Messages == nil && r.Load == nil && r.Prompt == "" && r.PromptTokens == nil {
		if r.PromptTokens = a.lease.engine.Encode("", false); len(r.PromptTokens) == 0 {
			return Invalid("prompt", "prompt: it is empty, and the model has no token that begins a text")
		}
	}
	// What is held to a grammar is all content.
	if c.Chat != nil && c.Request.Grammar == nil && c.Chat.Choice != ToolRequired && c.Chat.Choice != ToolNamed {
		a.opened = a.lease.opensReasoning(c.Chat)
		a.reasons = a.opened || a.lease.reasons()
	}
	return nil
}

// bound holds the length of the texts to the server's limit.
func (a *Answer) bound() error {
	live, n := a.service.live.Load(), &a.call.Request.MaxTokens
	said := *n > 0
	if !said {
		*n = cmp.Or(live.DefaultTokens, a.call.UsualTokens, live.MaxTokens)
	}
	if most := live.MaxTokens; most > 0 && *n > most {
		if said {
			return Invalid("max_tokens", "max_tokens: %d, at most %d", *n, most)
		}
		*n = most
	}
	return nil
}

// vocabulary refuses tokens that the model does not have.
func (a *Answer) vocabulary() error {
	r, size := &a.call.Request, a.lease.engine.Config().VocabularySize
	for i, id := range r.PromptTokens {
		if id < 0 || int(id) >= size {
			return Invalid("prompt", "prompt: token %d is %d, the vocabulary has %d", i, id, size)
		}
	}
	for i, id := range r.StopTokens {
		if id < 0 || int(id) >= size {
			return Invalid("stop_token_ids", "stop_token_ids[%d]: %d, the vocabulary has %d", i, id, size)
		}
	}
	for name := range r.LogitBias {
		if id, err := strconv.Atoi(name); err == nil && id >= size {
			return Invalid("logit_bias", "logit_bias: token %d, the vocabulary has %d", id, size)
		}
	}
	return nil
}

// Rates says what is left of the tenant's limits.
func (a *Answer) Rates() tenant.Rates { return a.charge.Rates }

// Close gives back what the answer holds. It ends one that runs.
func (a *Answer) Close() {
	a.closed.Do(func() {
		a.cancel(nil)
		if a.module != nil {
			a.module.Release()
		}
		if a.lease != nil {
			a.lease.release()
		}
		if a.charge != nil {
			a.charge.Settle(0)
		}
		a.service.leave(a)
	})
}

// fault is the error as it is told, with what the service cancelled it for.
func (a *Answer) fault(err error) *Error {
	told := errorOf(err)
	if cause := context.Cause(a.ctx); cause != nil && (told.Code == Cancelled || told.Code == Timeout) {
		return errorOf(cause)
	}
	a.blame(told, err)
	return told
}

// blame names the parameter in an error of the grammar that the answer is held to.
func (a *Answer) blame(told *Error, err error) {
	if a.held == nil || a.held.From == "" || told.Code != InvalidRequest {
		return
	}
	for ; err != nil; err = errors.Unwrap(err) {
		if reason, ok := strings.CutPrefix(err.Error(), "grammar: "); ok {
			told.Param, told.Message = a.held.From, a.held.From+": "+reason
			return
		}
	}
}

// Run runs the guest and returns once it has ended. The result counts what was done
// until then, whether there is an error or not.
func (a *Answer) Run() (Result, error) {
	w := newWriter(a)
	err := a.run(w)
	result := w.result()
	a.charge.Settle(result.Usage.Prompt + result.Usage.Completion)
	var told *Error
	if err != nil {
		told = a.fault(err)
	}
	a.service.observe(a, result, told)
	if told != nil {
		return result, told
	}
	return result, nil
}

func (a *Answer) run(w *writer) error {
	args, err := a.arguments()
	if err != nil {
		return err
	}
	s := a.service
	models := &guestModels{answer: a}
	defer models.release()
	g, err := hostfn.NewGuest(a.ctx, hostfn.Config{
		Engine: s.options.Engine, Models: models, Adapters: guestAdapters{a}, Tenant: a.tenant.engine, Args: args, Emit: w.emit,
		Log: s.options.GuestLog.With("request", a.call.ID, "tenant", a.tenant.ID()), Capabilities: abi.CapAll,
		Limits: a.tenant.options.Limits.Guest.Host(), Saved: a.tenant.saved, Show: a.lease.show(a.call.Chat),
	})
	if err != nil {
		return err
	}
	defer g.Close()
	err = a.module.Run(g)
	used := g.Usage()
	w.queued, w.later, w.decode = used.Queued, int(used.Later), used.Decode
	w.total, w.read = int(used.Tokens), int(used.Read)
	switch {
	case w.undelivered != nil: // whatever the guest made of it
		return w.undelivered
	case err != nil:
		return err
	}
	return w.end()
}

// request is what the guest reads: a conversation has its members as they came.
type request struct {
	guest.Request
	Messages json.RawMessage `json:"messages,omitempty"`
	Template map[string]any  `json:"chat_template_kwargs,omitempty"`
}

// arguments returns the request as the guest reads it.
func (a *Answer) arguments() ([]byte, error) {
	r := request{Request: a.call.Request}
	r.Model, r.Adapter = "", a.lease.adapter
	r.EchoTokens = r.EchoTokens || a.reasons // its tokens are counted
	if a.call.Request.Messages != nil {
		var err error
		if r.Messages, err = json.Marshal(a.call.Request.Messages); err != nil {
			return nil, err
		}
	}
	if c := a.call.Chat; c != nil {
		r.Messages, r.Template = c.Messages, c.Template
		if c.Choice != ToolNone {
			r.Tools = c.Tools
		}
		g, err := c.grammar()
		if err != nil {
			return nil, err
		}
		if g != nil {
			r.Grammar = g
		}
	}
	a.held = r.Grammar
	return json.Marshal(r)
}

// estimate returns about how many tokens a call is going to take: what it says, at
// three bytes a token, and what it may write. It is settled when that is known.
func estimate(c *Call) int {
	n := len(c.Request.Prompt)/3 + len(c.Request.PromptTokens)
	for _, m := range c.Request.Messages {
		n += len(m.Content) / 3
	}
	if c.Chat != nil {
		n += (len(c.Chat.Messages) + len(c.Chat.Tools)) / 3
	}
	most := c.Request.MaxTokens
	if most == 0 {
		most = usualTokens
	}
	return n + most*max(1, c.Request.N, c.Request.BestOf)
}

// usualTokens is how many tokens an answer is taken to have whose length nobody has
// bounded.
const usualTokens = 256

// writer makes Deltas of what a guest emits.
type writer struct {
	answer  *Answer
	choices map[int]*choice
	start   time.Time
	first   time.Duration // until there was text or a token
	last    time.Duration
	queued  time.Duration
	later   int           // tokens that the engine chose behind the first of a row
	decode  time.Duration // and how long that took; 0: not known
	counts  bool          // the guest tells of each token
	tokens  int           // chosen, as far as events tell
	total   int           // read and chosen, as the host has counted
	read    int           // those of them that were read
	begun   bool          // the guest has told of the prompt
	// reasoning is how many were chosen while the answer was in its reasoning.
	reasoning int
	usage     guest.Event
	counted   bool // the guest has told the usage
	// undelivered is why the receiver takes no more.
	undelivered error
}

func newWriter(a *Answer) *writer {
	r := &a.call.Request
	return &writer{answer: a, choices: map[int]*choice{}, start: time.Now(), counts: r.EchoTokens || r.Logprobs || a.reasons}
}

// maxChannel bounds the choices: those of a guest's own, too.
const maxChannel = 128

// emit takes what the guest emits.
func (w *writer) emit(_ context.Context, channel uint32, p []byte) error {
	if channel == abi.ChannelEvent {
		return w.event(p)
	}
	if channel >= maxChannel {
		return nil // it is nothing that a client of ours reads
	}
	if !w.counts || w.first == 0 {
		w.mark()
	}
	c := w.choice(int(channel))
	c.add(string(p))
	return c.flush(w.deliver)
}

// deliver gives a Delta to the receiver. If that takes no more, the answer ends.
func (w *writer) deliver(d Delta) error {
	err := w.answer.call.Deliver(d)
	if err != nil && w.undelivered == nil {
		w.undelivered = err
		w.answer.cancel(err)
	}
	return err
}

// mark notes the time of a token, or where those are not told, of a text.
func (w *writer) mark() {
	now := time.Since(w.start)
	if w.first == 0 {
		w.first = now
	} else if o := w.answer.service.options.Observer; o != nil {
		o.Gap(w.answer.lease.name, now-w.last)
	}
	w.last = now
}

// event takes an event. Those that are not known, of a guest of a tenant's own say,
// are of no concern here.
func (w *writer) event(p []byte) error {
	var e guest.Event
	if json.Unmarshal(p, &e) != nil || e.Index < 0 || e.Index >= maxChannel {
		return nil
	}
	switch e.Type {
	case guest.EventToken:
		w.mark()
		c := w.choice(e.Index)
		if c.reasons() {
			w.reasoning++
		}
		if r := &w.answer.call.Request; r.EchoTokens || r.Logprobs {
			c.token(e, r.Logprobs, w.answer.lease.ends(e.Token))
		}
	case guest.EventEnd:
		c := w.choice(e.Index)
		c.end(e)
		w.tokens += e.Tokens
		w.usage.Accepted += e.Accepted
		w.usage.Proposed += e.Proposed
		return c.flush(w.deliver)
	case guest.EventStart:
		w.usage.PromptTokens, w.begun = e.PromptTokens, true
	case guest.EventUsage:
		w.usage, w.tokens, w.counted = e, max(0, e.CompletionTokens), true
	}
	return nil
}

// choice returns a choice, a new one where there was nothing of it.
func (w *writer) choice(index int) *choice {
	c, ok := w.choices[index]
	if !ok {
		c = newChoice(index, w.answer)
		w.choices[index] = c
	}
	return c
}

// end ends the choices that the guest has left open: guests need not tell.
func (w *writer) end() error {
	if len(w.choices) == 0 {
		w.choice(0)
	}
	for i := range maxChannel {
		c, ok := w.choices[i]
		if !ok || c.ended {
			continue
		}
		c.end(guest.Event{FinishReason: "stop"})
		if err := c.flush(w.deliver); err != nil {
			return err
		}
	}
	return nil
}

// result returns what is known so far.
func (w *writer) result() Result {
	u := w.usage
	if !w.counted || w.answer.tenant.bringsGuest(w.answer.call.Guest) {
		// It was cut short, or it is counted by who is charged for it.
		if !w.counted && !w.begun {
			u.PromptTokens = w.read
		}
		u.PromptTokens = min(u.PromptTokens, w.total)
		u.CachedTokens = min(u.CachedTokens, u.PromptTokens)
		w.tokens = w.total - u.PromptTokens
	}
	r := Result{
		Model: w.answer.lease.name, Adapter: w.answer.lease.adapter,
		Usage: Usage{
			Prompt: u.PromptTokens, Cached: u.CachedTokens, Completion: w.tokens,
			Accepted: u.Accepted, Proposed: u.Proposed, Reasoning: min(w.reasoning, w.tokens),
		},
		Timings: Timings{Queue: w.queued, FirstToken: w.first, Total: time.Since(w.start)},
	}
	// A guest may emit many tokens at once: the engine knows better when they came.
	tokens, took := w.later, w.decode
	if took == 0 {
		tokens, took = w.tokens-1, w.last-w.first
	}
	if tokens > 0 && took > 0 {
		r.Timings.Decode = float64(tokens) / took.Seconds()
	}
	for _, i := range slices.Sorted(maps.Keys(w.choices)) {
		if c := w.choices[i]; c.ended {
			r.Finish = append(r.Finish, c.finish)
		}
	}
	return r
}
