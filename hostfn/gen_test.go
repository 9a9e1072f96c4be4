package hostfn_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/realm-webgpu/realm/hostfn"
	"github.com/realm-webgpu/realm/hostfn/abi"
)

// event is struct realm_event, read.
type event struct {
	row, kind  uint64
	token      int32
	logprob    float32
	candidates []abi.Candidate
	err        abi.Errno
	finish     uint64
}

// events reads what gen_next has written.
func (r *rig) events(at uint64, count uint64) (all []event, length uint64) {
	r.t.Helper()
	from := at
	for range count {
		get := func(name string) uint64 { return r.get("event", name, at) }
		e := event{row: get("row"), kind: get("kind"), token: int32(get("token")), err: abi.Errno(get("error")), finish: get("finish")}
		e.logprob = r.f32(at + place("event", "logprob"))
		for i := range get("top_k") {
			c := at + abi.EventSize + 8*i
			e.candidates = append(e.candidates, abi.Candidate{Token: r.i32(c), Value: r.f32(c + 4)})
		}
		if want := abi.EventSize + 8*get("top_k"); get("size") != want {
			r.t.Fatalf("an event of %d bytes, want %d", get("size"), want)
		}
		all = append(all, e)
		at += get("size")
	}
	return all, at - from
}

// next takes events of a ticket; none: it is gone.
func (r *rig) next(ticket uint64) []event {
	r.t.Helper()
	return r.some(ticket, 2048)
}

// some is next with so many bytes for the events.
func (r *rig) some(ticket uint64, room int) []event {
	r.t.Helper()
	at, count := r.alloc(room), r.alloc(8)
	defer func() { r.top = at - 32 }()
	switch e := r.call("gen_next", ticket, at, uint64(room), count); e {
	case abi.OK:
		all, n := r.events(at, r.u64(count))
		if len(all) == 0 {
			r.t.Fatal("gen_next has no event and no end")
		}
		r.only(span{at, n}, span{count, 8})
		return all
	case abi.Noent:
		r.only(span{count, 8})
		return nil
	default:
		r.t.Fatalf("gen_next is %v", e)
		return nil
	}
}

// drain takes all events of a ticket, and returns those of each row.
func (r *rig) drain(ticket uint64) map[uint64][]event {
	r.t.Helper()
	all := map[uint64][]event{}
	for {
		events := r.next(ticket)
		if events == nil {
			return all
		}
		for _, e := range events {
			all[e.row] = append(all[e.row], e)
		}
	}
}

// gen starts a gen of rows.
func (r *rig) gen(rows ...fields) uint64 {
	r.t.Helper()
	return r.ticket("gen", r.put(encode("row", rows...)), uint64(len(rows)))
}

// ended splits the events of a row into its tokens and its end.
func ended(t testing.TB, all []event) (ids []int32, end event) {
	t.Helper()
	for i, e := range all {
		if last := i == len(all)-1; last != (e.kind == abi.EventEnd) {
			t.Fatalf("event %d of %d is of kind %d", i, len(all), e.kind)
		}
		if e.kind == abi.EventToken {
			ids = append(ids, e.token)
		}
	}
	if len(all) == 0 {
		t.Fatal("there are no events")
	}
	return ids, all[len(all)-1]
}

// ask is a row that asks the question, on a new sequence. It ends with the answer.
func (r *rig) ask(m uint64) fields {
	r.t.Helper()
	at, n := r.ids(r.tokens(question))
	var stop []int32
	for id := range int32(r.house.model.Tokenizer().Len()) {
		if r.house.model.Tokenizer().IsEndOfGeneration(id) {
			stop = append(stop, id)
		}
	}
	ends, count := r.ids(stop)
	return fields{"sequence": r.sequence(m), "tokens": at, "n": n, "stop": ends, "stop_count": count}
}

func TestGenWrites(t *testing.T) {
	r := begin(t)
	m := r.open()
	row := r.ask(m)
	ticket := r.gen(row)
	ids, end := ended(t, r.drain(ticket)[0])
	if text := r.decode(ids); text != answer || end.err != abi.OK || end.finish != abi.FinishStop {
		t.Errorf("wrote %q and ended with %v, %d; want %q", text, end.err, end.finish, answer)
	}
	r.want(abi.Badf, "gen_next", ticket, r.alloc(64), 64, r.alloc(8))
	r.want(abi.Badf, "cancel", ticket)
	if n := r.length(row["sequence"].(uint64)); n != uint64(len(ids)+len(r.tokens(question))) {
		t.Errorf("the sequence has %d tokens", n)
	}
}

// TestGenRows has rows that end in different ways.
func TestGenRows(t *testing.T) {
	r := begin(t)
	m := r.open()
	short := r.ask(m)
	short["max_tokens"], short["flags"], short["top_k"] = 3, abi.RowLogprobs|abi.RowTopK, 2
	busy := r.ask(m)
	busy["sequence"] = short["sequence"]
	last := r.ask(m)
	context := r.house.model.Context()
	at, n := r.ids(slices.Repeat([]int32{7}, context-2))
	full := fields{"sequence": r.sequence(m), "tokens": at, "n": n}
	all := r.drain(r.gen(short, busy, last, full))
	ids, end := ended(t, all[0])
	if len(ids) != 3 || end.finish != abi.FinishLength || end.err != abi.OK {
		t.Errorf("the short row has %d tokens and ended with %v, %d", len(ids), end.err, end.finish)
	}
	for _, e := range all[0][:3] {
		if len(e.candidates) != 2 || e.candidates[0] != (abi.Candidate{Token: e.token, Value: e.logprob}) || e.logprob >= 0 {
			t.Errorf("a token with its candidates is %+v", e)
		}
	}
	if ids, end := ended(t, all[1]); len(ids) != 0 || end.err != abi.Busy || end.finish != abi.FinishNone {
		t.Errorf("the busy row has %d tokens and ended with %v", len(ids), end.err)
	}
	if ids, end := ended(t, all[2]); r.decode(ids) != answer || end.finish != abi.FinishStop {
		t.Errorf("the last row wrote %q", r.decode(ids))
	}
	if ids, end := ended(t, all[3]); len(ids) != 2 || end.err != abi.OK || end.finish != abi.FinishContext {
		t.Errorf("the full row has %d tokens and ended with %v, %d", len(ids), end.err, end.finish)
	}
}

func TestGenRoom(t *testing.T) {
	r := begin(t)
	m := r.open()
	row := r.ask(m)
	row["flags"], row["top_k"] = abi.RowTopK, 4
	ticket := r.gen(row)
	at, count := r.alloc(128), r.alloc(8)
	for _, room := range []uint64{0, 8, abi.EventSize, abi.EventSize + 8*4 - 1} {
		r.want(abi.Toobig, "gen_next", ticket, at, room, count)
		r.only(span{count, 8})
		if r.u64(count) != abi.EventSize+8*4 {
			t.Errorf("with room for %d bytes, %d are needed", room, r.u64(count))
		}
	}
	var ids []int32
	for {
		if e := r.call("gen_next", ticket, at, abi.EventSize+8*4, count); e == abi.Noent {
			break
		} else if e != abi.OK {
			t.Fatal(e)
		}
		r.only(span{count, 8}, span{at, abi.EventSize + 8*4})
		events, _ := r.events(at, r.u64(count))
		if events[0].kind == abi.EventToken {
			ids = append(ids, events[0].token)
		}
	}
	if text := r.decode(ids); text != answer {
		t.Errorf("an event at a time: %q", text)
	}
}

func TestGenCancelled(t *testing.T) {
	r := begin(t)
	m := r.open()
	row := r.ask(m)
	row["stop"], row["stop_count"] = 0, 0
	ticket := r.gen(row)
	first := r.next(ticket)
	r.must("cancel", ticket)
	all := append(first, r.drain(ticket)[0]...)
	ids, end := ended(t, all)
	if end.err != abi.Canceled || end.finish != abi.FinishNone {
		t.Errorf("it ended with %v, %d", end.err, end.finish)
	}
	// The sequence has the tokens that were told, and no more.
	if n := r.length(row["sequence"].(uint64)); n != uint64(len(ids)+len(r.tokens(question))) {
		t.Errorf("the sequence has %d tokens, %d were told", n, len(ids))
	}
	if x := r.step(fields{"sequence": row["sequence"]})[0]; x.err != abi.OK {
		t.Errorf("going on is %v", x.err)
	}
}

// TestGenTokens has the tokens of an instance run out.
func TestGenTokens(t *testing.T) {
	prompt := uint64(len(open(t).model.Encode(question, true)))
	r := begin(t, limits(hostfn.Limits{Tokens: prompt + 4}))
	m := r.open()
	row := r.ask(m)
	ids, end := ended(t, r.drain(r.gen(row))[0])
	if len(ids) != 4 || end.err != abi.Quota {
		t.Errorf("%d tokens were written, and then %v", len(ids), end.err)
	}
	nothing := r.put(encode("row", fields{"sequence": row["sequence"]}))
	r.want(abi.Quota, "gen", nothing, 1, r.alloc(8))
	r.want(abi.Quota, "step", nothing, 1, r.alloc(8))
}

// TestGenPages has the pages of an instance run out.
func TestGenPages(t *testing.T) {
	r := begin(t, limits(hostfn.Limits{Pages: 2}))
	m := r.open()
	row := r.ask(m)
	row["stop"], row["stop_count"] = 0, 0
	ids, end := ended(t, r.drain(r.gen(row))[0])
	have := uint64(len(r.tokens(question)) + len(ids))
	if end.err != abi.Quota || have < 64 || have > 64+1 {
		t.Errorf("the text came to %d tokens and ended with %v, where there are pages for 64", have, end.err)
	}
}

func TestGenOfClosedSequence(t *testing.T) {
	r := begin(t)
	m := r.open()
	row := r.ask(m)
	ticket := r.gen(row)
	r.must("close", row["sequence"].(uint64))
	if ids, end := ended(t, r.drain(ticket)[0]); r.decode(ids) != answer || end.err != abi.OK {
		t.Errorf("wrote %q and ended with %v", r.decode(ids), end.err)
	}
	if u := r.house.model.CacheUsage(); u.Free != u.Pages {
		t.Errorf("%d pages are held by a closed sequence", u.Pages-u.Free)
	}
}

// TestGenForgotten has texts that nobody takes from when the guest ends.
func TestGenForgotten(t *testing.T) {
	h := open(t)
	for range 3 {
		r := h.guest(t)
		m := r.open()
		for range 8 {
			row := r.ask(m)
			row["stop"], row["stop_count"] = 0, 0
			r.next(r.gen(row))
		}
		r.guest.Close()
		if u := h.model.CacheUsage(); u.Free != u.Pages {
			t.Fatalf("%d pages are not given back", u.Pages-u.Free)
		}
	}
	if running, waiting := h.engine.Runs(); running+waiting > 0 {
		t.Errorf("%d runs go on, %d wait", running, waiting)
	}
}

// TestGenEnds has guests that wait for ever end with their time and their context.
func TestGenEnds(t *testing.T) {
	h := open(t)
	r := h.guest(t, limits(hostfn.Limits{WallTime: 50 * time.Millisecond}))
	err := aborted(t, func() {
		row := r.ask(r.open())
		row["stop"], row["stop_count"] = 0, 0
		for {
			ticket := r.gen(row)
			r.drain(ticket)
			r.must("seq_truncate", row["sequence"].(uint64), 0)
			r.top -= 512
		}
	})
	var limit *hostfn.LimitError
	if !errors.As(err, &limit) || limit.Name != "wall time" {
		t.Errorf("the guest ended with %v", err)
	}
	if err := r.guest.Finish(0, nil); !errors.Is(err, hostfn.ErrLimit) {
		t.Errorf("Finish says %v", err)
	}

	ctx, cancel := context.WithCancel(t.Context())
	g, err := hostfn.NewGuest(ctx, hostfn.Config{Engine: h.engine, Models: hostfn.OneModel("atlas", h.model), Messages: make(mailbox),
		Emit: func(context.Context, uint32, []byte) error { return nil }})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	r.guest = g
	m := r.open()
	s := r.sequence(m)
	at, n := r.ids(slices.Repeat([]int32{7}, 400))
	ticket := r.gen(fields{"sequence": s, "tokens": at, "n": n})
	time.AfterFunc(5*time.Millisecond, cancel)
	if err := aborted(t, func() {
		for { // also when the text has ended
			r.call("gen_next", ticket, r.Size()-1024, 512, r.Size()-8)
		}
	}); !errors.Is(err, context.Canceled) {
		t.Errorf("the guest ended with %v", err)
	}
}

// TestGenFork forks a sequence that is being written.
func TestGenFork(t *testing.T) {
	r := begin(t)
	m := r.open()
	row := r.ask(m)
	ticket := r.gen(row)
	told := r.some(ticket, abi.EventSize) // however far the text has come by then
	fork := r.handle("seq_fork", row["sequence"].(uint64), 1)
	if n := r.length(fork); n != uint64(len(r.tokens(question))+len(told)) {
		t.Errorf("the fork has %d tokens, %d were told", n, len(told))
	}
	rest, end := ended(t, r.drain(r.gen(fields{"sequence": fork, "stop": row["stop"], "stop_count": row["stop_count"]}))[0])
	var ids []int32
	for _, e := range told {
		ids = append(ids, e.token)
	}
	if text := r.decode(append(ids, rest...)); text != answer || end.finish != abi.FinishStop {
		t.Errorf("the fork wrote %q", text)
	}
	r.want(abi.Busy, "seq_truncate", row["sequence"].(uint64), 0)
	if all := r.drain(ticket)[0]; len(all) == 0 {
		t.Error("the sequence has no more events after its fork wrote")
	}
}
