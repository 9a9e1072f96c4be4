// Package realm builds the binary and runs it as a server, for tests that use it as its
// users do: what counts is what comes over the wire, what it prints, and how it ends.
//
// Place and Process are for whoever has errors to return, Home and Server for tests, which
// they fail.
package realm

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// build builds the binary once for the process of a test, in a folder that its Main
// removes.
var build = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "realm-e2e")
	if err != nil {
		return "", err
	}
	path, err := Build(context.Background(), dir)
	if err != nil {
		_ = os.RemoveAll(dir) // it is the build that has failed
	}
	return path, err
})

// Main runs the tests of a package that uses the binary: func TestMain(m *testing.M) {
// os.Exit(realm.Main(m)) }.
func Main(m *testing.M) int {
	path, err := build()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(filepath.Dir(path))
	return m.Run()
}

// Home is a folder with all that the binary keeps, and its configuration.
type Home struct {
	t     testing.TB
	place Place
	Dir   string
}

// NewHome makes a folder that is there as long as the test.
func NewHome(t testing.TB) *Home {
	t.Helper()
	path, err := build()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	return &Home{t, Place{Binary: path, Dir: dir}, dir}
}

// Put writes a file and returns its path.
func (h *Home) Put(name string, data []byte) string {
	h.t.Helper()
	path, err := h.place.Put(name, data)
	if err != nil {
		h.t.Fatal(err)
	}
	return path
}

// Command is the binary with a home of its own.
func (h *Home) Command(args ...string) *exec.Cmd {
	return h.place.Command(context.Background(), args...)
}

// Run runs a command that has to go well, and returns what it printed.
func (h *Home) Run(args ...string) string {
	h.t.Helper()
	out, err := h.place.Run(context.Background(), args...)
	if err != nil {
		h.t.Fatal(err)
	}
	return out
}

// Server is realm serve, running.
type Server struct {
	*Home
	URL   string // without a slash at its end
	Admin string // likewise

	process *Process
}

// base is the configuration of all servers here: the CPU, and ports that are free.
const base = "listen = '127.0.0.1:0'\nadmin-listen = '127.0.0.1:0'\ndevice = 'cpu'\n"

// Serve starts a server of a home, and waits until it listens. It ends with the test.
// config is TOML behind the lines that all servers have.
func (h *Home) Serve(config string) *Server {
	h.t.Helper()
	p, err := h.place.Serve(context.Background(), base+config)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(p.Kill)
	return &Server{h, p.URL, p.Admin, p}
}

// Configure writes the configuration, which a server reads on SIGHUP.
func (h *Home) Configure(config string) { h.Put("realm.toml", []byte(base+config)) }

// Log is what the server has said so far.
func (s *Server) Log() string { return s.process.Log() }

// Signal sends a signal to the server.
func (s *Server) Signal(signal os.Signal) {
	s.t.Helper()
	if err := s.process.Signal(signal); err != nil {
		s.t.Fatal(err)
	}
}

// End waits until the server has ended by itself, and returns its exit code.
func (s *Server) End() int {
	s.t.Helper()
	code, err := s.process.End()
	if err != nil {
		s.t.Fatal(err)
	}
	return code
}

// Wait waits until something is so.
func (s *Server) Wait(what string, is func() bool) {
	s.t.Helper()
	if err := s.process.Wait(what, func() (bool, error) { return is(), nil }); err != nil {
		s.t.Fatal(err)
	}
}

// Metric returns the value of a metric, by its name and labels as Prometheus writes them;
// -1: there is none.
func (s *Server) Metric(name string) float64 {
	s.t.Helper()
	v, err := s.process.Metric(name)
	if err != nil {
		s.t.Fatal(err)
	}
	return v
}
