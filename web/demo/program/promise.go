//go:build js

package main

import (
	"context"
	"errors"
	"syscall/js"

	"github.com/realm-webgpu/realm/engine"
	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/engine/gguf"
	"github.com/realm-webgpu/realm/engine/lora"
	"github.com/realm-webgpu/realm/engine/model"
	"github.com/realm-webgpu/realm/hostfn"
)

// method makes a JavaScript function that returns a promise of what f comes to. Where
// its last argument is an AbortSignal, that cancels the context of f. It lives as long
// as the program.
func method(f func(ctx context.Context, args []js.Value) (any, error)) js.Func {
	return js.FuncOf(func(_ js.Value, args []js.Value) any {
		var executor js.Func
		executor = js.FuncOf(func(_ js.Value, settle []js.Value) any {
			go func() {
				defer executor.Release()
				ctx, release := withSignal(args)
				defer release()
				value, err := f(ctx, args)
				if err != nil {
					settle[1].Invoke(thrown(err))
					return
				}
				settle[0].Invoke(value)
			}()
			return nil
		})
		return js.Global().Get("Promise").New(executor)
	})
}

// withSignal returns a context that ends with the AbortSignal among the arguments.
func withSignal(args []js.Value) (context.Context, func()) {
	ctx, cancel := context.WithCancel(context.Background())
	if len(args) == 0 || !args[len(args)-1].InstanceOf(js.Global().Get("AbortSignal")) {
		return ctx, cancel
	}
	signal := args[len(args)-1]
	aborted := js.FuncOf(func(js.Value, []js.Value) any {
		cancel()
		return nil
	})
	signal.Call("addEventListener", "abort", aborted)
	if signal.Get("aborted").Bool() {
		cancel()
	}
	return ctx, func() {
		signal.Call("removeEventListener", "abort", aborted)
		aborted.Release()
		cancel()
	}
}

// codes name errors for pages, the first that fits.
var codes = []struct {
	code string
	of   []error
}{
	{"aborted", []error{context.Canceled, engine.ErrCancelled}},
	{"memory", []error{device.ErrMemory}},
	{"lost", []error{device.ErrLost}},
	{"adapter", []error{lora.ErrFormat, lora.ErrModel, lora.ErrUnsupported, hostfn.ErrNotFound}},
	{"context", []error{engine.ErrContext}},
	{"device", []error{device.ErrNotFound, engine.ErrDevice}},
	{"format", []error{
		gguf.ErrMagic, gguf.ErrVersion, gguf.ErrBigEndian, gguf.ErrTruncated, gguf.ErrLimit, gguf.ErrMalformed, gguf.ErrFormat,
		gguf.ErrShard, model.ErrArchitecture, model.ErrMetadata, model.ErrTensor, model.ErrUnsupported,
	}},
	{"limit", []error{hostfn.ErrLimit}},
}

// codeOf returns the code of an error; "failed" is that of others.
func codeOf(err error) string {
	for _, c := range codes {
		for _, of := range c.of {
			if errors.Is(err, of) {
				return c.code
			}
		}
	}
	return "failed"
}

// thrown is an Error with the field code.
func thrown(err error) js.Value {
	e := js.Global().Get("Error").New(err.Error())
	e.Set("code", codeOf(err))
	return e
}
