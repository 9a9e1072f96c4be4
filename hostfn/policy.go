package hostfn

import (
	"errors"
	"math"

	"github.com/realm-webgpu/realm/engine"
	"github.com/realm-webgpu/realm/engine/grammar"
	"github.com/realm-webgpu/realm/engine/sample"
	"github.com/realm-webgpu/realm/hostfn/abi"
)

// errGrammar marks what a grammar does not allow.
var errGrammar = errors.New("the grammar does not allow it")

// sampler is a sampler that a guest has made.
type sampler struct {
	*sample.Sampler
	// The scheduler and operations have goroutines of their own: rows and lists of
	// operations that use the sampler, of which there are only the one or the other.
	rows, ops int
}

func (*sampler) close() {}

// samplerNew implements realm1.sampler_new(model, spec, n, out).
func (c call) samplerNew(a []uint64) abi.Errno {
	m, e := find[openModel](c.Guest, uint32(a[0]))
	if e != abi.OK {
		return e
	}
	if a[2] < 4 || a[2] > abi.MaxStruct {
		return abi.Inval
	}
	b, e := c.bytes(a[1], a[2], abi.MaxStruct)
	if e != abi.OK {
		return e
	}
	var s abi.Sampler
	s.Decode(b[:min(uint64(leU32(b)), a[2])])
	spec := sample.Spec{
		Temperature: s.Temperature, TopK: int(min(s.TopK, math.MaxInt32)), TopP: s.TopP, MinP: s.MinP, TypicalP: s.TypicalP,
		RepetitionPenalty: s.RepetitionPenalty, FrequencyPenalty: s.FrequencyPenalty, PresencePenalty: s.PresencePenalty,
		PenaltyWindow: int(min(s.PenaltyWindow, math.MaxInt32)), Seed: s.Seed,
	}
	if s.BiasCount > maxBiases {
		return abi.Inval
	}
	if b, e = c.bytes(s.Bias, s.BiasCount*abi.CandidateSize, maxBiases*abi.CandidateSize); e != abi.OK {
		return e
	}
	for ; len(b) > 0; b = b[abi.CandidateSize:] {
		if spec.LogitBias == nil {
			spec.LogitBias = map[int32]float32{}
		}
		spec.LogitBias[int32(leU32(b))] += math.Float32frombits(leU32(b[4:]))
	}
	made, err := m.Engine.NewSampler(spec)
	if err != nil {
		c.complain("sampler_new", err)
		return errnoOf(err)
	}
	if c.Guest.ids, e = c.ints(c.ids[:0], s.Accepted, s.AcceptedCount, uint64(m.Engine.Context())); e != abi.OK {
		return e
	}
	if err := made.Accept(c.Guest.ids...); err != nil {
		c.complain("sampler_new", err)
		return errnoOf(err)
	}
	return c.addTo(a[3], &sampler{Sampler: made})
}

// grammarState is a grammar that a guest has made, and where it is.
type grammarState struct {
	*grammar.Matcher
	model *Model
	busy  bool // a row has it
	of    *compiled
}

// compiled is what the forks of a grammar share, which may be large.
type compiled struct {
	guest *Guest
	users int // handles and rows
}

func (c *compiled) use() {
	c.users++
	if c.users == 1 {
		c.guest.grammars++
	}
}

func (c *compiled) drop() {
	c.users--
	if c.users == 0 {
		c.guest.grammars--
	}
}

func (g *grammarState) close() { g.of.drop() }

// constraint returns what the engine asks which tokens are possible.
func (g *grammarState) constraint() engine.Constraint { return constraint{g.Matcher} }

// constraint makes errors of a grammar errGrammar.
type constraint struct{ *grammar.Matcher }

func (c constraint) Mask(dst sample.Mask) error { return asGrammar(c.Matcher.Mask(dst)) }

func (c constraint) Advance(token int32) error { return asGrammar(c.Matcher.Advance(token)) }

func (c constraint) Rollback(n int) error { return asGrammar(c.Matcher.Rollback(n)) }

func asGrammar(err error) error {
	if err == nil {
		return nil
	}
	return errors.Join(errGrammar, err)
}

// grammarNew implements realm1.grammar_new(model, kind, s, n, out).
func (c call) grammarNew(a []uint64) abi.Errno {
	m, e := find[openModel](c.Guest, uint32(a[0]))
	if e != abi.OK {
		return e
	}
	text, e := c.bytes(a[2], a[3], maxGrammar)
	if e != abi.OK {
		return e
	}
	if c.grammars >= maxGrammars {
		return abi.Quota
	}
	var g *grammar.Grammar
	var err error
	switch uint32(a[1]) {
	case abi.GrammarSchema:
		g, err = grammar.ParseSchema(text, grammar.SchemaOptions{})
	case abi.GrammarRegex:
		g, err = grammar.ParseRegex(string(text))
	case abi.GrammarEBNF:
		g, err = grammar.ParseEBNF(string(text))
	default:
		return abi.Inval
	}
	if err != nil {
		c.complain("grammar_new", err)
		return abi.Grammar
	}
	of := &compiled{guest: c.Guest}
	of.use()
	return c.addTo(a[4], &grammarState{Matcher: g.NewMatcher(m.Vocabulary()), model: m.Model, of: of})
}

// grammarOf returns a grammar that no row has.
func (c call) grammarOf(n uint64) (*grammarState, abi.Errno) {
	g, e := find[*grammarState](c.Guest, uint32(n))
	if e == abi.OK && g.busy {
		e = abi.Busy
	}
	return g, e
}

// grammarFork implements realm1.grammar_fork(grammar, out).
func (c call) grammarFork(a []uint64) abi.Errno {
	g, e := c.grammarOf(a[0])
	if e != abi.OK {
		return e
	}
	g.of.use()
	return c.addTo(a[1], &grammarState{Matcher: g.Fork(), model: g.model, of: g.of})
}

// grammarAdvance implements realm1.grammar_advance(grammar, tokens, n, rollback).
func (c call) grammarAdvance(a []uint64) abi.Errno {
	g, e := c.grammarOf(a[0])
	if e != abi.OK {
		return e
	}
	if c.Guest.ids, e = c.ints(c.ids[:0], a[1], a[2], maxTokens); e != abi.OK {
		return e
	}
	if a[3] > maxTokens {
		return abi.Inval
	}
	// The one that goes on is a fork, so that nothing has to be taken back.
	next := g.Fork()
	if err := next.Rollback(int(a[3])); err != nil {
		return abi.Inval
	}
	for _, id := range c.ids {
		if err := next.Advance(id); err != nil {
			return abi.Grammar
		}
	}
	g.Matcher = next
	return abi.OK
}

// grammarMask implements realm1.grammar_mask(grammar, bits, cap).
func (c call) grammarMask(a []uint64) abi.Errno {
	g, e := c.grammarOf(a[0])
	if e != abi.OK {
		return e
	}
	mask := sample.NewMask(g.model.Engine.Config().VocabularySize)
	if a[2] < uint64(4*len(mask)) {
		return abi.Toobig
	}
	if err := g.Matcher.Mask(mask); err != nil {
		c.complain("grammar_mask", err)
		return abi.Grammar
	}
	c.Guest.out = c.out[:0]
	for _, w := range mask {
		c.Guest.out = append(c.Guest.out, byte(w), byte(w>>8), byte(w>>16), byte(w>>24))
	}
	return c.store(a[1], c.out)
}
