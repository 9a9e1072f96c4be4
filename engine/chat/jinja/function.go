package jinja

import "fmt"

// maxRange is the most elements that range gives, as in Jinja's own sandbox.
const maxRange = 100_000

// builtin is a function that counts what it does.
type builtin func(r *run, a Arguments) (any, error)

// functions are the global functions: range, namespace, dict and raise_exception.
func functions() map[string]any {
	return map[string]any{
		"range":           builtin((*run).rangeOf),
		"namespace":       builtin((*run).namespace),
		"dict":            builtin((*run).dictOf),
		"raise_exception": Function(raise),
	}
}

// rangeOf is range(stop), range(start, stop) or range(start, stop, step).
func (r *run) rangeOf(a Arguments) (any, error) {
	bounds := [3]int64{0, 0, 1}
	n := len(a.Positional)
	if n < 1 || n > 3 || len(a.Named) > 0 {
		return nil, fmt.Errorf("%w: range takes 1 to 3 integers", ErrType)
	}
	for i, value := range a.Positional {
		bound, ok := number(value).(int64)
		if !ok {
			return nil, fmt.Errorf("%w: range of %s", ErrType, typeName(value))
		}
		if n == 1 {
			i = 1
		}
		bounds[i] = bound
	}
	start, stop, step := bounds[0], bounds[1], bounds[2]
	if step == 0 {
		return nil, fmt.Errorf("%w: range in steps of 0", ErrType)
	}
	numbers := []any{}
	for i := start; step > 0 && i < stop || step < 0 && i > stop; {
		if len(numbers) == maxRange {
			return nil, fmt.Errorf("%w: a range of more than %d", ErrLimit, maxRange)
		}
		numbers = append(numbers, i)
		next := i + step
		if (next > i) != (step > 0) {
			break // past the last integer
		}
		i = next
	}
	return numbers, r.spend(len(numbers) * elementBytes)
}

// pairs gives the entries of namespace(...) and dict(...): those of a dict, and the named ones.
func pairs(a Arguments) (*Dict, error) {
	all := NewDict()
	for _, value := range a.Positional {
		d, ok := value.(*Dict)
		if !ok || len(a.Positional) > 1 {
			return nil, fmt.Errorf("%w: %s where one dict should be", ErrType, typeName(value))
		}
		for i, key := range d.keys {
			all.Set(key, d.values[i])
		}
	}
	for _, name := range a.names {
		all.Set(name, a.Named[name])
	}
	return all, nil
}

func (r *run) namespace(a Arguments) (any, error) {
	all, err := pairs(a)
	if err != nil {
		return nil, err
	}
	n := &namespace{attributes: make(map[string]any)}
	for i, key := range all.keys {
		name, ok := key.(string)
		if !ok {
			return nil, fmt.Errorf("%w: %s names an attribute", ErrType, typeName(key))
		}
		n.attributes[name] = all.values[i]
	}
	return n, r.spend(2 * all.Len() * elementBytes)
}

func (r *run) dictOf(a Arguments) (any, error) {
	all, err := pairs(a)
	if err != nil {
		return nil, err
	}
	return all, r.spend(2 * all.Len() * elementBytes)
}

// raise is raise_exception(message).
func raise(a Arguments) (any, error) {
	values, err := a.Bind("message")
	if err != nil {
		return nil, err
	}
	message, ok := values[0].(string)
	if !ok {
		message = "the template raised an exception"
	}
	return nil, &RaisedError{message}
}

// attribute gives an attribute of loop.
func (l *loopState) attribute(name string) any {
	n := len(l.items)
	switch name {
	case "index":
		return int64(l.index + 1)
	case "index0":
		return int64(l.index)
	case "revindex":
		return int64(n - l.index)
	case "revindex0":
		return int64(n - l.index - 1)
	case "first":
		return l.index == 0
	case "last":
		return l.index == n-1
	case "length":
		return int64(n)
	case "depth":
		return int64(1)
	case "depth0":
		return int64(0)
	case "previtem":
		if l.index > 0 {
			return l.items[l.index-1]
		}
	case "nextitem":
		if l.index < n-1 {
			return l.items[l.index+1]
		}
	case "cycle":
		return Function(l.cycle)
	case "changed":
		return builtin(l.change)
	}
	return Undefined{"loop." + name}
}

// cycle gives its arguments in turn.
func (l *loopState) cycle(a Arguments) (any, error) {
	if len(a.Positional) == 0 {
		return nil, fmt.Errorf("%w: loop.cycle of nothing", ErrType)
	}
	return a.Positional[l.index%len(a.Positional)], nil
}

// change reports whether its arguments differ from those of the last call.
func (l *loopState) change(r *run, a Arguments) (any, error) {
	same, err := r.equal(Tuple(a.Positional), Tuple(l.changed), 0)
	first := !l.called
	l.changed, l.called = a.Positional, true
	return first || !same, err
}
