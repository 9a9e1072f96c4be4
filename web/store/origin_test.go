package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/realm-webgpu/realm/engine/gguf"
	"github.com/realm-webgpu/realm/shaders/quant"
)

// origin is a server of files on a port of its own. A test makes it misbehave.
type origin struct {
	*httptest.Server

	mu       sync.Mutex
	files    map[string][]byte
	tags     map[string]string // ETags; a file without has none
	asked    []string          // "PATH RANGE" of every request
	tokens   []string          // what Authorization was, of every request
	sent     int64             // bytes of bodies
	now, top int               // requests being answered, and the most at a time
	open     int               // connections

	// answer, unless nil, is asked first. n counts the requests for a path from 1.
	// It returns false to leave the answer to the file.
	answer func(w http.ResponseWriter, r *http.Request, n int) bool
	counts map[string]int
}

func newOrigin(t *testing.T) *origin {
	o := &origin{files: map[string][]byte{}, tags: map[string]string{}, counts: map[string]int{}}
	o.Server = httptest.NewUnstartedServer(o)
	o.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		o.mu.Lock()
		defer o.mu.Unlock()
		switch state {
		case http.StateNew:
			o.open++
		case http.StateClosed:
			o.open--
		}
	}
	o.Start()
	t.Cleanup(o.Close)
	return o
}

func (o *origin) put(path string, data []byte) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	sum := sha256.Sum256(data)
	o.files[path], o.tags[path] = data, fmt.Sprintf(`"%x"`, sum[:6])
	return o.URL + path
}

// tag changes the ETag of a file.
func (o *origin) tag(path, tag string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.tags[path] = tag
}

func (o *origin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	o.now++
	o.top = max(o.top, o.now)
	o.counts[r.URL.Path]++
	n := o.counts[r.URL.Path]
	o.asked = append(o.asked, strings.TrimSpace(r.URL.Path+" "+r.Header.Get("Range")))
	o.tokens = append(o.tokens, r.Header.Get("Authorization"))
	answer := o.answer
	o.mu.Unlock()
	counted := &countingWriter{ResponseWriter: w, o: o}
	counted.over = sync.OnceFunc(func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.now--
	})
	defer counted.over()
	if answer != nil && answer(counted, r, n) {
		return
	}
	o.mu.Lock()
	data, ok := o.files[r.URL.Path]
	tag := o.tags[r.URL.Path]
	o.mu.Unlock()
	if !ok {
		http.NotFound(w, r)
		return
	}
	if tag != "" {
		w.Header().Set("ETag", tag)
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	http.ServeContent(counted, r, "", time.Time{}, bytes.NewReader(data))
}

// countingWriter counts bytes. Its request is over before its last byte leaves: who
// has that byte may ask for more at once.
type countingWriter struct {
	http.ResponseWriter
	o    *origin
	n    int
	over func()
}

func (c *countingWriter) Write(b []byte) (int, error) {
	if c.n += len(b); c.Header().Get("Content-Length") == fmt.Sprint(c.n) {
		c.over()
	}
	n, err := c.ResponseWriter.Write(b)
	c.o.mu.Lock()
	c.o.sent += int64(n)
	c.o.mu.Unlock()
	return n, err
}

func (c *countingWriter) Unwrap() http.ResponseWriter { return c.ResponseWriter }

// bodies is how many bytes were sent since it was last asked, by pulls that are over:
// some are still on their way when their pull has failed.
func (o *origin) bodies(t *testing.T) int64 {
	t.Helper()
	waitUntil(t, "connections stay open", func() bool {
		o.mu.Lock()
		defer o.mu.Unlock()
		return o.open == 0
	})
	o.mu.Lock()
	defer o.mu.Unlock()
	n := o.sent
	o.sent = 0
	return n
}

// breaking is a writer that drops the connection after so many bytes of body.
type breaking struct {
	http.ResponseWriter
	left int
}

func (b *breaking) Write(p []byte) (int, error) {
	if len(p) <= b.left {
		b.left -= len(p)
		return b.ResponseWriter.Write(p)
	}
	_, _ = b.ResponseWriter.Write(p[:b.left])
	_ = http.NewResponseController(b.ResponseWriter).Flush()
	panic(http.ErrAbortHandler) // net/http closes the connection
}

// serve answers with a file through a writer.
func (o *origin) serve(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	data, tag := o.files[r.URL.Path], o.tags[r.URL.Path]
	o.mu.Unlock()
	w.Header().Set("ETag", tag)
	w.Header().Set("Content-Type", "application/octet-stream")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
}

// whole answers with all of a file, whatever range was asked for.
func (o *origin) whole(w http.ResponseWriter, r *http.Request, _ int) bool {
	o.mu.Lock()
	data := o.files[r.URL.Path]
	o.mu.Unlock()
	w.Header().Set("Content-Length", fmt.Sprint(len(data)))
	_, _ = w.Write(data)
	return true
}

// model is a GGUF file of so many weights, which differ from seed to seed.
func model(t testing.TB, weights int, seed uint64, metadata ...string) []byte {
	t.Helper()
	m := new(gguf.Metadata)
	m.Set("general.architecture", gguf.Scalar("llama"))
	for _, key := range metadata {
		m.Set(key, gguf.Scalar(uint16(1)))
	}
	return written(t, m, weights, seed)
}

func written(t testing.TB, m *gguf.Metadata, weights int, seed uint64) []byte {
	t.Helper()
	data := make([]byte, 4*weights)
	random := rand.NewChaCha8([32]byte{byte(seed)})
	_, _ = random.Read(data)
	f32, _ := quant.ByName("F32")
	var b bytes.Buffer
	name := fmt.Sprintf("t%d.weight", seed)
	if err := gguf.Write(&b, m, []gguf.Output{{Name: name, Dims: []int{weights}, Format: f32, Data: gguf.From(bytes.NewReader(data))}}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// shards are the files of a split.
func shards(t testing.TB, count, weights int) [][]byte {
	t.Helper()
	var all [][]byte
	for i := range count {
		m := new(gguf.Metadata)
		if i == 0 {
			m.Set("general.architecture", gguf.Scalar("qwen3"))
		}
		m.Set("split.no", gguf.Scalar(uint16(i)))
		m.Set("split.count", gguf.Scalar(uint16(count)))
		m.Set("split.tensors.count", gguf.Scalar(int32(count)))
		all = append(all, written(t, m, weights, uint64(i)))
	}
	return all
}

// rig is a store in a folder of the test's, with small limits.
type rig struct {
	t *testing.T
	*Store
	mu      sync.Mutex
	notices []string
	options PullOptions
}

func newRig(t *testing.T) *rig {
	s := Open(filepath.Join(t.TempDir(), "models"))
	s.limits = limits{
		chunk: 64 << 10, parallel: 4,
		tries: 4, wait: time.Millisecond, maxWait: 4 * time.Millisecond, maxRetry: 5 * time.Second,
		stall: time.Minute, redirects: 5, restarts: 2,
	}
	r := &rig{t: t, Store: s}
	r.options.Notice = func(line string) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.notices = append(r.notices, line)
	}
	return r
}

func (r *rig) pull(reference string) (Model, error) {
	r.t.Helper()
	parsed, err := ParseReference(reference)
	if err != nil {
		r.t.Fatal(err)
	}
	return r.Pull(r.t.Context(), parsed, r.options)
}

// good pulls what must be pulled, and compares its files with what was served.
func (r *rig) good(reference string, want ...[]byte) Model {
	r.t.Helper()
	m, err := r.pull(reference)
	if err != nil {
		r.t.Fatal(err)
	}
	r.holds(m, want...)
	return m
}

func (r *rig) holds(m Model, want ...[]byte) {
	r.t.Helper()
	paths := r.Paths(m)
	if len(paths) != len(want) {
		r.t.Fatalf("%d files, want %d", len(paths), len(want))
	}
	for i, path := range paths {
		got, err := os.ReadFile(path)
		if err != nil {
			r.t.Fatal(err)
		}
		if !bytes.Equal(got, want[i]) {
			r.t.Errorf("file %d: %d bytes are not the %d that were served", i, len(got), len(want[i]))
		}
	}
	if m.Size() != int64(len(slices.Concat(want...))) {
		r.t.Errorf("size %d", m.Size())
	}
}

// left checks what is in downloads, by the ends of names.
func (r *rig) left(suffixes ...string) {
	r.t.Helper()
	entries, err := os.ReadDir(r.path("downloads"))
	if err != nil && !os.IsNotExist(err) {
		r.t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, filepath.Ext(e.Name()))
	}
	slices.Sort(suffixes)
	slices.Sort(got)
	if !slices.Equal(got, suffixes) {
		r.t.Errorf("downloads has %q, want %q", got, suffixes)
	}
}

// noticed reports whether a notice has a text.
func (r *rig) noticed(text string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.ContainsFunc(r.notices, func(line string) bool { return strings.Contains(line, text) })
}

func sha(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// within is a context that ends after a time.
func within(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// waitUntil waits until a condition holds, for a minute at most.
func waitUntil(t *testing.T, otherwise string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal(otherwise)
		}
	}
}
