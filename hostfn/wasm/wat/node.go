package wat

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Node is an S-expression of the text format
// (https://webassembly.github.io/spec/core/text/): a word, a string or a list.
type Node struct {
	Line   int
	Word   string
	Text   []byte // of a string
	Quoted bool
	List   []Node
}

// Head returns the word that a list begins with, "" for others.
func (n Node) Head() string {
	if len(n.List) > 0 {
		return n.List[0].Word
	}
	return ""
}

// IsList reports whether n is a list, and not a word or a string.
func (n Node) IsList() bool { return n.Word == "" && !n.Quoted }

// textReader reads S-expressions.
type textReader struct {
	source string
	at     int
	line   int
}

// Read returns the lists of a file.
func Read(source string) (all []Node, err error) {
	r := &textReader{source: source, line: 1}
	defer recovered(&err)
	for r.space(); r.at < len(source); r.space() {
		all = append(all, r.node())
	}
	return all, nil
}

// Error is what is wrong with a text. The reader and the assembler panic with it
// inside of this package.
type Error struct {
	Line    int
	Message string
}

func (e Error) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Message) }

func failText(line int, format string, args ...any) {
	panic(Error{line, fmt.Sprintf(format, args...)})
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

func (r *textReader) node() Node {
	n := Node{Line: r.line}
	switch c := r.source[r.at]; c {
	case '(':
		r.at++
		for r.space(); ; r.space() {
			if r.at >= len(r.source) {
				failText(n.Line, "list without an end")
			}
			if r.source[r.at] == ')' {
				r.at++
				return n
			}
			n.List = append(n.List, r.node())
		}
	case ')':
		failText(r.line, "a parenthesis too many")
	case '"':
		n.Text, n.Quoted = r.string(), true
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
		n.Word = r.source[r.at:end]
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

// integer reads an integer of so many bits, signed or unsigned, as its bits.
func integer(n Node, bits int) uint64 {
	text := strings.ReplaceAll(n.Word, "_", "")
	digits, negative := strings.CutPrefix(text, "-")
	digits = strings.TrimPrefix(digits, "+")
	base := 10
	if d, ok := strings.CutPrefix(digits, "0x"); ok {
		digits, base = d, 16
	}
	v, err := strconv.ParseUint(digits, base, bits)
	if err != nil {
		failText(n.Line, "integer %q of %d bits: %v", n.Word, bits, err)
	}
	if negative {
		v = -v
	}
	if bits < 64 {
		v &= 1<<bits - 1
	}
	return v
}
