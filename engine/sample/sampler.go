package sample

import (
	"fmt"
	"maps"
	"math"
)

// Sampler chooses the tokens of one sequence. It is not safe for use by several
// goroutines at once.
type Sampler struct {
	spec    Spec
	vocab   int
	history history
	scratch *Scratch
}

// Scratch is the working memory of samplers, up to 12 bytes a token of the
// vocabulary. Samplers that are never used at the same time, such as those of
// the sequences in one batch, can share one. The zero value is ready.
type Scratch struct {
	row  []float32
	keys []uint64
}

// New returns the sampler of a new sequence over rows of vocab logits. It keeps
// no reference to the maps of spec. A nil scratch makes one for this sampler
// alone. Errors wrap ErrSpec, ErrSize or, for a bias on a token that is not
// there, ErrToken.
func New(spec Spec, vocab int, scratch *Scratch) (*Sampler, error) {
	if err := spec.check(); err != nil {
		return nil, fmt.Errorf("sample: new: %w", err)
	}
	if vocab < 1 || vocab > math.MaxInt32 {
		return nil, fmt.Errorf("sample: new: vocabulary of %d tokens: %w", vocab, ErrSize)
	}
	spec.LogitBias = maps.Clone(spec.LogitBias)
	for token := range spec.LogitBias {
		if token < 0 || int(token) >= vocab {
			return nil, fmt.Errorf("sample: new: LogitBias of token %d of %d: %w", token, vocab, ErrToken)
		}
	}
	if scratch == nil {
		scratch = new(Scratch)
	}
	s := &Sampler{spec: spec, vocab: vocab, scratch: scratch}
	if spec.penalises() {
		s.history.window = spec.PenaltyWindow
		s.history.counts = make(map[int32]int32)
	}
	return s, nil
}

// Spec returns what the sampler was made with. Its maps are the sampler's own.
func (s *Sampler) Spec() Spec { return s.spec }

// Accept appends tokens, of the prompt or of the output, to what penalties
// count. On an error, which wraps ErrToken, it has accepted none.
func (s *Sampler) Accept(tokens ...int32) error {
	for _, token := range tokens {
		if token < 0 || int(token) >= s.vocab {
			return fmt.Errorf("sample: accept: token %d of %d: %w", token, s.vocab, ErrToken)
		}
	}
	for _, token := range tokens {
		s.history.accept(token)
	}
	return nil
}

// Rewind takes back the last n accepted tokens, as if they had never been. On an
// error, which wraps ErrRewind, it has taken back none.
func (s *Sampler) Rewind(n int) error {
	if err := s.history.rewind(n); err != nil {
		return fmt.Errorf("sample: rewind: %w", err)
	}
	return nil
}

// Row chooses the token of a position from its whole row of logits [vocab],
// which it leaves as it is. logprob is the token's natural log-probability in
// the model's own distribution: temperature 1, before mask, bias, penalties and
// filters. Errors wrap ErrSize, ErrNotFinite or ErrNoToken.
func (s *Sampler) Row(logits []float32, mask Mask, position uint64) (token int32, logprob float32, err error) {
	logSumExp, err := s.logSumExp(logits)
	if err == nil {
		err = mask.check(s.vocab)
	}
	if err != nil {
		return 0, 0, fmt.Errorf("sample: row: %w", err)
	}
	keys, err := s.rowKeys(s.adjustRow(logits), mask)
	if err != nil {
		return 0, 0, fmt.Errorf("sample: row: %w", err)
	}
	if s.spec.greedy() {
		token = keyToken(minKey(keys))
	} else {
		p := pool{ranking: ranking{keys: keys}, whole: true}
		rank, _ := p.choose(&s.spec, s.vocab, Uniform(s.spec.Seed, position))
		token = keyToken(p.key(rank))
	}
	return token, float32(float64(logits[token]) - logSumExp), nil
}

// adjusts reports whether bias or penalties may change a logit.
func (s *Sampler) adjusts() bool {
	return len(s.spec.LogitBias) > 0 || len(s.history.counts) > 0
}

// adjust returns the logit of a token after bias and penalties.
func (s *Sampler) adjust(token int32, logit float32) float32 {
	return s.spec.adjust(token, logit, s.history.counts[token])
}

// adjustRow returns the row after bias and penalties: itself, or a copy.
func (s *Sampler) adjustRow(logits []float32) []float32 {
	if !s.adjusts() {
		return logits
	}
	s.scratch.row = append(s.scratch.row[:0], logits...)
	for token := range s.spec.LogitBias {
		s.scratch.row[token] = s.adjust(token, logits[token])
	}
	for token := range s.history.counts {
		s.scratch.row[token] = s.adjust(token, logits[token])
	}
	return s.scratch.row
}

// rowKeys returns the keys of the tokens that are possible, in the order of ids.
func (s *Sampler) rowKeys(row []float32, mask Mask) ([]uint64, error) {
	if cap(s.scratch.keys) < len(row) {
		s.scratch.keys = make([]uint64, 0, len(row))
	}
	keys := s.scratch.keys[:0]
	for i, logit := range row {
		token := int32(i)
		if !(logit <= math.MaxFloat32) {
			return nil, fmt.Errorf("token %d with bias and penalties: %g: %w", token, logit, ErrNotFinite)
		}
		if logit >= -math.MaxFloat32 && mask.Allows(token) {
			keys = append(keys, makeKey(logit, token))
		}
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("%d tokens: %w", len(row), ErrNoToken)
	}
	return keys, nil
}

func minKey(keys []uint64) uint64 {
	best := keys[0]
	for _, key := range keys {
		best = min(best, key)
	}
	return best
}

// logSumExp returns log(sum(exp(logits))) of a row as the model gave it, after
// checking its length and its values.
func (s *Sampler) logSumExp(logits []float32) (float64, error) {
	if len(logits) != s.vocab {
		return 0, fmt.Errorf("%d logits for %d tokens: %w", len(logits), s.vocab, ErrSize)
	}
	best := float32(math.Inf(-1))
	for token, logit := range logits {
		if !(logit <= math.MaxFloat32) {
			return 0, fmt.Errorf("token %d: %g: %w", token, logit, ErrNotFinite)
		}
		best = max(best, logit)
	}
	if best < -math.MaxFloat32 {
		return 0, fmt.Errorf("%d logits of -Inf: %w", len(logits), ErrNoToken)
	}
	sum := 0.0
	for _, logit := range logits {
		sum += math.Exp(float64(logit) - float64(best))
	}
	return float64(best) + math.Log(sum), nil
}
