package jinja

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// method is a method of an object, not called yet.
type method struct {
	object any
	name   string
}

// isMethod reports whether values such as object have a method of that name.
func isMethod(object any, name string) bool {
	switch object.(type) {
	case string:
		switch name {
		case "upper", "lower", "title", "capitalize", "strip", "lstrip", "rstrip", "startswith",
			"endswith", "split", "rsplit", "splitlines", "replace", "join", "find", "rfind", "count",
			"removeprefix", "removesuffix", "format", "isdigit", "isalpha", "isalnum", "isspace", "isupper", "islower":
			return true
		}
	case *Dict:
		switch name {
		case "get", "items", "keys", "values":
			return true
		}
	case []any, Tuple:
		switch name {
		case "index", "count":
			return true
		}
	}
	return false
}

// method calls object.name(a).
func (r *run) method(object any, name string, a Arguments) (value any, err error) {
	if !isMethod(object, name) {
		return nil, fmt.Errorf("%w: %s has no method %s", ErrType, typeName(object), name)
	}
	switch o := object.(type) {
	case string:
		if err = r.spend(len(o)); err == nil {
			value, err = r.stringMethod(o, name, a)
		}
	case *Dict:
		value, err = r.dictMethod(o, name, a)
	case []any:
		value, err = r.listMethod(o, name, a)
	case Tuple:
		value, err = r.listMethod(o, name, a)
	}
	if err != nil {
		err = fmt.Errorf("method %s: %w", name, err)
	}
	return value, err
}

func (r *run) dictMethod(d *Dict, name string, a Arguments) (any, error) {
	if name == "get" {
		values, err := a.Bind("key", "default")
		if err != nil {
			return nil, err
		}
		if !hashable(values[0]) {
			return nil, fmt.Errorf("%w: %s as a key", ErrType, typeName(values[0]))
		}
		if value, found := d.Get(values[0]); found {
			return value, nil
		}
		if Given(values[1]) {
			return values[1], nil
		}
		return nil, nil
	}
	if _, err := a.Bind(); err != nil {
		return nil, err
	}
	if err := r.spend(3 * d.Len() * elementBytes); err != nil {
		return nil, err
	}
	switch name {
	case "keys":
		return slices.Clone(d.keys), nil
	case "values":
		return slices.Clone(d.values), nil
	}
	items := make([]any, d.Len())
	for i, key := range d.keys {
		items[i] = Tuple{key, d.values[i]}
	}
	return items, nil
}

// listMethod is index(value) and count(value).
func (r *run) listMethod(items []any, name string, a Arguments) (any, error) {
	values, err := a.Bind("value")
	if err != nil {
		return nil, err
	}
	count := int64(0)
	for i, element := range items {
		equal, err := r.equal(element, values[0], 0)
		if err != nil {
			return nil, err
		}
		if equal && name == "index" {
			return int64(i), nil
		}
		if equal {
			count++
		}
	}
	if name == "index" {
		return nil, fmt.Errorf("%w: the value is not in the list", ErrType)
	}
	return count, nil
}

func (r *run) stringMethod(s, name string, a Arguments) (any, error) {
	switch name {
	case "split", "rsplit":
		return r.split(s, name, a)
	case "replace":
		return r.replace(s, a)
	case "join":
		values, err := a.Bind("values")
		if err != nil {
			return nil, err
		}
		items, err := r.elements(values[0])
		if err != nil {
			return nil, err
		}
		return r.glue(items, s)
	case "startswith", "endswith":
		return affixed(s, name, a)
	case "strip", "lstrip", "rstrip":
		return strip(s, name, a)
	case "find", "rfind", "count", "removeprefix", "removesuffix":
		return search(s, name, a)
	case "format":
		return r.format(s, a)
	}
	if _, err := a.Bind(); err != nil {
		return nil, err
	}
	switch name {
	case "upper":
		return strings.ToUpper(s), nil
	case "lower":
		return strings.ToLower(s), nil
	case "title":
		return title(s), nil
	case "capitalize":
		_, first := utf8.DecodeRuneInString(s)
		return strings.ToTitle(s[:first]) + strings.ToLower(s[first:]), nil
	case "splitlines":
		lines := []any{}
		for line := range strings.Lines(s) {
			lines = append(lines, strings.TrimRight(line, "\r\n"))
		}
		return lines, r.spend(len(lines) * elementBytes)
	}
	return is(s, name), nil
}

// oneString gives the one string argument of a method.
func oneString(a Arguments) (string, error) {
	values, err := a.Bind("value")
	if err != nil {
		return "", err
	}
	s, ok := values[0].(string)
	if !ok {
		return "", fmt.Errorf("%w: %s where a string should be", ErrType, typeName(values[0]))
	}
	return s, nil
}

// affixed is startswith and endswith of a string or any of a tuple.
func affixed(s, name string, a Arguments) (any, error) {
	if len(a.Positional) == 1 {
		if choices, ok := a.Positional[0].(Tuple); ok {
			for _, choice := range choices {
				holds, err := affixed(s, name, Arguments{Positional: []any{choice}})
				if err != nil || holds == true {
					return holds, err
				}
			}
			return false, nil
		}
	}
	part, err := oneString(a)
	if name == "startswith" {
		return strings.HasPrefix(s, part), err
	}
	return strings.HasSuffix(s, part), err
}

// strip takes white space, or the characters of its argument, from one end or both.
func strip(s, name string, a Arguments) (any, error) {
	isOut := unicode.IsSpace
	values, err := a.Bind("chars")
	if err != nil {
		return nil, err
	}
	if characters, ok := values[0].(string); ok {
		isOut = func(c rune) bool { return strings.ContainsRune(characters, c) }
	} else if Given(values[0]) && values[0] != nil {
		return nil, fmt.Errorf("%w: %s where characters should be", ErrType, typeName(values[0]))
	}
	if name != "rstrip" {
		s = strings.TrimLeftFunc(s, isOut)
	}
	if name != "lstrip" {
		s = strings.TrimRightFunc(s, isOut)
	}
	return s, nil
}

// search is find, rfind and count, in characters, and removeprefix and removesuffix.
func search(s, name string, a Arguments) (any, error) {
	part, err := oneString(a)
	if err != nil {
		return nil, err
	}
	switch name {
	case "removeprefix":
		return strings.TrimPrefix(s, part), nil
	case "removesuffix":
		return strings.TrimSuffix(s, part), nil
	case "count":
		return int64(strings.Count(s, part)), nil
	}
	at := strings.Index(s, part)
	if name == "rfind" {
		at = strings.LastIndex(s, part)
	}
	if at < 0 {
		return int64(-1), nil
	}
	return int64(utf8.RuneCountInString(s[:at])), nil
}

// split is split(separator, most) and rsplit: at white space where there is no separator, at most
// so many times.
func (r *run) split(s, name string, a Arguments) (any, error) {
	values, err := a.Bind("sep", "maxsplit")
	if err != nil {
		return nil, err
	}
	most := -1
	if n, ok := values[1].(int64); ok {
		most = int(min(n, int64(len(s))))
	}
	separator, found := values[0].(string)
	switch {
	case found && separator == "":
		return nil, fmt.Errorf("%w: an empty separator", ErrType)
	case !found && Given(values[0]) && values[0] != nil:
		return nil, fmt.Errorf("%w: %s where a separator should be", ErrType, typeName(values[0]))
	}
	pieces := []any{}
	for most != 0 {
		before, after, cut := cutAt(s, separator, name == "rsplit")
		if !cut {
			break
		}
		if separator != "" || before != "" && name == "split" || after != "" && name == "rsplit" {
			if name == "rsplit" {
				pieces = append(pieces, after)
			} else {
				pieces = append(pieces, before)
			}
			most--
		}
		if s = after; name == "rsplit" {
			s = before
		}
	}
	switch {
	case separator != "":
	case name == "split":
		s = strings.TrimLeftFunc(s, unicode.IsSpace)
	default:
		s = strings.TrimRightFunc(s, unicode.IsSpace)
	}
	if separator != "" || s != "" {
		pieces = append(pieces, s)
	}
	if name == "rsplit" {
		slices.Reverse(pieces)
	}
	return pieces, r.spend(len(pieces) * elementBytes)
}

// cutAt cuts s around its first or last separator, or white space if that is empty.
func cutAt(s, separator string, last bool) (before, after string, found bool) {
	at, size := strings.Index(s, separator), len(separator)
	switch {
	case separator == "" && last:
		at = strings.LastIndexFunc(s, unicode.IsSpace)
	case separator == "":
		at = strings.IndexFunc(s, unicode.IsSpace)
	case last:
		at = strings.LastIndex(s, separator)
	}
	if at < 0 {
		return "", "", false
	}
	if separator == "" {
		_, size = utf8.DecodeRuneInString(s[at:])
	}
	return s[:at], s[at+size:], true
}

// replace is replace(old, new, most).
func (r *run) replace(s string, a Arguments) (any, error) {
	values, err := a.Bind("old", "new", "count")
	if err != nil {
		return nil, err
	}
	before, ok1 := values[0].(string)
	after, ok2 := values[1].(string)
	if !ok1 || !ok2 {
		return nil, fmt.Errorf("%w: replace takes two strings", ErrType)
	}
	n := strings.Count(s, before)
	if most, ok := values[2].(int64); ok && most >= 0 {
		n = int(min(int64(n), most))
	}
	if len(after) > 0 && n > r.limits.Bytes/len(after) {
		n = r.limits.Bytes/len(after) + 1 // over the limit, and no overflow
	}
	if err := r.spend(n * len(after)); err != nil {
		return nil, err
	}
	return strings.Replace(s, before, after, n), nil
}

// title makes the first letter of every word large and the others small.
func title(s string) string {
	inside := false
	return strings.Map(func(c rune) rune {
		first := !inside
		inside = unicode.IsLetter(c)
		if first {
			return unicode.ToTitle(c)
		}
		return unicode.ToLower(c)
	}, s)
}

// is reports whether s has characters and all are of a class.
func is(s, name string) bool {
	class := map[string]func(rune) bool{
		"isdigit": unicode.IsDigit,
		"isalpha": unicode.IsLetter,
		"isalnum": func(c rune) bool { return unicode.IsLetter(c) || unicode.IsNumber(c) },
		"isspace": unicode.IsSpace,
	}[name]
	switch name {
	case "isupper":
		return strings.ContainsFunc(s, unicode.IsUpper) && !strings.ContainsFunc(s, unicode.IsLower)
	case "islower":
		return strings.ContainsFunc(s, unicode.IsLower) && !strings.ContainsFunc(s, unicode.IsUpper)
	}
	return s != "" && !strings.ContainsFunc(s, func(c rune) bool { return !class(c) })
}
