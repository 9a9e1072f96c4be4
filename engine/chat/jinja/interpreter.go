package jinja

import (
	"errors"
	"fmt"
	"strings"
)

const (
	elementBytes = 16   // that an element of a list counts as
	maxFrames    = 4096 // of expressions and statements inside each other when rendering
)

// What break and continue end their bodies with.
var (
	errBreak    = errors.New("break outside a loop")
	errContinue = errors.New("continue outside a loop")
)

// run is one rendering.
type run struct {
	limits       Limits
	steps, bytes int // used
	frames       int
	macros       int // calls inside each other
	out          *strings.Builder
}

// step counts a step.
func (r *run) step() error {
	if r.steps++; r.steps > r.limits.Steps {
		return fmt.Errorf("%w: more than %d steps", ErrLimit, r.limits.Steps)
	}
	return nil
}

// spend counts bytes that are about to be made or looked at.
func (r *run) spend(n int) error {
	if n > r.limits.Bytes-r.bytes {
		return fmt.Errorf("%w: more than %d bytes of values", ErrLimit, r.limits.Bytes)
	}
	r.bytes += n
	return nil
}

// visit counts a value at a depth inside another.
func (r *run) visit(depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("%w: a value nested more than %d deep", ErrLimit, maxDepth)
	}
	return r.step()
}

// enter counts a step and a frame, which leave takes off again.
func (r *run) enter() error {
	if r.frames++; r.frames > maxFrames {
		return fmt.Errorf("%w: more than %d evaluations inside each other", ErrLimit, maxFrames)
	}
	return r.step()
}

func (r *run) leave() { r.frames-- }

// eval evaluates an expression.
func (r *run) eval(e expression, s *scope) (any, error) {
	defer r.leave()
	if err := r.enter(); err != nil {
		return nil, err
	}
	return e.eval(r, s)
}

// all runs statements.
func (r *run) all(body []statement, s *scope) error {
	defer r.leave()
	if err := r.enter(); err != nil {
		return err
	}
	for _, statement := range body {
		if err := r.step(); err != nil {
			return err
		}
		if err := statement.run(r, s); err != nil {
			return err
		}
	}
	return nil
}

// emit writes output.
func (r *run) emit(text string) error {
	if len(text) > r.limits.Output-r.out.Len() {
		return fmt.Errorf("%w: more than %d bytes of output", ErrLimit, r.limits.Output)
	}
	r.out.WriteString(text)
	return nil
}

// catch gives what body writes.
func (r *run) catch(body []statement, s *scope) (string, error) {
	out := r.out
	r.out = new(strings.Builder)
	err := r.all(body, s)
	text := r.out.String()
	r.out = out
	if err == nil {
		err = r.spend(len(text))
	}
	return text, err
}

// scope holds the variables of a template, a macro or a turn of a loop.
type scope struct {
	variables map[string]any
	parent    *scope
}

func newScope(parent *scope) *scope { return &scope{parent: parent} }

func (s *scope) set(name string, value any) {
	if s.variables == nil {
		s.variables = make(map[string]any)
	}
	s.variables[name] = value
}

func (s *scope) get(name string) (any, bool) {
	for ; s != nil; s = s.parent {
		if value, found := s.variables[name]; found {
			return value, true
		}
	}
	return nil, false
}

// at says in which line of the template an error arose, once.
func at(line int, err error) error {
	if err == nil || errors.Is(err, errBreak) || errors.Is(err, errContinue) {
		return err
	}
	var located *lineError
	if errors.As(err, &located) {
		return err
	}
	return &lineError{line, err}
}

// lineError is an error with the line of the template where it arose.
type lineError struct {
	line int
	err  error
}

func (e *lineError) Error() string { return fmt.Sprintf("line %d: %v", e.line, e.err) }
func (e *lineError) Unwrap() error { return e.err }

func (d data) run(r *run, _ *scope) error { return r.emit(string(d)) }

func (o output) run(r *run, s *scope) error {
	value, err := r.eval(o.value, s)
	if err != nil {
		return at(o.line, err)
	}
	text, err := r.text(value)
	if err != nil {
		return at(o.line, err)
	}
	return at(o.line, r.emit(text))
}

func (c conditional) run(r *run, s *scope) error {
	for _, branch := range c.branches {
		if branch.condition != nil {
			value, err := r.eval(branch.condition, s)
			if err != nil {
				return at(c.line, err)
			}
			if !truth(value) {
				continue
			}
		}
		return r.all(branch.body, s)
	}
	return nil
}

func (a assignment) run(r *run, s *scope) error {
	value, err := r.eval(a.value, s)
	if err != nil {
		return at(a.line, err)
	}
	if len(a.targets) == 1 {
		return at(a.line, a.targets[0].assign(s, value))
	}
	values, err := r.unpack(value, len(a.targets))
	if err != nil {
		return at(a.line, err)
	}
	for i, t := range a.targets {
		if err := t.assign(s, values[i]); err != nil {
			return at(a.line, err)
		}
	}
	return nil
}

// unpack gives the n elements that a value must have.
func (r *run) unpack(value any, n int) ([]any, error) {
	values, err := r.elements(value)
	if err == nil && len(values) != n {
		err = fmt.Errorf("%w: %d values for %d names", ErrType, len(values), n)
	}
	return values, err
}

func (t target) assign(s *scope, value any) error {
	if t.attribute == "" {
		s.set(t.name, value)
		return nil
	}
	object, _ := s.get(t.name)
	n, ok := object.(*namespace)
	if !ok {
		return fmt.Errorf("%w: %q is no namespace, and only those have attributes to set", ErrType, t.name)
	}
	n.attributes[t.attribute] = value
	return nil
}

func (c capture) run(r *run, s *scope) error {
	text, err := r.catch(c.body, newScope(s))
	if err != nil {
		return err
	}
	var value any = text
	for _, f := range c.filters {
		arguments, err := r.arguments(f.arguments, s)
		if err != nil {
			return at(c.line, err)
		}
		if value, err = r.filter(f.name, value, arguments); err != nil {
			return at(c.line, err)
		}
	}
	if c.target.name != "" {
		return at(c.line, c.target.assign(s, value))
	}
	if text, err = r.text(value); err != nil {
		return at(c.line, err)
	}
	return at(c.line, r.emit(text))
}

func (g group) run(r *run, s *scope) error { return r.all(g, s) }

func (j jump) run(*run, *scope) error { return j.signal }

// loopState is the variable loop.
type loopState struct {
	items   []any
	index   int // from 0
	changed []any
	called  bool // loop.changed was
}

func (l loop) run(r *run, s *scope) error {
	value, err := r.eval(l.items, s)
	if err != nil {
		return at(l.line, err)
	}
	items, err := r.elements(value)
	if err != nil {
		return at(l.line, err)
	}
	if l.condition != nil {
		if items, err = l.choose(r, s, items); err != nil {
			return at(l.line, err)
		}
	}
	if len(items) == 0 {
		return r.all(l.otherwise, s)
	}
	state := &loopState{items: items}
	for i := range items {
		state.index = i
		inner := newScope(s)
		inner.set("loop", state)
		if err := l.bind(r, inner, items[i]); err != nil {
			return at(l.line, err)
		}
		switch err := r.all(l.body, inner); {
		case errors.Is(err, errBreak):
			return nil
		case err != nil && !errors.Is(err, errContinue):
			return err
		}
	}
	return nil
}

// choose gives the items for which the loop's condition holds.
func (l loop) choose(r *run, s *scope, items []any) ([]any, error) {
	var chosen []any
	for _, value := range items {
		inner := newScope(s)
		if err := l.bind(r, inner, value); err != nil {
			return nil, err
		}
		holds, err := r.eval(l.condition, inner)
		if err != nil {
			return nil, err
		}
		if truth(holds) {
			if err := r.spend(elementBytes); err != nil {
				return nil, err
			}
			chosen = append(chosen, value)
		}
	}
	return chosen, nil
}

// bind sets the loop's variables for an item.
func (l loop) bind(r *run, s *scope, value any) error {
	if err := r.step(); err != nil {
		return err
	}
	if len(l.targets) == 1 {
		s.set(l.targets[0], value)
		return nil
	}
	values, err := r.unpack(value, len(l.targets))
	if err != nil {
		return err
	}
	for i, name := range l.targets {
		s.set(name, values[i])
	}
	return nil
}

func (m macro) run(r *run, s *scope) error {
	s.set(m.name, Function(func(a Arguments) (any, error) { return m.call(r, s, a) }))
	return nil
}

// call renders the macro's body. s is where the macro was defined.
func (m macro) call(r *run, s *scope, a Arguments) (any, error) {
	names := make([]string, len(m.parameters))
	for i, p := range m.parameters {
		names[i] = p.name
	}
	values, err := a.Bind(names...)
	if err != nil {
		return nil, fmt.Errorf("macro %s: %w", m.name, err)
	}
	if r.macros++; r.macros > maxDepth {
		return nil, fmt.Errorf("%w: more than %d macro calls inside each other", ErrLimit, maxDepth)
	}
	defer func() { r.macros-- }()
	inner := newScope(s)
	for i, p := range m.parameters {
		if _, missing := values[i].(absent); missing {
			values[i] = Undefined{p.name}
			if p.value != nil {
				if values[i], err = r.eval(p.value, inner); err != nil {
					return nil, at(m.line, err)
				}
			}
		}
		inner.set(p.name, values[i])
	}
	return r.catch(m.body, inner)
}
