package abi

import (
	"encoding/binary"
	"math"
)

var le = binary.LittleEndian

// The sizes of structs, in bytes.
const (
	AbiInfoSize   = 48
	BudgetSize    = 48
	ModelInfoSize = 288
	SeqStatSize   = 40
	RowSize       = 96
	ResultSize    = 48
	EventSize     = 32
	DraftSize     = 80
	SamplerSize   = 80
	OpSize        = 144
)

// MaxDrafts is the most proposals of a row, and of draft.
const MaxDrafts = 16

// MaxStruct is the largest size that a guest may say of a struct.
const MaxStruct = 4096

// fields reads a struct that may be shorter than what is known of it: what it
// lacks is zero.
type fields []byte

func (f fields) u32(at int) uint32 {
	if at+4 > len(f) {
		return 0
	}
	return le.Uint32(f[at:])
}

func (f fields) u64(at int) uint64 {
	if at+8 > len(f) {
		return 0
	}
	return le.Uint64(f[at:])
}

func (f fields) f32(at int) float32 { return math.Float32frombits(f.u32(at)) }

// Row is struct realm_row.
type Row struct {
	Sequence                  uint32
	Tokens, N                 uint64
	Sampler, Grammar, Adapter uint32
	Flags                     uint32
	Mask                      uint64
	MaxTokens                 uint64
	Stop                      uint64
	StopCount, Drafts, TopK   uint32
	Out, Cap                  uint64
}

// Decode reads a row.
func (r *Row) Decode(b []byte) {
	f := fields(b)
	*r = Row{
		Sequence: f.u32(4), Tokens: f.u64(8), N: f.u64(16),
		Sampler: f.u32(24), Grammar: f.u32(28), Adapter: f.u32(32), Flags: f.u32(36),
		Mask: f.u64(40), MaxTokens: f.u64(48), Stop: f.u64(56), StopCount: f.u32(64), Drafts: f.u32(68), TopK: f.u32(72),
		Out: f.u64(80), Cap: f.u64(88),
	}
}

// Sampler is struct realm_sampler.
type Sampler struct {
	Temperature             float32
	TopK                    uint32
	TopP, MinP, TypicalP    float32
	RepetitionPenalty       float32
	FrequencyPenalty        float32
	PresencePenalty         float32
	PenaltyWindow           uint32
	Seed                    uint64
	Bias, BiasCount         uint64
	Accepted, AcceptedCount uint64
}

// Decode reads a sampler.
func (s *Sampler) Decode(b []byte) {
	f := fields(b)
	*s = Sampler{
		Temperature: f.f32(4), TopK: f.u32(8), TopP: f.f32(12), MinP: f.f32(16), TypicalP: f.f32(20),
		RepetitionPenalty: f.f32(24), FrequencyPenalty: f.f32(28), PresencePenalty: f.f32(32), PenaltyWindow: f.u32(36),
		Seed: f.u64(40), Bias: f.u64(48), BiasCount: f.u64(56), Accepted: f.u64(64), AcceptedCount: f.u64(72),
	}
}

// View is a buffer of an Op, from an offset on, in elements.
type View struct{ Buffer, Offset, Stride uint32 }

// Op is struct realm_op.
type Op struct {
	Op, Rows, Width             uint32
	Out, X, Y, Z                View
	Weight, Bias                uint32
	Sequence, Position, Layer   uint32
	Window, Groups              uint32
	Activation, K, Sampler      uint32
	Scale, Epsilon, SoftCap     float32
	IDs, Result, ResultCapacity uint64
}

// Decode reads an operation.
func (o *Op) Decode(b []byte) {
	f := fields(b)
	view := func(at int) View { return View{f.u32(at), f.u32(at + 4), f.u32(at + 8)} }
	*o = Op{
		Op: f.u32(4), Rows: f.u32(8), Width: f.u32(12),
		Out: view(16), X: view(28), Y: view(40), Z: view(52),
		Weight: f.u32(64), Bias: f.u32(68), Sequence: f.u32(72), Position: f.u32(76), Layer: f.u32(80),
		Window: f.u32(84), Groups: f.u32(88), Activation: f.u32(92), K: f.u32(96), Sampler: f.u32(100),
		Scale: f.f32(104), Epsilon: f.f32(108), SoftCap: f.f32(112),
		IDs: f.u64(120), Result: f.u64(128), ResultCapacity: f.u64(136),
	}
}

// AbiInfo is struct realm_abi_info.
type AbiInfo struct {
	Capabilities                    uint32
	Features, MaxMemory             uint64
	MaxHandles, MaxTickets, MaxRows uint32
	PageTokens                      uint32
}

// Append appends the struct.
func (a *AbiInfo) Append(b []byte) []byte {
	b = u32s(b, AbiInfoSize, Major, Minor, a.Capabilities)
	b = u64s(b, a.Features, a.MaxMemory)
	return u32s(b, a.MaxHandles, a.MaxTickets, a.MaxRows, a.PageTokens)
}

// Budget is struct realm_budget.
type Budget struct{ Microseconds, Fuel, Tokens, Pages, Bytes uint64 }

// Append appends the struct.
func (a *Budget) Append(b []byte) []byte {
	b = u32s(b, BudgetSize, 0)
	return u64s(b, a.Microseconds, a.Fuel, a.Tokens, a.Pages, a.Bytes)
}

// ModelInfo is struct realm_model_info.
type ModelInfo struct {
	Flags, Vocabulary, Context, Embedding, Blocks uint32
	HeadCount, HeadCountKV, HeadDim, FeedForward  uint32
	RopeDimensions, RopeMode                      uint32
	Epsilon, AttentionScale                       float32
	BOS, EOS                                      int32
	Stop                                          []int32 // at most 15 are told
	Architecture, Name                            string  // at most 31 and 127 bytes are
}

// Append appends the struct.
func (a *ModelInfo) Append(b []byte) []byte {
	b = u32s(b, ModelInfoSize, a.Flags, a.Vocabulary, a.Context, a.Embedding, a.Blocks,
		a.HeadCount, a.HeadCountKV, a.HeadDim, a.FeedForward, a.RopeDimensions, a.RopeMode,
		math.Float32bits(a.Epsilon), math.Float32bits(a.AttentionScale), uint32(a.BOS), uint32(a.EOS))
	const most = 15
	n := min(len(a.Stop), most)
	b = u32s(b, uint32(n))
	for i := range most {
		id := int32(0)
		if i < n {
			id = a.Stop[i]
		}
		b = u32s(b, uint32(id))
	}
	b = text(b, a.Architecture, 32)
	return text(b, a.Name, 128)
}

// SeqStat is struct realm_seq_stat.
type SeqStat struct {
	Error                Errno
	Length, Read, Cached uint64
	Busy                 bool
}

// Append appends the struct.
func (a *SeqStat) Append(b []byte) []byte {
	busy := uint32(0)
	if a.Busy {
		busy = 1
	}
	b = u32s(b, SeqStatSize, uint32(a.Error))
	b = u64s(b, a.Length, a.Read, a.Cached)
	return u32s(b, busy, 0)
}

// Candidate is struct realm_candidate.
type Candidate struct {
	Token int32
	Value float32
}

// Result is struct realm_result with its arrays.
type Result struct {
	Error      Errno
	Accepted   uint32
	Finish     uint32
	TopK       int // candidates of each token
	Tokens     []int32
	Logprobs   []float32
	Candidates []Candidate
	Hidden     []float32
}

// Bytes returns the length of the struct and its arrays.
func (a *Result) Bytes() int {
	return ResultSize + 4*(len(a.Tokens)+len(a.Logprobs)+len(a.Hidden)) + CandidateSize*len(a.Candidates)
}

// Append appends the struct and its arrays; without the arrays where they are
// longer than room bytes, with Toobig for an error.
func (a *Result) Append(b []byte, room uint64) []byte {
	n := a.Bytes()
	fits := uint64(n) <= room
	e := a.Error
	if !fits && e == OK {
		e = Toobig
	}
	b = u64s(u32s(b, ResultSize, uint32(e)), uint64(n))
	b = u32s(b, uint32(len(a.Tokens)), a.Accepted, a.Finish, uint32(a.TopK))
	at := uint32(ResultSize)
	for _, size := range [...]int{4 * len(a.Tokens), 4 * len(a.Logprobs), CandidateSize * len(a.Candidates), 4 * len(a.Hidden)} {
		if size == 0 || !fits {
			b = u32s(b, 0)
			continue
		}
		b = u32s(b, at)
		at += uint32(size)
	}
	if !fits {
		return b
	}
	for _, t := range a.Tokens {
		b = u32s(b, uint32(t))
	}
	b = floats(b, a.Logprobs)
	b = candidates(b, a.Candidates)
	return floats(b, a.Hidden)
}

// Event is struct realm_event with its candidates.
type Event struct {
	Row, Kind  uint32
	Token      int32
	Logprob    float32
	Error      Errno
	Finish     uint32
	Candidates []Candidate
}

// Bytes returns the length of the struct and its candidates.
func (a *Event) Bytes() int { return EventSize + CandidateSize*len(a.Candidates) }

// Append appends the struct and its candidates.
func (a *Event) Append(b []byte) []byte {
	b = u32s(b, uint32(a.Bytes()), a.Row, a.Kind, uint32(a.Token), math.Float32bits(a.Logprob),
		uint32(len(a.Candidates)), uint32(a.Error), a.Finish)
	return candidates(b, a.Candidates)
}

// Draft is struct realm_draft.
type Draft struct {
	Error  Errno
	Tokens []int32 // at most MaxDrafts
}

// Append appends the struct.
func (a *Draft) Append(b []byte) []byte {
	b = u32s(b, DraftSize, uint32(a.Error), uint32(len(a.Tokens)), 0)
	for i := range MaxDrafts {
		id := int32(0)
		if i < len(a.Tokens) {
			id = a.Tokens[i]
		}
		b = u32s(b, uint32(id))
	}
	return b
}

func u32s(b []byte, values ...uint32) []byte {
	for _, v := range values {
		b = le.AppendUint32(b, v)
	}
	return b
}

func u64s(b []byte, values ...uint64) []byte {
	for _, v := range values {
		b = le.AppendUint64(b, v)
	}
	return b
}

func floats(b []byte, values []float32) []byte {
	for _, v := range values {
		b = le.AppendUint32(b, math.Float32bits(v))
	}
	return b
}

func candidates(b []byte, all []Candidate) []byte {
	for _, c := range all {
		b = u32s(b, uint32(c.Token), math.Float32bits(c.Value))
	}
	return b
}

// text appends size bytes of text, ended by a NUL.
func text(b []byte, s string, size int) []byte {
	at := len(b)
	b = append(b, make([]byte, size)...)
	copy(b[at:at+size-1], s)
	return b
}
