package openai_test

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
)

// asError returns the client's error.
func asError(t *testing.T, err error) *openai.Error {
	t.Helper()
	var e *openai.Error
	if !errors.As(err, &e) {
		t.Fatalf("%v is no error of the server's", err)
	}
	return e
}

// base is the address that a client asks.
func base(t *testing.T, client openai.Client) string {
	t.Helper()
	var address string
	_, err := client.Models.List(t.Context(), option.WithMiddleware(func(q *http.Request, next option.MiddlewareNext) (*http.Response, error) {
		address = q.URL.Scheme + "://" + q.URL.Host + "/v1/"
		return next(q)
	}))
	if err != nil {
		t.Fatal(err)
	}
	return address
}

// TestAbort ends an answer when its client goes, and frees what it held.
func TestAbort(t *testing.T) {
	s, client := start(t, "[tenants.guest]\ncalls-per-second = 120\n") // it does not end by itself
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	q := ask(capital)
	q.N, q.MaxTokens = openai.Int(8), openai.Int(450)
	parts := client.Chat.Completions.NewStreaming(ctx, q, option.WithJSONSet("ignore_eos", true))
	if !parts.Next() {
		t.Fatal(parts.Err())
	}
	cancel()
	_ = parts.Close() // the context has ended it
	s.Wait("the answer has ended", func() bool {
		return s.Metric("realm_answers") == 0 && s.Metric("vllm:num_requests_running") == 0 && s.Metric(`realm_model_requests{model_name="atlas"}`) == 0
	})
	s.Wait("the abort is counted", func() bool {
		return s.Metric(`vllm:request_success_total{finished_reason="abort",model_name="atlas"}`) == 1
	})
}

// refusals counts answers of a status, which have to say when to come back.
func refusals(t *testing.T, status int, n *atomic.Int32) option.RequestOption {
	return option.WithMiddleware(func(q *http.Request, next option.MiddlewareNext) (*http.Response, error) {
		resp, err := next(q)
		if err == nil && resp.StatusCode == status {
			n.Add(1)
			if resp.Header.Get("X-Should-Retry") == "false" {
				return resp, nil
			}
			if resp.Header.Get("Retry-After") == "" || resp.Header.Get("Retry-After-Ms") == "" {
				t.Error("it is not said when to come back")
			}
		}
		return resp, err
	})
}

// TestQueueFull has a queue that is full: the client waits as long as it is told to, and
// asks again.
func TestQueueFull(t *testing.T) {
	var refused atomic.Int32
	_, client := start(t, "[tenants]\nsequences = 1\nqueue = 1\n", refusals(t, http.StatusServiceUnavailable, &refused), option.WithMaxRetries(20))
	var group sync.WaitGroup
	for range 5 {
		group.Go(func() {
			q := ask(capital)
			q.MaxTokens = openai.Int(300)
			if out, err := client.Chat.Completions.New(t.Context(), q, option.WithJSONSet("ignore_eos", true)); err != nil || out.Usage.CompletionTokens != 300 {
				t.Errorf("%v: %+v", err, out)
			}
		})
	}
	group.Wait()
	if refused.Load() == 0 {
		t.Error("nothing was refused: the test shows nothing")
	}
}

// TestRateLimit has tokens used up: the client waits, and asks again. What will never
// fit is refused for good.
func TestRateLimit(t *testing.T) {
	var refused atomic.Int32
	_, client := start(t, "[tenants]\ntokens-per-minute = 6000\n", refusals(t, http.StatusTooManyRequests, &refused), option.WithMaxRetries(10))
	large := ask(capital)
	large.N, large.MaxTokens = openai.Int(16), openai.Int(370)
	parts := client.Chat.Completions.NewStreaming(t.Context(), large, option.WithJSONSet("ignore_eos", true))
	if !parts.Next() {
		t.Fatal(parts.Err())
	}
	// Until it has ended, nearly all tokens of the minute are reserved.
	small := ask(capital)
	small.MaxTokens = openai.Int(500)
	var resp *http.Response
	if out, err := client.Chat.Completions.New(t.Context(), small, option.WithResponseInto(&resp)); err != nil || out.Choices[0].Message.Content != paris {
		t.Errorf("%v: %+v", err, out)
	}
	if refused.Load() == 0 || resp == nil || resp.Header.Get("X-Ratelimit-Limit-Tokens") != "6000" || resp.Header.Get("X-Ratelimit-Remaining-Tokens") == "" {
		t.Errorf("%d were refused, and then %v", refused.Load(), resp)
	}
	_ = parts.Close()
	small.MaxTokens = openai.Int(10000)
	refused.Store(0)
	_, err := client.Chat.Completions.New(t.Context(), small)
	if e := asError(t, err); e.StatusCode != 429 || e.Code != "QUOTA_EXCEEDED" || e.Type != "rate_limit_error" || refused.Load() != 1 {
		t.Errorf("asked %d times: %+v", refused.Load(), e)
	}
}
