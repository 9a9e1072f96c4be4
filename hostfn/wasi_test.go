package hostfn_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/realm-webgpu/realm/hostfn"
	"github.com/realm-webgpu/realm/hostfn/abi"
)

// The errnos of WASI.
const (
	wasiOK     abi.Errno = 0
	wasiBadf   abi.Errno = 8
	wasiFault  abi.Errno = 21
	wasiInval  abi.Errno = 28
	wasiNosys  abi.Errno = 52
	wasiNotsup abi.Errno = 58
)

func TestWASIArgs(t *testing.T) {
	r := begin(t, func(c *hostfn.Config) { c.Args = []byte("{\"a\":\x00}") })
	count, size := r.alloc(4), r.alloc(4)
	r.want(wasiOK, "args_sizes_get", count, size)
	r.only(span{count, 4}, span{size, 4})
	if r.u32(count) != 2 || r.u32(size) != 14 {
		t.Fatalf("%d arguments of %d bytes", r.u32(count), r.u32(size))
	}
	argv, text := r.alloc(8), r.alloc(14)
	r.want(wasiOK, "args_get", argv, text)
	r.only(span{argv, 8}, span{text, 14})
	if got := string(r.bytes[text:][:14]); got != "guest\x00{\"a\": }\x00" {
		t.Errorf("arguments are %q", got)
	}
	if r.u32(argv) != uint32(text) || r.u32(argv+4) != uint32(text)+6 {
		t.Errorf("they are at %d and %d", r.u32(argv), r.u32(argv+4))
	}
	r.want(wasiFault, "args_get", argv, r.Size()-10)
	r.want(wasiFault, "args_get", r.Size()-4, text)
	r.want(wasiFault, "args_sizes_get", r.Size()-3, size)
	r.want(wasiFault, "args_sizes_get", count, 1<<32-1)
	r.want(wasiOK, "environ_sizes_get", count, size)
	if r.u32(count) != 0 || r.u32(size) != 0 {
		t.Errorf("there are %d variables", r.u32(count))
	}
	r.want(wasiOK, "environ_get", argv, text)
	r.only()
	r.want(wasiFault, "environ_sizes_get", count, r.Size())
}

func TestWASIClock(t *testing.T) {
	r := begin(t)
	out := r.alloc(8)
	r.want(wasiOK, "clock_time_get", 0, 1, out)
	r.only(span{out, 8})
	if d := time.Since(time.Unix(0, int64(r.u64(out)))); d < 0 || d > time.Minute {
		t.Errorf("the time is %v ago", d)
	}
	r.want(wasiOK, "clock_time_get", 1, 1, out)
	first := r.u64(out)
	r.want(wasiOK, "clock_time_get", 1, 1, out)
	if r.u64(out) < first {
		t.Errorf("time went from %d to %d", first, r.u64(out))
	}
	r.want(wasiInval, "clock_time_get", 4, 1, out)
	r.want(wasiFault, "clock_time_get", 0, 1, r.Size()-7)
	r.want(wasiOK, "clock_res_get", 1, out)
	r.want(wasiInval, "clock_res_get", 4, out)
	r.want(wasiFault, "clock_res_get", 0, r.Size()-7)
	r.want(wasiOK, "sched_yield")
}

func TestWASIRandom(t *testing.T) {
	r := begin(t)
	a, b := r.alloc(100_000), r.alloc(100_000)
	r.want(wasiOK, "random_get", a, 100_000)
	r.only(span{a, 100_000})
	r.want(wasiOK, "random_get", b, 100_000)
	if bytes.Equal(r.bytes[a:a+100_000], r.bytes[b:b+100_000]) {
		t.Error("the same numbers came twice")
	}
	r.want(wasiFault, "random_get", a, r.Size())
	r.only()
	r.want(wasiFault, "random_get", 1<<32-1, 1<<32-1)
}

// vectors is put for iovecs.
func (r *rig) vectors(all ...span) uint64 {
	var p []byte
	for _, s := range all {
		p = binary.LittleEndian.AppendUint32(p, uint32(s.at))
		p = binary.LittleEndian.AppendUint32(p, uint32(s.n))
	}
	return r.put(p)
}

func TestWASIWrite(t *testing.T) {
	r := begin(t)
	hello, hn := r.text("hel")
	world, wn := r.text("lo\nworld\n\n")
	written := r.alloc(4)
	r.want(wasiOK, "fd_write", 1, r.vectors(span{hello, hn}, span{world, wn}), 2, written)
	r.only(span{written, 4})
	if r.u32(written) != uint32(hn+wn) {
		t.Errorf("%d bytes were written", r.u32(written))
	}
	r.want(wasiOK, "fd_write", 2, r.vectors(span{hello, hn}), 1, written)
	for _, line := range []string{"level=INFO msg=guest line=hello\n", "level=INFO msg=guest line=world\n", "level=WARN msg=guest line=hel\n"} {
		if !strings.Contains(r.log.String(), line) {
			t.Errorf("the log lacks %q:\n%s", line, r.log.String())
		}
	}
	r.log.Reset()
	// All of memory, many times over.
	many := make([]span, 1024)
	for i := range many {
		many[i] = span{0, r.Size()}
	}
	r.want(wasiOK, "fd_write", 1, r.vectors(many...), 1024, written)
	if n := r.log.Len(); n > 32<<10 {
		t.Errorf("%d bytes were logged", n)
	}
	r.want(wasiBadf, "fd_write", 0, r.vectors(span{hello, hn}), 1, written)
	r.want(wasiBadf, "fd_write", 3, r.vectors(span{hello, hn}), 1, written)
	r.want(wasiInval, "fd_write", 1, r.vectors(span{hello, hn}), 1025, written)
	r.want(wasiFault, "fd_write", 1, r.vectors(span{hello, r.Size()}), 1, written)
	r.want(wasiFault, "fd_write", 1, r.Size()-4, 1, written)
	r.want(wasiFault, "fd_write", 1, r.vectors(span{hello, hn}), 1, r.Size())
}

func TestWASIDescriptors(t *testing.T) {
	r := begin(t)
	stat, n := r.alloc(24), r.alloc(4)
	for fd := range uint64(3) {
		r.want(wasiOK, "fd_fdstat_get", fd, stat)
		r.only(span{stat, 24})
		if r.bytes[stat] != 2 {
			t.Errorf("descriptor %d is of type %d", fd, r.bytes[stat])
		}
	}
	r.want(wasiBadf, "fd_fdstat_get", 3, stat)
	r.want(wasiFault, "fd_fdstat_get", 0, r.Size()-23)
	r.want(wasiOK, "fd_read", 0, 0, 0, n)
	if r.u32(n) != 0 {
		t.Errorf("%d bytes were read", r.u32(n))
	}
	r.want(wasiBadf, "fd_read", 1, 0, 0, n)
	for name, f := range r.functions {
		want := wasiBadf
		switch {
		case f.Module != abi.WASIModule:
			continue
		case strings.HasPrefix(name, "path_"), strings.HasPrefix(name, "sock_"):
			want = wasiNosys
		case !strings.HasPrefix(name, "fd_"):
			continue
		}
		args := make([]uint64, len(f.Params))
		for i := range args {
			args[i] = 4
		}
		r.want(want, name, args...)
		r.only()
	}
}

// subscription is one of poll_oneoff.
type subscription struct {
	user     uint64
	kind     byte
	clock    uint32
	timeout  uint64 // nanoseconds
	absolute bool
}

func (r *rig) subscriptions(all ...subscription) uint64 {
	var out []byte
	for _, s := range all {
		b := make([]byte, 48)
		binary.LittleEndian.PutUint64(b, s.user)
		b[8] = s.kind
		binary.LittleEndian.PutUint32(b[16:], s.clock)
		binary.LittleEndian.PutUint64(b[24:], s.timeout)
		if s.absolute {
			b[40] = 1
		}
		out = append(out, b...)
	}
	return r.put(out)
}

func TestWASIPoll(t *testing.T) {
	r := begin(t)
	out, n := r.alloc(4*32), r.alloc(4)
	start := time.Now()
	r.want(wasiOK, "poll_oneoff", r.subscriptions(subscription{user: 7, clock: 1, timeout: forever}, subscription{user: 8, clock: 1, timeout: 20e6}), out, 2, n)
	r.only(span{out, 32}, span{n, 4})
	if d := time.Since(start); d < 20*time.Millisecond {
		t.Errorf("20 ms were over after %v", d)
	}
	if r.u32(n) != 1 || r.u64(out) != 8 || r.u32(out+8)&0xffff != 0 {
		t.Errorf("%d events, the first for %d with errno %d", r.u32(n), r.u64(out), r.u32(out+8)&0xffff)
	}
	// What is no clock is told at once; a time that is over too.
	r.want(wasiOK, "poll_oneoff", r.subscriptions(
		subscription{user: 1, kind: 1}, subscription{user: 2, clock: 9}, subscription{user: 3, clock: 0, timeout: 5, absolute: true}, subscription{user: 4, clock: 1, timeout: forever},
	), out, 4, n)
	r.only(span{out, 3 * 32}, span{n, 4})
	if r.u32(n) != 3 {
		t.Fatalf("%d events", r.u32(n))
	}
	for i, want := range []abi.Errno{wasiNotsup, wasiInval, wasiOK} {
		at := out + 32*uint64(i)
		if r.u64(at) != uint64(i+1) || abi.Errno(r.u32(at+8)&0xffff) != want {
			t.Errorf("event %d is for %d with errno %d, want %d", i, r.u64(at), r.u32(at+8)&0xffff, want)
		}
	}
	at := r.subscriptions(subscription{clock: 1})
	r.want(wasiInval, "poll_oneoff", at, out, 0, n)
	r.want(wasiInval, "poll_oneoff", at, out, 1025, n)
	r.want(wasiFault, "poll_oneoff", r.Size()-47, out, 1, n)
	r.want(wasiFault, "poll_oneoff", at, r.Size()-31, 1, n)
	r.want(wasiFault, "poll_oneoff", at, out, 1, r.Size()-3)
}

// TestWASIPollEnds has a guest that sleeps for ever.
func TestWASIPollEnds(t *testing.T) {
	r := begin(t, limits(hostfn.Limits{WallTime: 20 * time.Millisecond}))
	at, out := r.subscriptions(subscription{clock: 1, timeout: forever}), r.alloc(64)
	if err := aborted(t, func() { r.call("poll_oneoff", at, out, 1, out+32) }); !errors.Is(err, hostfn.ErrLimit) {
		t.Errorf("it ended with %v", err)
	}
}

func TestWASIExit(t *testing.T) {
	for code, want := range map[uint64]string{0: "", 3: "hostfn: guest: exit code 3", 1<<32 - 1: "hostfn: guest: exit code -1"} {
		r := begin(t)
		aborted(t, func() { r.call("proc_exit", code) })
		err := r.guest.Finish(0, errors.New("whatever the engine of WebAssembly says"))
		if want == "" && err != nil || want != "" && (err == nil || err.Error() != want) {
			t.Errorf("exit code %d: %v, want %q", int32(code), err, want)
		}
		var exit *hostfn.ExitError
		if err != nil && (!errors.As(err, &exit) || !exit.Exit || exit.Code != int32(code)) {
			t.Errorf("exit code %d: %#v", int32(code), err)
		}
	}
}
