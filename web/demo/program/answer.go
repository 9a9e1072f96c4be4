//go:build js

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/realm-webgpu/realm/guest"
	"github.com/realm-webgpu/realm/hostfn"
	"github.com/realm-webgpu/realm/hostfn/abi"
)

// answer is what became of a request.
type answer struct {
	FinishReason string  `json:"finish_reason"`
	Usage        usage   `json:"usage"`
	Timings      timings `json:"timings"`
}

type usage struct {
	PromptTokens     int `json:"prompt_tokens"`
	CachedTokens     int `json:"cached_tokens"`
	CompletionTokens int `json:"completion_tokens"`
}

type timings struct {
	FirstToken float64 `json:"first_token_seconds"`
	Decode     float64 `json:"decode_seconds"` // from the first token to the last
	Rate       float64 `json:"tokens_per_second"`
}

// errChoices is the error of a request for several texts at once.
var errChoices = errors.New("generate: n and best_of: one answer at a time is made here")

// answer has a guest answer a request and tells its text.
func (s *session) answer(ctx context.Context, r runner, request []byte, tell func(string)) (*answer, error) {
	var choices struct {
		N      int `json:"n"`
		BestOf int `json:"best_of"`
	}
	if err := json.Unmarshal(request, &choices); err != nil {
		return nil, fmt.Errorf("generate: %w", err)
	}
	if choices.N > 1 || choices.BestOf > 1 {
		return nil, errChoices
	}
	l := &listener{tell: tell, start: time.Now()}
	g, err := hostfn.NewGuest(ctx, hostfn.Config{
		Engine: s.engine, Models: s.models, Adapters: s.adapters, Args: request, Emit: l.emit, Capabilities: abi.CapAll,
	})
	if err != nil {
		return nil, err
	}
	defer g.Close()
	if err := r.Run(g); err != nil {
		return nil, err
	}
	return l.result(), nil
}

// listener hears a guest.
type listener struct {
	tell        func(string)
	start       time.Time
	first, last time.Duration // since start
	end, usage  guest.Event
}

func (l *listener) emit(_ context.Context, channel uint32, p []byte) error {
	since := time.Since(l.start)
	if channel == abi.ChannelText {
		if l.first == 0 {
			l.first = since
		}
		l.last = since
		l.tell(string(p))
		return nil
	}
	var e guest.Event
	if channel != abi.ChannelEvent || json.Unmarshal(p, &e) != nil {
		return nil
	}
	switch e.Type {
	case guest.EventEnd:
		l.end = e
	case guest.EventUsage:
		l.usage = e
	}
	return nil
}

func (l *listener) result() *answer {
	a := &answer{
		FinishReason: l.end.FinishReason,
		Usage:        usage{l.usage.PromptTokens, l.usage.CachedTokens, l.usage.CompletionTokens},
		Timings:      timings{FirstToken: l.first.Seconds(), Decode: (l.last - l.first).Seconds()},
	}
	if d := a.Timings.Decode; d > 0 && a.Usage.CompletionTokens > 1 {
		a.Timings.Rate = float64(a.Usage.CompletionTokens-1) / d
	}
	return a
}
