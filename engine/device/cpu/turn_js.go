package cpu

import "syscall/js"

// turn gives the page its turn between jobs. Go has one thread there and keeps it while
// there is work, so that a page could not even say that it wants no more of it.
type turn struct {
	ports js.Value // MessageChannel
	over  js.Func
	taken chan struct{}
}

func newTurn() *turn {
	t := &turn{ports: js.Global().Get("MessageChannel").New(), taken: make(chan struct{}, 1)}
	t.over = js.FuncOf(func(js.Value, []js.Value) any {
		t.taken <- struct{}{}
		return nil
	})
	t.ports.Get("port1").Set("onmessage", t.over)
	return t
}

// give waits until the page has handled the events that it has by now.
func (t *turn) give() {
	t.ports.Get("port2").Call("postMessage", nil)
	<-t.taken
}

func (t *turn) end() {
	t.ports.Get("port1").Call("close")
	t.over.Release()
}
