package api

import (
	"bytes"
	"cmp"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/realm-webgpu/realm/docs"
	"github.com/realm-webgpu/realm/web/service"
)

// status is what probes get.
type status struct {
	Status string `json:"status"`
}

// health implements GET /health: the process is alive.
func (s *Server) health(x *exchange) error { return x.json(http.StatusOK, status{"ok"}) }

// ready implements GET /ready: requests are taken, or why not.
func (s *Server) ready(x *exchange) error {
	if err := cmp.Or(s.service.Ready(), s.service.DeviceReady()); err != nil {
		return err
	}
	return x.json(http.StatusOK, status{"ready"})
}

// versionResponse has vLLM's member.
type versionResponse struct {
	Version string `json:"version"`
}

// version implements GET /version.
func (s *Server) version(x *exchange) error {
	return x.json(http.StatusOK, versionResponse{s.options.Version})
}

// openapi implements GET /openapi.yaml.
func (s *Server) openapi(x *exchange) error {
	x.w.Header().Set("Content-Type", "application/yaml")
	x.deadline()
	http.ServeContent(x.w, x.r, "openapi.yaml", time.Time{}, bytes.NewReader(docs.OpenAPI))
	return nil
}

// metrics implements GET /metrics.
func (s *Server) metrics(x *exchange) error {
	if s.options.Metrics == nil {
		return &httpError{http.StatusNotFound, service.Invalid("", "metrics are off")}
	}
	x.deadline()
	s.options.Metrics.ServeHTTP(x.w, x.r)
	return nil
}

// profile implements GET /debug/pprof/{name...}.
func (s *Server) profile(x *exchange) error {
	// A profile takes as long as it is asked to: it has no deadline.
	_ = http.NewResponseController(x.w).SetWriteDeadline(time.Time{})
	switch name := x.r.PathValue("name"); name {
	case "":
		pprof.Index(x.w, x.r)
	case "cmdline":
		pprof.Cmdline(x.w, x.r)
	case "profile":
		pprof.Profile(x.w, x.r)
	case "symbol":
		pprof.Symbol(x.w, x.r)
	case "trace":
		pprof.Trace(x.w, x.r)
	default:
		pprof.Handler(name).ServeHTTP(x.w, x.r)
	}
	return nil
}
