package memory64

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// node is an S-expression of the text format
// (https://webassembly.github.io/spec/core/text/): a word, a string or a list.
type node struct {
	line   int
	word   string
	text   []byte // of a string
	quoted bool
	list   []node
}

// head returns the word that a list begins with, "" for others.
func (n node) head() string {
	if len(n.list) > 0 {
		return n.list[0].word
	}
	return ""
}

// isList reports whether n is a list, and not a word or a string.
func (n node) isList() bool { return n.word == "" && !n.quoted }

// textReader reads S-expressions.
type textReader struct {
	source string
	at     int
	line   int
}

// readText returns the lists of a file.
func readText(source string) (all []node, err error) {
	r := &textReader{source: source, line: 1}
	defer func() {
		if failure, ok := recover().(textError); ok {
			err = failure
		}
	}()
	for r.space(); r.at < len(source); r.space() {
		all = append(all, r.node())
	}
	return all, nil
}

// textError is what is wrong with a text. The reader and the assembler panic with
// it, as what they read comes from test files.
type textError struct {
	line    int
	message string
}

func (e textError) Error() string { return fmt.Sprintf("line %d: %s", e.line, e.message) }

func failText(line int, format string, args ...any) {
	panic(textError{line, fmt.Sprintf(format, args...)})
}

// space skips what is between tokens.
func (r *textReader) space() {
	for r.at < len(r.source) {
		rest := r.source[r.at:]
		switch {
		case rest[0] == '\n':
			r.line++
			r.at++
		case rest[0] == ' ' || rest[0] == '\t' || rest[0] == '\r':
			r.at++
		case strings.HasPrefix(rest, ";;"):
			if end := strings.IndexByte(rest, '\n'); end >= 0 {
				r.at += end
			} else {
				r.at = len(r.source)
			}
		case strings.HasPrefix(rest, "(;"):
			r.comment()
		default:
			return
		}
	}
}

// comment skips a block comment, and those inside of it.
func (r *textReader) comment() {
	depth := 0
	for ; r.at < len(r.source); r.at++ {
		switch rest := r.source[r.at:]; {
		case strings.HasPrefix(rest, "(;"):
			depth++
			r.at++
		case strings.HasPrefix(rest, ";)"):
			r.at++
			if depth--; depth == 0 {
				r.at++
				return
			}
		case rest[0] == '\n':
			r.line++
		}
	}
	failText(r.line, "comment without an end")
}

func (r *textReader) node() node {
	n := node{line: r.line}
	switch c := r.source[r.at]; c {
	case '(':
		r.at++
		for r.space(); ; r.space() {
			if r.at >= len(r.source) {
				failText(n.line, "list without an end")
			}
			if r.source[r.at] == ')' {
				r.at++
				return n
			}
			n.list = append(n.list, r.node())
		}
	case ')':
		failText(r.line, "a parenthesis too many")
	case '"':
		n.text, n.quoted = r.string(), true
	default:
		end := r.at
		for end < len(r.source) && !strings.ContainsRune(" \t\r\n()\";", rune(r.source[end])) {
			if strings.HasPrefix(r.source[end:], ";;") {
				break
			}
			end++
		}
		if end == r.at {
			failText(r.line, "unexpected %q", c)
		}
		n.word = r.source[r.at:end]
		r.at = end
	}
	return n
}

// string reads a string.
func (r *textReader) string() []byte {
	var out []byte
	escapes := map[byte]byte{'n': '\n', 't': '\t', 'r': '\r', '"': '"', '\'': '\'', '\\': '\\'}
	for r.at++; r.at < len(r.source); r.at++ {
		c := r.source[r.at]
		if c == '"' {
			r.at++
			return out
		}
		if c != '\\' {
			out = append(out, c)
			continue
		}
		rest := r.source[r.at+1:]
		if v, ok := escapes[rest[0]]; ok {
			out = append(out, v)
			r.at++
		} else if strings.HasPrefix(rest, "u{") {
			end := strings.IndexByte(rest, '}')
			v, _ := strconv.ParseUint(rest[2:end], 16, 32)
			out = utf8.AppendRune(out, rune(v))
			r.at += end + 1
		} else {
			v, err := strconv.ParseUint(rest[:2], 16, 8)
			if err != nil {
				failText(r.line, "string: %v", err)
			}
			out = append(out, byte(v))
			r.at += 2
		}
	}
	failText(r.line, "string without an end")
	return nil
}

// parseInteger reads an integer of so many bits, signed or unsigned, as its bits.
func parseInteger(n node, bits int) uint64 {
	text := strings.ReplaceAll(n.word, "_", "")
	digits, negative := strings.CutPrefix(text, "-")
	digits = strings.TrimPrefix(digits, "+")
	base := 10
	if d, ok := strings.CutPrefix(digits, "0x"); ok {
		digits, base = d, 16
	}
	v, err := strconv.ParseUint(digits, base, bits)
	if err != nil {
		failText(n.line, "integer %q of %d bits: %v", n.word, bits, err)
	}
	if negative {
		v = -v
	}
	if bits < 64 {
		v &= 1<<bits - 1
	}
	return v
}
