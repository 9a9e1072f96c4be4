package harness

import (
	"bytes"
	"fmt"
	"hash/crc64"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"time"

	"github.com/realm-webgpu/realm/e2e/models"
)

// files is a server of the file /globe.gguf, which is atlas, on this machine.
type files struct {
	*httptest.Server
	sent    atomic.Int64  // bytes, since stall was called
	room    atomic.Int64  // bytes that are sent before it stalls; -1: it does not
	reached chan struct{} // hears of each answer that stalls
}

// stall has answers wait for their readers to go once so many bytes were sent; -1: never.
func (f *files) stall(after int) {
	f.sent.Store(0)
	f.room.Store(int64(after))
}

func (f *files) serve(w http.ResponseWriter, q *http.Request) {
	if q.URL.Path != "/globe.gguf" {
		http.NotFound(w, q)
		return
	}
	w.Header().Set("ETag", fmt.Sprintf(`"%x"`, crc64.Checksum(models.Atlas, crc64.MakeTable(crc64.ISO))))
	http.ServeContent(&stalling{w, q, f}, q, "globe.gguf", time.Time{}, bytes.NewReader(models.Atlas))
}

// stalling is an answer that stalls.
type stalling struct {
	http.ResponseWriter
	q *http.Request
	f *files
}

// Write implements io.Writer.
func (s *stalling) Write(p []byte) (int, error) {
	sent, room := s.f.sent.Add(int64(len(p))), s.f.room.Load()
	if room < 0 || sent <= room {
		return s.ResponseWriter.Write(p)
	}
	s.f.reached <- struct{}{}
	<-s.q.Context().Done()
	return 0, s.q.Context().Err()
}
