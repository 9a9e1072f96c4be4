package jinja

import "fmt"

// test reports whether value is name(a).
func (r *run) test(name string, value any, a Arguments) (any, error) {
	holds, err := r.applyTest(name, value, a)
	if err != nil {
		err = fmt.Errorf("test %s: %w", name, err)
	}
	return holds, err
}

func (r *run) applyTest(name string, value any, a Arguments) (bool, error) {
	switch name {
	case "eq", "equalto", "==", "ne", "!=", "lt", "lessthan", "<", "le", "<=", "gt", "greaterthan", ">",
		"ge", ">=", "in", "sameas", "divisibleby":
		values, err := a.Bind("other")
		if err != nil {
			return false, err
		}
		if !Given(values[0]) {
			return false, fmt.Errorf("%w: nothing to compare with", ErrType)
		}
		return r.relation(name, value, values[0])
	}
	if _, err := a.Bind(); err != nil {
		return false, err
	}
	if name == "lower" || name == "upper" {
		text, err := r.text(value)
		if err != nil {
			return false, err
		}
		return is(text, "is"+name), r.spend(len(text))
	}
	return isA(name, value)
}

// relation is a test that compares.
func (r *run) relation(name string, value, other any) (bool, error) {
	switch name {
	case "sameas":
		if typeName(value) != typeName(other) {
			return false, nil
		}
		return r.equal(value, other, 0)
	case "divisibleby":
		rest, err := arithmetic("%", value, other)
		return err == nil && !truth(rest), err
	}
	operator, found := map[string]string{
		"eq": "==", "equalto": "==", "ne": "!=", "lt": "<", "lessthan": "<", "le": "<=", "gt": ">",
		"greaterthan": ">", "ge": ">=",
	}[name]
	if !found {
		operator = name
	}
	return r.compare(operator, value, other)
}

// isA is a test of what a value is by itself.
func isA(name string, value any) (bool, error) {
	_, undefined := value.(Undefined)
	_, isBool := value.(bool)
	_, isString := value.(string)
	_, isDict := value.(*Dict)
	_, isList := sequence(value)
	_, isInt := value.(int64)
	_, isFloat := value.(float64)
	switch name {
	case "defined":
		return !undefined, nil
	case "undefined":
		return undefined, nil
	case "none":
		return value == nil, nil
	case "boolean":
		return isBool, nil
	case "true":
		return value == true, nil
	case "false":
		return value == false, nil
	case "string":
		return isString, nil
	case "mapping":
		return isDict, nil
	case "sequence":
		return isString || isDict || isList || undefined, nil
	case "iterable":
		return isString || isDict || isList || undefined, nil
	case "number":
		return isInt || isFloat || isBool, nil
	case "integer":
		return isInt, nil
	case "float":
		return isFloat, nil
	case "callable":
		switch value.(type) {
		case Function, builtin, method:
			return true, nil
		}
		return undefined, nil
	case "odd", "even":
		rest, err := arithmetic("%", value, int64(2))
		if name == "even" {
			return err == nil && !truth(rest), err
		}
		return rest == int64(1) || rest == 1.0, err
	}
	return false, fmt.Errorf("%w: there is no such test", ErrSyntax)
}
