package sample

import (
	"math"
	"slices"
)

// How far a List's LogSumExp may be from the truth: LogSumExpError, in nats,
// plus LogSumExpRounding times its own size. A device that sums in float32 with
// WGSL's exp stays well inside.
const (
	LogSumExpError    = 0x1p-12
	LogSumExpRounding = 0x1p-22
)

// List is what a device reads back of a row: its K best tokens, as the model
// gave them, before mask, bias and penalties.
type List struct {
	// IDs [K] are distinct tokens, no token outside them has a higher logit than
	// the last, nor the same with a lower id.
	IDs []int32
	// Logits [K] are theirs, the very numbers of the row, highest first, equals
	// by lower id.
	Logits []float32
	// LogSumExp is log(sum(exp(logits))) over the whole row at temperature 1,
	// within LogSumExpError and LogSumExpRounding.
	LogSumExp float32
}

// Candidates chooses the token of a position from the K best of its row. If ok,
// it is the token that Row chooses; logprob differs by no more than the error of
// LogSumExp. If not, the choice may depend on tokens outside the list, or the
// list is not one (out of order, NaN, a mask of another size): the caller reads
// the row and calls Row, which tells the two apart.
//
// It answers when the filters provably end inside the list, or the draw does,
// whatever the rest of the row is. It does not, among others, when the nucleus
// reaches past the list, when a bias or a negative penalty may lift an unlisted
// token, and for typical_p without a top_k inside the list, which needs the
// entropy of the whole row.
func (s *Sampler) Candidates(list List, mask Mask, position uint64) (token int32, logprob float32, ok bool) {
	if !list.valid(s.vocab) || mask.check(s.vocab) != nil {
		return 0, 0, false
	}
	p, ok := s.listPool(list, mask)
	if !ok {
		return 0, 0, false
	}
	rank, ok := p.choose(&s.spec, s.vocab, Uniform(s.spec.Seed, position))
	if !ok {
		return 0, 0, false
	}
	token = keyToken(p.key(rank))
	return token, list.logprob(slices.Index(list.IDs, token)), true
}

// logprob returns the log-probability of entry i in the model's distribution.
func (l List) logprob(i int) float32 {
	return min(0, float32(float64(l.Logits[i])-float64(l.LogSumExp)))
}

// valid reports whether a list is in order and within the vocabulary.
func (l List) valid(vocab int) bool {
	if len(l.IDs) == 0 || len(l.IDs) > vocab || len(l.IDs) != len(l.Logits) ||
		!(math.Abs(float64(l.LogSumExp)) <= math.MaxFloat32) {
		return false
	}
	for i, logit := range l.Logits {
		if id := l.IDs[i]; id < 0 || int(id) >= vocab || !(logit <= math.MaxFloat32) {
			return false
		}
		if i > 0 && makeKey(l.Logits[i-1], l.IDs[i-1]) >= makeKey(logit, l.IDs[i]) {
			return false
		}
	}
	return l.Logits[0] >= -math.MaxFloat32
}

// listPool ranks the listed tokens after mask, bias and penalties. Those that
// might be outranked by an unlisted token join the rest, of which only bounds
// are known. It is not ok if no token is certain, or if the list and its
// LogSumExp contradict each other.
func (s *Sampler) listPool(list List, mask Mask) (p pool, ok bool) {
	keys, ok := s.listKeys(list, mask)
	if !ok {
		return pool{}, false
	}
	first, last := float64(list.Logits[0]), list.Logits[len(list.Logits)-1]
	p.slack = summationSlack(s.vocab)
	unlisted := s.vocab - len(list.IDs)
	if unlisted == 0 || last < -math.MaxFloat32 {
		// Nothing else is possible: what is -Inf stays so, whatever is added.
		p.ranking = ranking{keys: keys, sorted: len(keys)}
		return p, len(keys) > 0
	}

	// No unlisted token has a key below bound.
	bound := makeKey(last, list.IDs[len(list.IDs)-1])
	lifted, highest, ok := s.lifted(list)
	if !ok {
		return pool{}, false
	}
	if lifted > 0 {
		bound = min(bound, makeKey(highest, 0))
	}
	certain, found := slices.BinarySearch(keys, bound)
	if found {
		certain++
	}
	tail, ok := list.tail(unlisted, p.slack)
	if !ok || certain == 0 {
		return pool{}, false
	}
	p.ranking = ranking{keys: keys[:certain], sorted: certain}

	// Bias, penalties and mask may have taken mass away from the tail, and those
	// that lift may have added some. From here on, masses are in units of the best.
	best := p.logit(0)
	level := math.Exp(float64(last) - best)
	scale := func(m float64) float64 { return math.Exp(math.Log(m) + first - best) }
	p.others = rest{
		n:       unlisted + len(keys) - certain,
		ceiling: float64(keyLogit(bound)) - best,
		mass: bounds{
			lo: max(0, scale(tail.lo)-float64(s.touched(list))*level),
			hi: min(scale(tail.hi), float64(unlisted)*level),
		},
	}
	if mask != nil {
		p.others.mass.lo = 0
	}
	if lifted > 0 {
		p.others.mass.hi += float64(lifted) * math.Exp(float64(highest)-best)
	}
	for _, key := range keys[certain:] {
		w := math.Exp(float64(keyLogit(key)) - best)
		p.others.mass.lo += w
		p.others.mass.hi += w
	}
	return p, true
}

// listKeys returns the keys of the listed tokens that are possible, in order. It
// is not ok if bias or penalties overflow a logit.
func (s *Sampler) listKeys(list List, mask Mask) (keys []uint64, ok bool) {
	adjusts := s.adjusts()
	keys = slices.Grow(s.scratch.keys[:0], len(list.IDs))
	s.scratch.keys = keys
	for i, id := range list.IDs {
		logit := list.Logits[i]
		if adjusts {
			logit = s.adjust(id, logit)
		}
		if !(logit <= math.MaxFloat32) {
			return nil, false
		}
		if logit >= -math.MaxFloat32 && mask.Allows(id) {
			keys = append(keys, makeKey(logit, id))
		}
	}
	slices.Sort(keys)
	return keys, true
}

// tail bounds the mass of the unlisted tokens as the model gave them, in units
// of the first of the list: the whole by LogSumExp less the listed. It is not ok
// if that cannot be.
func (l List) tail(unlisted int, slack float64) (b bounds, ok bool) {
	first, listed := float64(l.Logits[0]), 0.0
	for _, logit := range l.Logits {
		listed += math.Exp(float64(logit) - first)
	}
	whole := float64(l.LogSumExp)
	tolerance := LogSumExpError + LogSumExpRounding*math.Abs(whole)
	most := float64(unlisted) * math.Exp(float64(l.Logits[len(l.Logits)-1])-first)
	b = bounds{
		lo: max(0, math.Exp(whole-tolerance-first)*(1-slack)-listed*(1+slack)),
		hi: min(most, math.Exp(whole+tolerance-first)*(1+slack)-listed*(1-slack)),
	}
	return b, b.hi >= 0 && b.lo <= most*(1+slack)
}

// touched returns how many unlisted tokens bias or penalties change, at most.
func (s *Sampler) touched(list List) int {
	n := len(s.history.counts) + len(s.spec.LogitBias)
	if n == 0 {
		return 0
	}
	for _, id := range list.IDs {
		if s.history.counts[id] > 0 {
			n--
		}
		if _, biased := s.spec.LogitBias[id]; biased {
			n--
		}
	}
	return n
}

// lifted counts the unlisted tokens that bias or penalties may raise, and
// returns the highest logit that one of them can have. It is not ok if that is
// not finite.
func (s *Sampler) lifted(list List) (n int, highest float32, ok bool) {
	last := list.Logits[len(list.Logits)-1]
	highest = float32(math.Inf(-1))
	lift := func(token int32) {
		if slices.Contains(list.IDs, token) {
			return
		}
		// adjust is monotone, so the highest logit stays the highest.
		n++
		highest = max(highest, s.adjust(token, last))
	}
	for token, bias := range s.spec.LogitBias {
		if bias > 0 {
			lift(token)
		}
	}
	if s.spec.rewards() {
		for token := range s.history.counts {
			lift(token)
		}
	}
	return n, highest, highest <= math.MaxFloat32
}
