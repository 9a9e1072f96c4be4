package api

import (
	"net/http"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/realm-webgpu/realm/web/openai"
	"github.com/realm-webgpu/realm/web/service"
)

// promptsAtOnce is how many prompts of one request are answered side by side.
const promptsAtOnce = 8

// completions implements POST /v1/completions.
func (s *Server) completions(x *exchange) error {
	data, err := x.body()
	if err != nil {
		return err
	}
	r, err := openai.ParseCompletion(data, s.options.Limits)
	if err != nil {
		return err
	}
	echoes, err := x.echoes(r)
	if err != nil {
		return err
	}
	head := x.head("cmpl-", "text_completion", r.Model)
	if !r.Stream {
		answer := openai.NewCompletionAnswer(r, head, echoes)
		result, err := x.runAll(r.Calls(), func(prompt int, d service.Delta) error { answer.Add(prompt, d); return nil })
		x.used(result)
		if err != nil {
			return err
		}
		x.rates()
		return x.json(http.StatusOK, answer.Response(result))
	}
	out := x.newStream()
	defer out.close()
	parts := openai.NewCompletionStream(r, head, echoes)
	result, err := x.runAll(r.Calls(), func(prompt int, d service.Delta) error { return sendAll(out, parts.Add(prompt, d)) })
	x.used(result)
	if err == nil {
		err = sendAll(out, parts.End(result))
	}
	if err != nil {
		return out.fail(err)
	}
	return out.done()
}

// echoes returns the texts of the prompts, where they are wanted.
func (x *exchange) echoes(r *openai.CompletionRequest) ([]string, error) {
	if !r.Echo {
		return nil, nil
	}
	texts := make([]string, len(r.Prompts))
	for i, p := range r.Prompts {
		if texts[i] = p.Text; p.Tokens != nil {
			var err error
			if texts[i], err = x.server.service.Detokenize(x.r.Context(), x.tenant, r.Model, p.Tokens); err != nil {
				return nil, err
			}
		}
	}
	return texts, nil
}

// runAll runs calls side by side. deliver is called by one at a time. The result has
// the tokens of all, and the timings of the one that took longest. An error ends all.
func (x *exchange) runAll(calls []service.Call, deliver func(int, service.Delta) error) (service.Result, error) {
	var mu sync.Mutex
	var sum service.Result
	group, ctx := errgroup.WithContext(x.r.Context())
	group.SetLimit(promptsAtOnce)
	for i, c := range calls {
		c.Deliver = func(d service.Delta) error {
			mu.Lock()
			defer mu.Unlock()
			return deliver(i, d)
		}
		group.Go(func() error {
			result, err := x.runIn(ctx, c)
			mu.Lock()
			defer mu.Unlock()
			sum = add(sum, result)
			return err
		})
	}
	err := group.Wait()
	return sum, err
}

// add adds up two results.
func add(a, b service.Result) service.Result {
	if b.Timings.Total > a.Timings.Total {
		a.Model, a.Adapter, a.Timings = b.Model, b.Adapter, b.Timings
	}
	a.Usage.Prompt += b.Usage.Prompt
	a.Usage.Cached += b.Usage.Cached
	a.Usage.Completion += b.Usage.Completion
	a.Usage.Accepted += b.Usage.Accepted
	a.Usage.Proposed += b.Usage.Proposed
	return a
}
