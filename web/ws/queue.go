package ws

import (
	"sync"

	"github.com/realm-webgpu/realm/web/service"
)

// errSlow ends the calls of a client that does not read what it has asked for.
var errSlow = &service.Error{Code: service.Cancelled, Message: "the client reads too slowly"}

// farewell is the close frame that ends a connection.
type farewell struct {
	code   int // RFC 6455, 7.4
	reason string
}

// queue is what is to be sent, in order, bounded in bytes.
type queue struct {
	most int
	wake chan struct{} // has something when there is something new

	mu     sync.Mutex
	frames [][]byte
	bytes  int // of frames, and of the one that is being written
	end    *farewell
	closed bool
}

func newQueue(most int64) *queue { return &queue{most: int(most), wake: make(chan struct{}, 1)} }

// push adds a frame, whatever its size to an empty queue. It never waits. The error is
// errSlow.
func (q *queue) push(data []byte) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed || q.bytes > 0 && q.bytes+len(data) > q.most {
		return errSlow
	}
	if q.end != nil {
		return nil // behind the close frame there is nothing
	}
	q.frames = append(q.frames, data)
	q.bytes += len(data)
	q.signal()
	return nil
}

// finish puts a close frame at the end. The first one counts.
func (q *queue) finish(f farewell) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.end == nil {
		q.end = &f
		q.signal()
	}
}

func (q *queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// take returns the next frame, or the close frame, or neither. The size of the last one
// that was taken is that of written.
func (q *queue) take(written int) ([]byte, *farewell) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.bytes -= written
	if len(q.frames) == 0 {
		return nil, q.end
	}
	data := q.frames[0]
	q.frames[0] = nil
	if q.frames = q.frames[1:]; len(q.frames) == 0 {
		q.frames = nil
	}
	return data, nil
}

// drop forgets what is left, and lets nothing in any more.
func (q *queue) drop() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed, q.frames = true, nil
}
