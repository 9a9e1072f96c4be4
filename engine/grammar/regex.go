package grammar

import (
	"fmt"
	"regexp/syntax"
	"strings"
)

// ParseRegex reads a regular expression in Go's syntax (RE2,
// https://github.com/google/re2/wiki/Syntax) that the whole text has to match. ^ and
// $ may stand at its ends and change nothing. Errors are ErrSyntax; ErrUnsupported
// for boundaries inside, and what RE2 does not have: look-around and references to
// groups; and ErrLimit.
func ParseRegex(text string) (*Grammar, error) {
	e, err := regexExpression(text, false, nil)
	if err != nil {
		return nil, fmt.Errorf("grammar: regex: %w", err)
	}
	return newGrammar(map[string]expression{root: e})
}

// regexExpression reads a regular expression. With search it need not match at the
// ends unless it says so. into, unless nil, makes an expression of each class and
// of each character: what stands for them.
func regexExpression(text string, search bool, into func(class) expression) (expression, error) {
	if len(text) > MaxSource {
		return nil, fmt.Errorf("%d bytes, at most %d: %w", len(text), MaxSource, ErrLimit)
	}
	for _, s := range []string{"(?=", "(?!", "(?<=", "(?<!", "(?>"} {
		if strings.Contains(text, s) {
			return nil, fmt.Errorf("look-around %s...): %w", s, ErrUnsupported)
		}
	}
	parsed, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSyntax, err)
	}
	if into == nil {
		into = func(c class) expression { return c }
	}
	r := &regex{into: into}
	e, begin, end := r.ends(parsed)
	if r.err != nil {
		return nil, r.err
	}
	if search {
		any := repeat{into(negate(nil)), 0, -1}
		if !begin {
			e = sequence{any, e}
		}
		if !end {
			e = sequence{e, any}
		}
	}
	return e, nil
}

// regex makes an expression of a regular one.
type regex struct {
	into func(class) expression
	err  error
}

// ends makes the expression of one that may have ^ at its beginning and $ at its
// end, and says whether it has.
func (r *regex) ends(x *syntax.Regexp) (e expression, begin, end bool) {
	isBegin := func(op syntax.Op) bool { return op == syntax.OpBeginText }
	isEnd := func(op syntax.Op) bool { return op == syntax.OpEndText }
	switch {
	case x.Op == syntax.OpCapture:
		return r.ends(x.Sub[0])
	case isBegin(x.Op):
		return literal(""), true, false
	case isEnd(x.Op):
		return literal(""), false, true
	case x.Op != syntax.OpConcat:
		return r.expression(x), false, false
	}
	sub := x.Sub
	if len(sub) > 0 && isBegin(sub[0].Op) {
		begin, sub = true, sub[1:]
	}
	if n := len(sub); n > 0 && isEnd(sub[n-1].Op) {
		end, sub = true, sub[:n-1]
	}
	var all sequence
	for _, s := range sub {
		all = append(all, r.expression(s))
	}
	return all, begin, end
}

func (r *regex) expression(x *syntax.Regexp) expression {
	switch x.Op {
	case syntax.OpNoMatch:
		return class(nil)
	case syntax.OpEmptyMatch:
		return literal("")
	case syntax.OpLiteral:
		var all sequence
		for _, c := range x.Rune {
			all = append(all, r.into(fold(c, x.Flags&syntax.FoldCase != 0)))
		}
		return all
	case syntax.OpCharClass:
		var c class
		for i := 0; i+1 < len(x.Rune); i += 2 {
			c = append(c, span{x.Rune[i], x.Rune[i+1]})
		}
		return r.into(normalize(c))
	case syntax.OpAnyChar:
		return r.into(negate(nil))
	case syntax.OpAnyCharNotNL:
		return r.into(negate(class{{'\n', '\n'}}))
	case syntax.OpCapture:
		return r.expression(x.Sub[0])
	case syntax.OpStar:
		return repeat{r.expression(x.Sub[0]), 0, -1}
	case syntax.OpPlus:
		return repeat{r.expression(x.Sub[0]), 1, -1}
	case syntax.OpQuest:
		return optional(r.expression(x.Sub[0]))
	case syntax.OpRepeat:
		return repeat{r.expression(x.Sub[0]), x.Min, x.Max}
	case syntax.OpConcat:
		var all sequence
		for _, s := range x.Sub {
			all = append(all, r.expression(s))
		}
		return all
	case syntax.OpAlternate:
		var all choice
		for _, s := range x.Sub {
			all = append(all, r.expression(s))
		}
		return all
	}
	if r.err == nil {
		r.err = fmt.Errorf("%s, other than ^ and $ at the ends: %w", x, ErrUnsupported)
	}
	return literal("")
}
