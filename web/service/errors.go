package service

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/realm-webgpu/realm/engine"
	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/engine/grammar"
	"github.com/realm-webgpu/realm/engine/kv"
	"github.com/realm-webgpu/realm/hostfn"
	"github.com/realm-webgpu/realm/hostfn/abi"
	"github.com/realm-webgpu/realm/hostfn/native"
)

// Code says what kind of error it is: the codes of the WebSocket, which HTTP has as
// the code of OpenAI's error objects.
type Code string

// The codes.
const (
	Unauthorized    Code = "UNAUTHORIZED"
	Forbidden       Code = "FORBIDDEN"
	RateLimit       Code = "RATE_LIMIT_EXCEEDED"
	QuotaExceeded   Code = "QUOTA_EXCEEDED"
	QueueFull       Code = "QUEUE_FULL"
	Timeout         Code = "TIMEOUT"
	ModelNotFound   Code = "MODEL_NOT_FOUND"
	AdapterNotFound Code = "ADAPTER_NOT_FOUND"
	GuestNotFound   Code = "GUEST_NOT_FOUND"
	GuestTrapped    Code = "GUEST_TRAPPED"
	ContextOverflow Code = "CONTEXT_OVERFLOW"
	InvalidRequest  Code = "INVALID_REQUEST"
	DeviceLost      Code = "DEVICE_LOST"
	OutOfMemory     Code = "OUT_OF_MEMORY"
	Cancelled       Code = "CANCELLED"
	Unavailable     Code = "UNAVAILABLE" // the server drains
	InternalError   Code = "INTERNAL_ERROR"
)

// statusClientClosed is what proxies log where the client has gone; nobody sees it.
const statusClientClosed = 499

// Status returns the HTTP status of a code.
func (c Code) Status() int {
	switch c {
	case Unauthorized:
		return http.StatusUnauthorized
	case Forbidden:
		return http.StatusForbidden
	case RateLimit, QuotaExceeded:
		return http.StatusTooManyRequests
	case QueueFull, OutOfMemory, DeviceLost, Unavailable:
		return http.StatusServiceUnavailable
	case Timeout:
		return http.StatusGatewayTimeout
	case ModelNotFound, AdapterNotFound, GuestNotFound:
		return http.StatusNotFound
	case ContextOverflow, InvalidRequest:
		return http.StatusBadRequest
	case GuestTrapped:
		return http.StatusUnprocessableEntity
	case Cancelled:
		return statusClientClosed
	}
	return http.StatusInternalServerError
}

// Error is an error as whoever asked is told of it. Its message names the thing and
// the limit, and nothing of other tenants or of the machine.
type Error struct {
	Code       Code
	Message    string
	Param      string        // the member of the request that is wrong, "" for none
	RetryAfter time.Duration // 0: not said
	Err        error         // for the log; nil where Message says it all
}

func (e *Error) Error() string { return fmt.Sprintf("%s: %s", e.Code, e.Message) }

func (e *Error) Unwrap() error { return e.Err }

// Invalid returns an InvalidRequest error of a member of the request.
func Invalid(param, format string, args ...any) *Error {
	return &Error{Code: InvalidRequest, Param: param, Message: fmt.Sprintf(format, args...)}
}

// retryAfter is how long a client waits that found a queue full, or no memory: about
// an answer's time.
const retryAfter = 2 * time.Second

// errorOf makes an Error of whatever ended an answer.
func errorOf(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	for _, k := range kinds {
		for _, sentinel := range k.sentinels {
			if errors.Is(err, sentinel) {
				e = &Error{Code: k.code, Message: k.message, Err: err}
				if e.Message == "" {
					e.Message = reason(err)
				}
				if k.retry {
					e.RetryAfter = retryAfter
				}
				return e
			}
		}
	}
	var exit *hostfn.ExitError
	if errors.As(err, &exit) {
		return exitError(exit)
	}
	return &Error{Code: InternalError, Message: "the server failed; its log says how", Err: err}
}

// kinds are the codes of errors, the first that fits. A message of "" is the error's
// own text, which is the tenant's to see.
var kinds = []struct {
	code      Code
	message   string
	retry     bool
	sentinels []error
}{
	{Cancelled, "the request was cancelled", false, []error{context.Canceled, engine.ErrCancelled}},
	{Timeout, "the request took longer than it may", false, []error{context.DeadlineExceeded}},
	{QuotaExceeded, "", false, []error{hostfn.ErrLimit}},
	{GuestTrapped, "", false, []error{native.ErrTrap, native.ErrModule}},
	{ContextOverflow, "", false, []error{engine.ErrContext}},
	{QueueFull, "", true, []error{engine.ErrQueueFull, engine.ErrQueueTimeout}},
	{DeviceLost, "the device was lost", true, []error{device.ErrLost}},
	{OutOfMemory, "", true, []error{device.ErrMemory, kv.ErrPages}},
	{InvalidRequest, "", false, []error{
		grammar.ErrSyntax, grammar.ErrUnsupported, grammar.ErrLimit, engine.ErrTemplate, engine.ErrEncoder, engine.ErrEmpty, engine.ErrToken,
	}},
}

// reason is the text of an error as a client reads it. Programs find the one of the
// context by the words that OpenAI has for it.
func reason(err error) string {
	var full *engine.ContextError
	if errors.As(err, &full) {
		return fmt.Sprintf("%d tokens are too many: the maximum context length of the model is %d tokens", full.Need, full.Limit)
	}
	return err.Error()
}

// exitError makes an Error of a guest that ended with an errno: the guest has said
// what is wrong with its request.
func exitError(exit *hostfn.ExitError) *Error {
	e := &Error{Code: InvalidRequest, Message: exit.Message, Err: exit}
	switch {
	case exit.Err != nil: // it says more than the guest knows
		e.Message = exit.Err.Error()
	case e.Message == "":
		e.Message = exit.Error()
	}
	if exit.Exit {
		e.Code = GuestTrapped
		return e
	}
	switch abi.Errno(exit.Code) {
	case abi.Overflow:
		e.Code = ContextOverflow
	case abi.Quota:
		e.Code = QuotaExceeded
	case abi.Nomem:
		e.Code, e.RetryAfter = OutOfMemory, retryAfter
	case abi.Perm:
		e.Code = Forbidden
	case abi.Noent:
		e.Code = AdapterNotFound
	case abi.Timedout:
		e.Code = Timeout
	case abi.Canceled:
		e.Code = Cancelled
	case abi.IO:
		e.Code = InternalError
	}
	return e
}
