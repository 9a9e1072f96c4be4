package sample

import "fmt"

// maskBits is the number of tokens in one word of a Mask.
const maskBits = 32

// Mask says which tokens are possible: bit token%32 of word token/32 is set if
// the token is. Its length is that of NewMask; a nil Mask allows every token.
// The words are 32 bits wide so that a device can take them as they are.
type Mask []uint32

// NewMask returns a mask of vocab tokens that allows none of them.
func NewMask(vocab int) Mask {
	return make(Mask, maskWords(vocab))
}

// Allow makes a token possible. Like an index, token must be in [0, vocab).
func (m Mask) Allow(token int32) {
	m[token/maskBits] |= 1 << (token % maskBits)
}

// Forbid makes a token impossible. Like an index, token must be in [0, vocab).
func (m Mask) Forbid(token int32) {
	m[token/maskBits] &^= 1 << (token % maskBits)
}

// Allows reports whether a token is possible.
func (m Mask) Allows(token int32) bool {
	return m == nil || m[token/maskBits]>>(token%maskBits)&1 != 0
}

func maskWords(vocab int) int { return (vocab + maskBits - 1) / maskBits }

// check reports a mask that was made for another vocabulary.
func (m Mask) check(vocab int) error {
	if m != nil && len(m) != maskWords(vocab) {
		return fmt.Errorf("mask of %d words for %d tokens: %w", len(m), vocab, ErrSize)
	}
	return nil
}
