//go:build js

// Program is Realm in a page: engine, host and guest, in a worker. worker.js, beside the
// page in web/demo/page, starts it and calls what it sets as globalThis.realmProgram:
// open, adapter, generate and close, each of which returns a promise.
//
// It is built in two variants. The usual one runs guests on the browser's own
// WebAssembly; the one with the tag interpreter, for browsers that lack Memory64 or
// JSPI, has wazero's interpreter for them.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"syscall/js"

	"github.com/realm-webgpu/realm/guest"
)

func main() {
	p := &program{}
	js.Global().Set("realmProgram", map[string]any{
		"open":     method(p.open),
		"adapter":  method(p.adapter),
		"generate": method(p.generate),
		"close":    method(p.close),
	})
	js.Global().Call("realmStarted")
	select {}
}

// program is what the worker calls. The worker makes one call at a time.
type program struct {
	runner  runner // of guests; nil until a model was opened
	session *session
}

// errNoModel is the error of calls that are made before open.
var errNoModel = errors.New("no model is open")

// open(blob, options, progress, notice, signal) puts the model of a file on a device:
// in place of the one that was there. It returns the JSON of about.
func (p *program) open(ctx context.Context, args []js.Value) (any, error) {
	var o options
	if err := json.Unmarshal([]byte(args[1].String()), &o); err != nil {
		return nil, err
	}
	if p.runner == nil {
		var err error
		if p.runner, err = newRunner(ctx, guest.Module); err != nil {
			return nil, err
		}
	}
	if err := p.shut(); err != nil {
		return nil, err
	}
	progress, notice := args[2], args[3]
	s := &session{
		source: newBlob(args[0]), options: o,
		progress: func(done, total int64) { progress.Invoke(done, total) },
		notice:   func(code, text string) { notice.Invoke(code, text) },
	}
	if err := s.open(ctx); err != nil {
		return nil, errors.Join(err, s.close())
	}
	p.session = s
	return toJSON(s.about())
}

// adapter(name, blob) makes an adapter known by a name.
func (p *program) adapter(ctx context.Context, args []js.Value) (any, error) {
	if p.session == nil {
		return nil, errNoModel
	}
	return js.Undefined(), p.session.addAdapter(ctx, args[0].String(), newBlob(args[1]))
}

// generate(request, emit, signal) has the guest answer a request, the JSON of
// docs/guest-request.md. emit is called with each piece of text. It returns the JSON of
// an answer.
func (p *program) generate(ctx context.Context, args []js.Value) (any, error) {
	if p.session == nil {
		return nil, errNoModel
	}
	emit := args[1]
	a, err := p.session.answer(ctx, p.runner, []byte(args[0].String()), func(text string) { emit.Invoke(text) })
	if err != nil {
		return nil, err
	}
	return toJSON(a)
}

// close() gives back what the model takes.
func (p *program) close(context.Context, []js.Value) (any, error) {
	return js.Undefined(), p.shut()
}

func (p *program) shut() error {
	s := p.session
	p.session = nil
	if s == nil {
		return nil
	}
	return s.close()
}

func toJSON(v any) (any, error) {
	text, err := json.Marshal(v)
	return string(text), err
}
