package api

import (
	"net/http"
	"sync"
	"time"

	"github.com/realm-webgpu/realm/web/openai"
	"github.com/realm-webgpu/realm/web/service"
)

// stream writes server-sent events. Nothing is written before the first event, so that
// what goes wrong before it is an error response.
// https://html.spec.whatwg.org/multipage/server-sent-events.html
type stream struct {
	x       *exchange
	control *http.ResponseController
	stop    chan struct{}
	stopped sync.WaitGroup

	mu    sync.Mutex
	begun bool
	last  time.Time // of a write
	err   error
	line  []byte
}

// newStream begins a stream, which has to be closed.
func (x *exchange) newStream() *stream {
	s := &stream{x: x, control: http.NewResponseController(x.w), stop: make(chan struct{}), last: time.Now()}
	s.stopped.Go(s.keepAlive)
	return s
}

// close ends it. What was written is all there is.
func (s *stream) close() {
	close(s.stop)
	s.stopped.Wait()
}

// keepAlive writes comments while there is nothing else.
func (s *stream) keepAlive() {
	every := s.x.server.options.KeepAlive
	tick := time.NewTicker(every / 2)
	defer tick.Stop()
	for {
		select {
		case <-s.stop:
			return
		case <-tick.C:
			s.mu.Lock()
			if time.Since(s.last) >= every {
				_ = s.write([]byte(": keep-alive\n\n"))
			}
			s.mu.Unlock()
		}
	}
}

// send writes an event, with a name unless that is "".
func (s *stream) send(name string, v any) error {
	data, err := openai.Marshal(v)
	if err != nil {
		return err
	}
	return s.raw(name, data)
}

// raw is send for what is JSON already, or OpenAI's [DONE].
func (s *stream) raw(name string, data []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.line = s.line[:0]
	if name != "" {
		s.line = append(append(append(s.line, "event: "...), name...), '\n')
	}
	s.line = append(append(append(s.line, "data: "...), data...), "\n\n"...)
	return s.write(s.line)
}

// write writes and flushes, within the time that a client may take. The caller holds
// the mutex.
func (s *stream) write(p []byte) error {
	if s.err != nil {
		return s.err
	}
	if !s.begun {
		s.begun = true
		h := s.x.w.Header()
		h.Set("Content-Type", "text/event-stream")
		h.Set("Cache-Control", "no-store")
		h.Set("X-Accel-Buffering", "no") // nginx passes parts on as they come
		s.x.rates()
		s.x.w.WriteHeader(http.StatusOK)
	}
	s.last = time.Now()
	s.x.deadline()
	_, err := s.x.w.Write(p)
	if err == nil {
		err = s.control.Flush()
	}
	if err != nil {
		s.err = &service.Error{Code: service.Cancelled, Message: "the client has gone, or reads too slowly", Err: err}
	}
	return s.err
}

// started reports whether there is a response already.
func (s *stream) started() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.begun
}

// fail ends a stream with an error: as an event, where it has begun, and else as the
// response that is returned.
func (s *stream) fail(err error) error {
	if !s.started() {
		return err
	}
	_ = s.send("", openai.NewError(s.x.told(err))) // whoever has gone needs none
	return nil
}

// done ends a stream that went well.
func (s *stream) done() error { return s.raw("", []byte("[DONE]")) }
