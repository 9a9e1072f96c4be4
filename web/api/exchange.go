package api

import (
	"errors"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/realm-webgpu/realm/web/openai"
	"github.com/realm-webgpu/realm/web/service"
	"github.com/realm-webgpu/realm/web/trace"
)

// exchange is a request and its answer.
type exchange struct {
	server *Server
	w      http.ResponseWriter
	r      *http.Request
	id     string          // X-Request-Id
	tenant *service.Tenant // of routes that need a key
	done   []slog.Attr     // for the log: what was asked and used
}

// serve makes a handler of a route. Whatever goes wrong becomes an error response.
func (s *Server) serve(r route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		x := &exchange{server: s, w: w, r: q, id: w.Header().Get(requestID)}
		if l := logged(q.Context()); l != nil {
			l.route = r.path
			defer func() { l.attrs = x.done }()
		}
		defer func() {
			if p := recover(); p != nil {
				if p == http.ErrAbortHandler { //nolint:errorlint // it is what net/http compares, too
					panic(p)
				}
				s.log.Error("a handler panicked", "request", x.id, "route", r.path, "panic", p, "stack", string(debug.Stack()))
				x.fail(&service.Error{Code: service.InternalError, Message: "the server failed; its log says how"})
			}
		}()
		err := x.enter(r.access)
		trace.Route(q.Context(), q.Method, r.path, x.id, x.owner())
		if err == nil {
			err = r.handle(s, x)
		}
		if err != nil {
			x.fail(err)
		}
	})
}

// enter finds out whose request it is.
func (x *exchange) enter(a access) error {
	s := x.server.service
	if a == open {
		return nil
	}
	key, _ := bearer(x.r)
	t, err := s.Authenticate(x.r.Context(), key)
	if err != nil {
		return err
	}
	x.tenant = t
	x.note(slog.String("tenant", t.ID()))
	if a == admin && !s.Keyless() && !t.Admin() {
		return &service.Error{Code: service.Forbidden, Message: "the API key is none of an administrator"}
	}
	return nil
}

// owner is the id of the tenant, "" where none is known.
func (x *exchange) owner() string {
	if x.tenant == nil {
		return ""
	}
	return x.tenant.ID()
}

// bearer returns the key of a request.
func bearer(r *http.Request) (string, bool) {
	scheme, key, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		return "", false
	}
	return strings.TrimSpace(key), true
}

// note adds to what the log says of the request.
func (x *exchange) note(attrs ...slog.Attr) { x.done = append(x.done, attrs...) }

// used notes what an answer has used.
func (x *exchange) used(r service.Result) {
	trace.Answer(x.r.Context(), r)
	x.note(slog.String("model", r.Model), slog.String("adapter", r.Adapter), slog.Int("prompt_tokens", r.Usage.Prompt), slog.Int("completion_tokens", r.Usage.Completion))
}

// body reads the request's JSON, in bounded size; guard has bounded the time.
func (x *exchange) body() ([]byte, error) {
	if kind, _, err := mime.ParseMediaType(x.r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		// A page may send what a form sends to any server without asking it first.
		return nil, &httpError{http.StatusUnsupportedMediaType, service.Invalid("", "Content-Type has to be application/json")}
	}
	if c := x.r.Header.Get("Content-Encoding"); c != "" && !strings.EqualFold(c, "identity") {
		return nil, &httpError{http.StatusUnsupportedMediaType, service.Invalid("", "Content-Encoding: requests are read as they are, and not decoded")}
	}
	most := x.server.options.Limits.Body
	tooLarge := &httpError{http.StatusRequestEntityTooLarge, service.Invalid("", "the request has more than %d bytes", most)}
	if x.r.ContentLength > most {
		return nil, tooLarge
	}
	data, err := io.ReadAll(http.MaxBytesReader(x.w, x.r.Body, most))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, tooLarge
	case err != nil:
		x.w.Header().Set("Connection", "close")
		return nil, &httpError{http.StatusRequestTimeout, &service.Error{Code: service.InvalidRequest, Message: "the request's body broke off, or took too long", Err: err}}
	}
	// From now on whatever is read says that the client has gone, which has no deadline.
	_ = http.NewResponseController(x.w).SetReadDeadline(time.Time{})
	return data, nil
}

// json writes an answer that is whole.
func (x *exchange) json(status int, v any) error {
	data, err := openai.Marshal(v)
	if err != nil {
		return err
	}
	h := x.w.Header()
	h.Set("Content-Type", "application/json")
	if h.Get("Cache-Control") == "" {
		h.Set("Cache-Control", "no-store")
	}
	x.deadline()
	x.w.WriteHeader(status)
	if x.r.Method != http.MethodHead {
		_, _ = x.w.Write(data) // the client has gone, and there is nobody to tell
	}
	return nil
}

// deadline bounds the next write.
func (x *exchange) deadline() {
	_ = http.NewResponseController(x.w).SetWriteDeadline(time.Now().Add(x.server.options.WriteTimeout))
}
