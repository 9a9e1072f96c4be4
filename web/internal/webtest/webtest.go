// Package webtest has what the tests of the server's packages are made of: a service of the
// model that is built in, a server on a socket, and a log that is read while others write
// it.
package webtest

import (
	"bytes"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/realm-webgpu/realm/e2e/models"
	"github.com/realm-webgpu/realm/engine"
	"github.com/realm-webgpu/realm/engine/gguf"
	"github.com/realm-webgpu/realm/guest"
	"github.com/realm-webgpu/realm/web/service"
)

// Atlas opens the model that is built in.
func Atlas() (*gguf.File, error) { return gguf.Read(bytes.NewReader(models.Atlas)) }

// Service makes a service of one model on the CPU, until the test ends. change, unless
// nil, changes what it is made of.
func Service(t testing.TB, model service.ModelSpec, change func(*service.Options)) *service.Service {
	t.Helper()
	e, err := engine.Open(engine.Options{Device: "cpu", CacheDir: engine.NoCache})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	o := service.Options{Engine: e, Live: service.Live{Guest: guest.Module, Models: []service.ModelSpec{model}}}
	if change != nil {
		change(&o)
	}
	s, err := service.New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// Serve serves on a socket until the test ends. The system takes 4 KiB for who does not
// read, so that a server gets to feel it.
func Serve(t testing.TB, h http.Handler) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.Config.ConnState = func(c net.Conn, state http.ConnState) {
		if state == http.StateNew {
			_ = c.(*net.TCPConn).SetWriteBuffer(4 << 10) // without it that takes longer
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	return s
}

// Log is the text of a log.
type Log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Logger returns what writes it, as JSON.
func (l *Log) Logger() *slog.Logger { return slog.New(slog.NewJSONHandler(l, nil)) }

// Write implements io.Writer.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// String returns what was written so far.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
