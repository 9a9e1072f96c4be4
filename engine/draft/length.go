package draft

import "math"

// Length decides how many tokens of a text are drafted at a time.
type Length struct {
	most  int
	fixed bool
	// Moving counts of drafted tokens that were judged: one that follows a wrong
	// one is not.
	right, judged float64
	pause         int // tokens to be written before drafting is tried again
}

const (
	// prior is the acceptance that a text begins with, and priorWeight the judged
	// tokens that it counts for. It is a hopeful one: what is not tried is never found
	// out, and a few drafts that are wrong cost little.
	prior       = 0.9
	priorWeight = 4
	// memory is how many judged tokens are remembered.
	memory = 64
	// retry is after how many tokens drafting is tried again where it did not pay.
	retry = 32
)

// NewLength returns the length of a text of which nothing is known yet.
func NewLength(o Options) Length {
	most := o.Tokens
	if most == 0 {
		most = DefaultTokens
	}
	return Length{most: most, fixed: o.Fixed, right: prior * priorWeight, judged: priorWeight}
}

// Most returns the most tokens of a draft.
func (l *Length) Most() int { return l.most }

// Acceptance estimates the probability that a drafted token is right.
func (l *Length) Acceptance() float64 { return l.right / l.judged }

// Observe takes note that so many drafted tokens were right, of those proposed.
func (l *Length) Observe(accepted, proposed int) {
	judged := min(accepted+1, proposed)
	if judged == 0 {
		return
	}
	l.right += float64(accepted)
	l.judged += float64(judged)
	if over := l.judged / memory; over > 1 {
		l.right /= over
		l.judged /= over
	}
}

// Next returns how many tokens are worth drafting now, 0 for none: as many as give
// the most tokens a second, where making k drafts and the step that checks them take
// seconds(k); 0 seconds without drafts where nothing is known yet.
func (l *Length) Next(seconds func(k int) float64) int {
	plain := seconds(0)
	switch {
	case l.fixed || plain <= 0:
		return l.most
	case l.pause > 0:
		return 0
	}
	a, best, length := l.Acceptance(), 1/plain, 0
	for k := 1; k <= l.most; k++ {
		if rate := Expected(a, k) / seconds(k); rate > best {
			best, length = rate, k
		}
	}
	if length == 0 {
		// Something may have changed by then: it is tried with little to lose.
		l.pause = retry
		l.right, l.judged = l.right/2+prior, l.judged/2+1
	}
	return length
}

// Expected returns the tokens that a step brings in the mean with k drafts of which
// each is right with probability a: (1-a^(k+1))/(1-a), one where there are none
// (Leviathan et al., equation 1).
func Expected(a float64, k int) float64 {
	if a >= 1 {
		return float64(k + 1)
	}
	return (1 - math.Pow(a, float64(k+1))) / (1 - a)
}

// Speedup returns how many times as fast a text is written with k drafts a step
// than without any, where each is right with probability a and costs the part c of
// a step (Leviathan et al., theorem 3.8).
func Speedup(a, c float64, k int) float64 { return Expected(a, k) / (1 + c*float64(k)) }

// Best returns the number of drafts, most at most, with the largest Speedup, and
// that; 0 and 1 where no number makes it faster.
func Best(a, c float64, most int) (k int, speedup float64) {
	speedup = 1
	for i := 1; i <= most; i++ {
		if s := Speedup(a, c, i); s > speedup {
			k, speedup = i, s
		}
	}
	return k, speedup
}

// Wrote takes note of tokens that were written, which end a pause.
func (l *Length) Wrote(tokens int) { l.pause = max(0, l.pause-tokens) }

// Paused reports whether nothing is to be drafted for now.
func (l *Length) Paused() bool { return l.pause > 0 }
