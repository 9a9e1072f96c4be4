package ws

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"strconv"
	"time"

	"github.com/realm-webgpu/realm/web/service"
	"github.com/realm-webgpu/realm/web/trace"
)

// call is a call of the client's that is under way.
type call struct {
	conn   *conn
	frame  frame
	number int // of the connection's calls, for logs: ids are the client's to make up
	ctx    context.Context
	cancel context.CancelCauseFunc
	stream bool // the answer goes out in parts
}

// errCancelled ends a call that its client does not want any more.
var errCancelled = &service.Error{Code: service.Cancelled, Message: "the call was cancelled"}

// start begins a call, or does it where it is done at once.
func (c *conn) start(f frame) error {
	switch f.Function {
	case functionChat, functionGenerate:
		return c.begin(f)
	case functionCancel:
		return c.cancelCall(f)
	}
	if !slices.Contains(functions, f.Function) {
		return service.Invalid("function", "function: there is no %.40q, only %v", f.Function, functions)
	}
	data, err := c.state(f)
	if err != nil {
		return err
	}
	return c.send(reply{ID: f.ID, Status: complete, Data: data})
}

// begin lets a call run in a goroutine of its own.
func (c *conn) begin(f frame) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.calls[f.ID] != nil {
		// A reply of this id would end the other call in the eyes of the client.
		e := newFailure(service.Invalid("id", "id: a call that is under way has it"))
		e.Details.ID = f.ID
		return c.send(reply{Status: failed, Error: e})
	}
	if most := c.server.options.Calls; len(c.calls) >= most {
		return &service.Error{
			Code: service.QueueFull, RetryAfter: time.Second,
			Message: fmt.Sprintf("%d calls of this connection are under way, at most %d", len(c.calls), most),
		}
	}
	c.count++
	x := &call{conn: c, frame: f, number: c.count}
	x.ctx, x.cancel = context.WithCancelCause(c.ctx)
	c.calls[f.ID] = x
	c.work.Go(x.run)
	return nil
}

// cancelParams name the call; "": the one of the frame's own id.
type cancelParams struct {
	ID string `json:"id"`
}

// cancelCall cancels a call, which ends with a reply of its own.
func (c *conn) cancelCall(f frame) error {
	var p cancelParams
	if err := readJSON("params", f.Params, c.server.live.Load().Limits.Depth, &p); err != nil {
		return err
	}
	own := p.ID == "" || p.ID == f.ID
	if own {
		p.ID = f.ID
	}
	c.mu.Lock()
	x := c.calls[p.ID]
	c.mu.Unlock()
	if x != nil {
		x.cancel(errCancelled)
		if own {
			return nil // what the call ends with is the reply
		}
	}
	return c.send(reply{ID: f.ID, Status: complete, Data: map[string]bool{"cancelled": x != nil}})
}

// run runs the call to its end.
func (x *call) run() {
	c, began := x.conn, time.Now()
	ctx, end := trace.Call(x.ctx, string(x.frame.Function), x.id(), c.tenant.ID())
	defer end()
	x.ctx = ctx
	result, choices, err := x.answer()
	x.cancel(nil)
	trace.Answer(ctx, result)
	var data any
	if err == nil || result.Timings.Total > 0 { // it ran
		data = newEnding(result, choices)
	}
	code := "ok"
	// The id is free, and the place, when the client sees the reply.
	c.mu.Lock()
	delete(c.calls, x.frame.ID)
	c.mu.Unlock()
	if err != nil {
		code = string(c.told(err).Code)
		trace.Fail(ctx, service.Code(code))
		c.fail(x.frame.ID, err, data)
	} else {
		_ = c.send(reply{ID: x.frame.ID, Status: complete, Data: data}) // else it has been dropped
	}
	c.mu.Lock()
	c.rest()
	c.mu.Unlock()
	c.log.Info("call",
		slog.String("request", x.id()), slog.String("function", string(x.frame.Function)), slog.String("tenant", c.tenant.ID()),
		slog.String("code", code), slog.Duration("took", time.Since(began)), slog.String("model", result.Model), slog.String("adapter", result.Adapter),
		slog.Int("prompt_tokens", result.Usage.Prompt), slog.Int("completion_tokens", result.Usage.Completion))
}

// id is what logs and traces call it.
func (x *call) id() string { return x.conn.id + "." + strconv.Itoa(x.number) }

// answer does what was asked. A failure of ours is the call's error, and not the
// process's end.
func (x *call) answer() (r service.Result, choices []choice, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("ws: %s: panic: %v\n%s", x.frame.Function, p, debug.Stack())
		}
	}()
	params, err := x.params()
	if err != nil {
		return r, nil, err
	}
	if x.frame.Function == functionChat {
		return x.chat(params)
	}
	return x.generate(params)
}

// params are those of the frame, with the answer in parts unless it says otherwise.
func (x *call) params() ([]byte, error) {
	p := bytes.TrimSpace(x.frame.Params)
	var said struct {
		Stream *bool `json:"stream"`
	}
	if len(p) == 0 || p[0] != '{' {
		return nil, service.Invalid("params", "params: an object is expected")
	}
	if json.Unmarshal(p, &said) != nil {
		return p, nil // whoever reads it whole says it better
	}
	if x.stream = said.Stream == nil || *said.Stream; said.Stream != nil {
		return p, nil
	}
	// Of a member that is there twice the last one counts.
	p = append(slices.Clip(bytes.TrimSpace(p[:len(p)-1])), ',')
	if p[len(p)-2] == '{' {
		p = p[:1]
	}
	return append(p, `"stream":true}`...), nil
}
