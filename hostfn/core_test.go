package hostfn_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/hostfn"
	"github.com/realm-webgpu/realm/hostfn/abi"
)

func TestAbiInfo(t *testing.T) {
	r := begin(t, may(abi.CapTopK|abi.CapDraft), limits(hostfn.Limits{Memory: 1 << 21, Handles: 7, Tickets: 8, Rows: 9}))
	out := r.alloc(64)
	r.must("abi_info", out, 64)
	r.only(span{out, abi.AbiInfoSize})
	for name, want := range map[string]uint64{
		"size": abi.AbiInfoSize, "major": abi.Major, "minor": abi.Minor, "capabilities": abi.CapTopK | abi.CapDraft,
		"features":   abi.FeatureSpeculation | abi.FeatureGrammar | abi.FeatureAdapter | abi.FeatureTensor,
		"max_memory": 1 << 21, "max_handles": 7, "max_tickets": 8, "max_rows": 9, "page_tokens": device.PageTokens,
	} {
		if got := r.get("abi_info", name, out); got != want {
			t.Errorf("%s is %d, want %d", name, got, want)
		}
	}
	// An older guest's struct is shorter.
	short := r.alloc(18)
	r.must("abi_info", short, 18)
	r.only(span{short, 16})
	if n := r.u32(short); n != 16 {
		t.Errorf("a short struct says %d bytes", n)
	}
	saving := r.house.guest(t, func(c *hostfn.Config) { c.Saved = hostfn.NewSaved(1) })
	out = saving.alloc(64)
	saving.must("abi_info", out, 64)
	if f := saving.get("abi_info", "features", out); f&abi.FeatureKVSave == 0 {
		t.Errorf("features %#x lack that of saving", f)
	}
}

func TestArgs(t *testing.T) {
	r := begin(t)
	want := `{"prompt": "Hi"}`
	n := r.alloc(8)
	r.want(abi.Toobig, "args", 0, 0, n)
	r.only(span{n, 8})
	if r.u64(n) != uint64(len(want)) {
		t.Fatalf("%d bytes are needed, want %d", r.u64(n), len(want))
	}
	out := r.alloc(len(want))
	r.want(abi.Toobig, "args", out, uint64(len(want)-1), n)
	r.only(span{n, 8})
	r.must("args", out, uint64(len(want)), n)
	r.only(span{n, 8}, span{out, uint64(len(want))})
	if got := string(r.bytes[out:][:len(want)]); got != want {
		t.Errorf("args are %q", got)
	}
}

func TestEmit(t *testing.T) {
	r := begin(t, limits(hostfn.Limits{EmitBytes: 40}))
	at, n := r.text("Pa\xffris")
	event, eventLen := r.text(` {"type": "end"}`)
	r.must("emit", 0, at, n)
	r.must("emit", 0xffff, at, 2)
	r.must("emit", abi.ChannelEvent, event, eventLen)
	want := []emission{{0, "Pa\xffris"}, {0xffff, "Pa"}, {abi.ChannelEvent, ` {"type": "end"}`}}
	if !slices.Equal(r.emitted, want) {
		t.Errorf("emitted %+v, want %+v", r.emitted, want)
	}
	for _, bad := range []string{"", "1", "[]", `{"a":`, `{} {}`, `"{"`} {
		at, n := r.text(bad)
		r.want(abi.Inval, "emit", abi.ChannelEvent, at, n)
	}
	r.want(abi.Inval, "emit", abi.ChannelEvent+1, at, n)
	r.want(abi.Quota, "emit", 0, at, 18)
	r.must("emit", 0, at, 16)
	r.want(abi.Quota, "emit", 0, at, 1)
	r.must("emit", 0, at, 0)
}

func TestEmitFails(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		want abi.Errno
	}{
		"the other side": {errors.New("broken pipe"), abi.IO},
		"cancelled":      {context.Canceled, abi.Canceled},
	} {
		t.Run(name, func(t *testing.T) {
			r := begin(t, func(o *hostfn.Config) {
				o.Emit = func(context.Context, uint32, []byte) error { return c.err }
			})
			at, n := r.text("Hi")
			r.want(c.want, "emit", 0, at, n)
		})
	}
}

// mailbox is a Source of some messages.
type mailbox chan string

func (m mailbox) Receive(ctx context.Context) ([]byte, error) {
	select {
	case s, ok := <-m:
		if !ok {
			return nil, hostfn.ErrEnd
		}
		return []byte(s), nil
	default:
	}
	select {
	case s, ok := <-m:
		if !ok {
			return nil, hostfn.ErrEnd
		}
		return []byte(s), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func TestRecv(t *testing.T) {
	box := make(mailbox, 2)
	r := begin(t, func(c *hostfn.Config) { c.Messages = box })
	out, n := r.alloc(16), r.alloc(8)
	r.want(abi.Timedout, "recv", out, 16, n, 0)
	r.want(abi.Timedout, "recv", out, 16, n, 1000)
	r.only()
	box <- "hello"
	r.want(abi.Toobig, "recv", out, 4, n, forever)
	r.only(span{n, 8})
	if r.u64(n) != 5 {
		t.Errorf("%d bytes are needed", r.u64(n))
	}
	r.want(abi.Fault, "recv", out, 16, r.Size()-7, forever)
	r.want(abi.Fault, "recv", r.Size()-4, 16, n, forever)
	r.must("recv", out, 5, n, 0)
	r.only(span{n, 8}, span{out, 5})
	if got := string(r.bytes[out:][:r.u64(n)]); got != "hello" {
		t.Errorf("received %q", got)
	}
	go func() {
		time.Sleep(5 * time.Millisecond)
		box <- ""
		close(box)
	}()
	r.must("recv", out, 0, n, forever)
	if r.u64(n) != 0 {
		t.Errorf("an empty message has %d bytes", r.u64(n))
	}
	r.want(abi.Noent, "recv", out, 16, n, forever)
	r.want(abi.Noent, "recv", out, 16, n, 0)
	r.want(abi.Noent, "recv", out, 16, n, 1<<62)

	alone := r.house.guest(t)
	alone.want(abi.Noent, "recv", out, 16, n, forever)
}

// leaving is a Source of no messages, whose request ends when one is waited for.
type leaving struct {
	mailbox
	leave context.CancelFunc
}

func (l leaving) Receive(ctx context.Context) ([]byte, error) {
	l.leave()
	return l.mailbox.Receive(ctx)
}

func TestRecvCancelled(t *testing.T) {
	h := open(t)
	ctx, cancel := context.WithCancel(t.Context())
	r := h.guest(t, func(c *hostfn.Config) { c.Messages = make(mailbox) })
	g, err := hostfn.NewGuest(ctx, hostfn.Config{
		Engine: h.engine, Models: hostfn.OneModel("atlas", h.model), Messages: leaving{make(mailbox), cancel},
		Emit: func(context.Context, uint32, []byte) error { return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	r.guest = g
	r.want(abi.Canceled, "recv", r.alloc(8), 8, r.alloc(8), forever)
	if err := aborted(t, func() { r.call("budget", r.alloc(48)) }); !errors.Is(err, context.Canceled) {
		t.Errorf("the next call ended the guest with %v", err)
	}
}

func TestBudget(t *testing.T) {
	r := begin(t, limits(hostfn.Limits{Fuel: 1000, Tokens: 500, Pages: 7, EmitBytes: 100, WallTime: time.Minute}))
	out := r.put(encode("budget", fields{}))
	r.must("budget", out)
	r.only(span{out, abi.BudgetSize})
	if us := r.get("budget", "us", out); us == 0 || us > 60e6 {
		t.Errorf("%d µs are left", us)
	}
	for name, want := range map[string]uint64{"fuel": 1000, "tokens": 500, "pages": 7, "bytes": 100} {
		if got := r.get("budget", name, out); got != want {
			t.Errorf("%s is %d, want %d", name, got, want)
		}
	}
	// What was used is gone.
	at, n := r.text("Paris")
	r.must("emit", 0, at, n)
	if _, err := r.guest.Refill(); err != nil {
		t.Fatal(err)
	}
	model := r.open()
	s := r.sequence(model)
	tokens := r.tokens(question)
	r.read(s, tokens)
	r.must("budget", out)
	for name, want := range map[string]uint64{"fuel": 0, "tokens": uint64(500 - len(tokens)), "pages": 6, "bytes": 95} {
		if got := r.get("budget", name, out); got != want {
			t.Errorf("%s is %d, want %d", name, got, want)
		}
	}
	for _, size := range []uint64{0, 4, 9, abi.MaxStruct + 4, 1<<32 - 4} {
		at := r.put(encode("budget", fields{"size": size}))
		r.want(abi.Inval, "budget", at)
		r.only()
	}
	short := r.put(encode("budget", fields{"size": 16}))
	r.must("budget", short)
	r.only(span{short, 16})
}

func TestRandom(t *testing.T) {
	r := begin(t)
	a, b := r.alloc(64), r.alloc(64)
	r.must("random", a, 64)
	r.only(span{a, 64})
	r.must("random", b, 64)
	if bytes.Equal(r.bytes[a:a+64], r.bytes[b:b+64]) {
		t.Error("the same numbers came twice")
	}
	r.must("random", r.Size(), 0)
	r.must("random", 0, 1<<16)
	r.want(abi.Inval, "random", 0, 1<<16+1)
}

func TestLog(t *testing.T) {
	r := begin(t)
	at, n := r.text("rea\ndy \xff")
	for level := range uint64(4) {
		r.must("log", level, at, n)
	}
	for _, level := range []string{"DEBUG", "INFO", "WARN", "ERROR"} {
		if r.lines("level="+level+` msg=guest line="rea\ndy \xff"`) != 1 {
			t.Errorf("no line of level %s in:\n%s", level, r.log.String())
		}
	}
	r.want(abi.Inval, "log", 4, at, n)
	r.want(abi.Inval, "log", 1, at, 4097)
	long, n := r.text(strings.Repeat("x", 4096))
	r.must("log", 1, long, n)
	r.log.Reset()
	var e abi.Errno
	for i := 0; i < 20_000 && e == abi.OK; i++ {
		e = r.call("log", 0, at, 1)
	}
	if e != abi.Quota {
		t.Errorf("endless lines are %v", e)
	}
}

func TestCloseHandle(t *testing.T) {
	r := begin(t)
	m := r.open()
	r.must("close", m)
	r.want(abi.Badf, "close", m)
	r.want(abi.Badf, "close", 0)
	r.want(abi.Badf, "close", 1<<32-1)
	if again := r.open(); again == m {
		t.Errorf("handle %d was given out again", m)
	}
}

func TestWaitTimesOut(t *testing.T) {
	r := begin(t)
	m := r.open()
	s := r.sequence(m)
	at, n := r.ids(r.tokens(question))
	ticket := r.ticket("gen", r.put(encode("row", fields{"sequence": s, "tokens": at, "n": n})), 1)
	r.drain(ticket)
	step := r.ticket("step", r.put(encode("row", fields{"sequence": s})), 1)
	which := r.alloc(8)
	// It is done soon, and the time of one call is over sooner or not.
	for e := abi.Timedout; e != abi.OK; {
		if e = r.call("wait", r.numbers(step), 1, 0, which); e != abi.OK && e != abi.Timedout {
			t.Fatalf("wait is %v", e)
		}
	}
	r.want(abi.Badf, "wait", r.numbers(step), 1, 0, which)
	r.want(abi.Badf, "cancel", step)
}

func TestWaitForFirst(t *testing.T) {
	r := begin(t)
	m := r.open()
	at, n := r.ids(r.tokens(question))
	var tickets []uint64
	for range 4 {
		tickets = append(tickets, r.ticket("step", r.put(encode("row", fields{"sequence": r.sequence(m), "tokens": at, "n": n})), 1))
	}
	which := r.alloc(8)
	for len(tickets) > 0 {
		r.must("wait", r.numbers(tickets...), uint64(len(tickets)), forever, which)
		i := r.u64(which)
		if i >= uint64(len(tickets)) {
			t.Fatalf("ticket %d of %d was done", i, len(tickets))
		}
		r.want(abi.Badf, "wait", r.numbers(tickets[i]), 1, 0, which)
		tickets = append(tickets[:i], tickets[i+1:]...)
	}
}
