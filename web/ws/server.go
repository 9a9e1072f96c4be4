package ws

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"

	"github.com/realm-webgpu/realm/web/openai"
	"github.com/realm-webgpu/realm/web/service"
	"github.com/realm-webgpu/realm/web/tenant"
)

// Options are what a server is made of. Service is wanted; what is 0 has a default.
type Options struct {
	Service     *service.Service
	Connections int   // at a time; 0: 1024
	MaxFrame    int64 // bytes of a frame of the client's; 0: 1 MiB
	Calls       int   // in flight, of a connection; 0: 16
	// Buffer is how many bytes may wait to be sent on a connection; 0: 1 MiB. A reader
	// that is slower is dropped.
	Buffer int64
	Hello  time.Duration // until a client has said who it is; 0: 10 s
	// Ping is how long a connection may be silent until it is asked whether it is still
	// there, and then again until it is given up; 0: 20 s.
	Ping    time.Duration
	Write   time.Duration // of one frame; 0: 30 s
	Version string
	Log     *slog.Logger
	Live
}

// Live are the options that may change while a server runs.
type Live struct {
	Limits openai.Limits // zero: the defaults
	// Origins are those of pages that may connect, beside the server's own. In each, *
	// stands for any letters.
	Origins []string
}

// Server answers on WebSockets. It is an http.Handler.
type Server struct {
	options  Options
	log      *slog.Logger
	service  *service.Service
	upgrader websocket.Upgrader
	live     atomic.Pointer[Live]

	mu       sync.Mutex
	conns    map[*conn]struct{}
	taken    int // connections, those among them that shake hands
	draining bool
	idle     chan struct{} // closed when draining and no connection is left
}

// New makes a server.
func New(o Options) *Server {
	usual(&o.Connections, 1024)
	usual(&o.MaxFrame, 1<<20)
	usual(&o.Calls, 16)
	usual(&o.Buffer, 1<<20)
	usual(&o.Hello, 10*time.Second)
	usual(&o.Ping, 20*time.Second)
	usual(&o.Write, 30*time.Second)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s := &Server{options: o, log: o.Log, service: o.Service, conns: map[*conn]struct{}{}, idle: make(chan struct{})}
	s.upgrader = websocket.Upgrader{
		HandshakeTimeout: o.Hello, ReadBufferSize: 4 << 10, WriteBufferSize: 4 << 10, WriteBufferPool: &sync.Pool{},
		CheckOrigin: s.origin, Error: refuse,
	}
	s.Update(o.Live)
	return s
}

// usual gives an option that is 0 its default.
func usual[T int | int64 | time.Duration](option *T, value T) {
	if *option == 0 {
		*option = value
	}
}

// Update takes over other options. Connections that there are stay.
func (s *Server) Update(l Live) {
	if l.Limits == (openai.Limits{}) {
		l.Limits = openai.DefaultLimits()
	}
	s.live.Store(&l)
}

// origin reports whether the page that a handshake is from may connect. Programs that
// are no browsers send no origin, and could send any.
func (s *Server) origin(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" {
		return true
	}
	if u, err := url.Parse(origin); err == nil && strings.EqualFold(u.Host, r.Host) {
		return true
	}
	return tenant.Patterns(s.live.Load().Origins).Match(strings.ToLower(origin))
}

// refuse answers a request that does not become a WebSocket.
func refuse(w http.ResponseWriter, _ *http.Request, status int, reason error) {
	e := service.Invalid("", "this is a WebSocket: %v", reason)
	if status == http.StatusForbidden {
		e = &service.Error{Code: service.Forbidden, Message: "pages of this origin may not connect: websocket.origins has those that may"}
	}
	// https://www.rfc-editor.org/rfc/rfc6455#section-4.4
	w.Header().Set("Sec-WebSocket-Version", "13")
	writeError(w, status, e)
}

func writeError(w http.ResponseWriter, status int, e *service.Error) {
	data, err := openai.Marshal(openai.StatusError(status, e))
	if err != nil {
		data = nil // it is a struct of strings
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(data) // the client has gone, and there is nobody to tell
}

// ServeHTTP makes a request a connection and serves it until it ends.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if e := s.enter(); e != nil {
		w.Header().Set("Retry-After", "2")
		writeError(w, http.StatusServiceUnavailable, e)
		return
	}
	defer s.leave(nil)
	// Write deadlines are set for each frame; the handshake's own has ended by then.
	socket, err := s.upgrader.Upgrade(w, r, nil)
	if err != nil {
		return // refuse has said it
	}
	c := newConn(s, socket, r.Context(), w.Header().Get("X-Request-Id"))
	defer c.close()
	s.add(c)
	defer s.leave(c)
	c.serve()
}

// enter takes a place for a connection, or says why not.
func (s *Server) enter() *service.Error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.draining:
		return &service.Error{Code: service.Unavailable, Message: reasonDrain}
	case s.taken >= s.options.Connections:
		return &service.Error{Code: service.QueueFull, Message: fmt.Sprintf("there are %d connections, at most %d", s.taken, s.options.Connections)}
	}
	s.taken++
	return nil
}

func (s *Server) add(c *conn) {
	s.mu.Lock()
	s.conns[c] = struct{}{}
	draining := s.draining
	s.mu.Unlock()
	if draining {
		c.drain()
	}
}

// leave forgets a connection, or with nil gives its place back.
func (s *Server) leave(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c != nil {
		delete(s.conns, c)
		return
	}
	if s.taken--; s.draining && s.taken == 0 {
		close(s.idle)
	}
}

// reasonDrain is why connections are closed that nothing is wrong with.
const reasonDrain = "the server is shutting down"

// Drain takes no more connections, and closes each with code 1001 once it has no call
// under way. Calls are the service's to end.
func (s *Server) Drain() {
	s.mu.Lock()
	first := !s.draining
	s.draining = true
	if first && s.taken == 0 {
		close(s.idle)
	}
	all := make([]*conn, 0, len(s.conns))
	for c := range s.conns {
		all = append(all, c)
	}
	s.mu.Unlock()
	for _, c := range all {
		c.drain()
	}
}

// Close drains and waits for connections to end. When ctx is done it cuts them, and
// returns how many there were.
func (s *Server) Close(ctx context.Context) error {
	s.Drain()
	select {
	case <-s.idle:
		return nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	n := len(s.conns)
	for c := range s.conns {
		c.cut(errGone)
	}
	s.mu.Unlock()
	<-s.idle
	return fmt.Errorf("ws: close: %d connections were cut: %w", n, ctx.Err())
}
