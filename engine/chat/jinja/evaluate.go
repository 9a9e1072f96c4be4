package jinja

import (
	"fmt"
	"strings"
)

// Arguments are those of a call.
type Arguments struct {
	Positional []any
	Named      map[string]any
	names      []string // the keys of Named in order
}

// absent stands for an argument that was not given.
type absent struct{}

// Bind gives the arguments that a function with the given parameters gets, and an error where
// there are more or others. One that is not given is no value of a template: see [Given].
func (a Arguments) Bind(names ...string) ([]any, error) {
	if len(a.Positional) > len(names) {
		return nil, fmt.Errorf("%w: %d arguments for %d parameters", ErrType, len(a.Positional), len(names))
	}
	values := make([]any, len(names))
	used := 0
	for i, name := range names {
		named, found := a.Named[name]
		switch {
		case found && i < len(a.Positional):
			return nil, fmt.Errorf("%w: the argument %q twice", ErrType, name)
		case found:
			values[i] = named
			used++
		case i < len(a.Positional):
			values[i] = a.Positional[i]
		default:
			values[i] = absent{}
		}
	}
	if used < len(a.Named) {
		return nil, fmt.Errorf("%w: an argument of an unknown name", ErrType)
	}
	return values, nil
}

// Given reports whether a value that Bind gave is an argument of the call.
func Given(value any) bool {
	_, missing := value.(absent)
	return !missing
}

// arguments evaluates the arguments of a call.
func (r *run) arguments(a arguments, s *scope) (evaluated Arguments, err error) {
	for _, e := range a.positional {
		value, err := r.eval(e, s)
		if err != nil {
			return evaluated, err
		}
		evaluated.Positional = append(evaluated.Positional, value)
	}
	if len(a.named) > 0 {
		evaluated.Named = make(map[string]any, len(a.named))
	}
	for _, n := range a.named {
		if evaluated.Named[n.name], err = r.eval(n.value, s); err != nil {
			return evaluated, err
		}
		evaluated.names = append(evaluated.names, n.name)
	}
	return evaluated, nil
}

func (l literal) eval(*run, *scope) (any, error) { return l.value, nil }

func (n name) eval(_ *run, s *scope) (any, error) {
	if value, found := s.get(string(n)); found {
		return value, nil
	}
	return Undefined{string(n)}, nil
}

// values evaluates expressions into a new slice.
func (r *run) values(expressions []expression, s *scope) ([]any, error) {
	if err := r.spend(len(expressions) * elementBytes); err != nil {
		return nil, err
	}
	values := make([]any, len(expressions))
	for i, e := range expressions {
		var err error
		if values[i], err = r.eval(e, s); err != nil {
			return nil, err
		}
	}
	return values, nil
}

func (l list) eval(r *run, s *scope) (any, error) { return r.values(l, s) }

func (t tuple) eval(r *run, s *scope) (any, error) {
	values, err := r.values(t, s)
	return Tuple(values), err
}

func (d dict) eval(r *run, s *scope) (any, error) {
	if err := r.spend(2 * len(d) * elementBytes); err != nil {
		return nil, err
	}
	made := NewDict()
	for _, pair := range d {
		key, err := r.eval(pair.key, s)
		if err != nil {
			return nil, err
		}
		if !hashable(key) {
			return nil, fmt.Errorf("%w: %s cannot be a key", ErrType, typeName(key))
		}
		value, err := r.eval(pair.value, s)
		if err != nil {
			return nil, err
		}
		made.Set(key, value)
	}
	return made, nil
}

func (a attribute) eval(r *run, s *scope) (any, error) {
	object, err := r.eval(a.object, s)
	if err != nil {
		return nil, err
	}
	return attributeOf(object, a.name)
}

// attributeOf gives object.name: a method, or else the value of the key.
func attributeOf(object any, name string) (any, error) {
	switch o := object.(type) {
	case Undefined:
		return nil, fmt.Errorf("%w: %q, asked for .%s", ErrUndefined, o.What, name)
	case *namespace:
		if value, found := o.attributes[name]; found {
			return value, nil
		}
	case *loopState:
		return o.attribute(name), nil
	case *Dict:
		if isMethod(o, name) {
			return method{o, name}, nil
		}
		if value, found := o.Get(name); found {
			return value, nil
		}
	default:
		if isMethod(object, name) {
			return method{object, name}, nil
		}
	}
	return Undefined{"." + name}, nil
}

func (i item) eval(r *run, s *scope) (any, error) {
	object, err := r.eval(i.object, s)
	if err != nil {
		return nil, err
	}
	key, err := r.eval(i.key, s)
	if err != nil {
		return nil, err
	}
	return r.item(object, key)
}

// item gives object[key]. An index counts from the end if it is negative; what is not there is
// undefined.
func (r *run) item(object, key any) (any, error) {
	if d, ok := object.(*Dict); ok {
		if value, found := d.Get(key); found {
			return value, nil
		}
	}
	switch k := key.(type) {
	case string:
		return attributeOf(object, k)
	case bool:
		if k {
			key = int64(1)
		} else {
			key = int64(0)
		}
	}
	if u, ok := object.(Undefined); ok {
		return nil, fmt.Errorf("%w: %q, asked for an item", ErrUndefined, u.What)
	}
	index, ok := key.(int64)
	if !ok {
		return Undefined{"[" + typeName(key) + "]"}, nil
	}
	var items []any
	switch o := object.(type) {
	case string:
		if err := r.spend(4 * len(o)); err != nil {
			return nil, err
		}
		characters := []rune(o)
		if index = fromEnd(index, len(characters)); index >= 0 && index < int64(len(characters)) {
			return string(characters[index]), nil
		}
	default:
		items, _ = sequence(object)
		if index = fromEnd(index, len(items)); index >= 0 && index < int64(len(items)) {
			return items[index], nil
		}
	}
	return Undefined{fmt.Sprintf("[%d]", index)}, nil
}

// fromEnd makes an index that counts from the end one that counts from the start.
func fromEnd(index int64, n int) int64 {
	if index < 0 {
		index += int64(n)
	}
	return index
}

func (c slice) eval(r *run, s *scope) (any, error) {
	object, err := r.eval(c.object, s)
	if err != nil {
		return nil, err
	}
	var bounds [3]any
	for i, e := range [...]expression{c.start, c.stop, c.step} {
		if e == nil {
			continue
		}
		if bounds[i], err = r.eval(e, s); err != nil {
			return nil, err
		}
		bounds[i] = number(bounds[i])
		if _, ok := bounds[i].(int64); !ok && bounds[i] != nil {
			return nil, fmt.Errorf("%w: %s in a slice", ErrType, typeName(bounds[i]))
		}
	}
	switch o := object.(type) {
	case string:
		if err := r.spend(5 * len(o)); err != nil {
			return nil, err
		}
		part, err := cut([]rune(o), bounds)
		return string(part), err
	case []any:
		if err := r.spend(len(o) * elementBytes); err != nil {
			return nil, err
		}
		return cut(o, bounds)
	case Tuple:
		if err := r.spend(len(o) * elementBytes); err != nil {
			return nil, err
		}
		part, err := cut([]any(o), bounds)
		return Tuple(part), err
	case Undefined:
		return nil, fmt.Errorf("%w: %q, asked for a slice", ErrUndefined, o.What)
	}
	return nil, fmt.Errorf("%w: %s has no slices", ErrType, typeName(object))
}

// cut gives items[start:stop:step] as Python does; bounds are int64 or nil.
func cut[T any](items []T, bounds [3]any) ([]T, error) {
	n, step := int64(len(items)), int64(1)
	if s, ok := bounds[2].(int64); ok {
		step = s
	}
	if step == 0 {
		return nil, fmt.Errorf("%w: a slice in steps of 0", ErrType)
	}
	first, last := int64(0), n // the least and the greatest that a bound can be
	if step < 0 {
		first, last = -1, n-1
	}
	bound := func(value any, otherwise int64) int64 {
		index, ok := value.(int64)
		if !ok {
			return otherwise
		}
		return min(max(fromEnd(index, len(items)), first), last)
	}
	start, stop := bound(bounds[0], first), bound(bounds[1], last)
	if step < 0 {
		start, stop = bound(bounds[0], last), bound(bounds[1], first)
	}
	step = min(max(step, -n-1), n+1) // no overflow
	part := []T{}
	for i := start; step > 0 && i < stop || step < 0 && i > stop; i += step {
		part = append(part, items[i])
	}
	return part, nil
}

func (c call) eval(r *run, s *scope) (any, error) {
	callee, err := r.eval(c.callee, s)
	if err != nil {
		return nil, err
	}
	arguments, err := r.arguments(c.arguments, s)
	if err != nil {
		return nil, err
	}
	switch callee := callee.(type) {
	case Function:
		value, err := callee(arguments)
		if text, ok := value.(string); ok && err == nil {
			err = r.spend(len(text))
		}
		return value, err
	case builtin:
		return callee(r, arguments)
	case method:
		return r.method(callee.object, callee.name, arguments)
	case Undefined:
		return nil, fmt.Errorf("%w: %q, called as a function", ErrUndefined, callee.What)
	}
	return nil, fmt.Errorf("%w: %s cannot be called", ErrType, typeName(callee))
}

func (f filter) eval(r *run, s *scope) (any, error) {
	value, err := r.eval(f.value, s)
	if err != nil {
		return nil, err
	}
	arguments, err := r.arguments(f.arguments, s)
	if err != nil {
		return nil, err
	}
	return r.filter(f.name, value, arguments)
}

func (t test) eval(r *run, s *scope) (any, error) {
	value, err := r.eval(t.value, s)
	if err != nil {
		return nil, err
	}
	arguments, err := r.arguments(t.arguments, s)
	if err != nil {
		return nil, err
	}
	return r.test(t.name, value, arguments)
}

func (c concatenation) eval(r *run, s *scope) (any, error) {
	var b strings.Builder
	for _, e := range c {
		value, err := r.eval(e, s)
		if err != nil {
			return nil, err
		}
		text, err := r.text(value)
		if err != nil {
			return nil, err
		}
		if err := r.spend(len(text)); err != nil {
			return nil, err
		}
		b.WriteString(text)
	}
	return b.String(), nil
}

func (c choice) eval(r *run, s *scope) (any, error) {
	condition, err := r.eval(c.condition, s)
	switch {
	case err != nil:
		return nil, err
	case truth(condition):
		return r.eval(c.yes, s)
	case c.no != nil:
		return r.eval(c.no, s)
	}
	return Undefined{"the value of an if without else"}, nil
}
