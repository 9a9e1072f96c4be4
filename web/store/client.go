package store

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// limits bound what a pull takes. Tests have smaller ones.
type limits struct {
	chunk     int64         // bytes of a range
	parallel  int           // ranges at a time
	tries     int           // failures in a row, without a byte between them
	wait      time.Duration // before the second try; it doubles from try to try
	maxWait   time.Duration // of the doubling
	maxRetry  time.Duration // what a server's Retry-After may ask for
	stall     time.Duration // without a byte, until a connection is given up
	redirects int
	restarts  int // of a file that changes while it is read
}

var defaultLimits = limits{
	chunk: 16 << 20, parallel: 4,
	tries: 6, wait: 500 * time.Millisecond, maxWait: 30 * time.Second, maxRetry: 2 * time.Minute,
	stall: time.Minute, redirects: 10, restarts: 3,
}

// client asks servers, again where that may help.
type client struct {
	http   *http.Client
	limits limits
	notice func(string)
}

// newClient returns a client that shows a token to the host of hub alone.
func newClient(l limits, hub *url.URL, token string, notice func(string)) *client {
	transport := &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: l.stall}).DialContext,
		TLSHandshakeTimeout:   l.stall,
		ResponseHeaderTimeout: l.stall,
		IdleConnTimeout:       l.stall,
		MaxIdleConnsPerHost:   l.parallel,
		ForceAttemptHTTP2:     true,
		DisableCompression:    true, // ranges are of the bytes of the file
	}
	return &client{
		limits: l, notice: notice,
		http: &http.Client{
			Transport: &bearer{transport, hub, token},
			CheckRedirect: func(r *http.Request, via []*http.Request) error {
				switch {
				case len(via) >= l.redirects:
					return fmt.Errorf("%w: more than %d redirects", ErrProtocol, l.redirects)
				case r.URL.Scheme != "https" && r.URL.Scheme != "http":
					return fmt.Errorf("%w: redirect to %s", ErrProtocol, r.URL.Redacted())
				case r.URL.Scheme != "https" && via[0].URL.Scheme == "https":
					return fmt.Errorf("%w: redirect from https to %s", ErrProtocol, r.URL.Redacted())
				}
				return nil
			},
		},
	}
}

// close gives idle connections back.
func (c *client) close() { c.http.CloseIdleConnections() }

// bearer adds a token to requests for one origin. The token is in no request that
// a redirect is made from, so that none can take it elsewhere.
type bearer struct {
	next  *http.Transport
	hub   *url.URL
	token string
}

func (b *bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	if b.token != "" && b.trusted(r) {
		r = r.Clone(r.Context())
		r.Header.Set("Authorization", "Bearer "+b.token)
	}
	return b.next.RoundTrip(r)
}

// CloseIdleConnections is what that of http.Client calls.
func (b *bearer) CloseIdleConnections() { b.next.CloseIdleConnections() }

// trusted reports whether the request, and all that were redirected to it, are
// for the hub.
func (b *bearer) trusted(r *http.Request) bool {
	for r.URL.Scheme == b.hub.Scheme && r.URL.Host == b.hub.Host {
		if r.Response == nil {
			return true
		}
		r = r.Response.Request
	}
	return false
}

// get asks for a URL, once. An answer that is no success is a StatusError. The
// body fails when no byte comes for a while; it must be closed.
func (c *client) get(ctx context.Context, address string, header http.Header) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		cancel(nil)
		return nil, err
	}
	for key, values := range header {
		r.Header[key] = values
	}
	r.Header.Set("User-Agent", "realm")
	r.Header.Set("Accept-Encoding", "identity")
	resp, err := c.http.Do(r)
	if err != nil {
		cancel(nil)
		// The URL is in the message of those who call; that of a redirect is of use.
		var wrapped *url.Error
		if errors.As(err, &wrapped) {
			err = wrapped.Err
		}
		return nil, err
	}
	if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusPartialContent {
		resp.Body.Close()
		cancel(nil)
		return nil, &StatusError{resp.Status, resp.StatusCode, retryAfter(resp.Header.Get("Retry-After"), time.Now())}
	}
	body := &watchedBody{ReadCloser: resp.Body, ctx: ctx, cancel: cancel, stall: c.limits.stall}
	body.timer = time.AfterFunc(body.stall, func() { cancel(fmt.Errorf("no byte in %v", body.stall)) })
	resp.Body = body
	return resp, nil
}

// watchedBody ends a request that stalls.
type watchedBody struct {
	io.ReadCloser
	ctx    context.Context
	cancel context.CancelCauseFunc
	timer  *time.Timer
	stall  time.Duration
}

func (b *watchedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if n > 0 {
		b.timer.Reset(b.stall)
	}
	if err != nil && err != io.EOF && b.ctx.Err() != nil {
		err = context.Cause(b.ctx) // why, rather than that it was cancelled
	}
	return n, err
}

func (b *watchedBody) Close() error {
	b.timer.Stop()
	err := b.ReadCloser.Close()
	b.cancel(nil)
	return err
}

// retryAfter reads the header of that name: seconds, or a date (RFC 9110, 10.2.3).
// It returns 0 for what is neither.
func retryAfter(value string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(at.Sub(now), 0)
	}
	return 0
}

// persist calls try until it succeeds, fails for good, or has failed too often in a
// row without getting further. what is named in notices and errors.
func (c *client) persist(ctx context.Context, what string, try func() (further bool, err error)) error {
	wait := c.limits.wait
	for failures := 0; ; {
		further, err := try()
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if further {
			failures, wait = 0, c.limits.wait
		}
		failures++
		if !temporary(err) {
			return fmt.Errorf("%s: %w", what, err)
		}
		if failures >= c.limits.tries {
			return fmt.Errorf("%s: tried %d times: %w", what, failures, err)
		}
		pause := wait/2 + rand.N(wait) // spread, lest all come back at once
		var status *StatusError
		if errors.As(err, &status) && status.wait > 0 {
			if status.wait > c.limits.maxRetry {
				return fmt.Errorf("%s: %w: it asks to come back in %v", what, err, status.wait)
			}
			pause = status.wait
		}
		c.notice(fmt.Sprintf("%s: %v: trying again in %v", what, err, pause.Round(10*time.Millisecond)))
		wait = min(2*wait, c.limits.maxWait)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}

// temporary reports whether it may help to try again: errors of the network do,
// those of the server where it says so, and others do not.
func temporary(err error) bool {
	var status *StatusError
	var name *net.DNSError
	var certificate *tls.CertificateVerificationError
	var disk *diskError
	switch {
	case errors.As(err, &status):
		return status.temporary()
	case errors.As(err, &name):
		return !name.IsNotFound
	case errors.As(err, &certificate), errors.As(err, &disk):
		return false
	}
	for _, final := range []error{ErrChanged, ErrProtocol, ErrSpace, ErrHash} {
		if errors.Is(err, final) {
			return false
		}
	}
	return true
}

// diskError is an error of the store's own disk.
type diskError struct{ err error }

func (e *diskError) Error() string { return e.err.Error() }
func (e *diskError) Unwrap() error { return e.err }
