package hostfn_test

import (
	"encoding/binary"
	"math"
	"slices"

	"github.com/realm-webgpu/realm/hostfn"
	"github.com/realm-webgpu/realm/hostfn/abi"
)

// stream is what a fuzzer says, a choice after the other. It ends in zeros.
type stream struct{ rest []byte }

func (s *stream) byte() byte {
	if len(s.rest) == 0 {
		return 0
	}
	b := s.rest[0]
	s.rest = s.rest[1:]
	return b
}

// below returns a number below n, of 256 at most.
func (s *stream) below(n int) int { return int(s.byte()) % n }

// one reports true once in n times.
func (s *stream) one(n int) bool { return s.below(n) == n-1 }

func pick[T any](s *stream, all ...T) T { return all[s.below(len(all))] }

// edges are numbers at which things go wrong.
var edges = []uint64{
	0, 1, 3, 7, 8, 15, 1 << 16, 1 << 20, 1<<20 + 1, 1<<31 - 1, 1 << 31, 1<<32 - 4, 1<<32 - 1, 1 << 32, 1 << 61, 1 << 62, 1<<63 - 1, 1 << 63,
	^uint64(0) - 3, ^uint64(0) - 7, ^uint64(0),
}

// player makes calls of what a fuzzer says: most of them such as may succeed, with
// an argument changed here and there.
type player struct {
	*rig
	*stream
	names   []string
	handles map[kind][]uint64 // that were given out, closed ones among them
	texts   [][2]uint64       // where they are, and their lengths
	prompt  uint64            // where 24 tokens are
	room    uint64            // 4096 bytes
	wide    uint64            // room for a row of logits
	floor   uint64            // where scratch begins
	calls   map[string]int    // by function and errno; nil: they are not counted
}

// More kinds of handles than tests of bad arguments have.
const (
	aSampler kind = iota + 100
	aWeight
	aGen
)

func newPlayer(r *rig, data []byte) *player {
	p := &player{rig: r, stream: &stream{data}, handles: map[kind][]uint64{}}
	for _, f := range abi.Functions() {
		p.names = append(p.names, f.Name, f.Name, f.Name)
	}
	p.names = append(p.names, "step", "step", "step", "gen", "gen", "gen_next", "gen_next", "gen_next", "wait", "wait", "ops", "ops")
	for _, f := range hostfn.Functions()[len(abi.Functions()):] {
		p.names = append(p.names, f.Name)
	}
	for _, s := range []string{
		`{"messages": [{"role": "user", "content": "Hi"}]}`, "[a-z ]+", "root ::= [A-Z] root2\nroot2 ::= [a-z ]+", `{"type": "integer"}`,
		"atlas", "", "token_embd.weight", "output_norm.weight", "blk.0.attn_q.weight", "key",
	} {
		at, n := r.text(s)
		p.texts = append(p.texts, [2]uint64{at, n})
	}
	p.prompt, _ = r.ids(r.tokens(question)[:24])
	p.room, p.wide = r.alloc(4096), r.alloc(4*2048)
	p.floor = r.top
	return p
}

// handle picks one of a kind, rarely of another.
func (p *player) handle(k kind) uint64 {
	if p.one(16) {
		return uint64(p.below(32))
	}
	all := p.handles[k]
	if len(all) == 0 {
		return uint64(p.below(4))
	}
	return all[len(all)-1-p.below(min(len(all), 8))]
}

// maybe is a handle, or mostly none.
func (p *player) maybe(k kind) uint64 {
	if p.below(4) > 0 {
		return 0
	}
	return p.handle(k)
}

// row makes a row up.
func (p *player) row(gen bool) fields {
	f := fields{
		"sequence": p.handle(aSequence), "tokens": p.prompt, "n": p.below(25), "sampler": p.maybe(aSampler), "grammar": p.maybe(aGrammar),
		"top_k": 1 + p.below(5), "stop": p.prompt, "stop_count": p.below(3),
		"out": p.room + uint64(p.below(64))*4, "cap": p.below(256) * 4,
	}
	flags := pick(p.stream, 0, 0, abi.RowTopK, abi.RowLogprobs, abi.RowHidden, abi.RowNoSample, abi.RowLogits, abi.RowVerify, int(p.byte())&63)
	if gen {
		flags &= abi.RowTopK | abi.RowLogprobs
		f["max_tokens"] = p.below(40)
	}
	if flags&abi.RowVerify != 0 {
		f["drafts"] = p.below(18)
	}
	f["flags"] = flags
	if p.one(16) {
		f["mask"] = p.wide
	}
	if p.one(16) {
		f[pick(p.stream, "tokens", "n", "out", "cap", "mask", "stop")] = pick(p.stream, edges...)
	}
	return f
}

// op makes an operation up.
func (p *player) op() fields {
	f := fields{
		"op": p.below(13), "rows": 1 + p.below(3), "width": 4 << p.below(8), "out": p.handle(aBuffer), "x": p.handle(aBuffer), "y": p.handle(aBuffer), "z": p.maybe(aBuffer),
		"ids": p.prompt, "k": p.below(6), "result": p.room, "cap": p.below(256), "position": p.below(3), "layer": p.below(5), "sampler": p.maybe(aSampler),
	}
	if p.below(2) > 0 {
		f["weight"], f["sequence"] = p.handle(aWeight), p.handle(aSequence)
	}
	if p.one(8) {
		f[pick(p.stream, "rows", "width", "out_offset", "x_offset", "y_stride", "z_offset", "position", "layer", "window", "groups", "k", "activation")] = uint32(pick(p.stream, edges...))
	}
	if p.one(16) {
		f[pick(p.stream, "ids", "result", "cap")] = pick(p.stream, edges...)
	}
	return f
}

// arguments makes the arguments of a call up. opens is the kind of what it gives out
// at its last parameter.
func (p *player) arguments(name string) (args []uint64, opens kind) {
	text := pick(p.stream, p.texts...)
	out, count := p.alloc(8), p.alloc(8)
	m, s, g, b := p.handle(aModel), p.handle(aSequence), p.handle(aGrammar), p.handle(aBuffer)
	small := uint64(p.below(64))
	us := uint64(p.byte())
	switch name {
	case "abi_info":
		return []uint64{p.room, small}, 0
	case "args":
		return []uint64{p.room, small, count}, 0
	case "emit":
		return []uint64{pick(p.stream, uint64(0), abi.ChannelEvent), text[0], text[1]}, 0
	case "recv":
		return []uint64{p.room, small, count, us}, 0
	case "budget":
		return []uint64{p.put(encode("budget", fields{}))}, 0
	case "random", "random_get":
		return []uint64{p.room, small}, 0
	case "log":
		return []uint64{small % 5, text[0], text[1]}, 0
	case "cancel":
		return []uint64{p.handle(pick(p.stream, aTicket, aGen))}, 0
	case "close":
		if p.below(4) > 0 { // a guest that closes all it has comes nowhere
			return []uint64{0}, 0
		}
		return []uint64{p.handle(pick(p.stream, aSequence, aSampler, aGrammar, aBuffer, aWeight))}, 0
	case "wait":
		return []uint64{p.numbers(p.handle(aTicket), p.handle(pick(p.stream, aTicket, aGen))), 1 + small%2, us, out}, 0
	case "model_open":
		return []uint64{text[0], text[1], out}, aModel
	case "model_info":
		return []uint64{m, p.room, 4 * small}, 0
	case "tokenize":
		return []uint64{m, text[0], text[1], small % 5, p.room, small, count}, 0
	case "detokenize":
		return []uint64{m, p.prompt, small % 25, p.room, small, count}, 0
	case "chat_encode":
		return []uint64{m, text[0], text[1], p.room, small, count}, 0
	case "seq_open":
		return []uint64{m, small % 2, out}, aSequence
	case "seq_fork":
		return []uint64{s, 1 + small%2, out}, aSequence
	case "seq_truncate":
		return []uint64{s, small}, 0
	case "seq_save":
		return []uint64{s, text[0], text[1], small % 2 * 600}, 0
	case "seq_load":
		return []uint64{m, text[0], text[1], out}, aSequence
	case "seq_stat":
		at, n := p.ids([]int32{int32(s), int32(g)})
		return []uint64{at, n, p.put(append(encode("seq_stat", fields{}), make([]byte, 40)...))}, 0
	case "step", "gen":
		opens = aTicket
		if name == "gen" {
			opens = aGen
		}
		var rows []fields
		for range 1 + p.below(4) {
			rows = append(rows, p.row(name == "gen"))
		}
		return []uint64{p.put(encode("row", rows...)), uint64(len(rows)), out}, opens
	case "gen_next":
		return []uint64{p.handle(aGen), p.room, 8 * small, count}, 0
	case "logits":
		return []uint64{p.handle(aTicket), small % 2, small % 3, p.wide, 4 * 2048}, 0
	case "draft":
		at, n := p.ids([]int32{int32(s), int32(p.handle(aSequence))})
		return []uint64{at, n, small % 18, small % 2, p.put(append(encode("draft", fields{}), make([]byte, 80)...)), out}, aTicket
	case "sampler_new":
		f := fields{"temperature": float32(us) / 200, "top_k": small, "presence_penalty": float32(small) / 32, "accepted": p.prompt, "accepted_count": small % 25, "seed": us}
		if p.one(4) {
			f["bias"], f["bias_count"] = p.biases(abi.Candidate{Token: int32(us), Value: float32(math.Inf(-1))}), 1
		}
		return []uint64{m, p.put(encode("sampler", f)), abi.SamplerSize, out}, aSampler
	case "grammar_new":
		return []uint64{m, small % 4, text[0], text[1], out}, aGrammar
	case "grammar_fork":
		return []uint64{g, out}, aGrammar
	case "grammar_advance":
		return []uint64{g, p.prompt + 4*(small%20), small % 4, us % 3}, 0
	case "grammar_mask":
		return []uint64{g, p.wide, 256}, 0
	case "adapter_open":
		return []uint64{m, text[0], text[1], out}, 0
	case "buf_new":
		return []uint64{16 << (small % 12), us & 3 / 3, out}, aBuffer
	case "buf_write", "buf_read":
		return []uint64{b, 4 * small, p.room, 4 * (us % 64)}, 0
	case "weight_open":
		return []uint64{m, text[0], text[1], out}, aWeight
	case "ops":
		var all []fields
		for range 1 + p.below(6) {
			all = append(all, p.op())
		}
		return []uint64{p.put(encode("op", all...)), uint64(len(all)), out}, aTicket
	case "poll_oneoff":
		return []uint64{p.subscriptions(subscription{kind: byte(small / 32), clock: uint32(small % 5), timeout: us}), p.room, 1, count}, 0
	case "fd_write":
		return []uint64{small % 4, p.vectors(span{text[0], text[1]}, span{p.room, small}), 2, count}, 0
	case "proc_exit":
		if !p.one(8) {
			return nil, 0
		}
	}
	args = make([]uint64, len(p.functions[name].Params))
	for i := range args {
		args[i] = pick(p.stream, p.room, small, us, out)
	}
	return args, 0
}

// play makes a call. It reports whether the guest may go on.
func (p *player) play() (on bool) {
	p.top = p.floor
	name := pick(p.stream, p.names...)
	args, opens := p.arguments(name)
	if args == nil {
		return true
	}
	if len(args) > 0 && p.one(12) {
		args[p.below(len(args))] = pick(p.stream, edges...)
	}
	e := abi.OK
	if !p.survives(func() { e = p.call(name, args...) }) {
		return false
	}
	if p.calls != nil {
		p.calls[name+" "+e.String()]++
	}
	if e != abi.OK || opens == 0 {
		return true
	}
	switch out := args[len(args)-1]; opens {
	case aTicket, aGen:
		p.handles[opens] = append(p.handles[opens], p.u64(out))
	default:
		p.handles[opens] = append(p.handles[opens], uint64(p.u32(out)))
	}
	return true
}

// survives does something, and reports whether the guest may go on.
func (p *player) survives(do func()) (on bool) {
	defer func() {
		if x := recover(); x != nil {
			if _, ok := x.(*hostfn.Abort); !ok {
				panic(x)
			}
		}
	}()
	do()
	return true
}

// begin opens what a guest begins with.
func (p *player) begin() {
	p.handles[aModel] = []uint64{p.rig.open()}
	p.handles[aSequence] = []uint64{p.sequence(p.model), p.sequence(p.model)}
	p.handles[aBuffer] = []uint64{p.buffer(512), p.buffer(1024), p.buffer(2048)}
	p.handles[aWeight] = []uint64{p.weight(p.model, "token_embd.weight")}
	p.handles[aGrammar] = []uint64{p.grammar(p.model, abi.GrammarRegex, "[a-zA-Z ]+")}
	p.floor = p.top
}

// noise is what a fuzzer may begin with.
func noise(seed uint64, n int) []byte {
	var data []byte
	for x := seed*0x9e3779b97f4a7c15 + 1; len(data) < n; {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		data = binary.LittleEndian.AppendUint64(data, x)
	}
	return slices.Clip(data[:n])
}
