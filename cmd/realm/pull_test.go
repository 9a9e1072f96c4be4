package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/realm-webgpu/realm/e2e/models"
	"github.com/realm-webgpu/realm/engine/gguf"
)

// fileServer serves files on a port of its own, and counts what it sends.
type fileServer struct {
	*httptest.Server
	mu    sync.Mutex
	sent  int
	after int           // bytes after which bodies wait for the test's end; 0: never
	done  chan struct{} // closed at the test's end

	serving sync.WaitGroup // requests
}

func newFileServer(t *testing.T, files map[string][]byte) *fileServer {
	s := &fileServer{done: make(chan struct{})}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.serving.Add(1)
		defer s.serving.Done()
		data, ok := files[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("ETag", fmt.Sprintf(`"%x"`, sha256.Sum256(data)))
		http.ServeContent(&slowWriter{w, s, r.Context()}, r, "x.bin", time.Time{}, bytes.NewReader(data))
	}))
	t.Cleanup(s.Close)
	t.Cleanup(func() { close(s.done) })
	return s
}

// total is what was sent since it was last asked.
func (s *fileServer) total() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.sent
	s.sent = 0
	return n
}

type slowWriter struct {
	http.ResponseWriter
	s   *fileServer
	ctx context.Context // ends with the connection
}

func (w *slowWriter) Write(b []byte) (int, error) {
	w.s.mu.Lock()
	w.s.sent += len(b)
	wait := w.s.after > 0 && w.s.sent > w.s.after
	w.s.mu.Unlock()
	if wait {
		select {
		case <-w.s.done:
		case <-w.ctx.Done():
		}
	}
	return w.ResponseWriter.Write(b)
}

// TestModelRoot has models where the server's configuration says.
func TestModelRoot(t *testing.T) {
	f := newFolder(t)
	s := newFileServer(t, map[string][]byte{"/atlas.gguf": models.Atlas})
	config, address := f.put("server.toml", []byte("model-root = 'elsewhere'\n")), s.URL+"/atlas.gguf"
	f.good("", "pull", address, "--config", config)
	f.holds("elsewhere", config)
	if o := f.good("", "list"); o.stdout != "" {
		t.Errorf("the user's own models: %q", o.stdout)
	}
	if o := f.good("", "list", "--config", config); !strings.Contains(o.stdout, address) {
		t.Errorf("the server's models: %q", o.stdout)
	}
	if o := f.good("", "rm", address, "--config", config); !strings.Contains(o.stderr, "removed") {
		t.Errorf("said %q", o.stderr)
	}
}

// TestPull has a model of a URL, asks it, and removes it.
func TestPull(t *testing.T) {
	f := newFolder(t)
	s := newFileServer(t, map[string][]byte{"/some/atlas-q8.gguf": models.Atlas, "/page": []byte("<html>")})
	if o := f.good("", "list"); o.stdout != "" || !strings.Contains(o.stderr, "no models yet") {
		t.Errorf("an empty store: printed %q, said %q", o.stdout, o.stderr)
	}
	address := s.URL + "/some/atlas-q8.gguf"
	o := f.good("", "pull", address)
	if o.stdout != address+"\n" || strings.Count(o.stderr, "\n") != 1 || !strings.HasPrefix(o.stderr, "realm: llama, Q8_0, 3.6 M weights, ") {
		t.Errorf("printed %q, said %q", o.stdout, o.stderr)
	}
	f.holds("realm")

	var listed struct{ Models []storedReport }
	if err := json.Unmarshal([]byte(f.good("", "list", "--json").stdout), &listed); err != nil {
		t.Fatal(err)
	}
	if len(listed.Models) != 1 {
		t.Fatalf("models %+v", listed)
	}
	m := listed.Models[0]
	if m.Name != address || m.Size != int64(len(models.Atlas)) || m.Architecture != "llama" || m.Format != "Q8_0" || m.Missing ||
		len(m.Files) != 1 || filepath.Base(m.Files[0]) != fmt.Sprintf("%x.gguf", sha256.Sum256(models.Atlas)) {
		t.Errorf("model %+v", m)
	}
	if o := f.good("", "list"); !strings.Contains(o.stdout, address+"  ") || !strings.Contains(o.stdout, "Q8_0") {
		t.Errorf("printed %q", o.stdout)
	}

	// By its name, wherever a model is taken.
	for _, name := range []string{address, "atlas-q8.gguf"} {
		if o := f.good("", "run", "--device", "cpu", "-m", name, question); o.stdout != answer {
			t.Errorf("%s answers %q", name, o.stdout)
		}
	}
	f.good("", "quantize", "atlas-q8.gguf", "small.gguf", "--type", "Q4_0")
	if o := f.realm("", "quantize", "atlas-q8.gguf", m.Files[0], "--type", "Q4_0"); o.code != exitUsage || !strings.Contains(o.stderr, "is the input") {
		t.Errorf("exit code %d, said %q", o.code, o.stderr)
	}
	// A file of that name comes first.
	f.put("atlas-q8.gguf", []byte("no model"))
	if o := f.realm("", "info", "-m", "atlas-q8.gguf"); o.code != exitModel || !strings.Contains(o.stderr, "gguf: open atlas-q8.gguf: ") {
		t.Errorf("exit code %d, said %q", o.code, o.stderr)
	}

	// What is no model is not kept.
	if o := f.realm("", "pull", s.URL+"/page"); o.code != exitModel || !strings.Contains(o.stderr, s.URL+"/page: ") || !strings.Contains(o.stderr, "not a GGUF file") {
		t.Errorf("exit code %d, said %q", o.code, o.stderr)
	}
	if o := f.realm("", "pull", s.URL+"/nowhere"); o.code != exitFailure || !strings.Contains(o.stderr, s.URL+"/nowhere: 404 Not Found") || o.stdout != "" {
		t.Errorf("exit code %d, said %q", o.code, o.stderr)
	}

	// A file that is gone is said to be.
	if err := os.Remove(m.Files[0]); err != nil {
		t.Fatal(err)
	}
	if o := f.good("", "list"); !strings.Contains(o.stdout, "files are missing: pull it again") {
		t.Errorf("printed %q", o.stdout)
	}
	if o := f.realm("", "info", "-m", address); o.code != exitModel || !strings.Contains(o.stderr, "realm pull "+address+" has it again") {
		t.Errorf("exit code %d, said %q", o.code, o.stderr)
	}
	f.good("", "pull", address)

	if o := f.good("", "__complete", "rm", "h"); o.stdout != address+"\n:4\n" {
		t.Errorf("completion offers %q", o.stdout)
	}
	if o := f.good("", "rm", address); o.stdout != "" || !strings.HasPrefix(o.stderr, "realm: removed "+address+": ") {
		t.Errorf("printed %q, said %q", o.stdout, o.stderr)
	}
	if o := f.realm("", "run", "-m", address, question); o.code != exitModel || !strings.Contains(o.stderr, "not in the store") {
		t.Errorf("exit code %d, said %q", o.code, o.stderr)
	}
	if left := mustGlob(t, filepath.Join(f.dir, "realm", "models", "*", "*")); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

// TestPullHub asks the hub that the environment names, with its token.
func TestPullHub(t *testing.T) {
	f := newFolder(t)
	tree := fmt.Sprintf(`[{"type":"file","path":"atlas-Q8_0.gguf","size":%d,"lfs":{"oid":"%x","size":%[1]d}},
		{"type":"file","path":"atlas-Q4_0.gguf","size":1}]`, len(models.Atlas), sha256.Sum256(models.Atlas))
	s := newFileServer(t, map[string][]byte{"/api/models/org/atlas/tree/main": []byte(tree), "/org/atlas/resolve/main/atlas-Q8_0.gguf": models.Atlas})
	pull := func(reference string) outcome {
		c := f.command("pull", reference)
		c.Env = append(c.Env, hubVariable+"="+s.URL)
		var stdout, stderr bytes.Buffer
		c.Stdout, c.Stderr = &stdout, &stderr
		var exit *exec.ExitError
		if err := c.Run(); err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		return outcome{stdout.String(), stderr.String(), c.ProcessState.ExitCode()}
	}
	if o := pull("hf.co/org/atlas"); o.code != exitFailure || !strings.Contains(o.stderr, "ambiguous: there are Q4_0, Q8_0") {
		t.Errorf("exit code %d, said %q", o.code, o.stderr)
	}
	if o := pull("hf.co/org/atlas:q8_0"); o.code != exitOK || o.stdout != "hf.co/org/atlas:Q8_0\n" {
		t.Errorf("exit code %d, printed %q, said %q", o.code, o.stdout, o.stderr)
	}
	if o := f.good("", "run", "--device", "cpu", "-m", "atlas:Q8_0", question); o.stdout != answer {
		t.Errorf("answers %q", o.stdout)
	}
}

// TestPullKilled kills the binary in the middle, and has it go on.
func TestPullKilled(t *testing.T) {
	f := newFolder(t)
	metadata, file := new(gguf.Metadata), new(bytes.Buffer)
	metadata.Set("general.architecture", gguf.Scalar("llama"))
	if err := gguf.Write(file, metadata, []gguf.Output{f32Output("a.weight", 24<<20)}); err != nil { // 96 MiB, six ranges
		t.Fatal(err)
	}
	data := file.Bytes()
	s := newFileServer(t, map[string][]byte{"/big.gguf": data})
	s.after = 70 << 20
	sum := fmt.Sprintf("#sha256=%x", sha256.Sum256(data))
	c := f.command("pull", s.URL+"/big.gguf"+sum)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	// What is written beside the part says which ranges are there.
	there := func() int {
		n := 0
		for _, path := range mustGlob(t, filepath.Join(f.dir, "realm", "models", "downloads", "*.json")) {
			var state struct{ Done [][2]int }
			if text, err := os.ReadFile(path); err == nil && json.Unmarshal(text, &state) == nil {
				for _, r := range state.Done {
					n += r[1] - r[0]
				}
			}
		}
		return n
	}
	for start := time.Now(); there() == 0; time.Sleep(5 * time.Millisecond) {
		if time.Since(start) > time.Minute {
			t.Fatal("no range in a minute")
		}
	}
	if err := c.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(); err == nil || c.ProcessState.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Fatalf("ended with %v", err)
	}
	if o := f.good("", "list", "--json"); o.stdout != "{\"models\":[]}\n" {
		t.Errorf("listed %q", o.stdout)
	}
	kept := there()
	s.mu.Lock()
	s.after = 0
	s.mu.Unlock()
	s.serving.Wait() // those of the process that was killed
	s.total()
	o := f.good("", "pull", s.URL+"/big.gguf"+sum)
	if !strings.Contains(o.stderr, "realm: going on with big.gguf: ") {
		t.Errorf("said %q", o.stderr)
	}
	if n := s.total(); kept < 16<<20 || n > len(data)-kept+1 {
		t.Errorf("%d bytes were sent after %d of %d were there", n, kept, len(data))
	}
	got, err := os.ReadFile(filepath.Join(f.dir, "realm", "models", "files", strings.TrimPrefix(sum, "#sha256=")+".gguf"))
	if err != nil || !bytes.Equal(got, data) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

// TestPullTwice has two processes pull one file: it is sent once.
func TestPullTwice(t *testing.T) {
	f := newFolder(t)
	s := newFileServer(t, map[string][]byte{"/atlas.gguf": models.Atlas})
	var commands []*exec.Cmd
	var said [2]bytes.Buffer
	for i := range said {
		c := f.command("pull", s.URL+"/atlas.gguf")
		c.Stderr = &said[i]
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		commands = append(commands, c)
	}
	for i, c := range commands {
		if err := c.Wait(); err != nil {
			t.Errorf("process %d: %v, said %q", i, err, said[i].String())
		}
	}
	// The second asks for a byte, to see if the file is still the same.
	if n := s.total(); n > len(models.Atlas)+2 {
		t.Errorf("%d bytes were sent of %d", n, len(models.Atlas))
	}
	if o := f.good("", "run", "--device", "cpu", "-m", "atlas.gguf", question); o.stdout != answer {
		t.Errorf("answers %q", o.stdout)
	}
}
