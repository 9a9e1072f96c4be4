package token

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// class is a set of characters.
type class func(r rune) bool

// rule gives how many bytes it matches at the start of a text, 0 where it does not. Rules are what
// the alternatives of a pre-tokenizer's regular expression come down to: each is written out in
// the comment of its function, \s, \p{L} and the like being those of Unicode.
type rule func(text string) int

// leading gives the length in bytes of the characters of c that text begins with.
func leading(text string, c class) int {
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		if !c(r) {
			return i
		}
		i += size
	}
	return len(text)
}

// run matches [c]+.
func run(c class) rule {
	return func(text string) int { return leading(text, c) }
}

// one matches [c].
func one(c class) rule { return upTo(1, c) }

// upTo matches [c]{1,n}.
func upTo(n int, c class) rule {
	return func(text string) int {
		i := 0
		for range n {
			r, size := utf8.DecodeRuneInString(text[i:])
			if size == 0 || !c(r) {
				break
			}
			i += size
		}
		return i
	}
}

// exactly matches [c]{n}.
func exactly(n int, c class) rule {
	most := upTo(n, c)
	return func(text string) int {
		if i := most(text); utf8.RuneCountInString(text[:i]) == n {
			return i
		}
		return 0
	}
}

// after matches [lead]? and then what r does.
func after(lead class, r rule) rule {
	return func(text string) int {
		if first, size := utf8.DecodeRuneInString(text); size > 0 && lead(first) {
			if n := r(text[size:]); n > 0 {
				return size + n
			}
		}
		return r(text)
	}
}

// then matches what r does and [tail]* behind it.
func then(r rule, tail class) rule {
	return func(text string) int {
		n := r(text)
		if n > 0 {
			n += leading(text[n:], tail)
		}
		return n
	}
}

// pair matches what r does and s behind it.
func pair(r, s rule) rule {
	return func(text string) int {
		if n := r(text); n > 0 {
			if m := s(text[n:]); m > 0 {
				return n + m
			}
		}
		return 0
	}
}

// maybe matches what r does and, if it follows, what s does.
func maybe(r, s rule) rule {
	return func(text string) int {
		n := r(text)
		if n > 0 {
			n += s(text[n:])
		}
		return n
	}
}

// contraction matches 's|'t|'re|'ve|'m|'ll|'d.
func contraction(text string) int {
	if len(text) < 2 || text[0] != '\'' {
		return 0
	}
	switch text[1] {
	case 's', 't', 'm', 'd':
		return 2
	}
	if len(text) > 2 {
		switch text[1:3] {
		case "re", "ve", "ll":
			return 3
		}
	}
	return 0
}

// anyContraction matches (?i:'s|'t|'re|'ve|'m|'ll|'d).
func anyContraction(text string) int {
	if text == "" || text[0] != '\'' {
		return 0
	}
	lower := [3]byte{}
	n := copy(lower[:], text)
	for i, b := range lower {
		if 'A' <= b && b <= 'Z' {
			lower[i] = b + 'a' - 'A'
		}
	}
	return contraction(string(lower[:n]))
}

// lines matches \s*[\r\n]+: white space up to its last line break.
func lines(text string) int {
	return strings.LastIndexAny(text[:leading(text, unicode.IsSpace)], "\r\n") + 1
}

// gap matches \s+(?!\S): white space, less its last character where a word follows.
func gap(text string) int {
	n := leading(text, unicode.IsSpace)
	if n < len(text) {
		_, size := utf8.DecodeLastRuneInString(text[:n])
		n -= size
	}
	return n
}

// gapOf matches \s{n}(?!\S).
func gapOf(n int) rule {
	exact := exactly(n, unicode.IsSpace)
	return func(text string) int {
		i := exact(text)
		if r, _ := utf8.DecodeRuneInString(text[i:]); i == len(text) || unicode.IsSpace(r) {
			return i
		}
		return 0
	}
}

// thousands matches \d{1,3}(?=(?:\d{3})*(?![c])): the digits before the first separator of a number
// that is written with separators, unless one of c, which has the digits, follows the number.
func thousands(c class) rule {
	return func(text string) int {
		n := leading(text, unicode.IsDigit)
		if next, _ := utf8.DecodeRuneInString(text[n:]); n == 0 || n < len(text) && c(next) {
			return 0
		}
		first := utf8.RuneCountInString(text[:n]) % 3
		if first == 0 {
			first = 3
		}
		return upTo(first, unicode.IsDigit)(text)
	}
}

// withLower matches [upper]*[lower]+, where some characters are both.
func withLower(upper, lower class) rule {
	return func(text string) int {
		head := leading(text, upper)
		if tail := leading(text[head:], lower); tail > 0 {
			return head + tail
		}
		for head > 0 {
			r, size := utf8.DecodeLastRuneInString(text[:head])
			if lower(r) {
				break
			}
			head -= size
		}
		return head
	}
}

// not is the complement of the union of classes.
func not(classes ...class) class {
	union := anyOf(classes...)
	return func(r rune) bool { return !union(r) }
}

// anyOf is the union of classes.
func anyOf(classes ...class) class {
	return func(r rune) bool {
		for _, c := range classes {
			if c(r) {
				return true
			}
		}
		return false
	}
}

// in is the set of the given characters.
func in(set string) class {
	return func(r rune) bool { return strings.ContainsRune(set, r) }
}

// ranges is the set of the characters in pairs of first and last, in ascending order.
func ranges(pairs string) class {
	bounds := []rune(pairs)
	return func(r rune) bool {
		for i := 0; i < len(bounds) && bounds[i] <= r; i += 2 {
			if r <= bounds[i+1] {
				return true
			}
		}
		return false
	}
}

func isSpaceBar(r rune) bool  { return r == ' ' }
func isLineBreak(r rune) bool { return r == '\r' || r == '\n' }
func isDigit(r rune) bool     { return '0' <= r && r <= '9' }
func isWordCharacter(r rune) bool {
	return unicode.In(r, unicode.L, unicode.M, unicode.Nd, unicode.Pc)
}
func isPunctOrSymbol(r rune) bool { return unicode.IsPunct(r) || unicode.IsSymbol(r) }
func isLatin(r rune) bool         { return 'A' <= r && r <= 'Z' || 'a' <= r && r <= 'z' }
