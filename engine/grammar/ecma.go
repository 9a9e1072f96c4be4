package grammar

import (
	"strconv"
	"strings"
)

// What \s reads in ECMA-262, as a part of a class, and what it does not.
// https://tc39.es/ecma262/#prod-CharacterClassEscape
const (
	ecmaSpace    = `\t-\r \x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}\x{feff}`
	ecmaNoSpace  = `\x00-\x08\x0e-\x1f!-\x{9f}\x{a1}-\x{167f}\x{1681}-\x{1fff}\x{200b}-\x{2027}\x{202a}-\x{202e}\x{2030}-\x{205e}\x{2060}-\x{2fff}\x{3001}-\x{fefe}\x{ff00}-\x{10ffff}`
	ecmaDot      = `[^\n\r\x{2028}\x{2029}]`
	ecmaHexShort = 4 // digits of \uXXXX
)

// ecmaRegex writes a regular expression of ECMA-262, the dialect of JSON schemas, in
// Go's syntax, as far as they differ: white space, the dot, and escapes by number.
// https://json-schema.org/draft/2020-12/json-schema-core#section-6.4
func ecmaRegex(text string) string {
	var b strings.Builder
	class := false
	for len(text) > 0 {
		part := text[:1]
		switch {
		case part == `\` && len(text) > 1:
			var written string
			part, written = ecmaEscape(text, class)
			b.WriteString(written)
		case part == "." && !class:
			b.WriteString(ecmaDot)
		default:
			switch {
			case part == "[" && !class:
				class = true
			case part == "[":
				b.WriteByte('\\') // Go takes [: for a class of POSIX's
			case part == "]":
				class = false
			}
			b.WriteString(part)
		}
		text = text[len(part):]
	}
	return b.String()
}

// ecmaEscape returns the escape at the beginning of a text, and how Go writes it.
func ecmaEscape(text string, class bool) (escape, written string) {
	digits := 0
	switch text[1] {
	case 's', 'S':
		written = map[byte]string{'s': ecmaSpace, 'S': ecmaNoSpace}[text[1]]
		if !class {
			written = "[" + written + "]"
		}
		return text[:2], written
	case '/', '-':
		return text[:2], text[:2]
	case 'c':
		if len(text) > 2 && (text[2] >= 'A' && text[2] <= 'Z' || text[2] >= 'a' && text[2] <= 'z') {
			return text[:3], `\x{` + strconv.FormatUint(uint64(text[2]%32), 16) + `}`
		}
	case 'u':
		if end := strings.IndexByte(text, '}'); len(text) > 2 && text[2] == '{' && end > 3 {
			return text[:end+1], `\x` + text[2:end+1]
		}
		digits = ecmaHexShort
	}
	if digits > 0 && len(text) >= 2+digits {
		high, err := strconv.ParseUint(text[2:2+digits], 16, 32)
		if err == nil {
			// A pair of surrogates is one character.
			if rest := text[2+digits:]; high >= 0xd800 && high < 0xdc00 && len(rest) >= 2+digits && rest[:2] == `\u` {
				if low, err := strconv.ParseUint(rest[2:2+digits], 16, 32); err == nil && low >= 0xdc00 && low < 0xe000 {
					return text[:2*(2+digits)], `\x{` + strconv.FormatUint(0x10000+(high-0xd800)<<10+low-0xdc00, 16) + `}`
				}
			}
			return text[:2+digits], `\x{` + text[2:2+digits] + `}`
		}
	}
	return text[:2], text[:2]
}
