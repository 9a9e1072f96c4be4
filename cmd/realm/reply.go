package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/realm-webgpu/realm/engine"
	"github.com/realm-webgpu/realm/guest"
	"github.com/realm-webgpu/realm/hostfn"
	"github.com/realm-webgpu/realm/hostfn/abi"
)

// reply is what a guest has made of a request.
type reply struct {
	text   string
	tokens []int32
	end    guest.Event // of the answer
	usage  guest.Event

	prefill, first, decode time.Duration
}

// decodeRate returns the tokens a second after the first.
func (a *reply) decodeRate() float64 { return rate(a.usage.CompletionTokens-1, a.decode) }

// prefillRate returns the tokens a second at which the prompt was read, less those
// that were read before.
func (a *reply) prefillRate() float64 {
	return rate(a.usage.PromptTokens-a.usage.CachedTokens, a.prefill)
}

func rate(tokens int, d time.Duration) float64 {
	if tokens <= 0 || d <= 0 {
		return 0
	}
	return float64(tokens) / d.Seconds()
}

// listener takes what a guest emits.
type listener struct {
	reply
	w     io.Writer // where the text goes
	text  strings.Builder
	start time.Time
	begun bool // a token was there
}

// emit takes text and events. Those that are not known are of no concern here.
func (l *listener) emit(_ context.Context, channel uint32, p []byte) error {
	since := time.Since(l.start)
	if channel == abi.ChannelText || channel == abi.ChannelEvent {
		if !l.begun && (channel == abi.ChannelText || l.kind(p) == guest.EventToken) {
			l.begun, l.first = true, since
		}
		l.decode = since - l.first
	}
	switch channel {
	case abi.ChannelText:
		l.text.Write(p)
		if _, err := l.w.Write(p); err != nil {
			return fmt.Errorf("answer: %w", err)
		}
	case abi.ChannelEvent:
		var e guest.Event
		if err := json.Unmarshal(p, &e); err != nil {
			return nil // an event of the guest's own
		}
		switch e.Type {
		case guest.EventStart:
			l.prefill = since
		case guest.EventToken:
			l.tokens = append(l.tokens, e.Token)
		case guest.EventEnd:
			l.end = e
		case guest.EventUsage:
			l.usage = e
		}
	}
	return nil
}

// kind returns the type of an event.
func (l *listener) kind(p []byte) string {
	var e struct{ Type string }
	_ = json.Unmarshal(p, &e) // "" is none
	return e.Type
}

// ask has the session's guest answer a request, and streams the text to w, ending
// its line, also that of a text that an error broke off.
func (s *session) ask(ctx context.Context, w io.Writer, r guest.Request) (*reply, error) {
	args, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	l := &listener{w: w, start: time.Now()}
	g, err := hostfn.NewGuest(ctx, hostfn.Config{
		Engine: s.engine, Models: s.models, Adapters: s.adapters, Args: args, Emit: l.emit, Capabilities: abi.CapAll, Log: s.log,
	})
	if err != nil {
		return nil, err
	}
	defer g.Close()
	failure := s.guest.module.Run(g)
	l.reply.text = l.text.String()
	if !strings.HasSuffix(l.reply.text, "\n") && (failure == nil || l.reply.text != "") {
		if _, err := io.WriteString(w, "\n"); err != nil {
			return &l.reply, fmt.Errorf("answer: %w", err)
		}
	}
	return &l.reply, failure
}

// request returns what the flags ask of a guest.
func newRequest(o engine.GenerateOptions) guest.Request {
	p := o.Sampling
	r := guest.Request{
		MaxTokens: o.MaxTokens, Temperature: p.Temperature, TopK: p.TopK, TopP: p.TopP, MinP: p.MinP, TypicalP: p.TypicalP,
		RepetitionPenalty: p.RepetitionPenalty, FrequencyPenalty: p.FrequencyPenalty, PresencePenalty: p.PresencePenalty,
		PenaltyWindow: p.PenaltyWindow, PenalizePrompt: o.PenalizePrompt, Seed: p.Seed, Stop: o.Stop, IgnoreEOS: o.IgnoreEOS,
	}
	if o.Draft.Mode != engine.DraftNone {
		r.Speculative = &guest.Speculation{Mode: o.Draft.Mode.String(), Tokens: o.Draft.Tokens}
	}
	for id, bias := range p.LogitBias {
		if r.LogitBias == nil {
			r.LogitBias = map[string]float32{}
		}
		// JSON has no infinity; no logit comes near this.
		r.LogitBias[strconv.Itoa(int(id))] = max(bias, -math.MaxFloat32)
	}
	return r
}
