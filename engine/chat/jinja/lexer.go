package jinja

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// tokenKind says what a token is.
type tokenKind uint8

const (
	tokenEnd      tokenKind = iota // of the template
	tokenData                      // text outside tags
	tokenOpen                      // {{ or {%
	tokenClose                     // }} or %}
	tokenName                      // a name or keyword
	tokenString                    // its value
	tokenInteger                   // its digits
	tokenFloat                     // its digits
	tokenOperator                  // one of operators
)

// token is a piece of a template.
type token struct {
	kind tokenKind
	text string
	line int
}

func (t token) String() string {
	if t.kind == tokenEnd {
		return "the end of the template"
	}
	return strconv.Quote(t.text)
}

// operators are tried in this order, the longer first.
var operators = [...]string{
	"**", "//", "==", "!=", "<=", ">=",
	"+", "-", "*", "/", "%", "~", "<", ">", "=", "(", ")", "[", "]", "{", "}", ".", ",", ":", "|", ";",
}

// lexer cuts a template into tokens, white space already taken off as the tags ask for it.
type lexer struct {
	source string
	at     int
	line   int
	tokens []token
	fresh  bool // at is at the start of a line
}

// lex reads a whole template. Line breaks count as "\n" and the last is no part of the template.
func lex(source string) ([]token, error) {
	source = strings.ReplaceAll(source, "\r\n", "\n")
	source = strings.ReplaceAll(source, "\r", "\n")
	l := &lexer{source: strings.TrimSuffix(source, "\n"), line: 1, fresh: true}
	for l.at < len(l.source) {
		if err := l.next(); err != nil {
			return nil, fmt.Errorf("line %d: %w", l.line, err)
		}
	}
	return append(l.tokens, token{kind: tokenEnd, line: l.line}), nil
}

// add appends a token.
func (l *lexer) add(kind tokenKind, text string) {
	l.tokens = append(l.tokens, token{kind: kind, text: text, line: l.line})
}

// skip moves over n bytes.
func (l *lexer) skip(n int) {
	skipped := l.source[l.at : l.at+n]
	l.line += strings.Count(skipped, "\n")
	l.at += n
	if n > 0 {
		l.fresh = strings.HasSuffix(skipped, "\n")
	}
}

// rest is what is still to be read.
func (l *lexer) rest() string { return l.source[l.at:] }

// next reads text up to a tag, and the tag.
func (l *lexer) next() error {
	n := tagStart(l.rest())
	if n < 0 {
		l.data(len(l.rest()), '{', 0)
		return nil
	}
	kind, sign := l.rest()[n+1], byte(0)
	if n+2 < len(l.rest()) {
		sign = l.rest()[n+2]
	}
	l.data(n, kind, sign)
	switch kind {
	case '#':
		return l.comment()
	case '{':
		return l.tag("{{", "}}")
	}
	if size := blockSize(l.rest(), "raw"); size > 0 {
		return l.raw(size)
	}
	return l.tag("{%", "%}")
}

// tagStart finds the first {{, {% or {#.
func tagStart(text string) int {
	for i := 0; ; i++ {
		n := strings.IndexByte(text[i:], '{')
		if n < 0 || i+n+1 >= len(text) {
			return -1
		}
		i += n
		switch text[i+1] {
		case '{', '%', '#':
			return i
		}
	}
}

// data adds n bytes of text, less the white space that the tag behind it takes: all of it before a
// "-", and before a block or comment that stands first in its line that line's, unless there is a
// "+".
func (l *lexer) data(n int, tag, sign byte) {
	text, fresh := l.rest()[:n], l.fresh
	switch {
	case sign == '-':
		text = strings.TrimRightFunc(text, unicode.IsSpace)
	case tag != '{' && sign != '+':
		start := strings.LastIndexByte(text, '\n') + 1
		if (start > 0 || fresh) && strings.TrimSpace(text[start:]) == "" {
			text = text[:start]
		}
	}
	if text != "" {
		l.add(tokenData, text)
	}
	l.skip(n)
}

// after moves over the white space that the end of a tag takes: all of it behind a "-", and behind
// a block or comment one line break, unless there is a "+".
func (l *lexer) after(block bool, sign byte) {
	switch {
	case sign == '-':
		l.skip(len(l.rest()) - len(strings.TrimLeftFunc(l.rest(), unicode.IsSpace)))
	case block && sign != '+' && strings.HasPrefix(l.rest(), "\n"):
		l.skip(1)
	}
}

// comment moves over {# ... #}.
func (l *lexer) comment() error {
	n := strings.Index(l.rest()[2:], "#}")
	if n < 0 {
		return fmt.Errorf("%w: a comment does not end", ErrSyntax)
	}
	sign := l.rest()[2+n-1]
	l.skip(2 + n + 2)
	l.after(true, sign)
	return nil
}

// blockSize gives the size of the block tag of one given word that text begins with, or 0.
func blockSize(text, word string) int {
	rest := strings.TrimPrefix(text, "{%")
	if rest != "" && (rest[0] == '-' || rest[0] == '+') {
		rest = rest[1:]
	}
	rest = strings.TrimLeftFunc(rest, unicode.IsSpace)
	rest, found := strings.CutPrefix(rest, word)
	if !found {
		return 0
	}
	rest = strings.TrimLeftFunc(rest, unicode.IsSpace)
	if rest != "" && (rest[0] == '-' || rest[0] == '+') {
		rest = rest[1:]
	}
	if !strings.HasPrefix(rest, "%}") {
		return 0
	}
	return len(text) - len(rest) + len("%}")
}

// raw adds what stands between {% raw %}, of the given size, and {% endraw %} as text.
func (l *lexer) raw(size int) error {
	l.skip(size - 3)
	sign := l.rest()[0]
	l.skip(3)
	l.after(true, sign)
	for n := 0; ; n++ {
		i := strings.Index(l.rest()[n:], "{%")
		if i < 0 {
			return fmt.Errorf("%w: raw does not end", ErrSyntax)
		}
		n += i
		if size := blockSize(l.rest()[n:], "endraw"); size > 0 {
			l.data(n, '%', l.rest()[n+2])
			sign := l.rest()[size-3]
			l.skip(size)
			l.after(true, sign)
			return nil
		}
	}
}

// tag adds the tokens of a tag.
func (l *lexer) tag(open, end string) error {
	l.add(tokenOpen, open)
	l.skip(len(open))
	if rest := l.rest(); rest != "" && (rest[0] == '-' || rest[0] == '+') {
		l.skip(1)
	}
	var brackets []byte
	for {
		l.skip(len(l.rest()) - len(strings.TrimLeftFunc(l.rest(), unicode.IsSpace)))
		rest := l.rest()
		if rest == "" {
			return fmt.Errorf("%w: %s does not end", ErrSyntax, open)
		}
		if len(brackets) == 0 {
			for _, sign := range [...]string{"", "-", "+"} {
				if strings.HasPrefix(rest, sign+end) {
					l.add(tokenClose, end)
					l.skip(len(sign) + len(end))
					l.after(end == "%}", (sign + " ")[0])
					return nil
				}
			}
		}
		size, err := l.lexeme(rest)
		if err != nil {
			return err
		}
		switch c := rest[0]; c {
		case '(', '[', '{':
			brackets = append(brackets, c)
		case ')', ']', '}':
			if len(brackets) > 0 {
				brackets = brackets[:len(brackets)-1]
			}
		}
		l.skip(size)
	}
}

// lexeme adds the token at the start of rest and gives its size.
func (l *lexer) lexeme(rest string) (int, error) {
	r, _ := utf8.DecodeRuneInString(rest)
	switch {
	case r == '"' || r == '\'':
		return l.quoted(rest)
	case '0' <= r && r <= '9':
		return l.number(rest), nil
	case r == '_' || unicode.IsLetter(r):
		size := strings.IndexFunc(rest, func(r rune) bool {
			return r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r)
		})
		if size < 0 {
			size = len(rest)
		}
		l.add(tokenName, rest[:size])
		return size, nil
	}
	for _, operator := range operators {
		if strings.HasPrefix(rest, operator) {
			l.add(tokenOperator, operator)
			return len(operator), nil
		}
	}
	return 0, fmt.Errorf("%w: unexpected %q", ErrSyntax, r)
}

// number adds an integer or a float.
func (l *lexer) number(rest string) int {
	digits := func(i int) int {
		for i < len(rest) && ('0' <= rest[i] && rest[i] <= '9' || rest[i] == '_') {
			i++
		}
		return i
	}
	size, kind := digits(0), tokenInteger
	if size+1 < len(rest) && rest[size] == '.' && '0' <= rest[size+1] && rest[size+1] <= '9' {
		size, kind = digits(size+1), tokenFloat
	}
	if size < len(rest) && (rest[size] == 'e' || rest[size] == 'E') {
		start := size + 1
		if start < len(rest) && (rest[start] == '+' || rest[start] == '-') {
			start++
		}
		if end := digits(start); end > start {
			size, kind = end, tokenFloat
		}
	}
	l.add(kind, strings.ReplaceAll(rest[:size], "_", ""))
	return size
}

// quoted adds a string.
func (l *lexer) quoted(rest string) (int, error) {
	var b strings.Builder
	for i := 1; i < len(rest); {
		switch c := rest[i]; c {
		case rest[0]:
			l.add(tokenString, b.String())
			return i + 1, nil
		case '\\':
			size, err := escape(&b, rest[i:])
			if err != nil {
				return 0, err
			}
			i += size
		default:
			b.WriteByte(c)
			i++
		}
	}
	return 0, fmt.Errorf("%w: a string does not end", ErrSyntax)
}

// escape writes what the escape sequence at the start of text stands for and gives its size.
// Sequences are Python's; an unknown one stands for itself.
func escape(b *strings.Builder, text string) (int, error) {
	if len(text) < 2 {
		return 0, fmt.Errorf("%w: a string does not end", ErrSyntax)
	}
	const from, to = "\\'\"abfnrtv", "\\'\"\a\b\f\n\r\t\v"
	if i := strings.IndexByte(from, text[1]); i >= 0 {
		b.WriteByte(to[i])
		return 2, nil
	}
	digits := map[byte]int{'x': 2, 'u': 4, 'U': 8}[text[1]]
	switch {
	case text[1] == '\n':
		return 2, nil
	case '0' <= text[1] && text[1] <= '7':
		size := 2
		for size < len(text) && size < 4 && '0' <= text[size] && text[size] <= '7' {
			size++
		}
		code, err := strconv.ParseUint(text[1:size], 8, 16)
		b.WriteRune(rune(code))
		return size, err
	case digits > 0:
		if len(text) < 2+digits {
			return 0, fmt.Errorf("%w: a string does not end", ErrSyntax)
		}
		code, err := strconv.ParseUint(text[2:2+digits], 16, 31)
		if err != nil {
			return 0, fmt.Errorf("%w: %q is no character", ErrSyntax, text[:2+digits])
		}
		b.WriteRune(rune(code))
		return 2 + digits, nil
	}
	b.WriteByte('\\')
	return 1, nil
}
