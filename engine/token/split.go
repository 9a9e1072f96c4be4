package token

import (
	"unicode"
	"unicode/utf8"
)

// pass cuts a text into pieces and appends them to dst; together they are the text.
type pass func(dst []string, text string) []string

// byRules cuts out what the rules match, the first that does at each place, as a search for
// rule|rule|... from left to right would. What lies between is a piece too.
func byRules(rules ...rule) pass {
	match := func(text string) int {
		for _, r := range rules {
			if n := r(text); n > 0 {
				return n
			}
		}
		return 0
	}
	return func(dst []string, text string) []string {
		start := 0
		for i := 0; i < len(text); {
			n := match(text[i:])
			if n == 0 {
				_, n = utf8.DecodeRuneInString(text[i:])
				i += n
				continue
			}
			if start < i {
				dst = append(dst, text[start:i])
			}
			dst = append(dst, text[i:i+n])
			i += n
			start = i
		}
		if start < len(text) {
			dst = append(dst, text[start:])
		}
		return dst
	}
}

// byTrailingSpace cuts out \s+$.
func byTrailingSpace(dst []string, text string) []string {
	end := len(text)
	for end > 0 {
		r, size := utf8.DecodeLastRuneInString(text[:end])
		if !unicode.IsSpace(r) {
			break
		}
		end -= size
	}
	if end > 0 {
		dst = append(dst, text[:end])
	}
	if end < len(text) {
		dst = append(dst, text[end:])
	}
	return dst
}

// preTokenizer cuts text into the words that byte pairs are merged in.
type preTokenizer struct {
	passes     []pass // each cuts the pieces that the one before it left
	wholeWords bool   // a word that is a token is not merged
	bos        bool   // BOS is added where the file does not say
}

func (p preTokenizer) split(text string) []string {
	pieces := []string{text}
	for _, cut := range p.passes {
		var next []string
		for _, piece := range pieces {
			next = cut(next, piece)
		}
		pieces = next
	}
	return pieces
}
