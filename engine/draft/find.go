package draft

// The lengths of what Find looks for.
const (
	minMatch = 2 // a single token says too little
	maxMatch = 6 // longer ones are not better
)

// Find appends to dst up to k tokens that may come after a text: those that came
// where the longest of its endings, of 2 to 6 tokens, was before; of several such
// places, the last. It appends none where there is no such place. It is a function
// of tokens and k alone.
func Find(dst, tokens []int32, k int) []int32 {
	n := len(tokens)
	best, at := minMatch-1, 0
	for end := n - 1; end >= minMatch && best < maxMatch; end-- {
		length := 0
		for length < maxMatch && length < end && tokens[end-1-length] == tokens[n-1-length] {
			length++
		}
		if length > best {
			best, at = length, end
		}
	}
	if at == 0 || k < 1 {
		return dst
	}
	return append(dst, tokens[at:min(n, at+k)]...)
}
