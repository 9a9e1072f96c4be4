package hostfn_test

import (
	"encoding/binary"
	"slices"
	"testing"

	"github.com/realm-webgpu/realm/hostfn"
	"github.com/realm-webgpu/realm/hostfn/abi"
)

// props are one of each thing that a guest can have a handle of.
type props struct {
	*rig
	model, sequence, sampler, grammar, buffer, weight uint64
	text, n                                           uint64 // an "a"
	box                                               mailbox
}

func newProps(t *testing.T, h *house, saved *hostfn.Saved) *props {
	t.Helper()
	box := make(mailbox, 1)
	r := h.guest(t, func(c *hostfn.Config) { c.Saved, c.Messages = saved, box })
	p := &props{rig: r, model: r.open(), box: box}
	p.sequence = r.sequence(p.model)
	r.read(p.sequence, r.tokens(question))
	p.sampler = r.sampler(p.model, fields{})
	p.grammar = r.grammar(p.model, abi.GrammarRegex, "a+")
	p.buffer = r.buffer(4)
	p.weight = r.weight(p.model, "output_norm.weight")
	p.text, p.n = r.text("a")
	return p
}

// kind says which of the props a handle parameter takes.
type kind int

const (
	aModel kind = iota + 1
	aSequence
	aGrammar
	aBuffer
	anyHandle
	aTicket
)

// reach is a range that a call is given: the parameter with its address, and how many
// bytes it reads or writes there. size is the parameter with its length, -1 for none.
type reach struct {
	pointer int
	bytes   uint64
	size    int
}

// example is a call that succeeds, and what its arguments are.
type example struct {
	args    func(p *props) []uint64
	handle  int // the parameter that is a handle
	kind    kind
	reaches []reach
	// last is a place that is written before a range that is found to be wrong, by its
	// parameter; 0: there is none.
	last int
}

// examples has one for each function.
var examples = map[string]example{
	"abi_info": {args: func(p *props) []uint64 { return []uint64{p.alloc(48), 48} }, reaches: []reach{{0, 48, -1}}},
	"args":     {args: func(p *props) []uint64 { return []uint64{p.alloc(16), 16, p.alloc(8)} }, reaches: []reach{{0, 16, -1}, {2, 8, -1}}, last: 2},
	"emit":     {args: func(p *props) []uint64 { return []uint64{0, p.text, p.n} }, reaches: []reach{{1, 1, 2}}},
	"recv": {args: func(p *props) []uint64 {
		select {
		case p.box <- "hello":
		default:
		}
		return []uint64{p.alloc(5), 5, p.alloc(8), 0}
	}, reaches: []reach{{0, 5, -1}, {2, 8, -1}}, last: 2},
	"budget": {args: func(p *props) []uint64 { return []uint64{p.put(encode("budget", fields{}))} }, reaches: []reach{{0, 48, -1}}},
	"random": {args: func(p *props) []uint64 { return []uint64{p.alloc(8), 8} }, reaches: []reach{{0, 8, 1}}},
	"log":    {args: func(p *props) []uint64 { return []uint64{0, p.text, p.n} }, reaches: []reach{{1, 1, 2}}},
	"cancel": {args: func(p *props) []uint64 { return []uint64{p.anything()} }, handle: 0, kind: aTicket},
	"close":  {args: func(p *props) []uint64 { return []uint64{p.handle("model_open", 0, 0)} }, handle: 0, kind: anyHandle},
	"wait":   {args: func(p *props) []uint64 { return []uint64{p.numbers(p.anything()), 1, forever, p.alloc(8)} }, reaches: []reach{{0, 8, 1}, {3, 8, -1}}},

	"model_open": {args: func(p *props) []uint64 { a, n := p.rig.text("atlas"); return []uint64{a, n, p.alloc(4)} }, reaches: []reach{{0, 5, 1}, {2, 4, -1}}},
	"model_info": {args: func(p *props) []uint64 { return []uint64{p.model, p.alloc(288), 288} }, kind: aModel, reaches: []reach{{1, 288, -1}}},
	"tokenize": {args: func(p *props) []uint64 { return []uint64{p.model, p.text, p.n, 0, p.alloc(64), 16, p.alloc(8)} }, kind: aModel,
		reaches: []reach{{1, 1, 2}, {4, 4, -1}, {6, 8, -1}}, last: 6},
	"detokenize": {args: func(p *props) []uint64 {
		at, n := p.ids(p.tokens("a"))
		return []uint64{p.model, at, n, p.alloc(64), 64, p.alloc(8)}
	}, kind: aModel, reaches: []reach{{1, 4, 2}, {3, 1, -1}, {5, 8, -1}}, last: 5},
	"chat_encode": {args: func(p *props) []uint64 {
		at, n := p.rig.text(`{"messages": [{"role": "user", "content": "Hi"}]}`)
		return []uint64{p.model, at, n, p.alloc(400), 100, p.alloc(8)}
	}, kind: aModel, reaches: []reach{{1, 49, 2}, {3, 16, -1}, {5, 8, -1}}, last: 5},

	"seq_open":     {args: func(p *props) []uint64 { return []uint64{p.model, 0, p.alloc(4)} }, kind: aModel, reaches: []reach{{2, 4, -1}}},
	"seq_fork":     {args: func(p *props) []uint64 { return []uint64{p.sequence, 2, p.alloc(8)} }, kind: aSequence, reaches: []reach{{2, 8, 1}}},
	"seq_truncate": {args: func(p *props) []uint64 { return []uint64{p.sequence, 4} }, kind: aSequence},
	"seq_save":     {args: func(p *props) []uint64 { return []uint64{p.sequence, p.text, p.n, 60} }, kind: aSequence, reaches: []reach{{1, 1, 2}}},
	"seq_load": {args: func(p *props) []uint64 {
		p.must("seq_save", p.sequence, p.text, p.n, 60)
		return []uint64{p.model, p.text, p.n, p.alloc(4)}
	}, kind: aModel, reaches: []reach{{1, 1, 2}, {3, 4, -1}}},
	"seq_stat": {args: func(p *props) []uint64 {
		at, n := p.ids([]int32{int32(p.sequence)})
		return []uint64{at, n, p.put(encode("seq_stat", fields{}))}
	}, reaches: []reach{{0, 4, 1}, {2, 40, -1}}},

	"step": {args: func(p *props) []uint64 {
		return []uint64{p.put(encode("row", fields{"sequence": p.fresh(), "tokens": p.one(), "n": 1})), 1, p.alloc(8)}
	}, reaches: []reach{{0, 96, 1}, {2, 8, -1}}},
	"gen": {args: func(p *props) []uint64 {
		return []uint64{p.put(encode("row", fields{"sequence": p.fresh(), "tokens": p.one(), "n": 1, "max_tokens": 1})), 1, p.alloc(8)}
	}, reaches: []reach{{0, 96, 1}, {2, 8, -1}}},
	"gen_next": {args: func(p *props) []uint64 {
		ticket := p.gen(fields{"sequence": p.fresh(), "tokens": p.one(), "n": 1, "max_tokens": 1})
		return []uint64{ticket, p.alloc(64), 64, p.alloc(8)}
	}, kind: aTicket, reaches: []reach{{1, 64, -1}, {3, 8, -1}}},
	"logits": {args: func(p *props) []uint64 {
		ticket := p.rig.ticket("step", p.put(encode("row", fields{"sequence": p.fresh(), "tokens": p.one(), "n": 1, "flags": abi.RowLogits})), 1)
		p.wait(ticket)
		n := 4 * p.house.model.Config().VocabularySize
		return []uint64{ticket, 0, 0, p.alloc(n), uint64(n)}
	}, kind: aTicket, reaches: []reach{{3, 4 * 2048, -1}}},
	"draft": {args: func(p *props) []uint64 {
		at, n := p.ids([]int32{int32(p.sequence)})
		return []uint64{at, n, 4, abi.DraftLookup, p.put(encode("draft", fields{})), p.alloc(8)}
	}, reaches: []reach{{0, 4, 1}, {4, 80, -1}, {5, 8, -1}}},

	"sampler_new": {args: func(p *props) []uint64 {
		return []uint64{p.model, p.put(encode("sampler", fields{})), abi.SamplerSize, p.alloc(4)}
	}, kind: aModel, reaches: []reach{{1, 80, 2}, {3, 4, -1}}},
	"grammar_new": {args: func(p *props) []uint64 { return []uint64{p.model, abi.GrammarRegex, p.text, p.n, p.alloc(4)} }, kind: aModel,
		reaches: []reach{{2, 1, 3}, {4, 4, -1}}},
	"grammar_fork": {args: func(p *props) []uint64 { return []uint64{p.grammar, p.alloc(4)} }, kind: aGrammar, reaches: []reach{{1, 4, -1}}},
	"grammar_advance": {args: func(p *props) []uint64 {
		at, n := p.ids(p.house.model.Tokenizer().Encode(nil, "a", plainText))
		return []uint64{p.grammar, at, n, 0}
	}, kind: aGrammar, reaches: []reach{{1, 4, 2}}},
	"grammar_mask": {args: func(p *props) []uint64 { return []uint64{p.grammar, p.alloc(256), 256} }, kind: aGrammar, reaches: []reach{{1, 256, -1}}},
	"adapter_open": {args: func(p *props) []uint64 {
		at, n := p.rig.text("pirate")
		return []uint64{p.model, at, n, p.alloc(4)}
	}, kind: aModel, reaches: []reach{{1, 6, 2}, {3, 4, -1}}},

	"buf_new":   {args: func(p *props) []uint64 { return []uint64{16, 0, p.alloc(4)} }, reaches: []reach{{2, 4, -1}}},
	"buf_write": {args: func(p *props) []uint64 { return []uint64{p.buffer, 0, p.floats(1, 2), 8} }, kind: aBuffer, reaches: []reach{{2, 8, 3}}},
	"buf_read":  {args: func(p *props) []uint64 { return []uint64{p.buffer, 0, p.alloc(8), 8} }, kind: aBuffer, reaches: []reach{{2, 8, 3}}},
	"weight_open": {args: func(p *props) []uint64 {
		at, n := p.rig.text("output_norm.weight")
		return []uint64{p.model, at, n, p.alloc(4)}
	}, kind: aModel, reaches: []reach{{1, 18, 2}, {3, 4, -1}}},
	"ops": {args: func(p *props) []uint64 {
		return []uint64{p.put(encode("op", fields{"op": abi.OpAdd, "rows": 1, "width": 4, "out": p.buffer, "x": p.buffer, "y": p.buffer})), 1, p.alloc(8)}
	}, reaches: []reach{{0, 144, 1}, {2, 8, -1}}},
}

// one is put for a token.
func (p *props) one() uint64 {
	at, _ := p.ids([]int32{5})
	return at
}

// fresh is a sequence of its own.
func (p *props) fresh() uint64 { return p.rig.sequence(p.model) }

// anything is the ticket of some work.
func (p *props) anything() uint64 {
	return p.rig.ticket("step", p.put(encode("row", fields{"sequence": p.fresh(), "tokens": p.one(), "n": 1})), 1)
}

// others returns the handles that are not of a kind.
func (p *props) others(k kind) []uint64 {
	var all []uint64
	for _, h := range []struct {
		kind   kind
		handle uint64
	}{{aModel, p.model}, {aSequence, p.sequence}, {aGrammar, p.grammar}, {aBuffer, p.buffer}, {0, p.sampler}, {0, p.weight}} {
		if h.kind != k && k != anyHandle {
			all = append(all, h.handle)
		}
	}
	return all
}

// TestBadArguments calls every function with a good example, and then with each of
// its arguments changed into one that is none.
func TestBadArguments(t *testing.T) {
	h := open(t)
	saved := hostfn.NewSaved(4)
	t.Cleanup(saved.Close)
	// Whatever another guest has is nothing to this one.
	other := newProps(t, h, nil)
	for range 3000 {
		s := other.fresh()
		other.must("close", s)
		other.top -= 16 + 32
	}
	theirs := other.fresh()
	for _, f := range abi.Functions() {
		x, ok := examples[f.Name]
		if !ok {
			t.Errorf("%s has no example", f.Name)
			continue
		}
		t.Run(f.Name, func(t *testing.T) {
			p := newProps(t, h, saved)
			p.must(f.Name, x.args(p)...)
			for _, r := range x.reaches {
				size := p.Size()
				copy(p.bytes[size-r.bytes+1:], binary.LittleEndian.AppendUint32(nil, uint32(r.bytes))) // the size of a struct
				for _, at := range []uint64{size - r.bytes + 1, size, size + 1, 1<<32 - 1, 1 << 32, 1 << 63, -r.bytes, forever} {
					p.bad(x, f, r.pointer, at, abi.Fault)
				}
				if r.size < 0 {
					continue
				}
				for _, n := range []uint64{size + 1, 1 << 32, 1 << 61, 1 << 62, 1 << 63, forever} {
					p.bad(x, f, r.size, n, abi.Inval, abi.Fault)
				}
			}
			if x.kind == aTicket {
				for _, ticket := range []uint64{0, 1 << 20, forever} {
					p.bad(x, f, x.handle, ticket, abi.Badf)
				}
			} else if x.kind != 0 {
				for _, handle := range append(p.others(x.kind), 0, theirs, 1<<32-1) {
					p.bad(x, f, x.handle, handle, abi.Badf)
				}
			}
			p.must(f.Name, x.args(p)...)
		})
	}
}

// bad calls an example with one argument changed, on a guest that has not done much.
func (p *props) bad(x example, f abi.Function, parameter int, value uint64, want ...abi.Errno) {
	p.t.Helper()
	top := p.top
	args := x.args(p)
	args[parameter] = value
	e := p.call(f.Name, args...)
	if !slices.Contains(want, e) {
		p.t.Errorf("with %s = %#x, it is %v, want %v", f.Parameters[parameter].Name, value, e, want)
	}
	var allowed []span
	if x.last > 0 && x.last != parameter {
		allowed = append(allowed, span{args[x.last], 8})
	}
	p.only(allowed...)
	p.drop()
	p.top = top
}

// drop closes what was opened since the props were.
func (p *props) drop() {
	for h := p.weight + 1; h < p.weight+64; h++ {
		p.call("close", h)
	}
	for ticket := range uint64(300) {
		if p.call("cancel", ticket) == abi.OK {
			p.call("wait", p.numbers(ticket), 1, forever, p.alloc(8))
		}
	}
}

// TestBadTickets has wait refuse lists with one ticket that is none.
func TestBadTickets(t *testing.T) {
	p := newProps(t, open(t), nil)
	ticket := p.anything()
	which := p.alloc(8)
	for _, all := range [][]uint64{{0}, {ticket, 0}, {forever, ticket}, {ticket, ticket + 1}} {
		p.want(abi.Badf, "wait", p.numbers(all...), uint64(len(all)), 0, which)
		p.only()
	}
	for _, n := range []uint64{0, 1025} {
		p.want(abi.Inval, "wait", p.numbers(ticket), n, 0, which)
	}
	p.must("wait", p.numbers(ticket, ticket), 2, forever, which)
	p.want(abi.Badf, "gen_next", ticket, p.alloc(64), 64, which)
}

// TestBadRows has rows whose ranges and handles are wrong.
func TestBadRows(t *testing.T) {
	p := newProps(t, open(t), nil)
	size := p.Size()
	type change struct {
		field string
		value uint64
		want  abi.Errno
	}
	var all []change
	for _, at := range []uint64{size, size - 3, 1 << 32, 1 << 63, forever - 3, forever} {
		all = append(all, change{"tokens", at, abi.Fault}, change{"mask", at, abi.Fault}, change{"stop", at, abi.Fault}, change{"out", at, abi.Fault})
	}
	for _, n := range []uint64{size, 1 << 20, 1<<20 + 1, 1 << 62, 1 << 63, forever} {
		want := abi.Fault
		if n > 1<<20 {
			want = abi.Inval
		}
		all = append(all, change{"n", n, want})
	}
	all = append(all, change{"cap", size, abi.Fault}, change{"cap", forever, abi.Fault})
	for field, own := range map[string]uint64{"sequence": p.sequence, "sampler": p.sampler, "grammar": p.grammar, "adapter": 0} {
		for _, h := range []uint64{p.model, p.sequence, p.sampler, p.grammar, p.buffer, p.weight, 999, 1<<32 - 1} {
			if h != own {
				all = append(all, change{field, h, abi.Badf})
			}
		}
	}
	for i, c := range all {
		row := fields{"sequence": p.sequence, "tokens": p.one(), "n": 1, "stop": p.one(), "stop_count": 1, "out": p.alloc(256), "cap": 256}
		row[c.field] = c.value
		for _, name := range []string{"step", "gen"} {
			if name == "gen" && (c.field == "out" || c.field == "cap") {
				continue
			}
			if e := p.call(name, p.put(encode("row", row)), 1, p.alloc(8)); e != c.want {
				t.Errorf("%d: %s with %s = %#x is %v, want %v", i, name, c.field, c.value, e, c.want)
			}
			p.only()
		}
	}
	if n := p.length(p.sequence); n != uint64(len(p.tokens(question))) {
		t.Errorf("the sequence has %d tokens", n)
	}
	for _, n := range []uint64{0, 1, 7, 9, abi.MaxStruct + 4} {
		at := p.put(encode("row", fields{"size": n, "sequence": p.sequence}))
		if e := p.call("step", at, 1, p.alloc(8)); e != abi.Inval {
			t.Errorf("a row of %d bytes is %v", n, e)
		}
	}
}

// TestShortRow has a row of an older header, which ends early.
func TestShortRow(t *testing.T) {
	r := begin(t)
	s := r.sequence(r.open())
	at, n := r.ids(r.tokens(question))
	row := encode("row", fields{"size": 48, "sequence": s, "tokens": at, "n": n})[:48]
	r.wait(r.ticket("step", r.put(append(row, row[:4]...)), 1))
	if r.length(s) != n+1 {
		t.Errorf("the sequence has %d tokens", r.length(s))
	}
}
