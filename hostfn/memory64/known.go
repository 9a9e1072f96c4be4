package memory64

import (
	"slices"

	"github.com/realm-webgpu/realm/hostfn/wasm"
)

// fact says something of a state of a local.
type fact struct {
	local   int
	version uint32
	span    span
	copied  bool // the local's copy has its lower half
	number  int  // of facts, ever
	before  int  // the last fact of that local before, or -1
}

// known is what is known of locals. Facts of a block are forgotten at its end, but for
// those from before a branch to there. A loop begins with those of locals that it does
// not write, as it is entered from behind too.
type known struct {
	version []uint32 // of each local: how often it was written, in the order of the text
	last    []int    // the last fact of each local, or -1
	facts   []fact
	floor   int // facts before it do not hold
	learned int // how many facts there have ever been
}

func (k *known) reset(locals int) {
	k.version = slices.Grow(k.version[:0], locals)[:locals]
	k.last = slices.Grow(k.last[:0], locals)[:locals]
	for i := range locals {
		k.version[i], k.last[i] = 0, -1
	}
	k.facts, k.floor, k.learned = k.facts[:0], 0, 0
}

// fact returns the fact that holds of a state of a local, or nil.
func (k *known) fact(local int, version uint32) *fact {
	if i := k.last[local]; i >= k.floor && k.facts[i].version == version {
		return &k.facts[i]
	}
	return nil
}

// span returns what a state of a local is known to be. It is right for an i32, too.
func (k *known) span(local int, version uint32) span {
	if x := k.fact(local, version); x != nil {
		return x.span
	}
	return spanOf(wasm.I64)
}

// copied reports whether the copy of a local has its lower half as it is now.
func (k *known) copied(local int) bool {
	x := k.fact(local, k.version[local])
	return x != nil && x.copied
}

// learn notes what a state of a local is, besides what is known.
func (k *known) learn(local int, version uint32, s span, copied bool) {
	if x := k.fact(local, version); x != nil {
		s, copied = x.span.and(s), copied || x.copied
		if s == x.span && copied == x.copied {
			return
		}
	} else if s == spanOf(wasm.I64) && !copied {
		return
	}
	k.learned++
	k.facts = append(k.facts, fact{local, version, s, copied, k.learned, k.last[local]})
	k.last[local] = len(k.facts) - 1
}

// forget drops the facts from n on.
func (k *known) forget(n int) {
	for len(k.facts) > n {
		f := k.facts[len(k.facts)-1]
		k.last[f.local] = f.before
		k.facts = k.facts[:len(k.facts)-1]
	}
}

// forgetFrom drops the facts that were learned behind the first n ever.
func (k *known) forgetFrom(n int) {
	for i := len(k.facts); i > 0; i-- {
		if k.facts[i-1].number <= n {
			k.forget(i)
			return
		}
	}
	k.forget(0)
}
