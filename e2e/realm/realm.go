// Package realm builds the binary and runs it as a server, for tests that use it as its
// users do: what counts is what comes over the wire, what it prints, and how it ends.
package realm

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Patience is how long a test waits for what has to come, on a machine that is busy.
const Patience = 2 * time.Minute

// build builds the binary once for the process of a test, in a folder that its Main
// removes.
var build = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "realm-e2e")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "realm")
	if runtime.GOOS == "windows" {
		path += ".exe"
	}
	if out, err := exec.Command("go", "build", "-o", path, "github.com/realm-webgpu/realm/cmd/realm").CombinedOutput(); err != nil {
		return "", errors.Join(fmt.Errorf("go build: %w\n%s", err, out), os.RemoveAll(dir))
	}
	return path, nil
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
	t   testing.TB
	Dir string
}

// NewHome makes a folder that is there as long as the test.
func NewHome(t testing.TB) *Home { return &Home{t, t.TempDir()} }

// Put writes a file and returns its path.
func (h *Home) Put(name string, data []byte) string {
	h.t.Helper()
	path := filepath.Join(h.Dir, filepath.FromSlash(name))
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, data, 0o600)); err != nil {
		h.t.Fatal(err)
	}
	return path
}

// Command is the binary with a home of its own.
func (h *Home) Command(args ...string) *exec.Cmd {
	h.t.Helper()
	path, err := build()
	if err != nil {
		h.t.Fatal(err)
	}
	c := exec.Command(path, args...)
	c.Dir = h.Dir
	c.Env = append(os.Environ(), "HOME="+h.Dir, "XDG_DATA_HOME="+h.Dir, "XDG_CONFIG_HOME="+h.Dir, "XDG_CACHE_HOME="+h.Dir)
	return c
}

// Run runs a command that has to go well, and returns what it printed.
func (h *Home) Run(args ...string) string {
	h.t.Helper()
	c := h.Command(args...)
	var stderr bytes.Buffer
	c.Stderr = &stderr
	out, err := c.Output()
	if err != nil {
		h.t.Fatalf("realm %q: %v\n%s", args, err, stderr.String())
	}
	return strings.TrimSpace(string(out))
}

// Server is realm serve, running.
type Server struct {
	*Home
	URL   string // without a slash at its end
	Admin string // likewise; "" without a listener for administrators
	cmd   *exec.Cmd
	ended chan struct{}
	err   error // once ended is closed

	mu  sync.Mutex
	log strings.Builder
}

// base is the configuration of all servers here: the CPU, and ports that are free.
const base = "listen = '127.0.0.1:0'\nadmin-listen = '127.0.0.1:0'\ndevice = 'cpu'\n"

// Serve starts a server of a home, and waits until it listens. It ends with the test.
// config is TOML behind the lines that all servers have.
func (h *Home) Serve(config string) *Server {
	h.t.Helper()
	h.Configure(config)
	s := &Server{Home: h, ended: make(chan struct{})}
	s.cmd = h.Command("serve", "--config", filepath.Join(h.Dir, "realm.toml"))
	stderr, err := s.cmd.StderrPipe()
	if err == nil {
		err = s.cmd.Start()
	}
	if err != nil {
		h.t.Fatal(err)
	}
	ready := make(chan struct{})
	go s.read(stderr, ready)
	h.t.Cleanup(s.kill)
	select {
	case <-ready:
	case <-s.ended:
		h.t.Fatalf("the server has ended: %v\n%s", s.err, s.Log())
	case <-time.After(Patience):
		h.t.Fatalf("the server does not listen\n%s", s.Log())
	}
	return s
}

// Configure writes the configuration, which a server reads on SIGHUP.
func (h *Home) Configure(config string) { h.Put("realm.toml", []byte(base+config)) }

// read keeps what the server says until it ends.
func (s *Server) read(stderr io.Reader, ready chan struct{}) {
	lines := bufio.NewReader(stderr)
	for {
		line, err := lines.ReadString('\n')
		s.mu.Lock()
		s.log.WriteString(line)
		s.mu.Unlock()
		if _, rest, ok := strings.Cut(line, "the playground is at "); ok && s.URL == "" {
			s.URL, _, _ = strings.Cut(rest, "/ ")
		}
		if _, rest, ok := strings.Cut(line, "for administrators are at "); ok && s.Admin == "" {
			s.Admin = strings.TrimSuffix(strings.TrimSpace(rest), "/")
			close(ready) // the last line before requests are taken
		}
		if err != nil {
			break
		}
	}
	s.err = s.cmd.Wait()
	close(s.ended)
}

// Log is what the server has said so far.
func (s *Server) Log() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.String()
}

// Signal sends a signal to the server.
func (s *Server) Signal(signal os.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(signal); err != nil {
		s.t.Fatal(err)
	}
}

// End waits until the server has ended by itself, and returns its exit code.
func (s *Server) End() int {
	s.t.Helper()
	select {
	case <-s.ended:
	case <-time.After(Patience):
		s.t.Fatalf("the server does not end\n%s", s.Log())
	}
	return s.cmd.ProcessState.ExitCode()
}

func (s *Server) kill() {
	_ = s.cmd.Process.Kill() // it may have ended
	<-s.ended
}

// Wait waits until something is so.
func (s *Server) Wait(what string, is func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(Patience); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatalf("waited in vain until %s\n%s", what, s.Log())
		}
	}
}

// Metric returns the value of a metric, by its name and labels as Prometheus writes them;
// -1: there is none.
func (s *Server) Metric(name string) float64 {
	s.t.Helper()
	resp, err := http.Get(s.Admin + "/metrics")
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			v, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			if err != nil {
				s.t.Fatal(err)
			}
			return v
		}
	}
	return -1
}
