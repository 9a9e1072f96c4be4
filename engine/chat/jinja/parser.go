package jinja

import (
	"fmt"
	"slices"
)

// parser makes a tree of tokens.
type parser struct {
	tokens []token
	at     int
	depth  int
	loops  int // that the tag is inside of
}

func (p *parser) peek() token { return p.tokens[p.at] }

// take reads a token. The last is never passed.
func (p *parser) take() token {
	t := p.tokens[p.at]
	if t.kind != tokenEnd {
		p.at++
	}
	return t
}

// is reports whether the next token is of a kind and text.
func (p *parser) is(kind tokenKind, text string) bool {
	t := p.peek()
	return t.kind == kind && t.text == text
}

// accept reads a token if it is of a kind and text.
func (p *parser) accept(kind tokenKind, text string) bool {
	found := p.is(kind, text)
	if found {
		p.at++
	}
	return found
}

// expect reads a token that must be of a kind and text.
func (p *parser) expect(kind tokenKind, text string) error {
	if !p.accept(kind, text) {
		return fmt.Errorf("%w: %v where %q should be", ErrSyntax, p.peek(), text)
	}
	return nil
}

// identifier reads a name.
func (p *parser) identifier() (string, error) {
	if t := p.take(); t.kind == tokenName {
		return t.text, nil
	} else {
		return "", fmt.Errorf("%w: %v where a name should be", ErrSyntax, t)
	}
}

// nested calls parse one level deeper.
func nested[T any](p *parser, parse func() (T, error)) (T, error) {
	p.depth++
	defer func() { p.depth-- }()
	if p.depth > maxDepth {
		return *new(T), fmt.Errorf("%w: nested more than %d deep", ErrLimit, maxDepth)
	}
	return parse()
}

// template reads everything.
func (p *parser) template() ([]statement, error) {
	body, err := p.body()
	if err == nil && p.peek().kind != tokenEnd {
		err = fmt.Errorf("%w: nothing to end here", ErrSyntax)
	}
	return body, err
}

// body reads up to the end, or to a tag that is one of the given; that tag's opening and name are
// read.
func (p *parser) body(ends ...string) ([]statement, error) {
	return nested(p, func() ([]statement, error) {
		var body []statement
		for {
			t := p.peek()
			switch {
			case t.kind == tokenEnd:
				if len(ends) > 0 {
					return nil, fmt.Errorf("%w: %q is missing", ErrSyntax, ends[len(ends)-1])
				}
				return body, nil
			case t.kind == tokenData:
				body = append(body, data(p.take().text))
				continue
			case t.text == "{{":
				p.take()
				value, err := p.expression()
				if err != nil {
					return nil, err
				}
				if err := p.expect(tokenClose, "}}"); err != nil {
					return nil, err
				}
				body = append(body, output{line: t.line, value: value})
				continue
			}
			if next := p.tokens[p.at+1]; next.kind == tokenName && slices.Contains(ends, next.text) {
				p.take()
				return body, nil
			}
			s, err := p.tag()
			if err != nil {
				return nil, err
			}
			body = append(body, s)
		}
	})
}

// end reads the end of a tag.
func (p *parser) end() error { return p.expect(tokenClose, "%}") }

// endOf reads the rest of the tag that ends a body.
func (p *parser) endOf(word string) error {
	if err := p.expect(tokenName, word); err != nil {
		return err
	}
	return p.end()
}

// tag reads {% word ... %} and what belongs to it.
func (p *parser) tag() (statement, error) {
	line := p.take().line
	word, err := p.identifier()
	if err != nil {
		return nil, err
	}
	switch word {
	case "if":
		return p.conditional(line)
	case "for":
		return p.loop(line)
	case "set":
		return p.assignment(line)
	case "macro":
		return p.macro(line)
	case "filter":
		return p.filterBlock(line)
	case "generation":
		return p.generation()
	case "break", "continue":
		if p.loops == 0 {
			return nil, fmt.Errorf("%w: %s outside a loop", ErrSyntax, word)
		}
		signal := errBreak
		if word == "continue" {
			signal = errContinue
		}
		return jump{signal}, p.end()
	}
	return nil, fmt.Errorf("%w: the tag %q is unknown or has no place here", ErrSyntax, word)
}

func (p *parser) conditional(line int) (statement, error) {
	node := conditional{line: line}
	for {
		condition, err := p.expression()
		if err != nil {
			return nil, err
		}
		if err := p.end(); err != nil {
			return nil, err
		}
		body, err := p.body("elif", "else", "endif")
		if err != nil {
			return nil, err
		}
		node.branches = append(node.branches, branch{condition, body})
		if p.accept(tokenName, "elif") {
			continue
		}
		if p.accept(tokenName, "else") {
			if err := p.end(); err != nil {
				return nil, err
			}
			if body, err = p.body("endif"); err != nil {
				return nil, err
			}
			node.branches = append(node.branches, branch{nil, body})
		}
		return node, p.endOf("endif")
	}
}

func (p *parser) loop(line int) (statement, error) {
	node := loop{line: line}
	for {
		name, err := p.identifier()
		if err != nil {
			return nil, err
		}
		node.targets = append(node.targets, name)
		if !p.accept(tokenOperator, ",") {
			break
		}
	}
	err := p.expect(tokenName, "in")
	if err != nil {
		return nil, err
	}
	// What follows "if" is the loop's condition, not a choice between two iterables.
	if node.items, err = p.or(); err != nil {
		return nil, err
	}
	if p.accept(tokenName, "if") {
		if node.condition, err = p.expression(); err != nil {
			return nil, err
		}
	}
	if err := p.end(); err != nil {
		return nil, err
	}
	p.loops++
	node.body, err = p.body("else", "endfor")
	p.loops--
	if err != nil {
		return nil, err
	}
	if p.accept(tokenName, "else") {
		if err := p.end(); err != nil {
			return nil, err
		}
		if node.otherwise, err = p.body("endfor"); err != nil {
			return nil, err
		}
	}
	return node, p.endOf("endfor")
}

// target reads what set assigns to.
func (p *parser) target() (target, error) {
	name, err := p.identifier()
	if err != nil || !p.accept(tokenOperator, ".") {
		return target{name: name}, err
	}
	attribute, err := p.identifier()
	return target{name, attribute}, err
}

func (p *parser) assignment(line int) (statement, error) {
	var targets []target
	for {
		t, err := p.target()
		if err != nil {
			return nil, err
		}
		targets = append(targets, t)
		if !p.accept(tokenOperator, ",") {
			break
		}
	}
	if p.accept(tokenOperator, "=") {
		value, err := p.tupleOr(p.expression)
		if err != nil {
			return nil, err
		}
		return assignment{line, targets, value}, p.end()
	}
	if len(targets) > 1 {
		return nil, p.expect(tokenOperator, "=")
	}
	return p.capture(line, targets[0], "endset")
}

// capture reads further filters and the body of a tag that catches its output.
func (p *parser) capture(line int, t target, end string, filters ...filter) (statement, error) {
	for p.accept(tokenOperator, "|") {
		f, err := p.filter(nil)
		if err != nil {
			return nil, err
		}
		filters = append(filters, f)
	}
	if err := p.end(); err != nil {
		return nil, err
	}
	body, err := p.body(end)
	if err != nil {
		return nil, err
	}
	return capture{line, t, filters, body}, p.endOf(end)
}

func (p *parser) filterBlock(line int) (statement, error) {
	first, err := p.filter(nil)
	if err != nil {
		return nil, err
	}
	return p.capture(line, target{}, "endfilter", first)
}

func (p *parser) generation() (statement, error) {
	if err := p.end(); err != nil {
		return nil, err
	}
	body, err := p.body("endgeneration")
	if err != nil {
		return nil, err
	}
	return group(body), p.endOf("endgeneration")
}

func (p *parser) macro(line int) (statement, error) {
	node := macro{line: line}
	var err error
	if node.name, err = p.identifier(); err != nil {
		return nil, err
	}
	if err := p.expect(tokenOperator, "("); err != nil {
		return nil, err
	}
	for !p.accept(tokenOperator, ")") {
		var next parameter
		if next.name, err = p.identifier(); err != nil {
			return nil, err
		}
		if p.accept(tokenOperator, "=") {
			if next.value, err = p.expression(); err != nil {
				return nil, err
			}
		} else if n := len(node.parameters); n > 0 && node.parameters[n-1].value != nil {
			return nil, fmt.Errorf("%w: a parameter without a default behind one with", ErrSyntax)
		}
		node.parameters = append(node.parameters, next)
		if !p.is(tokenOperator, ")") {
			if err := p.expect(tokenOperator, ","); err != nil {
				return nil, err
			}
		}
	}
	if err := p.end(); err != nil {
		return nil, err
	}
	loops := p.loops
	p.loops = 0
	node.body, err = p.body("endmacro")
	p.loops = loops
	if err != nil {
		return nil, err
	}
	return node, p.endOf("endmacro")
}
