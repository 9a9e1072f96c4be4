package webgpu

import (
	"errors"
	"syscall/js"
)

// await waits for a promise and returns what it came to. Other goroutines run
// meanwhile, and so does the page; it must not be called where the page waits
// for Go, in a js.Func.
func await(promise js.Value) (js.Value, error) {
	var value js.Value
	done := make(chan error, 1)
	kept := js.FuncOf(func(_ js.Value, args []js.Value) any {
		value = args[0]
		done <- nil
		return nil
	})
	defer kept.Release()
	broken := js.FuncOf(func(_ js.Value, args []js.Value) any {
		done <- thrown(args[0])
		return nil
	})
	defer broken.Release()
	promise.Call("then", kept, broken)
	err := <-done
	return value, err
}

// thrown is the error that JavaScript threw, in its words.
func thrown(v js.Value) error {
	if v.Type() == js.TypeObject {
		if message := v.Get("message"); message.Type() == js.TypeString {
			return errors.New(message.String())
		}
	}
	return errors.New(v.String())
}
