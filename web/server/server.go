package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/realm-webgpu/realm/engine"
	"github.com/realm-webgpu/realm/guest"
	"github.com/realm-webgpu/realm/web/api"
	"github.com/realm-webgpu/realm/web/config"
	"github.com/realm-webgpu/realm/web/demo"
	"github.com/realm-webgpu/realm/web/metrics"
	"github.com/realm-webgpu/realm/web/openai"
	"github.com/realm-webgpu/realm/web/playground"
	"github.com/realm-webgpu/realm/web/service"
	"github.com/realm-webgpu/realm/web/tenant"
	"github.com/realm-webgpu/realm/web/trace"
	"github.com/realm-webgpu/realm/web/ws"
)

// ErrOpen marks a server that others could reach, and that has no keys.
var ErrOpen = errors.New("open to everyone")

// Options are what a server is made of beside its configuration.
type Options struct {
	Version string
	Log     *slog.Logger
	Level   *slog.LevelVar // of Log; nil: it does not change
	// LoseDeviceAfter is the engine's: for tests.
	LoseDeviceAfter uint64
}

// Server is a server that can be run once.
type Server struct {
	options Options
	log     *slog.Logger
	engine  *engine.Engine
	store   *tenant.Store    // nil: there is none, and so no keys
	usage   *tenant.Recorder // nil, likewise
	metrics *metrics.Metrics
	tracer  *trace.Tracer // nil: until it is open
	service *service.Service
	sockets *ws.Server
	page    http.Handler // at /
	demo    http.Handler // below demo.Prefix

	reloading sync.Mutex
	config    atomic.Pointer[config.Config]
	handler   atomic.Pointer[http.Handler]
	admin     atomic.Pointer[http.Handler]
}

// New opens what the configuration names. Errors: ErrOpen, config.ErrInvalid, and those
// of opening the engine, the database and the models' files. The server has to be
// closed.
func New(ctx context.Context, c *config.Config, o Options) (s *Server, err error) {
	s = &Server{options: o, log: o.Log, metrics: metrics.New(metrics.Options{})}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("server: %w", err), s.Close())
			s = nil
		}
	}()
	live, err := liveOf(c)
	if err != nil {
		return s, err
	}
	if err := s.openStore(ctx, c); err != nil {
		return s, err
	}
	s.tracer, err = trace.Open(ctx, trace.Options{
		Endpoint: c.Tracing.Endpoint, Sample: c.Tracing.Sample, Parents: c.Tracing.Parents,
		Service: c.Tracing.Service, Version: o.Version, Log: s.log,
	})
	if err != nil {
		return s, err
	}
	s.engine, err = engine.Open(engine.Options{
		Device: c.Device, Memory: int64(c.Memory.Total), CacheMemory: int64(c.Memory.KV), AdapterMemory: int64(c.Memory.Adapters),
		Threads: c.Threads, QueueLimit: c.Queue.Limit, QueueTimeout: time.Duration(c.Timeouts.Queue),
		Notice: func(line string) { s.log.Warn(line) }, LoseDeviceAfter: o.LoseDeviceAfter,
	})
	if err != nil {
		return s, err
	}
	options := service.Options{
		Engine: s.engine, Tenants: s.store, Usage: s.usage, Open: !config.Exposed(c.Listen),
		AdapterRoot: c.AdapterRoot, SavedSequences: savedSequences, Observer: s.metrics, Log: s.log, Live: live,
	}
	if c.Log.Guests {
		options.GuestLog = s.log
	}
	if c.AllowOpen {
		options.Tenants, options.Usage = nil, nil
	}
	if s.service, err = service.New(ctx, options); err != nil {
		return s, err
	}
	s.metrics.Watch(s.service)
	s.sockets, s.page, s.demo = ws.New(socketOptions(c, s.service, o)), playground.Handler(), demo.Handler()
	s.config.Store(c)
	s.route(c)
	return s, s.preload(ctx, c)
}

// savedSequences is how many sequences of a tenant are kept between requests.
const savedSequences = 16

// openStore opens the database of tenants.
func (s *Server) openStore(ctx context.Context, c *config.Config) error {
	if c.Database != "" && !c.AllowOpen {
		var err error
		s.store, err = tenant.Open(ctx, c.Database, tenant.Options{Defaults: c.Tenants.Limits(), Log: s.log})
		if err != nil {
			return err
		}
		s.usage = s.store.NewRecorder(0, s.log)
	}
	if config.Exposed(c.Listen) && !c.AllowOpen && (s.store == nil || !s.store.Keyed()) {
		return fmt.Errorf("listen: %s can be reached by other machines, and there are no keys: make one with realm key create, or say allow-open: %w", c.Listen, ErrOpen)
	}
	return nil
}

// liveOf returns the options that may change.
func liveOf(c *config.Config) (service.Live, error) {
	specs, err := models(c)
	if err != nil {
		return service.Live{}, err
	}
	live := service.Live{
		Models: specs, Limits: c.Tenants.Limits(), Guest: guest.Module, RequestTimeout: time.Duration(c.Timeouts.Request),
		QueueTimeout: time.Duration(c.Timeouts.Queue),
		MaxTokens:    c.Requests.MaxTokens, DefaultTokens: c.Requests.DefaultTokens,
	}
	if live.Guests, err = readGuests(c.GuestRoot); err != nil {
		return live, fmt.Errorf("guest-root: %w", err)
	}
	if c.Guest != "" {
		module, ok := live.Guests[c.Guest]
		if !ok {
			return live, fmt.Errorf("guest: there is no %s.wasm in guest-root: %w", c.Guest, config.ErrInvalid)
		}
		live.Guest = module
	}
	return live, nil
}

// maxGuests bounds the modules of a folder, and maxGuest the bytes of one.
const (
	maxGuests = 256
	maxGuest  = 16 << 20
)

// readGuests reads the modules of a folder, by their names.
func readGuests(root string) (map[string][]byte, error) {
	if root == "" {
		return nil, nil
	}
	entries, err := os.ReadDir(root)
	if err != nil {
		return nil, err
	}
	guests := map[string][]byte{}
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), ".wasm")
		if !ok || e.IsDir() {
			continue
		}
		info, err := e.Info()
		if err != nil {
			return nil, err
		}
		if info.Size() > maxGuest || len(guests) == maxGuests {
			return nil, fmt.Errorf("%s: %d bytes, at most %d, and at most %d modules", e.Name(), info.Size(), maxGuest, maxGuests)
		}
		if guests[name], err = os.ReadFile(filepath.Join(root, e.Name())); err != nil {
			return nil, err
		}
	}
	return guests, nil
}

// preload loads the models that are wanted before the first request.
func (s *Server) preload(ctx context.Context, c *config.Config) error {
	for _, m := range c.Models {
		if m.Preload {
			if err := s.service.Preload(ctx, m.Name); err != nil {
				return err
			}
		}
	}
	return nil
}

// route makes the handlers of a configuration, which take over from those before.
func (s *Server) route(c *config.Config) {
	s.sockets.Update(ws.Live{Limits: limitsOf(c), Origins: c.WebSocket.Origins})
	a := api.New(s.httpOptions(c))
	handler, admin := s.tracer.Handler(a.Handler()), a.Admin()
	s.handler.Store(&handler)
	s.admin.Store(&admin)
}

// httpOptions returns those of HTTP.
func (s *Server) httpOptions(c *config.Config) api.Options {
	return api.Options{
		Service: s.service, Limits: limitsOf(c), Origins: c.WebSocket.Origins, Hosts: hostsOf(c), Metrics: s.metrics.Handler(),
		ReadTimeout: time.Duration(c.Timeouts.Read), WriteTimeout: time.Duration(c.Timeouts.Write),
		Version: s.options.Version, Log: s.log,
		Others: map[string]http.Handler{"/ws": s.sockets, "/{$}": s.page, playground.Prefix: s.page, demo.Prefix: s.demo},
	}
}

// hostsOf returns the names that requests may be for without keys; nil: any, for a server
// that is open to everyone.
func hostsOf(c *config.Config) []string {
	if config.Exposed(c.Listen) {
		return nil
	}
	return append([]string{"localhost"}, c.Hosts...)
}

// socketOptions returns those of the WebSocket that do not change.
func socketOptions(c *config.Config, s *service.Service, o Options) ws.Options {
	w := c.WebSocket
	return ws.Options{
		Service: s, Connections: w.Connections, MaxFrame: int64(w.MaxFrame), Calls: w.Calls, Buffer: int64(w.Buffer),
		Hello: time.Duration(w.Hello), Ping: time.Duration(w.Ping), Write: time.Duration(c.Timeouts.Write),
		Version: o.Version, Log: o.Log,
	}
}

// limitsOf returns the limits of requests.
func limitsOf(c *config.Config) openai.Limits {
	r, l := c.Requests, openai.DefaultLimits()
	l.Body, l.Choices, l.BestOf, l.Stops, l.StopBytes = int64(r.Body), r.N, r.BestOf, r.Stops, int(r.StopBytes)
	l.TopLogprobs, l.Biases, l.Messages, l.Tools = r.Logprobs, r.LogitBiases, r.Messages, r.Tools
	l.Prompts, l.Inputs, l.Grammar = r.Inputs, r.Inputs, int(r.Grammar)
	return l
}

// Reload takes over a configuration and drops nobody. What cannot change while the
// server runs is logged by its key, and is as it was. An error changes nothing.
func (s *Server) Reload(ctx context.Context, c *config.Config) error {
	s.reloading.Lock()
	defer s.reloading.Unlock()
	now := s.config.Load()
	for _, change := range now.Diff(c) {
		if !change.Live {
			s.log.Warn("not taken over until the server starts again", "key", change.Key)
		}
	}
	c = now.Adopt(c)
	live, err := liveOf(c)
	if err != nil {
		return fmt.Errorf("server: reload: %w", err)
	}
	if err := s.service.Update(ctx, live); err != nil {
		return fmt.Errorf("server: reload: %w", err)
	}
	if s.store != nil {
		if err := s.store.SetDefaults(ctx, c.Tenants.Limits()); err != nil {
			return fmt.Errorf("server: reload: %w", err)
		}
	}
	s.setLevel(c)
	s.config.Store(c)
	s.route(c)
	return nil
}

func (s *Server) setLevel(c *config.Config) {
	if s.options.Level != nil {
		_ = s.options.Level.UnmarshalText([]byte(c.Log.Level)) // it was validated
	}
}

// Close gives back what New opened.
func (s *Server) Close() error {
	var errs []error
	if s.service != nil {
		errs = append(errs, s.service.Close())
	}
	if s.engine != nil {
		errs = append(errs, s.engine.Close())
	}
	if s.tracer != nil {
		ctx, cancel := context.WithTimeout(context.Background(), lastWords)
		defer cancel()
		if err := s.tracer.Close(ctx); err != nil {
			s.log.Warn("the last spans were not sent", "error", err)
		}
	}
	if s.usage != nil {
		errs = append(errs, s.usage.Close())
	}
	if s.store != nil {
		errs = append(errs, s.store.Close())
	}
	return errors.Join(errs...)
}
