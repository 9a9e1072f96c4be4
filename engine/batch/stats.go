package batch

import "time"

// Stats are the measurements of one run.
type Stats struct {
	PromptTokens    int // tokens of the sequence before those that are chosen
	CachedTokens    int // of those, the ones that were not read again
	GeneratedTokens int // tokens chosen, accepted drafts among them
	Accepted        int // drafted tokens that were chosen
	Proposed        int // drafted tokens
	Preemptions     int // how often its pages were given to others and read again

	Queued     time.Duration // until it was first taken into a step
	Prefill    time.Duration // until the first logits were there
	FirstToken time.Duration // until the first token was chosen
	Decode     time.Duration // from the first token to the last
}

// PrefillRate returns the tokens a second at which the prompt was read, less
// those that were read before.
func (s Stats) PrefillRate() float64 {
	return rate(s.PromptTokens-s.CachedTokens, s.Prefill-s.Queued)
}

// DecodeRate returns the tokens a second after the first.
func (s Stats) DecodeRate() float64 { return rate(s.GeneratedTokens-1, s.Decode) }

func rate(tokens int, d time.Duration) float64 {
	if tokens <= 0 || d <= 0 {
		return 0
	}
	return float64(tokens) / d.Seconds()
}
