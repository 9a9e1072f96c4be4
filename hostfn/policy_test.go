package hostfn_test

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"regexp"
	"slices"
	"testing"

	"github.com/realm-webgpu/realm/hostfn"
	"github.com/realm-webgpu/realm/hostfn/abi"
)

// sampler makes a sampler.
func (r *rig) sampler(m uint64, f fields) uint64 {
	r.t.Helper()
	return r.handle("sampler_new", m, r.put(encode("sampler", f)), abi.SamplerSize)
}

// biases is put for biases.
func (r *rig) biases(all ...abi.Candidate) uint64 {
	var p []byte
	for _, c := range all {
		p = binary.LittleEndian.AppendUint32(p, uint32(c.Token))
		p = binary.LittleEndian.AppendUint32(p, math.Float32bits(c.Value))
	}
	return r.put(p)
}

func TestSampler(t *testing.T) {
	r := begin(t)
	m := r.open()
	prompt := r.tokens(question)
	at, n := r.ids(prompt)
	choose := func(f fields) int32 {
		t.Helper()
		x := r.step(fields{"sequence": r.sequence(m), "tokens": at, "n": n, "sampler": r.sampler(m, f)})[0]
		if x.err != abi.OK {
			t.Fatalf("a step with a sampler is %v", x.err)
		}
		return x.tokens[0]
	}
	best := choose(nil)
	if text := r.decode([]int32{best}); text != "The" {
		t.Errorf("greedily chose %q", text)
	}
	never := float32(math.Inf(-1))
	if id := choose(fields{"bias": r.biases(abi.Candidate{Token: 99, Value: 1000}), "bias_count": 1}); id != 99 {
		t.Errorf("chose %d with a bias on 99", id)
	}
	if id := choose(fields{"bias": r.biases(abi.Candidate{Token: best, Value: never}), "bias_count": 1}); id == best {
		t.Errorf("chose %d, which is forbidden", id)
	}
	// Biases of a token add up.
	if id := choose(fields{"bias": r.biases(abi.Candidate{Token: 99, Value: 1000}, abi.Candidate{Token: 99, Value: -2000}), "bias_count": 2}); id != best {
		t.Errorf("chose %d, want %d", id, best)
	}
	// The same seed draws the same; some seeds draw others.
	seen := map[int32]bool{}
	for seed := range 8 {
		f := fields{"temperature": float32(20), "seed": seed}
		id := choose(f)
		if again := choose(f); again != id {
			t.Errorf("seed %d drew %d, and then %d", seed, id, again)
		}
		seen[id] = true
	}
	if len(seen) < 3 {
		t.Errorf("8 seeds drew %v", seen)
	}
	if id := choose(fields{"temperature": float32(20), "seed": 3, "top_k": 1}); id != best {
		t.Errorf("drew %d of one token", id)
	}
	// The prompt's tokens count where they are told of.
	accepted, count := r.ids(slices.Repeat([]int32{best}, 400))
	if id := choose(fields{"frequency_penalty": float32(2), "accepted": accepted, "accepted_count": count}); id == best {
		t.Errorf("chose %d, which has come %d times", id, count)
	}
	if id := choose(fields{"frequency_penalty": float32(2)}); id != best {
		t.Errorf("chose %d with a penalty of nothing", id)
	}
}

// TestSamplerRemembers has penalties count what was written.
func TestSamplerRemembers(t *testing.T) {
	r := begin(t)
	m := r.open()
	row := r.ask(m)
	row["stop"], row["stop_count"], row["max_tokens"] = 0, 0, 60
	row["sampler"] = r.sampler(m, fields{"presence_penalty": float32(2), "frequency_penalty": float32(2)})
	ids, end := ended(t, r.drain(r.gen(row))[0])
	if end.err != abi.OK {
		t.Fatal(end.err)
	}
	plain := r.ask(m)
	plain["stop"], plain["stop_count"], plain["max_tokens"] = 0, 0, 60
	others, _ := ended(t, r.drain(r.gen(plain))[0])
	distinct := func(ids []int32) int {
		ids = slices.Clone(ids)
		slices.Sort(ids)
		return len(slices.Compact(ids))
	}
	if distinct(ids) <= distinct(others) {
		t.Errorf("%d tokens of %d differ with penalties, %d without", distinct(ids), len(ids), distinct(others))
	}
}

func TestSamplerRefused(t *testing.T) {
	r := begin(t)
	m := r.open()
	out := r.alloc(4)
	for name, f := range map[string]fields{
		"temperature": {"temperature": float32(101)}, "below": {"temperature": float32(-1)}, "NaN": {"temperature": float32(math.NaN())},
		"top_p": {"top_p": float32(1.5)}, "min_p": {"min_p": float32(-0.5)}, "typical_p": {"typical_p": float32(2)},
		"repetition": {"repetition_penalty": float32(11)}, "frequency": {"frequency_penalty": float32(3)},
		"presence":           {"presence_penalty": float32(math.Inf(1))},
		"too many biases":    {"bias": 64, "bias_count": 1025},
		"endless biases":     {"bias": 64, "bias_count": forever},
		"a bias of none":     {"bias": r.biases(abi.Candidate{Token: -1, Value: 1}), "bias_count": 1},
		"a bias that is NaN": {"bias": r.biases(abi.Candidate{Token: 1, Value: float32(math.NaN())}), "bias_count": 1},
		"too many accepted":  {"accepted": 64, "accepted_count": 513},
		"endless accepted":   {"accepted": 64, "accepted_count": forever},
		"a token that is none": {"accepted": r.put([]byte{0xff, 0xff, 0xff, 0xff}), "accepted_count": 1,
			"presence_penalty": float32(1)},
	} {
		if e := r.call("sampler_new", m, r.put(encode("sampler", f)), abi.SamplerSize, out); e != abi.Inval {
			t.Errorf("%s: %v", name, e)
		}
		r.only()
	}
	spec := r.put(encode("sampler", fields{}))
	for _, n := range []uint64{0, 3, abi.MaxStruct + 1, forever} {
		r.want(abi.Inval, "sampler_new", m, spec, n, out)
	}
	r.want(abi.Fault, "sampler_new", m, r.put(encode("sampler", fields{"bias": r.Size() - 4, "bias_count": 1})), abi.SamplerSize, out)
	r.want(abi.Fault, "sampler_new", m, r.put(encode("sampler", fields{"accepted": r.Size(), "accepted_count": 1})), abi.SamplerSize, out)
	// A shorter struct, of an older header.
	r.must("sampler_new", m, r.put(encode("sampler", fields{"size": 8, "top_p": float32(7)})), abi.SamplerSize, out)
}

// grammar makes a grammar.
func (r *rig) grammar(m, kind uint64, text string) uint64 {
	r.t.Helper()
	at, n := r.text(text)
	return r.handle("grammar_new", m, kind, at, n)
}

// TestGrammar writes texts that keep to grammars.
func TestGrammar(t *testing.T) {
	r := begin(t)
	m := r.open()
	for name, c := range map[string]struct {
		kind   uint64
		text   string
		accept func(string) bool
	}{
		"schema": {abi.GrammarSchema, `{"type": "object", "properties": {"capital": {"enum": ["Paris", "Rome"]}, "n": {"type": "boolean"}}, "required": ["capital", "n"], "additionalProperties": false}`,
			func(s string) bool {
				var x struct {
					Capital string
					N       *bool
				}
				return json.Unmarshal([]byte(s), &x) == nil && x.Capital != "" && x.N != nil
			}},
		"regex": {abi.GrammarRegex, `[0-9]{3}-(Paris|Rome)`, regexp.MustCompile(`^[0-9]{3}-(Paris|Rome)$`).MatchString},
		"ebnf":  {abi.GrammarEBNF, "root ::= city \"!\" root | city\ncity ::= \"Par\" (\"is\" | \"ma\")", regexp.MustCompile(`^(Par(is|ma)!)*Par(is|ma)$`).MatchString},
	} {
		t.Run(name, func(t *testing.T) {
			row := r.ask(m)
			row["grammar"], row["max_tokens"] = r.grammar(m, c.kind, c.text), 200
			ticket := r.gen(row)
			r.want(abi.Busy, "grammar_fork", uint64(row["grammar"].(uint64)), r.alloc(4))
			r.want(abi.Busy, "grammar_mask", uint64(row["grammar"].(uint64)), r.alloc(4), 4)
			r.want(abi.Busy, "grammar_advance", uint64(row["grammar"].(uint64)), 0, 0, 0)
			ids, end := ended(t, r.drain(ticket)[0])
			if text := r.decode(ids); !c.accept(text) || end.finish != abi.FinishStop || end.err != abi.OK {
				t.Errorf("wrote %q and ended with %d, %v", text, end.finish, end.err)
			}
		})
	}
}

func TestGrammarAdvance(t *testing.T) {
	r := begin(t)
	m := r.open()
	g := r.grammar(m, abi.GrammarRegex, "ab+c")
	size := r.house.model.Config().VocabularySize
	bits := r.alloc(size / 8)
	one := func(s string) []int32 {
		t.Helper()
		ids := r.house.model.Tokenizer().Encode(nil, s, plainText)
		if len(ids) != 1 {
			t.Fatalf("%q is %v", s, ids)
		}
		return ids
	}
	allows := func(g uint64, s string) bool {
		t.Helper()
		r.must("grammar_mask", g, bits, uint64(size/8))
		r.only(span{bits, uint64(size / 8)})
		id := uint64(one(s)[0])
		return r.bytes[bits+id/8]&(1<<(id%8)) != 0
	}
	advance := func(want abi.Errno, g uint64, rollback uint64, texts ...string) {
		t.Helper()
		var ids []int32
		for _, s := range texts {
			ids = append(ids, one(s)...)
		}
		at, n := r.ids(ids)
		r.want(want, "grammar_advance", g, at, n, rollback)
		r.only()
	}
	if !allows(g, "a") || allows(g, "b") {
		t.Error("at first, a may come, and not b")
	}
	advance(abi.OK, g, 0, "a", "b")
	fork := r.handle("grammar_fork", g)
	if !allows(g, "b") || !allows(g, "c") || allows(g, "a") {
		t.Error("after ab, b or c may come, and not a")
	}
	// One that is not allowed takes nothing, and rolls nothing back.
	advance(abi.Grammar, g, 1, "b", "a")
	if !allows(g, "c") {
		t.Error("a call that failed has moved the grammar")
	}
	advance(abi.OK, g, 2, "a", "b", "b", "c")
	if allows(g, "b") || allows(g, "c") {
		t.Error("after abbc, more may come")
	}
	if !allows(fork, "c") {
		t.Error("the fork has moved")
	}
	advance(abi.Inval, g, 5)
	advance(abi.Inval, g, forever)
	advance(abi.OK, g, 4)
	if !allows(g, "a") {
		t.Error("all rolled back, a may not come")
	}
	bad, _ := r.ids([]int32{-1})
	r.want(abi.Grammar, "grammar_advance", g, bad, 1, 0)
	r.want(abi.Toobig, "grammar_mask", g, bits, uint64(size/8-1))
	r.only()
}

func TestGrammarRefused(t *testing.T) {
	r := begin(t)
	m := r.open()
	for name, c := range map[string]struct {
		kind uint64
		text string
		want abi.Errno
	}{
		"no JSON":        {abi.GrammarSchema, "{", abi.Grammar},
		"no schema":      {abi.GrammarSchema, `{"type": "car"}`, abi.Grammar},
		"a bracket":      {abi.GrammarRegex, "(", abi.Grammar},
		"left recursion": {abi.GrammarEBNF, "root ::= root \"a\"", abi.Grammar},
		"no root":        {abi.GrammarEBNF, "a ::= \"b\"", abi.Grammar},
		"too large":      {abi.GrammarRegex, "((a{1000}){1000}){1000}", abi.Grammar},
		"another kind":   {3, "a", abi.Inval},
	} {
		at, n := r.text(c.text)
		if e := r.call("grammar_new", m, c.kind, at, n, r.alloc(4)); e != c.want {
			t.Errorf("%s: %v", name, e)
		}
		r.only()
	}
	if r.lines("grammar_new") < 6 {
		t.Errorf("the log does not say what is wrong:\n%s", r.log.String())
	}
}

// TestGrammars has a guest that makes more and more of them.
func TestGrammars(t *testing.T) {
	r := begin(t)
	m := r.open()
	at, n := r.text("[0-9]+")
	out := r.alloc(4)
	for range 16 {
		r.must("grammar_new", m, abi.GrammarRegex, at, n, out)
		r.must("grammar_fork", uint64(r.u32(out)), out)
	}
	r.want(abi.Quota, "grammar_new", m, abi.GrammarRegex, at, n, out)
	last := uint64(r.u32(out))
	r.must("close", last-1)
	r.want(abi.Quota, "grammar_new", m, abi.GrammarRegex, at, n, out)
	// The last one is gone when its row is.
	row := r.ask(m)
	row["grammar"] = last
	ticket := r.gen(row)
	r.must("close", last)
	r.want(abi.Quota, "grammar_new", m, abi.GrammarRegex, at, n, out)
	r.must("cancel", ticket)
	r.drain(ticket)
	r.must("grammar_new", m, abi.GrammarRegex, at, n, out)
}

// TestGrammarOfTwoRows has one grammar in two rows, of which only one can have it.
func TestGrammarOfTwoRows(t *testing.T) {
	r := begin(t)
	m := r.open()
	g := r.grammar(m, abi.GrammarRegex, "[a-z ]*")
	a, b := r.ask(m), r.ask(m)
	a["grammar"], b["grammar"] = g, g
	rows := r.put(encode("row", a, b))
	for _, name := range []string{"step", "gen"} {
		r.want(abi.Busy, name, rows, 2, r.alloc(8))
		r.only()
	}
	// Nothing of it was started.
	if r.length(a["sequence"].(uint64)) != 0 {
		t.Error("a row was started")
	}
	r.handle("grammar_fork", g)
	if x := r.step(a)[0]; x.err != abi.OK {
		t.Errorf("the row alone is %v", x.err)
	}
}

// TestSamplerBusy has a sampler in a row and in operations, of which only one can
// have it: the two have goroutines of their own.
func TestSamplerBusy(t *testing.T) {
	r := begin(t)
	m := r.open()
	s := r.sampler(m, fields{"presence_penalty": float32(1)})
	row := r.ask(m)
	row["sampler"] = s
	ticket := r.gen(row)
	size := uint64(r.house.model.Config().VocabularySize)
	logits := r.handle("buf_new", 4*size, 0)
	out := r.alloc(4)
	op := r.put(encode("op", fields{"op": abi.OpSample, "rows": 1, "width": size, "x": logits, "sampler": s, "result": out, "cap": 4}))
	r.want(abi.Busy, "ops", op, 1, r.alloc(8))
	r.drain(ticket)
	ticket = r.ticket("ops", op, 1)
	row["tokens"], row["n"] = 0, 0
	r.want(abi.Busy, "step", r.put(encode("row", row)), 1, r.alloc(8))
	r.wait(ticket)
	r.step(row)
}

// TestCapabilities has guests that lack one call what needs it.
func TestCapabilities(t *testing.T) {
	h := open(t)
	named := map[string]uint64{"seq_save": abi.CapKVSave, "seq_load": abi.CapKVSave}
	for _, f := range abi.Functions() {
		if f.Capability != 0 {
			named[f.Name] = f.Capability
		}
	}
	saved := hostfn.NewSaved(1)
	t.Cleanup(saved.Close)
	r := h.guest(t, func(c *hostfn.Config) { c.Saved = saved })
	r.guest.Require(0)
	for _, f := range abi.Functions() {
		e := r.call(f.Name, make([]uint64, len(f.Parameters))...)
		if need := named[f.Name]; (e == abi.Perm) != (need != 0) {
			t.Errorf("%s is %v, and needs %#x", f.Name, e, need)
		} else if need != 0 {
			r.only()
		}
	}
	// Flags of rows need them too.
	for flag, need := range map[int]uint64{abi.RowTopK: abi.CapTopK, abi.RowHidden: abi.CapHidden, abi.RowLogits: abi.CapLogits} {
		for _, has := range []bool{false, true} {
			capabilities := uint64(abi.CapAll) &^ need
			want := abi.Perm
			if has {
				capabilities, want = need, abi.OK
			}
			r := h.guest(t, may(capabilities))
			at, n := r.ids(r.tokens(question))
			r.want(want, "step", r.put(encode("row", fields{"sequence": r.sequence(r.open()), "tokens": at, "n": n, "flags": flag, "top_k": 1})), 1, r.alloc(8))
		}
	}
}
