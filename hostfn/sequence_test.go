package hostfn_test

import (
	"testing"
	"time"

	"github.com/realm-webgpu/realm/engine"
	"github.com/realm-webgpu/realm/hostfn"
	"github.com/realm-webgpu/realm/hostfn/abi"
)

func TestSeqFork(t *testing.T) {
	r := begin(t, limits(hostfn.Limits{Handles: 12, Pages: 12}))
	m := r.open()
	s := r.sequence(m)
	prompt := r.tokens(question)
	r.read(s, prompt)
	outs := r.alloc(4 * 4)
	r.must("seq_fork", s, 3, outs)
	r.only(span{outs, 12})
	forks := r.ints(outs, 3)
	for i, f := range forks {
		if n := r.length(uint64(f)); n != uint64(len(prompt)) {
			t.Errorf("fork %d has %d tokens", i, n)
		}
	}
	// What one writes is not the others'.
	first := r.plain(uint64(forks[0]), nil, 32)
	at, n := r.ids(r.tokens("\n<|im_start|>user\nAnd of Italy?<|im_end|>\n<|im_start|>assistant\n"))
	r.step(fields{"sequence": uint32(forks[1]), "tokens": at, "n": n})
	second := r.plain(uint64(forks[2]), nil, 32)
	if a, b := r.decode(first), r.decode(second); a != answer || b != answer {
		t.Errorf("the forks wrote %q and %q", a, b)
	}
	// All are made or none.
	r.want(abi.Quota, "seq_fork", s, 10, r.alloc(40))
	r.must("seq_fork", s, 4, r.alloc(16))
	r.want(abi.Quota, "seq_fork", s, 4, r.alloc(16))
	r.want(abi.Inval, "seq_fork", s, 0, outs)
	r.want(abi.Inval, "seq_fork", s, 257, outs)
	r.want(abi.Inval, "seq_fork", s, forever, outs)
}

// TestSeqPages has forks and readers want more pages than there are.
func TestSeqPages(t *testing.T) {
	r := begin(t, limits(hostfn.Limits{Pages: 4}))
	m := r.open()
	s := r.sequence(m)
	at, n := r.ids(make([]int32, 40))
	r.read(s, make([]int32, 40))
	r.want(abi.Quota, "seq_fork", s, 2, r.alloc(8))
	fork := r.handle("seq_fork", s, 1)
	// Together they want more than there are, one by one they would not.
	row := fields{"sequence": s, "tokens": at, "n": 16, "flags": abi.RowNoSample}
	r.must("step", r.put(encode("row", row)), 1, r.alloc(8))
	other := fields{"sequence": fork, "tokens": at, "n": n, "flags": abi.RowNoSample}
	r.want(abi.Quota, "step", r.put(encode("row", other)), 1, r.alloc(8))
	empty := r.sequence(m)
	rows := []fields{{"sequence": empty, "tokens": at, "n": n, "flags": abi.RowNoSample}}
	r.want(abi.Quota, "step", r.put(encode("row", rows...)), 1, r.alloc(8))
	r.must("close", fork)
	r.step(fields{"sequence": empty, "tokens": at, "n": n, "flags": abi.RowNoSample})
}

func TestSeqTruncate(t *testing.T) {
	r := begin(t)
	m := r.open()
	s := r.sequence(m)
	prompt := r.tokens(question)
	first := r.plain(s, prompt, 32)
	r.must("seq_truncate", s, uint64(len(prompt)))
	if n := r.length(s); n != uint64(len(prompt)) {
		t.Errorf("%d tokens are left, want %d", n, len(prompt))
	}
	if again := r.plain(s, nil, 32); r.decode(again) != answer || r.decode(first) != answer {
		t.Errorf("wrote %q, and %q again", r.decode(first), r.decode(again))
	}
	r.must("seq_truncate", s, r.length(s))
	r.want(abi.Inval, "seq_truncate", s, r.length(s)+1)
	r.want(abi.Inval, "seq_truncate", s, forever)
	r.must("seq_truncate", s, 0)
	if n := r.length(s); n != 0 {
		t.Errorf("%d tokens are left", n)
	}
}

func TestSeqStat(t *testing.T) {
	r := begin(t)
	m := r.open()
	prompt := make([]int32, 70)
	for i := range prompt {
		prompt[i] = int32(i + 5)
	}
	a, b := r.sequence(m), r.sequence(m)
	r.read(a, prompt)
	r.read(b, prompt)
	handles, _ := r.ids([]int32{int32(a), 99, int32(b), int32(m)})
	out := r.put(append(encode("seq_stat", fields{}), make([]byte, 3*abi.SeqStatSize)...))
	r.must("seq_stat", handles, 4, out)
	r.only(span{out, 4 * abi.SeqStatSize})
	type stat struct {
		err                  abi.Errno
		length, read, cached uint64
		busy                 uint64
	}
	for i, want := range []stat{{length: 70, read: 70}, {err: abi.Badf}, {length: 70, read: 70, cached: 64}, {err: abi.Badf}} {
		get := func(name string) uint64 { return r.get("seq_stat", name, out+abi.SeqStatSize*uint64(i)) }
		if got := (stat{abi.Errno(get("error")), get("length"), get("read"), get("cached"), get("busy")}); got != want {
			t.Errorf("sequence %d: %+v, want %+v", i, got, want)
		}
	}
	// One that keeps out of the index of prefixes finds nothing there.
	alone := r.handle("seq_open", m, abi.SeqNoPrefix)
	r.read(alone, prompt)
	handles, _ = r.ids([]int32{int32(alone)})
	r.must("seq_stat", handles, 1, out)
	if n := r.get("seq_stat", "cached", out); n != 0 {
		t.Errorf("%d tokens came from the index", n)
	}
	row := r.ask(m)
	row["stop"], row["stop_count"] = 0, 0
	ticket := r.gen(row)
	handles, _ = r.ids([]int32{int32(row["sequence"].(uint64))})
	r.must("seq_stat", handles, 1, out)
	if r.get("seq_stat", "busy", out) != 1 {
		t.Error("a sequence that is being written is not busy")
	}
	r.must("cancel", ticket)
	r.want(abi.Inval, "seq_open", m, 2, r.alloc(4))
	r.want(abi.Inval, "seq_stat", handles, 0, out)
	r.want(abi.Inval, "seq_stat", handles, 1025, out)
}

// TestSeqTenants has guests of two tenants, who know nothing of each other's prefixes.
func TestSeqTenants(t *testing.T) {
	h := open(t)
	a, err := h.engine.NewTenant(engine.TenantOptions{Name: "a"})
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range []struct {
		tenant *engine.Tenant
		cached uint64
	}{{a, 0}, {nil, 0}, {a, 64}, {nil, 64}} {
		r := h.guest(t, func(o *hostfn.Config) { o.Tenant = c.tenant })
		s := r.sequence(r.open())
		r.read(s, make([]int32, 70))
		handles, _ := r.ids([]int32{int32(s)})
		out := r.put(encode("seq_stat", fields{}))
		r.must("seq_stat", handles, 1, out)
		if n := r.get("seq_stat", "cached", out); n != c.cached {
			t.Errorf("guest %d: %d tokens came from the index, want %d", i, n, c.cached)
		}
	}
}

func TestSeqSave(t *testing.T) {
	h := open(t)
	saved := hostfn.NewSaved(2)
	t.Cleanup(saved.Close)
	keeps := func(c *hostfn.Config) { c.Saved = saved }
	r := h.guest(t, keeps)
	m := r.open()
	s := r.sequence(m)
	prompt := r.tokens(question)
	r.read(s, prompt)
	key, n := r.text("conversation-7")
	r.must("seq_save", s, key, n, 600)
	r.want(abi.Inval, "seq_save", s, key, 0, 600)
	r.must("close", s)
	r.guest.Close()

	next := h.guest(t, keeps)
	m = next.open()
	key, n = next.text("conversation-7")
	for range 2 {
		s = next.handle("seq_load", m, key, n)
		if length := next.length(s); length != uint64(len(prompt)) {
			t.Errorf("%d tokens were kept, want %d", length, len(prompt))
		}
		if text := next.decode(next.plain(s, nil, 32)); text != answer {
			t.Errorf("wrote %q", text)
		}
	}
	other, on := next.text("other")
	next.want(abi.Noent, "seq_load", m, other, on, next.alloc(4))
	next.want(abi.Inval, "seq_load", m, other, 0, next.alloc(4))
	// A third one takes the place of the first.
	next.must("seq_save", s, other, on, 600)
	third, tn := next.text("third")
	next.must("seq_save", s, third, tn, 600)
	next.want(abi.Evicted, "seq_load", m, key, n, next.alloc(4))
	next.handle("seq_load", m, other, on)
	// One that is saved anew is there again.
	next.must("seq_save", s, key, n, 600)
	next.handle("seq_load", m, key, n)
	// Its time is over at once.
	next.must("seq_save", s, other, on, 0)
	time.Sleep(time.Millisecond)
	next.want(abi.Evicted, "seq_load", m, other, on, next.alloc(4))
}

func TestSeqSaveRefused(t *testing.T) {
	h := open(t)
	nothing := hostfn.NewSaved(0)
	for name, c := range map[string]struct {
		saved      *hostfn.Saved
		save, load abi.Errno
	}{
		"nothing is kept": {nil, abi.Perm, abi.Perm},
		"no room":         {nothing, abi.Quota, abi.Noent},
	} {
		t.Run(name, func(t *testing.T) {
			r := h.guest(t, func(o *hostfn.Config) { o.Saved = c.saved })
			m := r.open()
			s := r.sequence(m)
			key, n := r.text("k")
			r.want(c.save, "seq_save", s, key, n, 600)
			r.want(c.load, "seq_load", m, key, n, r.alloc(4))
		})
	}
	saved := hostfn.NewSaved(4)
	t.Cleanup(saved.Close)
	keeps := func(c *hostfn.Config) { c.Saved = saved }
	r := h.guest(t, keeps)
	s := r.sequence(r.open())
	r.read(s, make([]int32, 100))
	key, n := r.text("k")
	r.must("seq_save", s, key, n, forever)
	small := h.guest(t, keeps, limits(hostfn.Limits{Pages: 3}))
	key, n = small.text("k")
	m := small.open()
	small.want(abi.Quota, "seq_load", m, key, n, small.alloc(4))
	none := h.guest(t, keeps, limits(hostfn.Limits{Handles: 1}))
	key, n = none.text("k")
	m = none.open()
	none.want(abi.Quota, "seq_load", m, key, n, none.alloc(4))
}
