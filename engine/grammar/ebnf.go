package grammar

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// ParseEBNF reads an EBNF as llama.cpp writes it (GBNF,
// https://github.com/ggml-org/llama.cpp/blob/master/grammars/README.md):
//
//	root  ::= "yes" | "no" " "? [a-z]+ rest{2,3}   # a comment
//	rest  ::= ( "a" | [^\x00-\x1f"] | . )
//
// The text is the rule root. Errors are ErrSyntax, with line and column,
// ErrUnsupported and ErrLimit.
func ParseEBNF(text string) (*Grammar, error) {
	if len(text) > MaxSource {
		return nil, fmt.Errorf("grammar: ebnf: %d bytes, at most %d: %w", len(text), MaxSource, ErrLimit)
	}
	p := &ebnf{text: text, rules: map[string]expression{}}
	p.space(true)
	for p.err == nil && p.at < len(p.text) {
		p.rule()
	}
	if p.err != nil {
		return nil, p.err
	}
	return newGrammar(p.rules)
}

// ebnf reads an EBNF. The first error sticks.
type ebnf struct {
	text  string
	at    int
	depth int
	rules map[string]expression
	err   error
}

func (p *ebnf) fail(kind error, format string, args ...any) {
	if p.err == nil {
		before := p.text[:p.at]
		line := strings.Count(before, "\n") + 1
		column := utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:]) + 1
		p.err = fmt.Errorf("grammar: ebnf: line %d, column %d: %s: %w", line, column, fmt.Sprintf(format, args...), kind)
		p.at = len(p.text)
	}
}

// peek returns the next byte, 0 at the end.
func (p *ebnf) peek() byte {
	if p.at < len(p.text) {
		return p.text[p.at]
	}
	return 0
}

// take takes a text, if it comes next.
func (p *ebnf) take(s string) bool {
	ok := strings.HasPrefix(p.text[p.at:], s)
	if ok {
		p.at += len(s)
	}
	return ok
}

// space skips white space and comments, line ends too where they mean nothing.
func (p *ebnf) space(lines bool) {
	for p.at < len(p.text) {
		switch c := p.text[p.at]; {
		case c == ' ' || c == '\t' || lines && (c == '\n' || c == '\r'):
			p.at++
		case c == '#':
			for p.at < len(p.text) && p.text[p.at] != '\n' {
				p.at++
			}
		default:
			return
		}
	}
}

// name reads the name of a rule; "" if there is none.
func (p *ebnf) name() string {
	start := p.at
	for p.at < len(p.text) {
		c := p.text[p.at]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' {
			p.at++
			continue
		}
		break
	}
	return p.text[start:p.at]
}

// rule reads a rule.
func (p *ebnf) rule() {
	name := p.name()
	if name == "" {
		p.fail(ErrSyntax, "expected the name of a rule")
		return
	}
	p.space(false)
	if !p.take("::=") {
		p.fail(ErrSyntax, "expected ::= behind %q", name)
		return
	}
	if _, ok := p.rules[name]; ok {
		p.fail(ErrSyntax, "rule %q is defined twice", name)
		return
	}
	p.space(true)
	p.rules[name] = p.alternatives(false)
	switch c := p.peek(); {
	case p.at == len(p.text):
	case c == '\n' || c == '\r':
		p.space(true)
	default:
		p.fail(ErrSyntax, "unexpected %q", c)
	}
}

// alternatives reads what stands between bars. Within brackets line ends mean
// nothing.
func (p *ebnf) alternatives(nested bool) expression {
	if p.depth++; p.depth > MaxNesting {
		p.fail(ErrLimit, "%d brackets in one another", p.depth)
	}
	defer func() { p.depth-- }()
	all := choice{p.sequence(nested)}
	for p.err == nil && p.take("|") {
		p.space(true)
		all = append(all, p.sequence(nested))
	}
	if len(all) == 1 {
		return all[0]
	}
	return all
}

// sequence reads items with their repetitions.
func (p *ebnf) sequence(nested bool) expression {
	var all sequence
	for p.err == nil {
		item, ok := p.item()
		if !ok {
			break
		}
		p.space(nested)
		item = p.repetitions(item, nested)
		all = append(all, item)
	}
	return all
}

// item reads a literal, a class, a reference or brackets.
func (p *ebnf) item() (expression, bool) {
	switch c := p.peek(); {
	case c == '"':
		p.at++
		return p.literal(), true
	case c == '[':
		p.at++
		return p.class(), true
	case c == '.':
		p.at++
		return negate(nil), true
	case c == '(':
		p.at++
		p.space(true)
		e := p.alternatives(true)
		if !p.take(")") {
			p.fail(ErrSyntax, "expected )")
		}
		return e, true
	case c == '<' || c == '!' && strings.HasPrefix(p.text[p.at:], "!<"):
		p.fail(ErrUnsupported, "tokens by name or number, <...>")
		return nil, false
	}
	start := p.at
	name := p.name()
	if name == "" {
		return nil, false
	}
	// A name before ::= begins the next rule.
	after := p.at
	p.space(false)
	if strings.HasPrefix(p.text[p.at:], "::=") {
		p.at = start
		p.fail(ErrSyntax, "rule %q begins in the line of another", name)
		return nil, false
	}
	p.at = after
	return reference(name), true
}

// repetitions reads *, +, ? and {m,n} behind an item.
func (p *ebnf) repetitions(item expression, nested bool) expression {
	for n := 0; p.err == nil; n++ {
		switch {
		case n == MaxNesting:
			p.fail(ErrLimit, "%d repetitions of one another", n)
		case p.take("*"):
			item = repeat{item, 0, -1}
		case p.take("+"):
			item = repeat{item, 1, -1}
		case p.take("?"):
			item = optional(item)
		case p.take("{"):
			item = p.counts(item)
		default:
			return item
		}
		p.space(nested)
	}
	return item
}

// counts reads {m}, {m,} and {m,n}, from behind the bracket.
func (p *ebnf) counts(item expression) expression {
	p.space(true)
	least := p.number()
	most := least
	p.space(true)
	if p.take(",") {
		p.space(true)
		most = -1
		if p.peek() != '}' {
			most = p.number()
		}
		p.space(true)
	}
	if !p.take("}") {
		p.fail(ErrSyntax, "expected }")
	}
	if most >= 0 && most < least {
		p.fail(ErrSyntax, "%d to %d repetitions", least, most)
	}
	return repeat{item, least, most}
}

func (p *ebnf) number() int {
	start := p.at
	for p.peek() >= '0' && p.peek() <= '9' {
		p.at++
	}
	n, err := strconv.Atoi(p.text[start:p.at])
	if err != nil {
		p.fail(ErrSyntax, "expected a number")
	}
	if n > MaxRepeat {
		p.fail(ErrLimit, "%d repetitions, at most %d", n, MaxRepeat)
	}
	return n
}

// literal reads text up to a quotation mark.
func (p *ebnf) literal() expression {
	var out []byte
	for p.err == nil && p.peek() != '"' {
		out = utf8.AppendRune(out, p.character())
	}
	p.take(`"`)
	return literal(out)
}

// class reads a class up to its bracket.
func (p *ebnf) class() expression {
	not := p.take("^")
	var out class
	for p.err == nil && p.peek() != ']' {
		lo := p.character()
		hi := lo
		if p.peek() == '-' && p.at+1 < len(p.text) && p.text[p.at+1] != ']' {
			p.at++
			hi = p.character()
		}
		if hi < lo {
			p.fail(ErrSyntax, "range from %q to %q", lo, hi)
		}
		out = append(out, span{lo, hi})
	}
	p.take("]")
	if not {
		return negate(out)
	}
	return normalize(out)
}

// character reads a character of a literal or a class, or an escape.
func (p *ebnf) character() rune {
	if p.at >= len(p.text) {
		p.fail(ErrSyntax, "unexpected end")
		return 0
	}
	r, n := utf8.DecodeRuneInString(p.text[p.at:])
	if r == utf8.RuneError && n <= 1 {
		p.fail(ErrSyntax, "malformed UTF-8")
		return 0
	}
	p.at += n
	if r != '\\' {
		return r
	}
	c := p.peek()
	p.at++
	switch c {
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	case '\\', '"', '[', ']', '-', '^':
		return rune(c)
	case 'x':
		return p.hex(2)
	case 'u':
		return p.hex(4)
	case 'U':
		return p.hex(8)
	}
	p.at = min(p.at, len(p.text)) - 1
	p.fail(ErrSyntax, "unknown escape \\%c", c)
	return 0
}

func (p *ebnf) hex(digits int) rune {
	if p.at+digits > len(p.text) {
		p.fail(ErrSyntax, "unexpected end")
		return 0
	}
	v, err := strconv.ParseUint(p.text[p.at:p.at+digits], 16, 32)
	if err != nil || v > utf8.MaxRune || v >= 0xd800 && v < 0xe000 {
		p.fail(ErrSyntax, "%q is no character", p.text[p.at:p.at+digits])
		return 0
	}
	p.at += digits
	return rune(v)
}
