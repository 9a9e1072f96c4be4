package realm

import (
	"bufio"
	"bytes"
	"context"
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
	"time"
)

// Patience is how long anyone waits here for what has to come, on a machine that is busy.
const Patience = 2 * time.Minute

// Build builds the binary into a folder and returns its path. It is run in the module, or
// in one that has the module among what it requires.
func Build(ctx context.Context, dir string) (string, error) {
	path := filepath.Join(dir, "realm")
	if runtime.GOOS == "windows" {
		path += ".exe"
	}
	build := exec.CommandContext(ctx, "go", "build", "-o", path, "github.com/realm-webgpu/realm/cmd/realm")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("realm: go build: %w\n%s", err, out)
	}
	return path, nil
}

// Place is a binary, and the folder that it runs in and keeps all in that it keeps.
type Place struct {
	Binary string
	Dir    string
	Env    []string // variables besides those of this process
}

// Put writes a file of the folder and returns its path. The name has slashes.
func (p Place) Put(name string, data []byte) (string, error) {
	path := filepath.Join(p.Dir, filepath.FromSlash(name))
	return path, errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, data, 0o600))
}

// Command is a command of the binary, which ends with ctx at the latest.
func (p Place) Command(ctx context.Context, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, p.Binary, args...)
	c.Dir = p.Dir
	c.Env = append(os.Environ(), "HOME="+p.Dir, "XDG_DATA_HOME="+p.Dir, "XDG_CONFIG_HOME="+p.Dir, "XDG_CACHE_HOME="+p.Dir)
	c.Env = append(c.Env, p.Env...)
	return c
}

// Run runs a command and returns what it printed, without white space around it. The error
// of one that fails is an *exec.ExitError, with what the command said.
func (p Place) Run(ctx context.Context, args ...string) (string, error) {
	c := p.Command(ctx, args...)
	var stderr bytes.Buffer
	c.Stderr = &stderr
	out, err := c.Output()
	if err != nil {
		err = fmt.Errorf("realm %q: %w\n%s", args, err, stderr.String())
	}
	return strings.TrimSpace(string(out)), err
}

// Process is realm serve, running.
type Process struct {
	URL   string // without a slash at its end
	Admin string // likewise

	cmd   *exec.Cmd
	ended chan struct{}
	err   error // once ended is closed

	mu  sync.Mutex
	log strings.Builder
}

// Serve starts a server, with a configuration that has a listener for administrators, and
// waits until both listen. It ends with ctx at the latest. The flags args go before the
// configuration.
func (p Place) Serve(ctx context.Context, config string, args ...string) (*Process, error) {
	path, err := p.Put("realm.toml", []byte(config))
	if err != nil {
		return nil, err
	}
	s := &Process{cmd: p.Command(ctx, append([]string{"serve", "--config", path}, args...)...), ended: make(chan struct{})}
	stderr, err := s.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	ready := make(chan struct{})
	go s.read(stderr, ready)
	select {
	case <-ready:
		return s, nil
	case <-s.ended:
		return nil, fmt.Errorf("realm: the server has ended: %w\n%s", s.err, s.Log())
	case <-time.After(Patience):
		s.Kill()
		return nil, fmt.Errorf("realm: the server did not listen within %v\n%s", Patience, s.Log())
	}
}

// read keeps what the server says until it ends.
func (s *Process) read(stderr io.Reader, ready chan<- struct{}) {
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
func (s *Process) Log() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.String()
}

// Signal sends a signal to the server.
func (s *Process) Signal(signal os.Signal) error { return s.cmd.Process.Signal(signal) }

// End waits until the server has ended by itself, and returns its exit code.
func (s *Process) End() (int, error) {
	select {
	case <-s.ended:
		return s.cmd.ProcessState.ExitCode(), nil
	case <-time.After(Patience):
		return 0, fmt.Errorf("realm: the server did not end within %v\n%s", Patience, s.Log())
	}
}

// Kill ends the server as a crash would, if it has not ended, and waits until it is gone.
func (s *Process) Kill() {
	_ = s.cmd.Process.Kill() // it may have ended
	<-s.ended
}

// Wait waits until something is so.
func (s *Process) Wait(what string, is func() (bool, error)) error {
	for deadline := time.Now().Add(Patience); ; time.Sleep(20 * time.Millisecond) {
		ok, err := is()
		if ok || err != nil {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("realm: waited in vain until %s\n%s", what, s.Log())
		}
	}
}

// Metric returns the value of a metric, by its name and labels as Prometheus writes them;
// -1: there is none.
func (s *Process) Metric(name string) (float64, error) {
	resp, err := http.Get(s.Admin + "/metrics")
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			return strconv.ParseFloat(strings.TrimSpace(value), 64)
		}
	}
	return -1, nil
}
