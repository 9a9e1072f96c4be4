package hostfn_test

import (
	"runtime"
	"testing"
	"time"

	"github.com/realm-webgpu/realm/hostfn"
)

// FuzzCalls makes calls of any kind, in any order, with any arguments. Whatever they
// do to the guest, the host has all that it had before.
func FuzzCalls(f *testing.F) {
	h := open(f)
	for seed := range uint64(24) {
		f.Add(noise(seed, 1200))
	}
	f.Fuzz(func(t *testing.T, data []byte) { h.play(t, data, nil) })
}

// play is the life of one guest.
func (h *house) play(t testing.TB, data []byte, calls map[string]int) {
	goroutines, held, compiles := runtime.NumGoroutine(), h.engine.Memory(), h.engine.Totals().Compiles
	saved := hostfn.NewSaved(2)
	r := h.guest(t, func(c *hostfn.Config) {
		c.Saved = saved
		c.Limits = hostfn.Limits{WallTime: 2 * time.Second, Handles: 32, Tickets: 12, Rows: 8, Pages: 40, Tokens: 1000, BufferBytes: 1 << 16, EmitBytes: 1 << 12, CallsPerSecond: 1 << 30}
	})
	p := newPlayer(r, data)
	p.calls = calls
	on := p.survives(p.begin)
	for on && len(p.rest) > 0 {
		on = p.play()
	}
	r.guest.Close()
	saved.Close()
	if u := h.model.CacheUsage(); u.Free != u.Pages {
		t.Errorf("%d cache pages are not given back", u.Pages-u.Free)
	}
	if running, waiting := h.engine.Runs(); running+waiting > 0 {
		t.Errorf("%d runs go on and %d wait", running, waiting)
	}
	idle(t, goroutines)
	// The engine keeps programs that it has compiled for its steps, and nothing else. The
	// device gives back what it was told to when it comes to it.
	for end := time.Now().Add(time.Minute); h.engine.Totals().Compiles == compiles; time.Sleep(time.Millisecond) {
		now := h.engine.Memory()
		if now.Total() <= held.Total() {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("%v bytes are taken on the device, %v were before", now.Used, held.Used)
		}
	}
}
