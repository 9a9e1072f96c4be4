package hostfn_test

import (
	"math"
	"slices"
	"testing"

	"github.com/realm-webgpu/realm/engine"
	"github.com/realm-webgpu/realm/hostfn"
	"github.com/realm-webgpu/realm/hostfn/abi"
)

// result is struct realm_result, read.
type result struct {
	err                     abi.Errno
	length                  uint64
	accepted, finish, width int
	tokens                  []int32
	logprobs                []float32
	candidates              []abi.Candidate
	hidden                  []float32
}

// result reads what a step has left at out.
func (r *rig) result(out uint64) result {
	get := func(name string) uint64 { return r.get("result", name, out) }
	x := result{
		err: abi.Errno(get("error")), length: get("length"),
		accepted: int(get("accepted")), finish: int(get("finish")), width: int(get("top_k")),
	}
	n := int(get("count"))
	if at := get("tokens"); at > 0 {
		x.tokens = r.ints(out+at, n)
	}
	if at := get("logprobs"); at > 0 {
		x.logprobs = r.reals(out+at, n)
	}
	if at := get("candidates"); at > 0 {
		for i := range uint64(max(n, 1) * x.width) {
			x.candidates = append(x.candidates, abi.Candidate{Token: r.i32(out + at + 8*i), Value: r.f32(out + at + 8*i + 4)})
		}
	}
	if at := get("hidden"); at > 0 {
		x.hidden = r.reals(out+at, r.house.model.Config().EmbeddingLength)
	}
	return x
}

// step runs a step of rows and returns what became of each. A row's out and cap are
// there already, or are made.
func (r *rig) step(rows ...fields) []result {
	r.t.Helper()
	for _, f := range rows {
		if _, ok := f["out"]; !ok {
			f["out"], f["cap"] = r.alloc(8192), 8192
		}
	}
	which := r.alloc(8)
	ticket := r.ticket("step", r.put(encode("row", rows...)), uint64(len(rows)))
	r.must("wait", r.numbers(ticket), 1, forever, which)
	allowed := []span{{which, 8}}
	var all []result
	for _, f := range rows {
		x := r.result(f["out"].(uint64))
		allowed = append(allowed, span{f["out"].(uint64), x.length})
		all = append(all, x)
	}
	r.only(allowed...)
	return all
}

// read has a sequence read tokens and choose nothing.
func (r *rig) read(s uint64, tokens []int32) {
	r.t.Helper()
	at, n := r.ids(tokens)
	if x := r.step(fields{"sequence": s, "tokens": at, "n": n, "flags": abi.RowNoSample})[0]; x.err != abi.OK {
		r.t.Fatalf("reading is %v", x.err)
	}
}

// length returns how many tokens a sequence has.
func (r *rig) length(s uint64) uint64 {
	r.t.Helper()
	h, n := r.ids([]int32{int32(s)})
	out := r.put(encode("seq_stat", fields{}))
	r.must("seq_stat", h, n, out)
	if e := abi.Errno(r.get("seq_stat", "error", out)); e != abi.OK {
		r.t.Fatalf("seq_stat of %d is %v", s, e)
	}
	return r.get("seq_stat", "length", out)
}

// plain writes the answer a step at a time.
func (r *rig) plain(s uint64, prompt []int32, most int) []int32 {
	r.t.Helper()
	var written []int32
	next := prompt
	for range most {
		at, n := r.ids(next)
		x := r.step(fields{"sequence": s, "tokens": at, "n": n})[0]
		if x.err != abi.OK || len(x.tokens) != 1 {
			r.t.Fatalf("a step is %+v", x)
		}
		written = append(written, x.tokens...)
		if r.house.model.Tokenizer().IsEndOfGeneration(x.tokens[0]) {
			break
		}
		next = nil // the token is the sequence's, and is read with the next step
	}
	return written
}

func TestStepWrites(t *testing.T) {
	r := begin(t)
	m := r.open()
	s := r.sequence(m)
	prompt := r.tokens(question)
	written := r.plain(s, prompt, 32)
	if text := r.decode(written); text != answer {
		t.Errorf("wrote %q, want %q", text, answer)
	}
	if n := r.length(s); n != uint64(len(prompt)+len(written)) {
		t.Errorf("the sequence has %d tokens, want %d and %d", n, len(prompt), len(written))
	}
}

// TestStepRows has several rows in a step, one of which cannot be.
func TestStepRows(t *testing.T) {
	r := begin(t)
	m := r.open()
	countries := []string{"France", "Italy", "Japan"}
	capitals := []string{"Paris", "Rome", "Tokyo"}
	var rows []fields
	sequences := make([]uint64, len(countries))
	for i, c := range countries {
		at, n := r.ids(r.tokens("<|im_start|>user\nWhat is the capital of " + c + "?<|im_end|>\n<|im_start|>assistant\n"))
		sequences[i] = r.sequence(m)
		rows = append(rows, fields{"sequence": sequences[i], "tokens": at, "n": n})
	}
	written := make([][]int32, len(countries))
	empty := r.sequence(m)
	for range 24 {
		for i, x := range r.step(append(rows, fields{"sequence": empty})...) {
			if i == len(countries) {
				if x.err != abi.Inval || len(x.tokens) > 0 {
					t.Fatalf("the row of an empty sequence is %+v", x)
				}
				continue
			}
			if x.err != abi.OK {
				t.Fatalf("row %d is %v", i, x.err)
			}
			written[i] = append(written[i], x.tokens...)
			rows[i] = fields{"sequence": sequences[i]}
		}
	}
	for i, ids := range written {
		end := slices.IndexFunc(ids, r.house.model.Tokenizer().IsEndOfGeneration)
		want := "The capital of " + countries[i] + " is " + capitals[i] + "."
		if text := r.decode(ids[:max(0, end)]); text != want {
			t.Errorf("row %d wrote %q, want %q", i, text, want)
		}
	}
}

func TestStepFlags(t *testing.T) {
	r := begin(t)
	m := r.open()
	tokens := r.tokens(question)
	at, n := r.ids(tokens)
	config := r.house.model.Config()
	row := func(flags int) fields {
		return fields{"sequence": r.sequence(m), "tokens": at, "n": n, "flags": flags, "top_k": 5}
	}
	q := r.house.sequence(t, tokens)
	logits, err := q.Logits(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	best := int32(0)
	sum := 0.0
	for i, v := range logits {
		if v > logits[best] {
			best = int32(i)
		}
		sum += math.Exp(float64(v))
	}
	logprob := float64(logits[best]) - math.Log(sum)

	x := r.step(row(abi.RowLogprobs))[0]
	if x.tokens[0] != best || math.Abs(float64(x.logprobs[0])-logprob) > 1e-4 {
		t.Errorf("chose %d with %g, want %d with %g", x.tokens[0], x.logprobs[0], best, logprob)
	}
	x = r.step(row(abi.RowTopK))[0]
	if x.width != 5 || len(x.candidates) != 5 || x.candidates[0].Token != best || math.Abs(float64(x.candidates[0].Value)-logprob) > 1e-4 {
		t.Errorf("candidates are %v, want %d with %g first", x.candidates, best, logprob)
	}
	for i := range x.candidates[1:] {
		if x.candidates[i+1].Value > x.candidates[i].Value {
			t.Errorf("candidates are not in order: %v", x.candidates)
		}
	}
	// Without a token: the same candidates, and the sequence as it was read.
	f := row(abi.RowTopK | abi.RowNoSample | abi.RowHidden)
	peek := r.step(f)[0]
	if len(peek.tokens) != 0 || !slices.Equal(peek.candidates, x.candidates) || r.length(f["sequence"].(uint64)) != n {
		t.Errorf("a row that only looks: %v, %v, and %d tokens of %d", peek.tokens, peek.candidates, r.length(f["sequence"].(uint64)), n)
	}
	if next := r.step(fields{"sequence": f["sequence"]})[0]; next.err != abi.OK || next.tokens[0] != best {
		t.Errorf("after looking, a step is %+v", next)
	}
	// Hidden states are the same with a token and without.
	sampled, alone := r.step(row(abi.RowHidden))[0], r.step(row(abi.RowHidden | abi.RowNoSample))[0]
	if len(sampled.hidden) != config.EmbeddingLength || !slices.Equal(sampled.hidden, alone.hidden) || !slices.Equal(peek.hidden, alone.hidden) {
		t.Error("hidden states differ with the flags beside them")
	}
	if len(alone.tokens) != 0 || len(sampled.tokens) != 1 {
		t.Errorf("%d and %d tokens were chosen, want 1 and 0", len(sampled.tokens), len(alone.tokens))
	}
	// A step chooses one token and goes on: that is no end.
	if sampled.finish != abi.FinishNone || alone.finish != abi.FinishNone {
		t.Errorf("rows ended with %d and %d", sampled.finish, alone.finish)
	}
}

// sequence returns a sequence of the engine's.
func (h *house) sequence(t testing.TB, tokens []int32) *engine.Sequence {
	t.Helper()
	s, err := h.model.NewSequence()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	if err := s.Append(tokens...); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestStepLogits(t *testing.T) {
	r := begin(t)
	m := r.open()
	tokens := r.tokens(question)
	want, err := r.house.sequence(t, tokens).Logits(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	at, n := r.ids(tokens)
	buf := r.alloc(4 * len(want))
	size := uint64(4 * len(want))
	r.want(abi.Noent, "logits", 1, 0, 0, buf, size)
	for name, flags := range map[string]int{"with a token": abi.RowLogits, "without": abi.RowLogits | abi.RowNoSample, "and candidates": abi.RowLogits | abi.RowNoSample | abi.RowTopK} {
		ticket := r.ticket("step", r.put(encode("row", fields{"sequence": r.sequence(m)}, fields{"sequence": r.sequence(m), "tokens": at, "n": n, "flags": flags, "top_k": 1})), 2)
		r.wait(ticket)
		r.must("logits", ticket, 1, 0, buf, size)
		r.only(span{buf, size})
		if got := r.reals(buf, len(want)); !slices.Equal(got, want) {
			t.Errorf("%s: logits differ from the engine's", name)
		}
		r.want(abi.Noent, "logits", ticket, 0, 0, buf, size)
		r.want(abi.Noent, "logits", ticket, 2, 0, buf, size)
		r.want(abi.Noent, "logits", ticket, 1, 1, buf, size)
		r.want(abi.Noent, "logits", ticket, 1<<32-1, 1<<32-1, buf, size)
		r.want(abi.Toobig, "logits", ticket, 1, 0, buf, size-1)
		r.only()
		r.want(abi.Badf, "logits", ticket+1, 1, 0, buf, size)
	}
}

// TestStepRoom has results that do not fit, and some that nobody wants.
func TestStepRoom(t *testing.T) {
	r := begin(t)
	m := r.open()
	at, n := r.ids(r.tokens(question))
	out := r.alloc(abi.ResultSize + 8)
	x := r.step(fields{"sequence": r.sequence(m), "tokens": at, "n": n, "flags": abi.RowTopK, "top_k": 1, "out": out, "cap": abi.ResultSize + 8})[0]
	if x.err != abi.Toobig || x.length != abi.ResultSize+12 || len(x.tokens) > 0 || len(x.candidates) > 0 {
		t.Errorf("a result that does not fit is %+v", x)
	}
	r.only(span{out, abi.ResultSize}, r.writes[0])
	s := r.sequence(m)
	ticket := r.ticket("step", r.put(encode("row", fields{"sequence": s, "tokens": at, "n": n})), 1)
	which := r.alloc(8)
	r.must("wait", r.numbers(ticket), 1, forever, which)
	r.only(span{which, 8})
	if r.length(s) != n+1 {
		t.Errorf("a sequence whose result nobody wants has %d tokens", r.length(s))
	}
}

func TestStepErrors(t *testing.T) {
	r := begin(t)
	m := r.open()
	context := r.house.model.Context()
	long := make([]int32, context+1)
	at, _ := r.ids(long)
	s := r.sequence(m)
	vocabulary := int32(r.house.model.Config().VocabularySize)
	bad, _ := r.ids([]int32{1, vocabulary})
	for name, c := range map[string]struct {
		row  fields
		want abi.Errno
	}{
		"past the context":            {fields{"sequence": s, "tokens": at, "n": context + 1, "flags": abi.RowNoSample}, abi.Overflow},
		"no room for a token":         {fields{"sequence": s, "tokens": at, "n": context}, abi.Overflow},
		"no token":                    {fields{"sequence": s}, abi.Inval},
		"a token that is none":        {fields{"sequence": s, "tokens": bad, "n": 2}, abi.Inval},
		"a mask of nothing":           {fields{"sequence": s, "tokens": at, "n": 1, "mask": r.put(make([]byte, vocabulary/8))}, abi.Grammar},
		"the same sequence once more": {fields{"sequence": s, "tokens": at, "n": 1, "flags": abi.RowNoSample}, abi.OK},
	} {
		if x := r.step(c.row)[0]; x.err != c.want {
			t.Errorf("%s is %v, want %v", name, x.err, c.want)
		}
		r.must("seq_truncate", s, 0)
	}
	two := r.step(fields{"sequence": s, "tokens": at, "n": 1}, fields{"sequence": s, "tokens": at, "n": 1})
	if two[0].err != abi.OK || two[1].err != abi.Busy {
		t.Errorf("two rows of a sequence are %v and %v", two[0].err, two[1].err)
	}
}

// TestStepMask has a mask that allows one token.
func TestStepMask(t *testing.T) {
	r := begin(t)
	m := r.open()
	mask := make([]byte, r.house.model.Config().VocabularySize/8)
	mask[77/8] |= 1 << (77 % 8)
	at, n := r.ids(r.tokens(question))
	x := r.step(fields{"sequence": r.sequence(m), "tokens": at, "n": n, "mask": r.put(mask)})[0]
	if x.err != abi.OK || x.tokens[0] != 77 {
		t.Errorf("with one token to choose, the row is %+v", x)
	}
}

func TestStepCancelled(t *testing.T) {
	r := begin(t)
	m := r.open()
	s := r.sequence(m)
	at, n := r.ids(r.tokens(question))
	out := r.alloc(256)
	ticket := r.ticket("step", r.put(encode("row", fields{"sequence": s, "tokens": at, "n": n, "out": out, "cap": 256})), 1)
	r.must("cancel", ticket)
	r.wait(ticket)
	// It may have been done by then.
	if x := r.result(out); x.err != abi.Canceled || len(x.tokens) != 0 {
		t.Errorf("a row that was cancelled is %+v", x)
	}
	r.must("seq_truncate", s, 0)
}

// TestStepOfClosedSequence closes a sequence in a step, which is done all the same.
func TestStepOfClosedSequence(t *testing.T) {
	r := begin(t, limits(hostfn.Limits{Handles: 2}))
	m := r.open()
	s := r.sequence(m)
	at, n := r.ids(r.tokens(question))
	out := r.alloc(256)
	ticket := r.ticket("step", r.put(encode("row", fields{"sequence": s, "tokens": at, "n": n, "out": out, "cap": 256})), 1)
	r.must("close", s)
	r.want(abi.Quota, "seq_open", m, 0, r.alloc(4))
	r.want(abi.Badf, "seq_truncate", s, 0)
	r.wait(ticket)
	if x := r.result(out); x.err != abi.OK || len(x.tokens) != 1 {
		t.Errorf("the row is %+v", x)
	}
	r.sequence(m)
	if u := r.house.model.CacheUsage(); u.Free != u.Pages {
		t.Errorf("%d pages are held by a closed sequence", u.Pages-u.Free)
	}
}
