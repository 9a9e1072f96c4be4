package api

import (
	"bufio"
	"context"
	"crypto/rand"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/realm-webgpu/realm/web/service"
	"github.com/realm-webgpu/realm/web/tenant"
)

const requestID = "X-Request-Id"

// entry is what the log is going to say of a request.
type entry struct {
	route string
	attrs []slog.Attr
}

type entryKey struct{}

// logged returns the entry of a request; nil for one that did not come through guard.
func logged(ctx context.Context) *entry {
	e, _ := ctx.Value(entryKey{}).(*entry)
	return e
}

// recorder notes what was answered.
type recorder struct {
	http.ResponseWriter
	status int
	bytes  int64
}

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(p []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	n, err := r.ResponseWriter.Write(p)
	r.bytes += int64(n)
	return n, err
}

// Unwrap is for http.ResponseController.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// Hijack is for the WebSocket.
func (r *recorder) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	r.status = http.StatusSwitchingProtocols
	return http.NewResponseController(r.ResponseWriter).Hijack()
}

// guard gives each request an id, refuses hosts that are not ours, and logs it.
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		start := time.Now()
		id := q.Header.Get(requestID)
		if !sane(id) {
			id = "req_" + rand.Text()
		}
		w.Header().Set(requestID, id)
		w.Header().Set("X-Content-Type-Options", "nosniff")
		e := &entry{}
		q = q.WithContext(context.WithValue(q.Context(), entryKey{}, e))
		rec := &recorder{ResponseWriter: w}
		control := http.NewResponseController(w)
		// Answers that take longer, or have parts, set their own.
		_ = control.SetWriteDeadline(start.Add(s.options.WriteTimeout))
		if q.ContentLength != 0 {
			// Also of a body that nobody reads: the connection is not used again before it came.
			_ = control.SetReadDeadline(start.Add(s.options.ReadTimeout))
		}
		defer func() {
			// The path is not logged: that of an unknown route is the client's to write.
			attrs := append([]slog.Attr{
				slog.String("request", id), slog.String("method", q.Method), slog.String("route", e.route), slog.Int("status", rec.status),
				slog.Int64("bytes", rec.bytes), slog.Duration("took", time.Since(start)), slog.String("remote", q.RemoteAddr),
			}, e.attrs...)
			s.log.LogAttrs(q.Context(), slog.LevelInfo, "request", attrs...)
		}()
		if !s.host(q.Host) {
			s.serve(route{path: "host", handle: func(_ *Server, x *exchange) error {
				return &httpError{http.StatusMisdirectedRequest, &service.Error{Code: service.Forbidden, Message: "this server does not go by that name: add it to the hosts that are allowed"}}
			}}).ServeHTTP(rec, q)
			return
		}
		next.ServeHTTP(rec, q)
	})
}

// sane reports whether an id of the client's may go into headers and logs.
func sane(id string) bool {
	return len(id) > 0 && len(id) <= 128 && !strings.ContainsFunc(id, func(c rune) bool {
		return !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.')
	})
}

// host reports whether requests may be for a host: with keys for any, as a page of
// another name has none.
func (s *Server) host(host string) bool {
	if s.options.Hosts == nil || !s.service.Keyless() {
		return true
	}
	if host == "" {
		return true // probes of HTTP/1.0 say none, and browsers always do
	}
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if _, err := netip.ParseAddr(host); err == nil {
		return true // a page of another name cannot make a browser say that
	}
	return slices.ContainsFunc(s.options.Hosts, func(h string) bool { return strings.EqualFold(h, host) })
}

// cors answers browsers that ask for pages of other origins.
// https://fetch.spec.whatwg.org/#http-cors-protocol
func (s *Server) cors(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		origin := q.Header.Get("Origin")
		preflight := q.Method == http.MethodOptions && q.Header.Get("Access-Control-Request-Method") != ""
		if origin == "" {
			next.ServeHTTP(w, q)
			return
		}
		h := w.Header()
		h.Add("Vary", "Origin")
		if s.origin(origin) {
			h.Set("Access-Control-Allow-Origin", origin)
			h.Set("Access-Control-Expose-Headers", "X-Request-Id, Retry-After, x-ratelimit-limit-requests, x-ratelimit-limit-tokens, x-ratelimit-remaining-requests, x-ratelimit-remaining-tokens, x-ratelimit-reset-requests, x-ratelimit-reset-tokens, Retry-After-Ms, X-Should-Retry")
			if preflight {
				h.Set("Access-Control-Allow-Methods", "GET, POST")
				h.Set("Access-Control-Allow-Headers", allowedHeaders(q.Header.Get("Access-Control-Request-Headers")))
				h.Set("Access-Control-Max-Age", "600")
				if q.Header.Get("Access-Control-Request-Private-Network") == "true" {
					h.Set("Access-Control-Allow-Private-Network", "true")
				}
			}
		}
		if preflight {
			// Without the headers above the browser goes no further.
			if e := logged(q.Context()); e != nil {
				e.route = "preflight"
			}
			w.WriteHeader(http.StatusNoContent)
			return
		}
		next.ServeHTTP(w, q)
	})
}

// allowedHeaders are those that a page asks for, where they are of use here.
// OpenAI's client for browsers sends a number of x-stainless headers.
func allowedHeaders(asked string) string {
	var out []string
	for h := range strings.SplitSeq(strings.ToLower(asked), ",") {
		h = strings.TrimSpace(h)
		switch {
		case h == "authorization", h == "content-type", h == "x-request-id", h == "openai-organization", h == "openai-project", h == "user-agent", strings.HasPrefix(h, "x-stainless-"):
			out = append(out, h)
		}
	}
	return strings.Join(out, ", ")
}

// origin reports whether pages of an origin may ask.
func (s *Server) origin(origin string) bool {
	return tenant.Patterns(s.options.Origins).Match(strings.ToLower(origin))
}
