package sample

import (
	"fmt"
	"math"
)

// Logprob is a token and its natural log-probability in the model's own
// distribution: temperature 1, before mask, bias, penalties and filters.
type Logprob struct {
	Token   int32
	Logprob float32
}

// TopLogprobs appends to dst the n most probable tokens of a row of logits
// [vocab], best first, equals by lower id; fewer if fewer are possible. Errors
// wrap ErrSize, ErrNotFinite or ErrNoToken.
func (s *Sampler) TopLogprobs(dst []Logprob, logits []float32, n int) ([]Logprob, error) {
	logSumExp, err := s.logSumExp(logits)
	if err != nil {
		return dst, fmt.Errorf("sample: top logprobs: %w", err)
	}
	keys, err := s.rowKeys(logits, nil)
	if err != nil {
		return dst, fmt.Errorf("sample: top logprobs: %w", err)
	}
	r := ranking{keys: keys}
	for rank := range min(n, len(keys)) {
		dst = append(dst, Logprob{keyToken(r.key(rank)), float32(r.logit(rank) - logSumExp)})
	}
	return dst, nil
}

// TopLogprobs appends to dst what Sampler.TopLogprobs does for the whole row,
// to within the error of LogSumExp. It is not ok, and appends nothing, if the
// list is shorter than n.
func (l List) TopLogprobs(dst []Logprob, n int) (top []Logprob, ok bool) {
	if n > len(l.IDs) || len(l.IDs) != len(l.Logits) {
		return dst, false
	}
	for i := range max(0, n) {
		if l.Logits[i] >= -math.MaxFloat32 {
			dst = append(dst, Logprob{l.IDs[i], l.logprob(i)})
		}
	}
	return dst, true
}
