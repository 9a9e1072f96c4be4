package grammar

import (
	"slices"
	"unicode/utf8"
)

// byteSpan is a range of bytes, both ends in it.
type byteSpan struct{ lo, hi byte }

// normalize sorts spans, joins those that touch, and takes out surrogates, which
// UTF-8 does not have.
func normalize(c class) class {
	var all class
	for _, s := range c {
		for _, part := range []span{{s.lo, min(s.hi, 0xd7ff)}, {max(s.lo, 0xe000), min(s.hi, utf8.MaxRune)}} {
			if part.lo <= part.hi {
				all = append(all, part)
			}
		}
	}
	slices.SortFunc(all, func(a, b span) int { return int(a.lo) - int(b.lo) })
	var out class
	for _, s := range all {
		if n := len(out); n > 0 && s.lo <= out[n-1].hi+1 {
			out[n-1].hi = max(out[n-1].hi, s.hi)
			continue
		}
		out = append(out, s)
	}
	return out
}

// negate returns the characters that are not in c.
func negate(c class) class {
	var out class
	next := rune(0)
	for _, s := range normalize(c) {
		if next < s.lo {
			out = append(out, span{next, s.lo - 1})
		}
		next = s.hi + 1
	}
	if next <= utf8.MaxRune {
		out = append(out, span{next, utf8.MaxRune})
	}
	return normalize(out)
}

// intersect returns the characters of both.
func intersect(a, b class) class { return negate(append(negate(a), negate(b)...)) }

// encodings returns the UTF-8 of a class: sequences of ranges of bytes, any of
// which a character's bytes may be.
func encodings(c class) [][]byteSpan {
	var out [][]byteSpan
	for _, s := range normalize(c) {
		out = encodeSpan(out, s.lo, s.hi)
	}
	return out
}

// encodeSpan splits a range where the length of its encodings changes, and then
// where their last bytes do not take all values.
func encodeSpan(out [][]byteSpan, lo, hi rune) [][]byteSpan {
	for _, most := range []rune{0x7f, 0x7ff, 0xffff} {
		if lo <= most && hi > most {
			return encodeSpan(encodeSpan(out, lo, most), most+1, hi)
		}
	}
	if hi <= 0x7f {
		return append(out, []byteSpan{{byte(lo), byte(hi)}})
	}
	for i := 1; i < 4; i++ {
		m := rune(1)<<(6*i) - 1
		if lo&^m != hi&^m {
			if lo&m != 0 {
				return encodeSpan(encodeSpan(out, lo, lo|m), lo|m+1, hi)
			}
			if hi&m != m {
				return encodeSpan(encodeSpan(out, lo, hi&^m-1), hi&^m, hi)
			}
		}
	}
	a, b := utf8.AppendRune(nil, lo), utf8.AppendRune(nil, hi)
	spans := make([]byteSpan, len(a))
	for i := range spans {
		spans[i] = byteSpan{a[i], b[i]}
	}
	return append(out, spans)
}
