package api

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/realm-webgpu/realm/web/openai"
	"github.com/realm-webgpu/realm/web/service"
	"github.com/realm-webgpu/realm/web/trace"
)

// httpError is an error with a status of HTTP's own.
type httpError struct {
	status int
	told   *service.Error
}

func (e *httpError) Error() string { return e.told.Error() }

// Unwrap gives the error that the client is told of.
func (e *httpError) Unwrap() error { return e.told }

// fail writes an error response, unless there is a response already: of a stream.
func (x *exchange) fail(err error) {
	e := x.told(err)
	if r, ok := x.w.(*recorder); ok && r.status != 0 {
		return
	}
	status := e.Code.Status()
	var own *httpError
	if errors.As(err, &own) {
		status = own.status
	}
	h := x.w.Header()
	switch status {
	case http.StatusUnauthorized:
		h.Set("WWW-Authenticate", "Bearer")
	case http.StatusTooManyRequests:
		if e.RetryAfter == 0 {
			h.Set("X-Should-Retry", "false") // OpenAI's clients heed it: waiting does not help
		}
	}
	if e.RetryAfter > 0 {
		setRetryAfter(h, e.RetryAfter)
	}
	if x.tenant != nil {
		x.rates()
	}
	if err := x.json(status, openai.StatusError(status, e)); err != nil {
		x.server.log.Error("an error could not be written", "request", x.id, "error", err)
	}
}

// told is the error as the client is told of it, and notes it for the log.
func (x *exchange) told(err error) *service.Error {
	var e *service.Error
	if !errors.As(err, &e) {
		x.server.log.Error("a request failed", "request", x.id, "error", err)
		e = &service.Error{Code: service.InternalError, Message: "the server failed; its log says how", Err: err}
	}
	x.note(slog.String("code", string(e.Code)))
	trace.Fail(x.r.Context(), e.Code)
	return e
}

// setRetryAfter says how long to wait: in seconds, as HTTP has it, and in
// milliseconds, which OpenAI's clients prefer.
func setRetryAfter(h http.Header, d time.Duration) {
	h.Set("Retry-After", strconv.Itoa(int(math.Ceil(d.Seconds()))))
	h.Set("Retry-After-Ms", strconv.FormatInt(max(1, d.Milliseconds()), 10))
}

// rates says what is left of the tenant's limits, as OpenAI does:
// https://platform.openai.com/docs/guides/rate-limits.
func (x *exchange) rates() {
	h, rates := x.w.Header(), x.tenant.Rates()
	for _, r := range []struct {
		kind             string
		limit, remaining int
		reset            time.Duration
	}{
		{"requests", rates.Requests.Limit, rates.Requests.Remaining, rates.Requests.Reset},
		{"tokens", rates.Tokens.Limit, rates.Tokens.Remaining, rates.Tokens.Reset},
	} {
		if r.limit == 0 {
			continue
		}
		h.Set("x-ratelimit-limit-"+r.kind, strconv.Itoa(r.limit))
		h.Set("x-ratelimit-remaining-"+r.kind, strconv.Itoa(max(0, r.remaining)))
		h.Set("x-ratelimit-reset-"+r.kind, fmt.Sprint(r.reset.Round(time.Millisecond)))
	}
}
