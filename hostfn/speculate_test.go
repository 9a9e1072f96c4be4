package hostfn_test

import (
	"slices"
	"testing"

	"github.com/realm-webgpu/realm/engine/token"
	"github.com/realm-webgpu/realm/hostfn"
	"github.com/realm-webgpu/realm/hostfn/abi"
)

var plainText = token.Options{}

// verify runs a step that checks proposals behind what a sequence has.
func (r *rig) verify(s uint64, tokens []int32, drafts int, flags int) result {
	r.t.Helper()
	at, n := r.ids(tokens)
	return r.step(fields{"sequence": s, "tokens": at, "n": n, "drafts": drafts, "flags": abi.RowVerify | flags, "top_k": 2})[0]
}

func TestVerify(t *testing.T) {
	r := begin(t)
	m := r.open()
	prompt := r.tokens(question)
	right := r.plain(r.sequence(m), prompt, 32)
	wrong := func(i int) []int32 {
		ids := slices.Clone(right)
		ids[i] = (ids[i] + 1) % 100
		return ids
	}
	for name, c := range map[string]struct {
		drafts   []int32
		accepted int
	}{
		"all right":      {right[:4], 4},
		"wrong at first": {wrong(0)[:4], 0},
		"wrong at last":  {wrong(3)[:4], 3},
		"wrong between":  {wrong(2)[:4], 2},
		"one":            {right[:1], 1},
	} {
		t.Run(name, func(t *testing.T) {
			s := r.sequence(m)
			x := r.verify(s, append(slices.Clone(prompt), c.drafts...), len(c.drafts), abi.RowLogprobs|abi.RowTopK)
			if x.err != abi.OK || x.accepted != c.accepted || !slices.Equal(x.tokens, right[:c.accepted+1]) {
				t.Fatalf("accepted %d and chose %v (%v), want %d and %v", x.accepted, x.tokens, x.err, c.accepted, right[:c.accepted+1])
			}
			if len(x.logprobs) != len(x.tokens) || len(x.candidates) != 2*len(x.tokens) {
				t.Errorf("%d log-probabilities and %d candidates for %d tokens", len(x.logprobs), len(x.candidates), len(x.tokens))
			}
			for i, id := range x.tokens {
				if x.candidates[2*i] != (abi.Candidate{Token: id, Value: x.logprobs[i]}) {
					t.Errorf("token %d is %d with %g, its candidates are %v", i, id, x.logprobs[i], x.candidates[2*i:2*i+2])
				}
			}
			if n := r.length(s); n != uint64(len(prompt)+c.accepted+1) {
				t.Errorf("the sequence has %d tokens, want %d", n, len(prompt)+c.accepted+1)
			}
			// It goes on as if nothing had been proposed.
			if text := r.decode(append(x.tokens, r.plain(s, nil, 32)...)); text != answer {
				t.Errorf("wrote %q", text)
			}
		})
	}
}

func TestVerifyRefused(t *testing.T) {
	r := begin(t)
	m := r.open()
	s := r.sequence(m)
	at, _ := r.ids(make([]int32, 32))
	for name, f := range map[string]fields{
		"no proposals":         {"n": 4, "drafts": 0},
		"more than tokens":     {"n": 4, "drafts": 5},
		"too many":             {"n": 32, "drafts": 17},
		"and no token":         {"n": 4, "drafts": 1, "flags": abi.RowVerify | abi.RowNoSample},
		"an unknown flag":      {"n": 4, "drafts": 1, "flags": 64},
		"candidates of none":   {"n": 4, "flags": abi.RowTopK},
		"candidates of many":   {"n": 4, "flags": abi.RowTopK, "top_k": 65},
		"more tokens than fit": {"n": 1<<20 + 1},
		"more stop tokens":     {"n": 1, "stop": at, "stop_count": 65},
		"too small a result":   {"n": 1, "out": at, "cap": abi.ResultSize - 1},
	} {
		if _, ok := f["flags"]; !ok {
			f["flags"] = abi.RowVerify
			if _, ok := f["drafts"]; !ok {
				f["flags"] = 0
			}
		}
		f["sequence"], f["tokens"] = s, at
		if e := r.call("step", r.put(encode("row", f)), 1, r.alloc(8)); e != abi.Inval {
			t.Errorf("%s: %v", name, e)
		}
		r.only()
	}
	for name, flags := range map[string]int{"verify": abi.RowVerify, "hidden": abi.RowHidden, "no sample": abi.RowNoSample, "logits": abi.RowLogits} {
		if e := r.call("gen", r.put(encode("row", fields{"sequence": s, "tokens": at, "n": 4, "drafts": 1, "flags": flags})), 1, r.alloc(8)); e != abi.Inval {
			t.Errorf("gen with %s: %v", name, e)
		}
	}
	if n := r.length(s); n != 0 {
		t.Errorf("the sequence has %d tokens", n)
	}
}

// draft asks for proposals for some sequences.
func (r *rig) draft(mode uint64, k int, sequences ...uint64) (all [][]int32, errnos []abi.Errno) {
	r.t.Helper()
	var handles []int32
	for _, s := range sequences {
		handles = append(handles, int32(s))
	}
	at, n := r.ids(handles)
	out := r.put(append(encode("draft", fields{}), make([]byte, abi.DraftSize*(len(sequences)-1))...))
	which := r.alloc(8)
	ticket := r.ticket("draft", at, n, uint64(k), mode, out)
	r.must("wait", r.numbers(ticket), 1, forever, which)
	r.only(span{which, 8}, span{out, abi.DraftSize * n})
	for i := range sequences {
		d := out + abi.DraftSize*uint64(i)
		all = append(all, r.ints(d+place("draft", "tokens"), int(r.get("draft", "count", d))))
		errnos = append(errnos, abi.Errno(r.get("draft", "error", d)))
	}
	return all, errnos
}

// TestDraftLookup writes an answer that the prompt has already.
func TestDraftLookup(t *testing.T) {
	r := begin(t)
	m := r.open()
	first := r.sequence(m)
	prompt := r.tokens(question)
	right := r.plain(first, prompt, 32)
	repeat := append(append(slices.Clone(prompt), right...), r.tokens("\n"+question)...)
	want := r.plain(r.sequence(m), repeat, 32)
	s, empty := r.sequence(m), r.sequence(m)
	at, n := r.ids(repeat)
	written := r.step(fields{"sequence": s, "tokens": at, "n": n})[0].tokens
	steps, accepted := 1, 0
	for len(written) < len(want) {
		drafts, errnos := r.draft(abi.DraftLookup, 4, s, empty)
		if errnos[0] != abi.OK || errnos[1] != abi.Inval || len(drafts[0]) > 4 {
			t.Fatalf("drafts %v, errors %v", drafts, errnos)
		}
		var x result
		if k := len(drafts[0]); k > 0 {
			x = r.verify(s, drafts[0], k, 0)
		} else {
			x = r.step(fields{"sequence": s})[0]
		}
		if x.err != abi.OK {
			t.Fatalf("a step is %v", x.err)
		}
		written = append(written, x.tokens...)
		accepted += x.accepted
		steps++
	}
	if !slices.Equal(written[:len(want)], want) {
		t.Errorf("wrote %q, want %q", r.decode(written), r.decode(want))
	}
	if accepted == 0 || steps >= len(want) {
		t.Errorf("%d tokens in %d steps, %d drafted ones were accepted", len(want), steps, accepted)
	}
}

// draftModels are a model with a draft model.
type draftModels struct{ *hostfn.Model }

func (d draftModels) Open(string) (*hostfn.Model, error) { return d.Model, nil }

// TestDraftModel has a draft model that is as good as the model.
func TestDraftModel(t *testing.T) {
	h := open(t)
	small := h.load(t)
	if err := h.model.SetDraft(small); err != nil {
		t.Fatal(err)
	}
	model := hostfn.NewModel("atlas", h.model)
	r := h.guest(t, func(c *hostfn.Config) { c.Models = draftModels{model} })
	m := r.open()
	s := r.sequence(m)
	prompt := r.tokens(question)
	at, n := r.ids(prompt)
	written := r.step(fields{"sequence": s, "tokens": at, "n": n})[0].tokens
	right := r.plain(r.sequence(m), prompt, 32)
	for len(written) < len(right) {
		drafts, errnos := r.draft(abi.DraftModel, 4, s)
		if errnos[0] != abi.OK || len(drafts[0]) != 4 {
			t.Fatalf("drafts %v, errors %v", drafts, errnos)
		}
		x := r.verify(s, drafts[0], 4, 0)
		if x.err != abi.OK || x.accepted != 4 {
			t.Fatalf("of 4 drafts %d were accepted (%v)", x.accepted, x.err)
		}
		written = append(written, x.tokens...)
	}
	if !slices.Equal(written[:len(right)], right) {
		t.Errorf("wrote %q", r.decode(written))
	}
	// One that is cancelled, or whose sequence is closed, has ended all the same.
	out := r.put(encode("draft", fields{}))
	handles, _ := r.ids([]int32{int32(s)})
	ticket := r.ticket("draft", handles, 1, 16, abi.DraftModel, out)
	r.must("cancel", ticket)
	r.wait(ticket)
	if e := abi.Errno(r.get("draft", "error", out)); e != abi.Canceled {
		t.Errorf("a cancelled draft is %v", e)
	}
	ticket = r.ticket("draft", handles, 1, 16, abi.DraftModel, out)
	r.must("close", s)
	r.wait(ticket)
	r.guest.Close()
	if err := small.Close(); err != nil {
		t.Error(err)
	}
}

func TestDraftRefused(t *testing.T) {
	r := begin(t)
	m := r.open()
	s := r.sequence(m)
	at, _ := r.ids([]int32{int32(s), int32(m)})
	out, ticket := r.put(encode("draft", fields{})), r.alloc(8)
	for name, c := range map[string]struct {
		args []uint64
		want abi.Errno
	}{
		"none":           {[]uint64{at, 0, 4, 0, out, ticket}, abi.Inval},
		"too many":       {[]uint64{at, 65, 4, 0, out, ticket}, abi.Inval},
		"of length 0":    {[]uint64{at, 1, 0, 0, out, ticket}, abi.Inval},
		"too long":       {[]uint64{at, 1, 17, 0, out, ticket}, abi.Inval},
		"another mode":   {[]uint64{at, 1, 4, 2, out, ticket}, abi.Inval},
		"no draft model": {[]uint64{at, 1, 4, abi.DraftModel, out, ticket}, abi.Noent},
		"of a model":     {[]uint64{at, 2, 4, 0, out, ticket}, abi.Badf},
		"a short struct": {[]uint64{at, 1, 4, 0, r.put(encode("draft", fields{"size": 76})), ticket}, abi.Inval},
	} {
		if e := r.call("draft", c.args...); e != c.want {
			t.Errorf("%s: %v, want %v", name, e, c.want)
		}
		r.only()
	}
}
