package grammar

// expression is a part of a rule.
type expression interface{}

// The expressions.
type (
	literal  string // these bytes
	class    []span // one character of these; none: nothing matches
	sequence []expression
	choice   []expression // one of them; none: nothing matches
	repeat   struct {
		of       expression
		min, max int // max < 0: no end
	}
	reference string // a rule
)

// span is a range of characters, both ends in it.
type span struct{ lo, hi rune }

// optional is an expression or nothing.
func optional(e expression) expression { return repeat{e, 0, 1} }

// Grammar is what a text has to keep to. It does not change, and may be used by
// many goroutines.
type Grammar struct {
	rules map[string]expression
	*machine
}

// root is the rule that a text is.
const root = "root"

// newGrammar compiles rules.
func newGrammar(rules map[string]expression) (*Grammar, error) {
	m, err := compile(rules)
	if err != nil {
		return nil, err
	}
	return &Grammar{rules, m}, nil
}

// Literal is the grammar of one text.
func Literal(text string) (*Grammar, error) {
	return newGrammar(map[string]expression{root: literal(text)})
}

// Sequence is the grammar of texts of grammars, one behind the other.
func Sequence(all ...*Grammar) (*Grammar, error) {
	parts, rules := joined(all)
	rules[root] = sequence(parts)
	return newGrammar(rules)
}

// Choice is the grammar of the texts of any of the grammars.
func Choice(all ...*Grammar) (*Grammar, error) {
	parts, rules := joined(all)
	rules[root] = choice(parts)
	return newGrammar(rules)
}

// Repeat is the grammar of min to max texts of a grammar, one behind the other;
// max under 0: of any number.
func Repeat(g *Grammar, min, max int) (*Grammar, error) {
	parts, rules := joined([]*Grammar{g})
	rules[root] = repeat{parts[0], min, max}
	return newGrammar(rules)
}

// joined returns the rules of all grammars under names of their own, and what
// calls the root of each.
func joined(all []*Grammar) ([]expression, map[string]expression) {
	rules := map[string]expression{}
	var parts []expression
	for i, g := range all {
		prefix := string(rune('a'+i%26)) + string(rune('0'+i/26)) + "."
		for name, e := range g.rules {
			rules[prefix+name] = renamed(e, prefix)
		}
		parts = append(parts, reference(prefix+root))
	}
	return parts, rules
}

// renamed puts a prefix before the names that an expression refers to.
func renamed(e expression, prefix string) expression {
	switch e := e.(type) {
	case sequence:
		out := make(sequence, len(e))
		for i := range e {
			out[i] = renamed(e[i], prefix)
		}
		return out
	case choice:
		out := make(choice, len(e))
		for i := range e {
			out[i] = renamed(e[i], prefix)
		}
		return out
	case repeat:
		return repeat{renamed(e.of, prefix), e.min, e.max}
	case reference:
		return reference(prefix + string(e))
	}
	return e
}
