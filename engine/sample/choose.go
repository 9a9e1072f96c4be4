package sample

import "math"

// pool is what the filters choose from: the tokens that are known, ranked, and
// what is known of the others.
type pool struct {
	ranking         // tokens that outrank all others; at least one
	others  rest    // of a short list; none of a whole row
	whole   bool    // keys are all of the row, and their sum is the total itself
	slack   float64 // relative; widens the totals of a short list, see summationSlack
}

// summationSlack bounds the relative error of a float64 sum of the weights of
// vocab tokens, taken in whatever order: n additions of at most 2^-53 each, twice
// over, and as much for the exponentials. The constant covers [rest.at], whose
// logarithms of up to 2^5 are multiplied by up to 1/MinTemperature. A whole row
// needs no slack: the total that it computes is the one that counts.
func summationSlack(vocab int) float64 { return float64(vocab)*0x1p-51 + 0x1p-30 }

// rest bounds tokens that are not known one by one. Its masses are in units of
// the best token's weight: a token of logit x weighs exp(x - best).
type rest struct {
	n       int     // at most so many tokens
	ceiling float64 // none of them has a logit - best above this; at most 0
	mass    bounds  // of all of them together, at temperature 1
}

// bounds of a mass: lo <= mass <= hi.
type bounds struct{ lo, hi float64 }

// at bounds the mass of the rest at temperature t. With a = 1/t, a token that
// weighs w at temperature 1 weighs w^a. Over n weights of sum m, none above c,
// the sum of w^a lies between n (m/n)^a, its value when all are equal (Jensen),
// and m c^(a-1), since w^a = w w^(a-1); for a < 1 the two change places.
func (o rest) at(t float64) bounds {
	if o.n == 0 {
		return bounds{}
	}
	a, logN := 1/t, math.Log(float64(o.n))
	even := func(m float64) float64 { return math.Exp(logN + a*(math.Log(m)-logN)) }
	steep := func(m float64) float64 { return math.Exp(math.Log(m) + (a-1)*o.ceiling) }
	b := o.mass
	switch {
	case a > 1:
		b = bounds{even(b.lo), steep(b.hi)}
	case a < 1:
		b = bounds{steep(b.lo), even(b.hi)}
	}
	b.hi = min(b.hi, math.Exp(logN+a*o.ceiling))
	return b
}

// span is what the filters have kept so far: the ranks [lo, hi) of the pool and
// up to others.n of the tokens after them.
type span struct {
	lo, hi int
	others rest
	closed bool // by a filter; if not, the span is all there is
}

// choose returns the rank of the token that u in [0, 1) draws. It is not ok if
// that depends on tokens the pool does not know.
func (p *pool) choose(s *Spec, vocab int, u float32) (rank int, ok bool) {
	if s.greedy() {
		return 0, true
	}
	kept, ok := p.filter(s, vocab)
	if !ok {
		return 0, false
	}
	return p.draw(kept, float64(s.Temperature), float64(u))
}

// filter applies top_k, typical_p, top_p and min_p.
func (p *pool) filter(s *Spec, vocab int) (kept span, ok bool) {
	kept, ok = span{hi: len(p.keys), others: p.others}, true
	if s.TopK > 0 && s.TopK < vocab {
		kept = p.topK(kept, s.TopK)
	}
	if ok && s.TypicalP > 0 && s.TypicalP < 1 {
		kept, ok = p.typicalP(kept, float64(s.TypicalP))
	}
	if ok && s.TopP > 0 && s.TopP < 1 {
		kept, ok = p.topP(kept, float64(s.TopP))
	}
	if ok && s.MinP > 0 {
		kept, ok = p.minP(kept, float64(s.MinP))
	}
	return kept, ok
}

func (p *pool) topK(in span, k int) span {
	in.closed = true
	if k <= in.hi {
		in.hi, in.others = k, rest{}
		return in
	}
	if in.others.n > k-in.hi {
		// The best of the others, whichever they are.
		in.others.n = k - in.hi
		in.others.mass.lo = 0
		in.others.mass.hi = min(in.others.mass.hi, float64(in.others.n)*math.Exp(in.others.ceiling))
	}
	return in
}

// typicalP keeps the tokens with the least |surprise - entropy|. With gap = best
// logit - logit, surprise is gap + log Z and the entropy is mean gap + log Z, so
// it keeps the tokens whose gap is closest to the mean gap.
func (p *pool) typicalP(in span, typical float64) (out span, ok bool) {
	if in.others.n > 0 || !in.closed && !p.whole {
		return in, false
	}
	best := p.logit(in.lo)
	var total, mean float64
	for _, key := range p.members(in) {
		gap := best - float64(keyLogit(key))
		w := math.Exp(-gap)
		total += w
		mean += float64(w * gap)
	}
	mean /= total

	right := in.lo
	for right < in.hi && best-p.logit(right) < mean {
		right++
	}
	left := right // the span grows from here both ways
	for mass := 0.0; mass < typical*total && (left > in.lo || right < in.hi); {
		rank := right
		if right == in.hi || left > in.lo && mean-(best-p.logit(left-1)) <= best-p.logit(right)-mean {
			left--
			rank = left
		} else {
			right++
		}
		mass += math.Exp(p.logit(rank) - best)
	}
	return span{lo: left, hi: right, closed: true}, true
}

func (p *pool) topP(in span, top float64) (out span, ok bool) {
	total := p.mass(in, 1)
	best, sum := p.logit(in.lo), 0.0
	for rank := in.lo; rank < in.hi; rank++ {
		sum += math.Exp(p.logit(rank) - best)
		switch {
		case sum >= top*total.hi:
			return span{lo: in.lo, hi: rank + 1, closed: true}, true
		case sum >= top*total.lo:
			return in, false
		}
	}
	in.closed = true
	return in, in.others.n == 0
}

func (p *pool) minP(in span, least float64) (out span, ok bool) {
	best, floor := p.logit(in.lo), math.Log(least)
	for rank := in.lo; rank < in.hi; rank++ {
		if p.logit(rank)-best < floor {
			return span{lo: in.lo, hi: rank, closed: true}, true
		}
	}
	if in.others.n > 0 && in.others.ceiling >= floor {
		return in, false
	}
	return span{lo: in.lo, hi: in.hi, closed: true}, true
}

// draw walks the cumulative sum of the span at temperature t up to u times its total.
func (p *pool) draw(in span, t, u float64) (rank int, ok bool) {
	total := p.mass(in, t)
	best, sum := p.logit(in.lo), 0.0
	last := in.lo
	for rank := in.lo; rank < in.hi; rank++ {
		w := math.Exp((p.logit(rank) - best) / t)
		if w == 0 {
			break // and so are all that follow
		}
		sum += w
		switch {
		case sum > u*total.hi:
			return rank, true
		case sum > u*total.lo:
			return 0, false
		}
		last = rank
	}
	// Rounding alone leads here, with u next to 1, if the span is all known.
	return last, in.others.n == 0
}

// mass returns the sum of the weights of a span at temperature t, in units of
// the weight of its first rank.
func (p *pool) mass(in span, t float64) bounds {
	best, sum := p.logit(in.lo), 0.0
	for _, key := range p.members(in) {
		sum += math.Exp((float64(keyLogit(key)) - best) / t)
	}
	if p.whole || in.closed && in.others.n == 0 {
		return bounds{sum, sum}
	}
	others := in.others.at(t)
	return bounds{(sum + others.lo) * (1 - p.slack), (sum + others.hi) * (1 + p.slack)}
}

// members returns the keys of a span: in the order of ranks if it is closed,
// else as they lie, for to sort a whole row to sum it would be waste.
func (p *pool) members(in span) []uint64 {
	if in.closed && in.hi > in.lo {
		p.key(in.hi - 1)
	}
	return p.keys[in.lo:in.hi]
}
