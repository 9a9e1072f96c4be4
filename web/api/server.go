package api

import (
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/realm-webgpu/realm/web/openai"
	"github.com/realm-webgpu/realm/web/service"
)

// Options are what a server is made of. Service is wanted.
type Options struct {
	Service *service.Service
	Limits  openai.Limits // zero: the defaults
	// Origins are those of pages that may ask from a browser (CORS), such as
	// https://example.com. In each, * stands for any letters.
	Origins []string
	// Hosts are the names that requests may be for, besides addresses, while there are
	// no keys; nil: any. A server that pages must not reach by a name of their own (DNS
	// rebinding) has localhost here.
	Hosts []string
	// Metrics answers /metrics; nil: there is none.
	Metrics http.Handler
	// Others answer further paths, such as the WebSocket and the playground. They see
	// to keys themselves.
	Others map[string]http.Handler
	// ReadTimeout bounds the reading of a body, WriteTimeout how long a client may
	// take nothing of an answer. A stream that has nothing to say for KeepAlive sends a
	// comment, so that no proxy takes it for dead. 0: 30, 30 and 15 seconds.
	ReadTimeout, WriteTimeout, KeepAlive time.Duration
	Version                              string
	Log                                  *slog.Logger
}

// Server answers requests.
type Server struct {
	options Options
	log     *slog.Logger
	service *service.Service
}

// New makes a server.
func New(o Options) *Server {
	if o.Limits == (openai.Limits{}) {
		o.Limits = openai.DefaultLimits()
	}
	for _, d := range []struct {
		of    *time.Duration
		usual time.Duration
	}{{&o.ReadTimeout, 30 * time.Second}, {&o.WriteTimeout, 30 * time.Second}, {&o.KeepAlive, 15 * time.Second}} {
		if *d.of == 0 {
			*d.of = d.usual
		}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Server{options: o, log: o.Log, service: o.Service}
}

// access is who may use a route.
type access uint8

const (
	open  access = iota // whoever reaches the server
	keyed               // tenants
	admin               // tenants that may change the server; whoever reaches a server without keys
)

// route is a method of a path.
type route struct {
	method, path string
	access       access
	handle       func(*Server, *exchange) error
}

// routes are those of tenants.
var routes = []route{
	{"POST", "/v1/chat/completions", keyed, (*Server).chat},
	{"POST", "/v1/completions", keyed, (*Server).completions},
	{"POST", "/v1/embeddings", keyed, (*Server).embeddings},
	{"POST", "/v1/responses", keyed, (*Server).responses},
	{"GET", "/v1/models", keyed, (*Server).models},
	{"GET", "/v1/models/{id...}", keyed, (*Server).model},
	{"POST", "/v1/ws/ticket", keyed, (*Server).ticket},
	{"POST", "/tokenize", keyed, (*Server).tokenize},
	{"POST", "/detokenize", keyed, (*Server).detokenize},
	{"GET", "/health", open, (*Server).health},
	{"GET", "/ready", open, (*Server).ready},
	{"GET", "/version", open, (*Server).version},
	{"GET", "/openapi.yaml", open, (*Server).openapi},
	{"GET", "/metrics", admin, (*Server).metrics},
}

// adminRoutes are those of the admin listener. Metrics are open there: whoever reaches
// it may scrape them.
var adminRoutes = []route{
	{"POST", "/v1/load_lora_adapter", admin, (*Server).loadAdapter},
	{"POST", "/v1/unload_lora_adapter", admin, (*Server).unloadAdapter},
	{"GET", "/health", open, (*Server).health},
	{"GET", "/ready", open, (*Server).ready},
	{"GET", "/version", open, (*Server).version},
	{"GET", "/metrics", open, (*Server).metrics},
	{"GET", "/debug/pprof/{name...}", admin, (*Server).profile},
}

// Handler answers tenants.
func (s *Server) Handler() http.Handler { return s.handler(routes, s.options.Others) }

// Admin answers operators, on a listener of its own.
func (s *Server) Admin() http.Handler { return s.handler(adminRoutes, nil) }

// handler puts routes together. Paths that there are none of and methods that a path
// does not have are errors of the usual shape.
func (s *Server) handler(routes []route, others map[string]http.Handler) http.Handler {
	mux := http.NewServeMux()
	methods := map[string][]string{}
	for _, r := range routes {
		mux.Handle(r.method+" "+r.path, s.serve(r))
		methods[r.path] = append(methods[r.path], r.method)
	}
	for path, allowed := range methods {
		if slices.Contains(allowed, "GET") {
			allowed = append(allowed, "HEAD")
		}
		mux.Handle(path, s.serve(route{path: path, handle: func(_ *Server, x *exchange) error {
			x.w.Header().Set("Allow", strings.Join(allowed, ", "))
			return &httpError{http.StatusMethodNotAllowed, service.Invalid("", "%s is not allowed here, only %s", x.r.Method, strings.Join(allowed, " and "))}
		}}))
	}
	for path, h := range others {
		mux.Handle(path, h)
	}
	if others["/"] == nil {
		mux.Handle("/", s.serve(route{path: "/", handle: func(_ *Server, x *exchange) error {
			return &httpError{http.StatusNotFound, service.Invalid("", "there is nothing at %.200s", x.r.URL.Path)}
		}}))
	}
	return s.guard(s.cors(mux))
}
