package sample

import "fmt"

// history counts the tokens in a sliding window over the accepted ones. The
// tokens before the window are kept (4 bytes each) because a rewind moves the
// window back over them.
type history struct {
	window int // tokens; 0 for all
	tokens []int32
	counts map[int32]int32 // of the tokens in the window, no zeros; nil if no penalty asks
}

// accept appends one token. It allocates only to grow past the longest history
// there was.
func (h *history) accept(token int32) {
	h.tokens = append(h.tokens, token)
	if h.counts == nil {
		return
	}
	h.counts[token]++
	if old := len(h.tokens) - 1 - h.window; h.window > 0 && old >= 0 {
		h.drop(h.tokens[old])
	}
}

// rewind takes back the last n tokens.
func (h *history) rewind(n int) error {
	if n < 0 || n > len(h.tokens) {
		return fmt.Errorf("%d of %d tokens: %w", n, len(h.tokens), ErrRewind)
	}
	if h.counts == nil {
		h.tokens = h.tokens[:len(h.tokens)-n]
		return nil
	}
	for range n {
		last := len(h.tokens) - 1
		h.drop(h.tokens[last])
		if old := last - h.window; h.window > 0 && old >= 0 {
			h.counts[h.tokens[old]]++
		}
		h.tokens = h.tokens[:last]
	}
	return nil
}

func (h *history) drop(token int32) {
	if h.counts[token]--; h.counts[token] == 0 {
		delete(h.counts, token)
	}
}
