package ws

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/gorilla/websocket"

	"github.com/realm-webgpu/realm/web/openai"
	"github.com/realm-webgpu/realm/web/service"
)

// errGone ends the calls of a connection that has ended.
var errGone = &service.Error{Code: service.Cancelled, Message: "the connection has ended"}

// conn is a connection.
type conn struct {
	server *Server
	socket *websocket.Conn
	id     string // of its handshake, in logs
	log    *slog.Logger
	tenant *service.Tenant // once it is known
	ctx    context.Context // ends with the connection
	cancel context.CancelCauseFunc
	out    *queue
	work   sync.WaitGroup // the writer, and the calls

	mu       sync.Mutex
	calls    map[string]*call // under way, by their ids
	count    int              // of calls so far
	draining bool
}

func newConn(s *Server, socket *websocket.Conn, ctx context.Context, id string) *conn {
	c := &conn{server: s, socket: socket, id: id, log: s.log.With("connection", id), out: newQueue(s.options.Buffer), calls: map[string]*call{}}
	c.ctx, c.cancel = context.WithCancelCause(ctx)
	return c
}

// serve says hello and reads calls until the connection ends.
func (c *conn) serve() {
	c.work.Go(c.write)
	if !c.hello() {
		return
	}
	for {
		kind, data, err := c.read(2 * c.server.options.Ping)
		switch {
		case err != nil:
			c.ended(err)
			return
		case kind != websocket.TextMessage:
			c.out.finish(farewell{websocket.CloseUnsupportedData, "frames are text"})
		case !utf8.Valid(data): // https://www.rfc-editor.org/rfc/rfc6455#section-8.1
			c.out.finish(farewell{websocket.CloseInvalidFramePayloadData, "text is UTF-8"})
		default:
			c.receive(data)
		}
	}
}

// read reads a frame. Whatever comes from the client, answers to pings among it, gives
// it more time.
func (c *conn) read(silence time.Duration) (int, []byte, error) {
	extend := func(string) error { return c.socket.SetReadDeadline(time.Now().Add(silence)) }
	c.socket.SetPongHandler(extend)
	if err := extend(""); err != nil {
		return 0, nil, err
	}
	return c.socket.ReadMessage()
}

// ended notes why a connection has no more frames, and tells the client if that is of
// use.
func (c *conn) ended(err error) {
	var timeout net.Error
	switch {
	case errors.Is(err, websocket.ErrReadLimit): // the client was told by the reader
		c.cancel(errGone)
		c.linger()
	case errors.As(err, &timeout) && timeout.Timeout():
		c.log.Info("a client does not answer pings")
		c.out.finish(farewell{websocket.ClosePolicyViolation, "pings were not answered"})
	}
	c.cancel(errGone)
}

// linger takes, and forgets, what a client goes on sending until it has seen its close
// frame: a connection that is closed with something unread takes the frame back.
func (c *conn) linger() {
	const most = 64 << 20 // bytes
	socket := c.socket.NetConn()
	if half, ok := socket.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite() // else it has gone
	}
	_ = socket.SetReadDeadline(time.Now().Add(c.server.options.Write))
	_, _ = io.Copy(io.Discard, io.LimitReader(socket, most))
}

// close ends the connection, if that has not been done, and waits for what it began.
func (c *conn) close() {
	c.cancel(errGone)
	c.out.finish(farewell{code: websocket.CloseNormalClosure})
	c.work.Wait()
	_ = c.socket.Close() // it may be closed already
}

// cut ends the connection at once.
func (c *conn) cut(why *service.Error) {
	c.cancel(why)
	c.out.drop()
	_ = c.socket.Close() // ends reads and writes that wait
}

// lastWords is how long a client has to answer a close frame.
const lastWords = 2 * time.Second

// write sends what is in the queue, and pings, until there is a close frame or the
// connection is broken.
func (c *conn) write() {
	o := &c.server.options
	ping := time.NewTicker(o.Ping)
	defer ping.Stop()
	for {
		select {
		case <-c.out.wake:
			bye, err := c.flush()
			if err != nil {
				c.cut(errGone)
				return
			}
			if bye == nil {
				continue
			}
			_ = c.socket.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(bye.code, bye.reason), time.Now().Add(o.Write))
			// The reader sees the answer, and ends.
			t := time.AfterFunc(lastWords, func() { c.cut(errGone) })
			<-c.ctx.Done()
			t.Stop()
			return
		case <-ping.C:
			if err := c.socket.WriteControl(websocket.PingMessage, nil, time.Now().Add(o.Write)); err != nil {
				c.cut(errGone)
				return
			}
		}
	}
}

// flush sends frames until there are none, and returns the close frame behind them.
func (c *conn) flush() (*farewell, error) {
	written := 0
	for {
		data, bye := c.out.take(written)
		if data == nil {
			return bye, nil
		}
		if err := c.socket.SetWriteDeadline(time.Now().Add(c.server.options.Write)); err != nil {
			return nil, err
		}
		if err := c.socket.WriteMessage(websocket.TextMessage, data); err != nil {
			return nil, err
		}
		written = len(data)
	}
}

// send queues a message. A client that is too slow for that is dropped.
func (c *conn) send(v any) error {
	data, err := openai.Marshal(v)
	if err != nil {
		return err
	}
	if err := c.out.push(data); err != nil {
		if c.ctx.Err() == nil {
			c.log.Warn("a client reads too slowly, and is dropped", "buffer", c.out.most)
		}
		c.cut(errSlow)
		return err
	}
	return nil
}

// receive takes a frame of the client's.
func (c *conn) receive(data []byte) {
	f, err := readFrame(data, c.server.live.Load().Limits.Depth)
	if err == nil {
		err = c.start(f)
	}
	if err != nil {
		c.fail(f.ID, err, nil)
	}
}

// fail ends a call with an error.
func (c *conn) fail(id string, err error, data any) {
	e := c.told(err)
	status := failed
	if e.Code == service.Cancelled {
		status = cancelled
	}
	_ = c.send(reply{ID: id, Status: status, Data: data, Error: newFailure(e)}) // else it has been dropped
}

// told is the error as the client is told of it.
func (c *conn) told(err error) *service.Error {
	var e *service.Error
	if errors.As(err, &e) {
		return e
	}
	c.log.Error("a call failed", "error", err)
	return &service.Error{Code: service.InternalError, Message: "the server failed; its log says how", Err: err}
}

// drain ends the connection once it has no calls.
func (c *conn) drain() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.draining = true
	c.rest()
}

// rest ends a connection that is to end and has no calls. The caller holds the mutex.
func (c *conn) rest() {
	if c.draining && len(c.calls) == 0 {
		c.out.finish(farewell{websocket.CloseGoingAway, reasonDrain})
	}
}
