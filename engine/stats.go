package engine

import "time"

// Stats are the measurements of one Generate.
type Stats struct {
	PromptTokens    int // tokens of the sequence before the text
	CachedTokens    int // of those, the ones that had been read before
	GeneratedTokens int // tokens chosen

	Prefill    time.Duration // reading the prompt, until the first logits were there
	FirstToken time.Duration // until the first token was given out
	Decode     time.Duration // from the first token to the last
}

// PrefillRate returns the tokens a second at which the prompt was read, less
// those that were read before.
func (s Stats) PrefillRate() float64 { return rate(s.PromptTokens-s.CachedTokens, s.Prefill) }

// DecodeRate returns the tokens a second after the first.
func (s Stats) DecodeRate() float64 { return rate(s.GeneratedTokens-1, s.Decode) }

func rate(tokens int, d time.Duration) float64 {
	if tokens <= 0 || d <= 0 {
		return 0
	}
	return float64(tokens) / d.Seconds()
}

// Stats returns the measurements of the last Generate, while it runs too.
func (s *Sequence) Stats() Stats { return s.stats }
