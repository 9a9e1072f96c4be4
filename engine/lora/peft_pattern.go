package lora

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode/utf8"
)

// expressions compiles the regular expressions of a config, and bounds them.
type expressions struct{ instructions int } // of those that were compiled

// compile returns an expression of names that begin with what one matches and end with
// what the other does.
func (e *expressions) compile(begin, text string) (*regexp.Regexp, error) {
	whole := "^" + begin + "(?:" + text + ")$"
	parsed, err := syntax.Parse(whole, syntax.Perl)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	program, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	if e.instructions += len(program.Inst); e.instructions > MaxInstructions {
		return nil, fmt.Errorf("%.40q: %w: expressions of over %d instructions in all", text, ErrLimit, MaxInstructions)
	}
	return regexp.Compile(whole)
}

// checkPattern reports a pattern that is too long, or the last of too many.
func checkPattern(text string, patterns int) error {
	if n := len(text); n > MaxPatternBytes {
		return fmt.Errorf("%.40q: %w: %d bytes, at most %d", text, ErrLimit, n, MaxPatternBytes)
	}
	if patterns > MaxPatterns {
		return fmt.Errorf("%w: over %d patterns", ErrLimit, MaxPatterns)
	}
	return nil
}

// targets is target_modules: ends of names, or an expression that all of a name
// matches, or "all-linear".
type targets struct {
	names []string
	whole *regexp.Regexp
	all   bool // nothing is said, or all-linear
}

// targets reads target_modules.
func (e *expressions) targets(data []byte) (t targets, err error) {
	var text string
	switch {
	case len(data) == 0 || string(data) == "null":
		t.all = true
	case json.Unmarshal(data, &text) == nil:
		if t.all = text == "all-linear"; t.all {
			return t, nil
		}
		if err = checkPattern(text, 1); err == nil {
			t.whole, err = e.compile("", text)
		}
	default:
		if err := json.Unmarshal(data, &t.names); err != nil {
			return t, fmt.Errorf("%w: %w", ErrFormat, err)
		}
		for i, name := range t.names {
			if err := checkPattern(name, i+1); err != nil {
				return t, err
			}
		}
	}
	return t, err
}

func (t *targets) has(module string) bool {
	switch {
	case t.whole != nil:
		return t.whole.MatchString(module)
	case t.all:
		return true
	}
	return slices.ContainsFunc(t.names, func(name string) bool {
		return module == name || strings.HasSuffix(module, "."+name)
	})
}

// patterns are numbers for the modules whose names end in what an expression
// matches, the first that does counting.
type patterns []pattern

type pattern struct {
	end   *regexp.Regexp // nil: it is a name
	name  []rune
	exact bool // the name is all of a module's
	value float64
}

// anything stands in a name for a point, which matches any character.
const anything = -1

// readName reads an expression that is a name, as they are where each matrix has a rank
// of its own: no more of the syntax in it than points, what is escaped, and a ^ before it.
func readName(text string) (name []rune, exact, ok bool) {
	text, exact = strings.CutPrefix(text, "^")
	escaped := false
	for _, r := range text {
		switch {
		case escaped && r != '.', !escaped && strings.ContainsRune(`+*?()|[]{}^$`, r):
			return nil, false, false
		case !escaped && r == '\\':
			escaped = true
			continue
		case !escaped && r == '.':
			r = anything
		}
		name, escaped = append(name, r), false
	}
	return name, exact, !escaped
}

// patterns reads an object of expressions and numbers, in its order.
func (e *expressions) patterns(data []byte) (p patterns, err error) {
	if len(data) == 0 || string(data) == "null" {
		return nil, nil
	}
	d := json.NewDecoder(bytes.NewReader(data))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, fmt.Errorf("%w: want an object of numbers", ErrFormat)
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrFormat, err)
		}
		text, x := key.(string), pattern{}
		if err := d.Decode(&x.value); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrFormat, err)
		}
		if err := checkPattern(text, len(p)+1); err != nil {
			return nil, err
		}
		var isName bool
		if x.name, x.exact, isName = readName(text); !isName {
			if x.end, err = e.compile(`(?:.*\.)?`, text); err != nil {
				return nil, err
			}
		}
		p = append(p, x)
	}
	return p, nil
}

func (p patterns) of(module string, otherwise float64) float64 {
	for i := range p {
		if p[i].matches(module) {
			return p[i].value
		}
	}
	return otherwise
}

func (p *pattern) matches(module string) bool {
	if p.end != nil {
		return p.end.MatchString(module)
	}
	for i := len(p.name) - 1; i >= 0; i-- {
		got, n := utf8.DecodeLastRuneInString(module)
		if n == 0 || got != p.name[i] && p.name[i] != anything {
			return false
		}
		module = module[:len(module)-n]
	}
	return module == "" || !p.exact && strings.HasSuffix(module, ".")
}
