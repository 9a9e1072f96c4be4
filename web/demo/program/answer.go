//go:build js

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
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

// losses is how many lost devices one request survives.
const losses = 2

// answer has a guest answer a request and tells its text. A device that is lost on the
// way is opened again, and the request begins anew: what was told already comes out the
// same, and is not told twice.
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
	for attempt := 0; ; attempt++ {
		if s.model == nil { // it could not be opened again
			return nil, errNoModel
		}
		err := s.ask(ctx, r, request, l)
		if err == nil {
			return l.result(), nil
		}
		if !lost(err) || attempt == losses {
			return nil, err
		}
		if err := s.reopen(ctx, err); err != nil {
			return nil, err
		}
		l.again()
	}
}

// ask runs a guest once.
func (s *session) ask(ctx context.Context, r runner, request []byte, l *listener) error {
	g, err := hostfn.NewGuest(ctx, hostfn.Config{
		Engine: s.engine, Models: s.models, Adapters: s.adapters, Args: request, Emit: l.emit, Capabilities: abi.CapAll,
	})
	if err != nil {
		return err
	}
	defer g.Close()
	return r.Run(g)
}

// listener hears a guest.
type listener struct {
	tell        func(string)
	start       time.Time
	first, last time.Duration // since start
	told        strings.Builder
	repeats     int // bytes of told that are still to come again
	end, usage  guest.Event
}

// again gets ready for a guest that begins anew.
func (l *listener) again() { l.repeats = l.told.Len() }

func (l *listener) emit(_ context.Context, channel uint32, p []byte) error {
	since := time.Since(l.start)
	if channel == abi.ChannelText {
		if known := min(l.repeats, len(p)); known > 0 {
			l.repeats -= known
			p = p[known:]
		}
		if len(p) == 0 {
			return nil
		}
		if l.first == 0 {
			l.first = since
		}
		l.last = since
		l.told.Write(p)
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
