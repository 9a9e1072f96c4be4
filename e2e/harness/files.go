package harness

import (
	"context"
	"errors"
	"fmt"
	"hash/crc64"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"time"

	"github.com/realm-webgpu/realm/e2e/models"
)

// files is a server of two files on this machine: /globe.gguf, which is atlas, and
// /large.gguf, which is atlas with nothing behind it, and so much of it that it is
// downloaded in parts.
type files struct {
	*httptest.Server
	sent    atomic.Int64 // bytes of bodies
	mu      sync.Mutex
	stalls  bool          // one part of the large file is sent, and others wait for their readers to go
	going   bool          // that part is chosen
	gone    bool          // it is sent
	reached chan struct{} // closed when another part is asked for after that
}

// large is the size of the large file, and small that of a request that only looks at it,
// in bytes.
const (
	large = 96 << 20
	small = 64 << 10
)

// newFiles starts the server.
func newFiles() *files {
	f := &files{reached: make(chan struct{})}
	f.Server = httptest.NewServer(http.HandlerFunc(f.serve))
	return f
}

// stall has only one part of the large file be sent from now on, or everything again.
func (f *files) stall(on bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stalls = on
	f.sent.Store(0)
}

// stalled waits until one part is with its reader, who asks for more.
func (f *files) stalled(ctx context.Context) error {
	select {
	case <-f.reached:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(patience):
		return errors.New("no part of the download was done")
	}
}

func (f *files) serve(w http.ResponseWriter, q *http.Request) {
	size := int64(len(models.Atlas))
	switch q.URL.Path {
	case "/globe.gguf":
	case "/large.gguf":
		size = large
		f.asked()
	default:
		http.NotFound(w, q)
		return
	}
	c := &counted{ResponseWriter: w, q: q, f: f}
	w.Header().Set("ETag", fmt.Sprintf(`"%x-%d"`, crc64.Checksum(models.Atlas, crc64.MakeTable(crc64.ISO)), size))
	http.ServeContent(c, q, "model.gguf", time.Time{}, io.NewSectionReader(padded{}, 0, size))
	f.mu.Lock()
	f.gone = f.gone || c.goes && q.Context().Err() == nil
	f.mu.Unlock()
}

// asked notes that a part of the large file is asked for.
func (f *files) asked() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.stalls && f.gone {
		f.gone = false // it is told once
		close(f.reached)
	}
}

// goes reports whether an answer that is no mere look at the file is sent.
func (f *files) goes() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	first := !f.going
	f.going = true
	return first || !f.stalls
}

// counted is an answer whose bytes are counted, and may be held back.
type counted struct {
	http.ResponseWriter
	q    *http.Request
	f    *files
	sent int64
	goes bool
}

// Write implements io.Writer.
func (c *counted) Write(p []byte) (int, error) {
	c.sent += int64(len(p))
	if c.sent > small && !c.goes {
		if c.goes = c.f.goes(); !c.goes {
			<-c.q.Context().Done()
			return 0, c.q.Context().Err()
		}
	}
	c.f.sent.Add(int64(len(p)))
	return c.ResponseWriter.Write(p)
}

// padded is atlas with zeros behind it.
type padded struct{}

// ReadAt implements io.ReaderAt.
func (padded) ReadAt(p []byte, at int64) (int, error) {
	clear(p)
	if at < int64(len(models.Atlas)) {
		copy(p, models.Atlas[at:])
	}
	return len(p), nil
}
