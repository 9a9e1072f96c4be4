package jinja

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// filter gives value|name(a).
func (r *run) filter(name string, value any, a Arguments) (any, error) {
	result, err := r.applyFilter(name, value, a)
	if err != nil {
		err = fmt.Errorf("filter %s: %w", name, err)
	}
	return result, err
}

func (r *run) applyFilter(name string, value any, a Arguments) (any, error) {
	switch name {
	case "map", "select", "reject", "selectattr", "rejectattr":
		if !truth(value) { // none too
			return []any{}, nil
		}
	}
	switch name {
	case "tojson":
		return r.toJSON(value, a)
	case "default", "d":
		return orDefault(value, a)
	case "length", "count":
		return r.length(value)
	case "list":
		items, err := r.elements(value)
		if err != nil {
			return nil, err
		}
		return slices.Clone(items), r.spend(len(items) * elementBytes)
	case "items":
		if _, ok := value.(Undefined); ok {
			return []any{}, nil
		}
		return r.method(value, "items", a)
	case "first", "last":
		return r.end(name, value)
	case "join":
		return r.joinText(value, a)
	case "map":
		return r.mapped(value, a)
	case "select", "reject", "selectattr", "rejectattr":
		return r.selected(name, value, a)
	case "reverse":
		return r.reversed(value)
	case "sort", "unique", "dictsort":
		return r.sorted(name, value, a)
	case "min", "max":
		return r.extreme(name, value, a)
	case "sum":
		return r.sum(value, a)
	case "int", "float", "abs", "round":
		return r.toNumber(name, value, a)
	}
	return r.textFilter(name, value, a)
}

// textFilter applies the filters that take any value as text.
func (r *run) textFilter(name string, value any, a Arguments) (any, error) {
	text, err := r.text(value)
	if err != nil {
		return nil, err
	}
	if err := r.spend(len(text)); err != nil {
		return nil, err
	}
	switch name {
	case "string", "safe":
		return text, nil
	case "trim":
		return r.method(text, "strip", a)
	case "lower", "upper", "capitalize", "replace":
		return r.method(text, name, a)
	case "title":
		return titleWords(text), nil
	case "indent":
		if _, ok := value.(string); !ok {
			return nil, fmt.Errorf("%w: %s is no text", ErrType, typeName(value))
		}
		return r.indent(text, a)
	case "escape", "e":
		return r.escape(text)
	}
	return nil, fmt.Errorf("%w: there is no such filter", ErrSyntax)
}

func orDefault(value any, a Arguments) (any, error) {
	values, err := a.Bind("default_value", "boolean")
	if err != nil {
		return nil, err
	}
	if _, undefined := value.(Undefined); !undefined && !(Given(values[1]) && truth(values[1]) && !truth(value)) {
		return value, nil
	}
	if !Given(values[0]) {
		return "", nil
	}
	return values[0], nil
}

// end gives the first or last element.
func (r *run) end(name string, value any) (any, error) {
	items, err := r.elements(value)
	switch {
	case err != nil:
		return nil, err
	case len(items) == 0:
		return Undefined{"the " + name + " of no elements"}, nil
	case name == "first":
		return items[0], nil
	}
	return items[len(items)-1], nil
}

// reversed gives a string or a list from its end.
func (r *run) reversed(value any) (any, error) {
	if text, ok := value.(string); ok {
		characters := []rune(text)
		slices.Reverse(characters)
		return string(characters), r.spend(5 * len(text))
	}
	items, err := r.elements(value)
	if err != nil {
		return nil, err
	}
	items = slices.Clone(items)
	slices.Reverse(items)
	return items, r.spend(len(items) * elementBytes)
}

// path gives value.a.b.0, or otherwise, if that is given, where a part is missing.
func (r *run) path(value, path, otherwise any) (any, error) {
	text, ok := path.(string)
	if !ok {
		return r.item(value, path)
	}
	for part := range strings.SplitSeq(text, ".") {
		var key any = part
		if index, err := strconv.ParseInt(part, 10, 64); err == nil {
			key = index
		}
		var err error
		if value, err = r.item(value, key); err != nil {
			return nil, err
		}
		if _, undefined := value.(Undefined); undefined && Given(otherwise) {
			value = otherwise
		}
	}
	return value, nil
}

// each gives f of every element.
func (r *run) each(value any, f func(any) (any, error)) ([]any, error) {
	items, err := r.elements(value)
	if err != nil {
		return nil, err
	}
	if err := r.spend(len(items) * elementBytes); err != nil {
		return nil, err
	}
	results := make([]any, len(items))
	for i, element := range items {
		if err := r.step(); err != nil {
			return nil, err
		}
		if results[i], err = f(element); err != nil {
			return nil, err
		}
	}
	return results, nil
}

// joinText is join(separator, attribute).
func (r *run) joinText(value any, a Arguments) (any, error) {
	values, err := a.Bind("d", "attribute")
	if err != nil {
		return nil, err
	}
	separator := ""
	if Given(values[0]) {
		if separator, err = r.text(values[0]); err != nil {
			return nil, err
		}
	}
	if Given(values[1]) {
		if value, err = r.each(value, func(v any) (any, error) { return r.path(v, values[1], absent{}) }); err != nil {
			return nil, err
		}
	}
	texts, err := r.each(value, func(v any) (any, error) { return r.text(v) })
	if err != nil {
		return nil, err
	}
	return r.glue(texts, separator)
}

// glue puts strings together.
func (r *run) glue(texts []any, separator string) (any, error) {
	var b strings.Builder
	for i, text := range texts {
		s, ok := text.(string)
		if !ok {
			return nil, fmt.Errorf("%w: %s among the strings to join", ErrType, typeName(text))
		}
		if i > 0 {
			s = separator + s
		}
		if err := r.spend(len(s)); err != nil {
			return nil, err
		}
		b.WriteString(s)
	}
	return b.String(), nil
}

// mapped is map(attribute=path, default=value) or map(filter, its arguments).
func (r *run) mapped(value any, a Arguments) (any, error) {
	if path, found := a.Named["attribute"]; found {
		otherwise, found := a.Named["default"]
		if !found {
			otherwise = absent{}
		}
		return r.each(value, func(v any) (any, error) { return r.path(v, path, otherwise) })
	}
	name, rest, err := a.name()
	if err != nil {
		return nil, err
	}
	return r.each(value, func(v any) (any, error) { return r.filter(name, v, rest) })
}

// name takes the first argument, the name of a filter or test, from the others.
func (a Arguments) name() (string, Arguments, error) {
	if len(a.Positional) > 0 {
		if name, ok := a.Positional[0].(string); ok {
			a.Positional = a.Positional[1:]
			return name, a, nil
		}
	}
	return "", a, fmt.Errorf("%w: no name to go by", ErrType)
}

// selected is select(test, ...), selectattr(path, test, ...) and their opposites. Without a test
// it goes by truth.
func (r *run) selected(name string, value any, a Arguments) (any, error) {
	items, err := r.elements(value)
	if err != nil {
		return nil, err
	}
	byAttribute := strings.HasSuffix(name, "attr")
	var attribute any // a path or an index
	if byAttribute {
		if len(a.Positional) == 0 {
			return nil, fmt.Errorf("%w: no attribute to go by", ErrType)
		}
		attribute, a.Positional = a.Positional[0], a.Positional[1:]
	}
	test := ""
	if len(a.Positional) > 0 {
		if test, a, err = a.name(); err != nil {
			return nil, err
		}
	}
	chosen := []any{}
	for _, element := range items {
		if err := r.step(); err != nil {
			return nil, err
		}
		subject := element
		if byAttribute {
			if subject, err = r.path(element, attribute, absent{}); err != nil {
				return nil, err
			}
		}
		holds := truth(subject)
		if test != "" {
			result, err := r.test(test, subject, a)
			if err != nil {
				return nil, err
			}
			holds = truth(result)
		}
		if holds == strings.HasPrefix(name, "select") {
			if err := r.spend(elementBytes); err != nil {
				return nil, err
			}
			chosen = append(chosen, element)
		}
	}
	return chosen, nil
}

// sorted is sort, unique and dictsort, which take the case of letters for equal unless told
// otherwise.
func (r *run) sorted(name string, value any, a Arguments) (any, error) {
	parameters := map[string][]string{
		"sort":     {"reverse", "case_sensitive", "attribute"},
		"unique":   {"case_sensitive", "attribute"},
		"dictsort": {"case_sensitive", "by", "reverse"},
	}[name]
	values, err := a.Bind(parameters...)
	if err != nil {
		return nil, err
	}
	option := func(name string) any {
		if value := values[slices.Index(parameters, name)]; Given(value) {
			return value
		}
		return nil
	}
	var path any
	if name == "dictsort" {
		path = int64(0)
		if option("by") == "value" {
			path = int64(1)
		}
		if value, err = r.method(value, "items", Arguments{}); err != nil {
			return nil, err
		}
	} else {
		path = option("attribute")
	}
	items, err := r.elements(value)
	if err != nil {
		return nil, err
	}
	keys, err := r.sortKeys(items, path, truth(option("case_sensitive")))
	if err != nil {
		return nil, err
	}
	if name == "unique" {
		return r.unique(items, keys)
	}
	return r.sortBy(items, keys, truth(option("reverse")))
}

// sortKeys gives what items are ordered by: what is at the path, if there is one, and letters
// without case unless it counts.
func (r *run) sortKeys(items []any, path any, caseSensitive bool) ([]any, error) {
	return r.each(items, func(v any) (any, error) {
		if Given(path) && path != nil {
			var err error
			if v, err = r.path(v, path, absent{}); err != nil {
				return nil, err
			}
		}
		if text, ok := v.(string); ok && !caseSensitive {
			return strings.ToLower(text), r.spend(len(text))
		}
		return v, nil
	})
}

// sortBy sorts items by their keys. Equal ones keep their order.
func (r *run) sortBy(items, keys []any, reverse bool) (any, error) {
	order := make([]int, len(items))
	for i := range order {
		order[i] = i
	}
	var failed error
	slices.SortStableFunc(order, func(i, j int) int {
		if failed != nil {
			return 0
		}
		if reverse {
			i, j = j, i
		}
		c, err := r.order(keys[i], keys[j], 0)
		failed = err
		return c
	})
	sorted := make([]any, len(items))
	for i, j := range order {
		sorted[i] = items[j]
	}
	return sorted, failed
}

// unique leaves out items whose key is that of an earlier one.
func (r *run) unique(items, keys []any) (any, error) {
	seen := NewDict()
	kept := []any{}
	for i, key := range keys {
		if !hashable(key) {
			return nil, fmt.Errorf("%w: %s cannot be told apart", ErrType, typeName(key))
		}
		if _, found := seen.Get(key); !found {
			seen.Set(key, nil)
			kept = append(kept, items[i])
		}
	}
	return kept, r.spend(3 * len(kept) * elementBytes)
}

// toNumber is int(default), float(default), abs and round(precision).
func (r *run) toNumber(name string, value any, a Arguments) (any, error) {
	values, err := a.Bind("default")
	if err != nil {
		return nil, err
	}
	if u, ok := value.(Undefined); ok {
		return nil, fmt.Errorf("%w: %q is no number", ErrUndefined, u.What)
	}
	v := number(value)
	x, isNumber := float(v)
	if text, ok := v.(string); ok && (name == "int" || name == "float") {
		if n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64); err == nil {
			v, x, isNumber = n, float64(n), true
		} else if f, err := strconv.ParseFloat(strings.TrimSpace(text), 64); err == nil {
			v, x, isNumber = f, f, true
		}
	}
	n, isInt := v.(int64)
	switch {
	case name == "float" && isNumber:
		return x, nil
	case name == "int" && isInt:
		return n, nil
	case name == "int" && isNumber && math.Abs(x) < 1<<63:
		return int64(x), nil
	case name == "int" || name == "float":
		if Given(values[0]) {
			return values[0], nil
		}
		if name == "float" {
			return 0.0, nil
		}
		return int64(0), nil
	case !isNumber:
		return nil, fmt.Errorf("%w: %s is no number", ErrType, typeName(value))
	case name == "round" && isInt:
		return n, nil
	case name == "round":
		scale := 1.0
		if digits, ok := values[0].(int64); ok {
			scale = math.Pow10(int(min(max(digits, -300), 300)))
		}
		return math.RoundToEven(x*scale) / scale, nil
	case isInt && n != math.MinInt64:
		return max(n, -n), nil
	}
	return math.Abs(x), nil
}

// indent puts width spaces, or a string, before every line but the first and the blank ones.
func (r *run) indent(text string, a Arguments) (any, error) {
	values, err := a.Bind("width", "first", "blank")
	if err != nil {
		return nil, err
	}
	margin := "    "
	switch width := values[0].(type) {
	case string:
		margin = width
	case int64:
		if err := r.spend(int(min(max(width, 0), math.MaxInt32))); err != nil {
			return nil, err
		}
		margin = strings.Repeat(" ", int(max(width, 0)))
	}
	first, blank := Given(values[1]) && truth(values[1]), Given(values[2]) && truth(values[2])
	lines := strings.Split(text, "\n")
	if err := r.spend(len(lines) * (len(margin) + elementBytes)); err != nil {
		return nil, err
	}
	for i, line := range lines {
		if i == 0 && first || i > 0 && (blank || line != "") {
			lines[i] = margin + line
		}
	}
	return strings.Join(lines, "\n"), nil
}

// titleWords makes the first letter of every word large and the others small. Unlike the method
// title it takes words to begin behind white space, dashes and opening brackets only.
func titleWords(text string) string {
	inside := false
	return strings.Map(func(c rune) rune {
		first := !inside
		inside = !unicode.IsSpace(c) && !strings.ContainsRune("-({[<", c)
		if first {
			return unicode.ToUpper(c)
		}
		return unicode.ToLower(c)
	}, text)
}

// escape writes what HTML has its own use for as entities.
func (r *run) escape(text string) (any, error) {
	escaped := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&#34;", "'", "&#39;").Replace(text)
	return escaped, r.spend(len(escaped))
}
