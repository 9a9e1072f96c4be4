// Package jinja renders chat templates: the part of Jinja 2 that the templates of language models
// use (https://jinja.palletsprojects.com/en/stable/templates/), under the settings that they are
// written for (trim_blocks and lstrip_blocks on, no auto-escaping, immutable lists and dicts).
//
// Templates come with model files and are not to be trusted. There are no includes, no imports and
// no way out of the values that are handed in, and [Limits] bound what a rendering may cost.
//
// There is for (with if, else, break and continue), if, set (also as a block), macro, filter, raw
// and generation, all operators, and the filters, tests, methods and functions of filter.go,
// test.go, method.go and function.go. A template that uses another is refused with its name: one
// that names another tag when it is read, the rest when it is rendered.
package jinja

import (
	"errors"
	"fmt"
	"strings"
)

// Limits bound the cost of a rendering.
type Limits struct {
	Steps  int // expressions and statements evaluated, and elements looked at
	Bytes  int // made in strings and lists, 16 an element, whether kept or not
	Output int // bytes of the result
}

// DefaultLimits are enough for some megabytes of conversation, and stop what does not end by
// itself in about a second.
func DefaultLimits() Limits {
	return Limits{Steps: 2 << 20, Bytes: 64 << 20, Output: 16 << 20}
}

const (
	maxSource = 1 << 20 // bytes of a template
	maxDepth  = 256     // of nested expressions, tags, macro calls or values
)

// Template is a parsed template. It does not change and may be used by many goroutines.
type Template struct {
	body []statement
}

// Parse reads a template. Errors are ErrSyntax and ErrLimit.
func Parse(source string) (*Template, error) {
	if len(source) > maxSource {
		return nil, fmt.Errorf("jinja: parse: %w: a template of %d bytes, of %d at most", ErrLimit, len(source), maxSource)
	}
	tokens, err := lex(source)
	if err != nil {
		return nil, fmt.Errorf("jinja: parse: %w", err)
	}
	p := &parser{tokens: tokens}
	body, err := p.template()
	if err != nil {
		return nil, fmt.Errorf("jinja: parse: line %d: %w", p.peek().line, err)
	}
	return &Template{body: body}, nil
}

// Render runs the template with the given variables. Besides the values of this package, these may
// be nil, bool, int, int64, float64, string, []any and Function. Errors are ErrUndefined, ErrType,
// ErrLimit and *RaisedError.
func (t *Template) Render(variables map[string]any, limits Limits) (string, error) {
	r := &run{limits: limits, out: new(strings.Builder)}
	scope := newScope(nil)
	for name, function := range functions() {
		scope.set(name, function)
	}
	for name, value := range variables {
		if n, ok := value.(int); ok {
			value = int64(n)
		}
		scope.set(name, value)
	}
	if err := r.all(t.body, newScope(scope)); err != nil {
		var raised *RaisedError
		if errors.As(err, &raised) {
			return "", raised
		}
		return "", fmt.Errorf("jinja: render: %w", err)
	}
	return r.out.String(), nil
}
