package native_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/realm-webgpu/realm/guest"
	"github.com/realm-webgpu/realm/hostfn"
)

// BenchmarkHostCall has a guest call a host function that does next to nothing, and
// one that copies some bytes.
func BenchmarkHostCall(b *testing.B) {
	for _, c := range []struct{ name, function, call string }{
		{"close", "close", `(call $close (i32.const 0))`},
		{"budget", "budget", `(call $budget (i64.const 0))`},
		{"emit-16", "emit", `(call $emit (i32.const 0) (i64.const 0) (i64.const 16))`},
	} {
		b.Run(c.name, func(b *testing.B) {
			r := newRig(b)
			const calls = 100_000
			m, err := r.host.Load(b.Context(), assemble(b, hostile(imports(c.function), `(func (export "realm_run") (result i32) (local $i i32)
				(i32.store (i64.const 0) (i32.const 48)) (local.set $i (i32.const `+strconv.Itoa(calls)+`))
				(loop (drop `+c.call+`) (br_if 0 (local.tee $i (i32.sub (local.get $i) (i32.const 1)))))
				(i32.const 0))`)))
			if err != nil {
				b.Fatal(err)
			}
			defer m.Release()
			for b.Loop() {
				r.once(b, m, hostfn.Limits{CallsPerSecond: 1 << 40})
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/calls, "ns/call")
		})
	}
}

// once runs a guest that ends well.
func (r *rig) once(b *testing.B, m interface{ Run(*hostfn.Guest) error }, l hostfn.Limits) {
	g, err := hostfn.NewGuest(b.Context(), r.config(l))
	if err != nil {
		b.Fatal(err)
	}
	if err := m.Run(g); err != nil {
		b.Fatal(err)
	}
	g.Close()
}

// BenchmarkInstance makes an instance of a guest that ends at once, and takes it down.
func BenchmarkInstance(b *testing.B) {
	r := newRig(b)
	m, err := r.host.Load(b.Context(), assemble(b, hostile("", life(`(i32.const 0)`))))
	if err != nil {
		b.Fatal(err)
	}
	defer m.Release()
	for b.Loop() {
		r.once(b, m, hostfn.Limits{})
	}
}

// BenchmarkResident parks a thousand instances of the default guest, which have said
// their first word and wait to say more, and tells what memory each takes.
func BenchmarkResident(b *testing.B) {
	const parked = 1000
	r := newRig(b)
	m, err := r.host.Load(b.Context(), guest.Module)
	if err != nil {
		b.Fatal(err)
	}
	defer m.Release()
	for b.Loop() {
		before := resident(b)
		arrived, goOn, ended := make(chan struct{}, parked), make(chan struct{}), make(chan error, parked)
		for range parked {
			c := r.config(hostfn.Limits{})
			c.Args = []byte(`{"prompt": "Hi", "max_tokens": 1, "ignore_eos": true}`)
			first := true
			c.Emit = func(context.Context, uint32, []byte) error {
				if first {
					first = false
					arrived <- struct{}{}
					<-goOn
				}
				return nil
			}
			g, err := hostfn.NewGuest(b.Context(), c)
			if err != nil {
				b.Fatal(err)
			}
			go func() {
				err := m.Run(g)
				g.Close()
				ended <- err
			}()
		}
		for range parked {
			<-arrived
		}
		b.ReportMetric(float64(resident(b)-before)/parked/1024, "KiB/instance")
		close(goOn)
		for range parked {
			if err := <-ended; err != nil && !strings.Contains(err.Error(), "cache") {
				b.Fatal(err)
			}
		}
	}
}

// resident returns the memory that the process has, in bytes, as Linux counts it.
func resident(b *testing.B) int64 {
	b.Helper()
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Skip("NOT MEASURED: ", err)
	}
	for line := range bytes.Lines(text) {
		var kib int64
		if n, _ := fmt.Sscanf(string(line), "VmRSS: %d kB", &kib); n == 1 {
			return kib << 10
		}
	}
	b.Fatal("there is no VmRSS")
	return 0
}
