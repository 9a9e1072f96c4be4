package jinja

import (
	"fmt"
	"slices"
	"strconv"
)

// expression reads yes if condition else no, or anything that binds tighter.
func (p *parser) expression() (expression, error) {
	return nested(p, func() (expression, error) {
		value, err := p.or()
		for err == nil && p.accept(tokenName, "if") {
			c := choice{yes: value}
			if c.condition, err = p.or(); err != nil {
				return nil, err
			}
			if p.accept(tokenName, "else") {
				if c.no, err = p.expression(); err != nil {
					return nil, err
				}
			}
			value = c
		}
		return value, err
	})
}

// tupleOr reads what parse does, and further such behind commas as a tuple.
func (p *parser) tupleOr(parse func() (expression, error)) (expression, error) {
	first, err := parse()
	if err != nil || !p.is(tokenOperator, ",") {
		return first, err
	}
	values := tuple{first}
	for p.accept(tokenOperator, ",") {
		if p.is(tokenOperator, ")") || p.peek().kind == tokenClose {
			break
		}
		value, err := parse()
		if err != nil {
			return nil, err
		}
		values = append(values, value)
	}
	return values, nil
}

// chain reads operand operator operand ..., from left to right. The parts count as nested, for so
// they are evaluated.
func (p *parser) chain(operand func() (expression, error), kind tokenKind, operators ...string) (expression, error) {
	left, err := operand()
	if err != nil {
		return nil, err
	}
	depth := p.depth
	defer func() { p.depth = depth }()
	for p.peek().kind == kind && slices.Contains(operators, p.peek().text) {
		operator := p.take().text
		right, err := nested(p, operand)
		if err != nil {
			return nil, err
		}
		p.depth++
		left = binary{operator, left, right}
	}
	return left, nil
}

func (p *parser) or() (expression, error)  { return p.chain(p.and, tokenName, "or") }
func (p *parser) and() (expression, error) { return p.chain(p.not, tokenName, "and") }

func (p *parser) not() (expression, error) {
	if !p.accept(tokenName, "not") {
		return p.comparison()
	}
	operand, err := nested(p, p.not)
	return unary{"not", operand}, err
}

func (p *parser) comparison() (expression, error) {
	first, err := p.sum()
	if err != nil {
		return nil, err
	}
	c := comparison{first: first}
	for {
		operator := p.comparisonOperator()
		if operator == "" {
			break
		}
		operand, err := p.sum()
		if err != nil {
			return nil, err
		}
		c.rest = append(c.rest, struct {
			operator string
			operand  expression
		}{operator, operand})
	}
	if len(c.rest) == 0 {
		return first, nil
	}
	return c, nil
}

// comparisonOperator reads an operator that compares, or "".
func (p *parser) comparisonOperator() string {
	t := p.peek()
	switch {
	case t.kind == tokenOperator:
		switch t.text {
		case "==", "!=", "<", "<=", ">", ">=":
			return p.take().text
		}
	case p.accept(tokenName, "in"):
		return "in"
	case p.is(tokenName, "not") && p.tokens[p.at+1].kind == tokenName && p.tokens[p.at+1].text == "in":
		p.at += 2
		return "not in"
	}
	return ""
}

func (p *parser) sum() (expression, error) {
	return p.chain(p.concatenation, tokenOperator, "+", "-")
}

func (p *parser) concatenation() (expression, error) {
	first, err := p.product()
	if err != nil || !p.is(tokenOperator, "~") {
		return first, err
	}
	parts := concatenation{first}
	for p.accept(tokenOperator, "~") {
		part, err := p.product()
		if err != nil {
			return nil, err
		}
		parts = append(parts, part)
	}
	return parts, nil
}

func (p *parser) product() (expression, error) {
	return p.chain(p.power, tokenOperator, "*", "/", "//", "%")
}

func (p *parser) power() (expression, error) {
	return p.chain(func() (expression, error) { return p.unary(true) }, tokenOperator, "**")
}

// unary reads a sign or a value, with what stands behind it. A sign binds tighter than a filter.
func (p *parser) unary(filters bool) (expression, error) {
	return nested(p, func() (value expression, err error) {
		switch {
		case p.accept(tokenOperator, "-"):
			value, err = p.unary(false)
			value = unary{"-", value}
		case p.accept(tokenOperator, "+"):
			value, err = p.unary(false)
			value = unary{"+", value}
		default:
			value, err = p.primary()
		}
		if err == nil {
			value, err = p.postfix(value)
		}
		if err == nil && filters {
			value, err = p.postfixFilters(value)
		}
		return value, err
	})
}

// primary reads a literal, a name, or an expression in brackets.
func (p *parser) primary() (expression, error) {
	t := p.take()
	switch t.kind {
	case tokenName:
		switch t.text {
		case "true", "True":
			return literal{true}, nil
		case "false", "False":
			return literal{false}, nil
		case "none", "None":
			return literal{nil}, nil
		}
		return name(t.text), nil
	case tokenString:
		text := t.text
		for p.peek().kind == tokenString {
			text += p.take().text
		}
		return literal{text}, nil
	case tokenInteger:
		n, err := strconv.ParseInt(t.text, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%w: the integer %s is too large", ErrSyntax, t.text)
		}
		return literal{n}, nil
	case tokenFloat:
		x, err := strconv.ParseFloat(t.text, 64)
		if err != nil {
			return nil, fmt.Errorf("%w: the number %s is too large", ErrSyntax, t.text)
		}
		return literal{x}, nil
	case tokenOperator:
		switch t.text {
		case "(":
			if p.accept(tokenOperator, ")") {
				return tuple{}, nil
			}
			value, err := p.tupleOr(p.expression)
			if err != nil {
				return nil, err
			}
			return value, p.expect(tokenOperator, ")")
		case "[":
			return p.list()
		case "{":
			return p.dict()
		}
	}
	return nil, fmt.Errorf("%w: %v where a value should be", ErrSyntax, t)
}

func (p *parser) list() (expression, error) {
	values := list{}
	for !p.accept(tokenOperator, "]") {
		value, err := p.expression()
		if err != nil {
			return nil, err
		}
		values = append(values, value)
		if !p.is(tokenOperator, "]") {
			if err := p.expect(tokenOperator, ","); err != nil {
				return nil, err
			}
		}
	}
	return values, nil
}

func (p *parser) dict() (expression, error) {
	pairs := dict{}
	for !p.accept(tokenOperator, "}") {
		key, err := p.expression()
		if err != nil {
			return nil, err
		}
		if err := p.expect(tokenOperator, ":"); err != nil {
			return nil, err
		}
		value, err := p.expression()
		if err != nil {
			return nil, err
		}
		pairs = append(pairs, struct{ key, value expression }{key, value})
		if !p.is(tokenOperator, "}") {
			if err := p.expect(tokenOperator, ","); err != nil {
				return nil, err
			}
		}
	}
	return pairs, nil
}

// postfix reads attributes, items and calls.
func (p *parser) postfix(value expression) (expression, error) {
	depth := p.depth
	defer func() { p.depth = depth }()
	for {
		var err error
		switch {
		case p.accept(tokenOperator, "."):
			if p.peek().kind == tokenInteger {
				var key expression
				if key, err = p.primary(); err == nil {
					value = item{value, key}
				}
				break
			}
			var name string
			name, err = p.identifier()
			value = attribute{value, name}
		case p.accept(tokenOperator, "["):
			value, err = p.subscript(value)
		case p.is(tokenOperator, "("):
			var a arguments
			a, err = p.arguments()
			value = call{value, a}
		default:
			return value, nil
		}
		if err != nil {
			return nil, err
		}
		if p.depth++; p.depth > maxDepth {
			return nil, fmt.Errorf("%w: nested more than %d deep", ErrLimit, maxDepth)
		}
	}
}

// subscript reads [key] or [start:stop:step] behind its bracket.
func (p *parser) subscript(value expression) (expression, error) {
	var parts [3]expression
	n := 0
	for ; n < 3; n++ {
		if !p.is(tokenOperator, ":") && !p.is(tokenOperator, "]") {
			part, err := p.expression()
			if err != nil {
				return nil, err
			}
			parts[n] = part
		}
		if !p.accept(tokenOperator, ":") {
			break
		}
	}
	if err := p.expect(tokenOperator, "]"); err != nil {
		return nil, err
	}
	if n > 0 {
		return slice{value, parts[0], parts[1], parts[2]}, nil
	}
	if parts[0] == nil {
		return nil, fmt.Errorf("%w: [] has no key", ErrSyntax)
	}
	return item{value, parts[0]}, nil
}

// postfixFilters reads filters, tests and calls of what they give.
func (p *parser) postfixFilters(value expression) (expression, error) {
	depth := p.depth
	defer func() { p.depth = depth }()
	for {
		switch {
		case p.accept(tokenOperator, "|"):
			f, err := p.filter(value)
			if err != nil {
				return nil, err
			}
			value = f
		case p.accept(tokenName, "is"):
			var err error
			if value, err = p.test(value); err != nil {
				return nil, err
			}
		case p.is(tokenOperator, "("):
			a, err := p.arguments()
			if err != nil {
				return nil, err
			}
			value = call{value, a}
		default:
			return value, nil
		}
		if p.depth++; p.depth > maxDepth {
			return nil, fmt.Errorf("%w: nested more than %d deep", ErrLimit, maxDepth)
		}
	}
}

// filter reads name or name(arguments).
func (p *parser) filter(value expression) (f filter, err error) {
	f.value = value
	if f.name, err = p.identifier(); err == nil && p.is(tokenOperator, "(") {
		f.arguments, err = p.arguments()
	}
	return f, err
}

// test reads what stands behind is.
func (p *parser) test(value expression) (expression, error) {
	negated := p.accept(tokenName, "not")
	name, err := p.identifier()
	if err != nil {
		return nil, err
	}
	t := test{value: value, name: name}
	next := p.peek()
	switch {
	case p.is(tokenOperator, "("):
		t.arguments, err = p.arguments()
	case next.kind == tokenString, next.kind == tokenInteger, next.kind == tokenFloat,
		p.is(tokenOperator, "["), p.is(tokenOperator, "{"),
		next.kind == tokenName && !slices.Contains([]string{"else", "or", "and", "if", "is", "in", "not"}, next.text):
		var argument expression
		if argument, err = p.primary(); err == nil {
			argument, err = p.postfix(argument)
		}
		t.arguments.positional = []expression{argument}
	}
	if err != nil {
		return nil, err
	}
	if negated {
		return unary{"not", t}, nil
	}
	return t, nil
}

// arguments reads (value, name=value, ...).
func (p *parser) arguments() (a arguments, err error) {
	if err := p.expect(tokenOperator, "("); err != nil {
		return a, err
	}
	for !p.accept(tokenOperator, ")") {
		named := ""
		if t := p.peek(); t.kind == tokenName && p.tokens[p.at+1].kind == tokenOperator && p.tokens[p.at+1].text == "=" {
			named = t.text
			p.at += 2
		}
		value, err := p.expression()
		if err != nil {
			return a, err
		}
		switch {
		case named != "":
			a.named = append(a.named, struct {
				name  string
				value expression
			}{named, value})
		case len(a.named) > 0:
			return a, fmt.Errorf("%w: an argument without a name behind one with", ErrSyntax)
		default:
			a.positional = append(a.positional, value)
		}
		if !p.is(tokenOperator, ")") {
			if err := p.expect(tokenOperator, ","); err != nil {
				return a, err
			}
		}
	}
	return a, nil
}
