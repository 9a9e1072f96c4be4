package hostfn_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/realm-webgpu/realm/hostfn"
	"github.com/realm-webgpu/realm/hostfn/abi"
)

// adapter opens an adapter.
func (r *rig) adapter(model uint64, name string) uint64 {
	r.t.Helper()
	at, n := r.text(name)
	return r.handle("adapter_open", model, at, n)
}

const pirateAnswer = "Arr, matey! The capital of France be Paris. Yo ho ho!"

// TestAdapters has one call of gen write with several adapters, and with none.
func TestAdapters(t *testing.T) {
	r := begin(t)
	m := r.open()
	pirate, terse := r.adapter(m, "pirate"), r.adapter(m, "terse")
	rows := make([]fields, 4)
	for i, a := range []uint64{pirate, 0, terse, pirate} {
		rows[i] = r.ask(m)
		rows[i]["adapter"] = a
	}
	wants := []string{pirateAnswer, answer, "Paris", pirateAnswer}
	for i, events := range r.drain(r.gen(rows...)) {
		ids, end := ended(t, events)
		if end.err != abi.OK {
			t.Fatalf("row %d: %v", i, end.err)
		}
		if text := r.decode(ids); text != wants[i] {
			t.Errorf("row %d wrote %q, want %q", i, text, wants[i])
		}
	}
}

// TestAdapterOfSequence holds a sequence to the adapter that it began with.
func TestAdapterOfSequence(t *testing.T) {
	r := begin(t)
	m := r.open()
	pirate, again, half, terse := r.adapter(m, "pirate"), r.adapter(m, "pirate"), r.adapter(m, "half a pirate"), r.adapter(m, "terse")
	at, n := r.ids(r.tokens(question))
	row := fields{"sequence": r.sequence(m), "tokens": at, "n": n, "adapter": pirate, "flags": abi.RowNoSample}
	r.step(row)
	one, _ := r.ids([]int32{5})
	row["tokens"], row["n"] = one, 1
	for _, c := range []struct {
		adapter uint64
		want    abi.Errno
	}{{again, abi.OK}, {pirate, abi.OK}, {0, abi.Inval}, {terse, abi.Inval}, {half, abi.Inval}, {999, abi.Badf}, {m, abi.Badf}} {
		row["adapter"] = c.adapter
		ticket := r.alloc(8)
		if e := r.call("step", r.put(encode("row", row)), 1, ticket); e != c.want {
			t.Errorf("a row with adapter %d is %v, want %v", c.adapter, e, c.want)
		} else if e == abi.OK {
			r.wait(r.u64(ticket))
		}
	}
	// A fork goes on with it, also when all handles are closed; an emptied sequence
	// is free.
	fork := r.alloc(4)
	r.must("seq_fork", row["sequence"].(uint64), 1, fork)
	r.must("close", pirate)
	other := fields{"sequence": uint64(r.u32(fork)), "tokens": one, "n": 1, "adapter": again, "flags": abi.RowNoSample}
	r.step(other)
	other["adapter"] = 0
	r.want(abi.Inval, "step", r.put(encode("row", other)), 1, r.alloc(8))
	r.must("seq_truncate", other["sequence"].(uint64), 0)
	r.step(other)
}

func TestAdapterRefused(t *testing.T) {
	r := begin(t)
	m := r.open()
	at, n := r.text("parrot")
	r.want(abi.Noent, "adapter_open", m, at, n, r.alloc(4))
	if r.lines(`adapter \"parrot\"`) == 0 {
		t.Errorf("the log does not name it:\n%s", r.log.String())
	}
	plain := begin(t, may(abi.CapAll&^abi.CapAdapter))
	plain.open()
	at, n = plain.text("pirate")
	plain.want(abi.Perm, "adapter_open", plain.model, at, n, plain.alloc(4))
	none := begin(t, func(c *hostfn.Config) { c.Adapters = nil })
	none.open()
	at, n = none.text("pirate")
	none.want(abi.Nosys, "adapter_open", none.model, at, n, none.alloc(4))
	theirs := begin(t, func(c *hostfn.Config) { c.Adapters = forbidden{} })
	theirs.open()
	at, n = theirs.text("pirate")
	theirs.want(abi.Perm, "adapter_open", theirs.model, at, n, theirs.alloc(4))
}

// forbidden are another tenant's.
type forbidden struct{}

func (forbidden) Open(context.Context, *hostfn.Model, string) (*hostfn.Adapter, error) {
	return nil, fmt.Errorf("adapter of another: %w", hostfn.ErrNotAllowed)
}
