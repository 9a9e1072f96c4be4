package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/realm-webgpu/realm/web/config"
	"github.com/realm-webgpu/realm/web/service"
)

// Run listens, tells the addresses to ready (admin is nil where there is no listener
// for administrators), and serves until ctx is done. Then it refuses new requests,
// waits for those that run as long as timeouts.drain says, and ends.
func (s *Server) Run(ctx context.Context, ready func(address, admin net.Addr)) error {
	c := s.config.Load()
	front, err := s.listen(ctx, c, c.Listen, &s.handler)
	if err != nil {
		return err
	}
	servers := []*listening{front}
	var adminAddress net.Addr
	if c.AdminListen != "" {
		admin, err := s.listen(ctx, c, c.AdminListen, &s.admin)
		if err != nil {
			return errors.Join(err, front.listener.Close())
		}
		servers = append(servers, admin)
		adminAddress = admin.listener.Addr()
	}
	failed := make(chan error, len(servers))
	for _, x := range servers {
		go func() { failed <- x.server.Serve(x.listener) }()
	}
	ready(front.listener.Addr(), adminAddress)
	select {
	case err = <-failed:
	case <-ctx.Done():
	}
	return errors.Join(err, s.drain(servers))
}

// listening is a server on a listener.
type listening struct {
	server   *http.Server
	listener net.Listener
}

// listen makes a server whose handler is the one that is current.
func (s *Server) listen(ctx context.Context, c *config.Config, address string, handler *atomic.Pointer[http.Handler]) (*listening, error) {
	var l net.ListenConfig
	listener, err := l.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("server: listen on %s: %w", address, err)
	}
	return &listening{
		listener: listener,
		server: &http.Server{
			Handler:           http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (*handler.Load()).ServeHTTP(w, r) }),
			ReadHeaderTimeout: time.Duration(c.Timeouts.ReadHeader),
			IdleTimeout:       time.Duration(c.Timeouts.Idle),
			MaxHeaderBytes:    int(c.Requests.Headers),
		},
	}, nil
}

// drain ends without cutting anyone short who is quick enough.
func (s *Server) drain(servers []*listening) error {
	limit := time.Duration(s.config.Load().Timeouts.Drain)
	s.log.Info("ending: no new requests are taken", "drain", limit)
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	s.sockets.Drain()
	if err := s.service.Drain(ctx); err != nil {
		s.log.Warn("not all answers had ended", "error", err)
	}
	// Answers have ended; what is left is to send them.
	ctx, cancel = context.WithTimeout(context.Background(), lastWords)
	defer cancel()
	var errs []error
	errs = append(errs, s.sockets.Close(ctx))
	for _, x := range servers {
		if err := x.server.Shutdown(ctx); err != nil {
			errs = append(errs, x.server.Close())
		}
	}
	return errors.Join(errs...)
}

// lastWords is how long clients have to read the end of their answers.
const lastWords = 5 * time.Second

// Snapshot returns the state of the server now.
func (s *Server) Snapshot() service.Snapshot { return s.service.Snapshot() }
