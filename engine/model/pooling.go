package model

import "fmt"

// Pooling is how the hidden states of a text become its embedding. The numbers are
// those of pooling_type (llama.cpp, include/llama.h).
type Pooling int

// The poolings. Rank (4), the score of a pair of texts, is none.
const (
	PoolingNone Pooling = iota // each token has an embedding of its own
	PoolingMean                // the mean of all tokens
	PoolingCLS                 // the first token
	PoolingLast                // the last token
)

// String returns the name used in flags and metadata: "none", "mean", "cls" or
// "last".
func (p Pooling) String() string {
	names := [...]string{"none", "mean", "cls", "last"}
	if p < 0 || int(p) >= len(names) {
		return fmt.Sprintf("Pooling(%d)", int(p))
	}
	return names[p]
}

// poolingOr returns fallback where the file does not say.
func (k *keys) poolingOr(fallback Pooling) Pooling {
	const key, rank = "pooling_type", 4
	p := k.integerOr(key, int(fallback), int(PoolingNone), rank)
	if p == rank {
		k.fail(key, ErrUnsupported, "%d, the rank of a pair of texts", p)
	}
	return Pooling(p)
}
