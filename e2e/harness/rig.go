package harness

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/realm-webgpu/realm/e2e/realm"
)

// Rig is what a check works with: the binary, a folder of its own, and the servers and
// browsers that it starts, which end with it.
type Rig struct {
	realm.Place
	harness *Harness
	name    string
	servers []*Server
	ends    []func() // what close does, the last first
	notes   []string
	kept    []string // artifacts
}

func newRig(h *Harness, name string) (*Rig, error) {
	dir, err := os.MkdirTemp("", "realm-harness")
	if err != nil {
		return nil, err
	}
	return &Rig{Place: realm.Place{Binary: h.binary, Dir: dir}, harness: h, name: name}, nil
}

// close ends all that the check has started, and removes its folder.
func (r *Rig) close() {
	for _, end := range slices.Backward(r.ends) {
		end()
	}
	_ = os.RemoveAll(r.Dir) // it lies where the system clears up
}

// end closes the rig. An error of the check gets what the servers said last, and the
// artifacts have all of it.
func (r *Rig) end(err error) error {
	r.close()
	for i, s := range r.servers {
		log := s.Log()
		r.Keep(fmt.Sprintf("server-%d.log", i+1), []byte(log))
		if err != nil {
			err = fmt.Errorf("%w\nserver %d said last:\n%s", err, i+1, lastLines(log, 20))
		}
	}
	return err
}

// lastLines returns the last n lines of a text.
func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// Note says a fact in the report.
func (r *Rig) Note(format string, args ...any) {
	r.notes = append(r.notes, fmt.Sprintf(format, args...))
}

// Keep keeps a file among the artifacts, if those are kept.
func (r *Rig) Keep(name string, data []byte) {
	if r.harness.options.Artifacts == "" {
		return
	}
	path := filepath.Join(r.name, name)
	full := filepath.Join(r.harness.options.Artifacts, path)
	err := os.MkdirAll(filepath.Dir(full), 0o755)
	if err == nil {
		err = os.WriteFile(full, data, 0o644)
	}
	if err != nil {
		r.Note("not kept: %v", err)
		return
	}
	r.kept = append(r.kept, filepath.ToSlash(path))
}

// Server is realm serve, running, and a client of it.
type Server struct {
	*realm.Process
	Client
}

// Serve starts a server on ports that are free, and waits until it listens. config is
// TOML behind the lines that all servers here have; the flags args go before it.
func (r *Rig) Serve(ctx context.Context, config string, args ...string) (*Server, error) {
	p, err := r.Place.Serve(ctx, "listen = '127.0.0.1:0'\nadmin-listen = '127.0.0.1:0'\ndevice = '"+r.harness.options.Device+"'\n"+config, args...)
	if err != nil {
		return nil, err
	}
	s := &Server{p, Client{Base: p.URL}}
	r.servers, r.ends = append(r.servers, s), append(r.ends, s.Kill)
	return s, nil
}

// Stop tells the server to end, as a service manager does, and wants it to end well.
func (s *Server) Stop() error {
	if err := s.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	code, err := s.End()
	if err == nil && code != 0 {
		err = fmt.Errorf("a server that was told to end did so with exit code %d", code)
	}
	return err
}

// ask runs realm run with a question, on the device of the options.
func (r *Rig) ask(ctx context.Context, question string, args ...string) (string, error) {
	return r.Run(ctx, slices.Concat([]string{"run", "--device", r.harness.options.Device}, args, []string{question})...)
}
