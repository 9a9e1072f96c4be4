package jinja

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// The values of a template are nil (none), bool, int64, float64, string, []any (a list), Tuple,
// *Dict, Undefined, Function, and those of this package that only templates make. None changes
// once it is made, but for namespaces.

// Tuple is an immutable list that is written in parentheses.
type Tuple []any

// Undefined is the value of what does not exist. It is false and prints as nothing.
type Undefined struct{ What string }

// Function is one that templates can call.
type Function func(arguments Arguments) (any, error)

// Dict maps keys to values in the order in which they were set.
type Dict struct {
	keys, values []any
	index        map[any]int
}

// NewDict makes an empty dict.
func NewDict() *Dict { return &Dict{index: make(map[any]int)} }

// Len is the number of keys.
func (d *Dict) Len() int { return len(d.keys) }

// Set gives a key a value. Keys are strings, numbers, bools and nil.
func (d *Dict) Set(key, value any) {
	i, found := d.index[hash(key)]
	if !found {
		i = len(d.keys)
		d.index[hash(key)] = i
		d.keys, d.values = append(d.keys, key), append(d.values, nil)
	}
	d.values[i] = value
}

// Get gives the value of a key.
func (d *Dict) Get(key any) (any, bool) {
	if !hashable(key) {
		return nil, false
	}
	i, found := d.index[hash(key)]
	if !found {
		return nil, false
	}
	return d.values[i], true
}

// hash gives keys that are equal, such as 1 and 1.0, one form.
func hash(key any) any {
	switch key := key.(type) {
	case bool:
		if key {
			return int64(1)
		}
		return int64(0)
	case float64:
		if key == math.Trunc(key) && math.Abs(key) < 1<<62 {
			return int64(key)
		}
	}
	return key
}

func hashable(key any) bool {
	switch key.(type) {
	case nil, bool, int64, float64, string:
		return true
	}
	return false
}

// namespace holds attributes that templates may set from inside loops.
type namespace struct{ attributes map[string]any }

// typeName is what Python calls the type of a value.
func typeName(value any) string {
	switch value.(type) {
	case nil:
		return "NoneType"
	case bool:
		return "bool"
	case int64:
		return "int"
	case float64:
		return "float"
	case string:
		return "str"
	case []any:
		return "list"
	case Tuple:
		return "tuple"
	case *Dict:
		return "dict"
	case Undefined:
		return "undefined"
	case *namespace:
		return "namespace"
	case *loopState:
		return "loop"
	}
	return "function"
}

// truth is what a value counts as in a condition.
func truth(value any) bool {
	switch v := value.(type) {
	case nil, Undefined:
		return false
	case bool:
		return v
	case int64:
		return v != 0
	case float64:
		return v != 0
	case string:
		return v != ""
	case []any:
		return len(v) > 0
	case Tuple:
		return len(v) > 0
	case *Dict:
		return v.Len() > 0
	}
	return true
}

// sequence gives the elements of a list or tuple.
func sequence(value any) ([]any, bool) {
	switch v := value.(type) {
	case []any:
		return v, true
	case Tuple:
		return v, true
	}
	return nil, false
}

// elements gives what a loop over a value goes through: of a string its characters, of a dict its
// keys. What is undefined has none.
func (r *run) elements(value any) ([]any, error) {
	switch v := value.(type) {
	case Undefined:
		return nil, nil
	case string:
		if err := r.spend(len(v) * elementBytes); err != nil {
			return nil, err
		}
		var characters []any
		for _, c := range v {
			characters = append(characters, string(c))
		}
		return characters, nil
	case *Dict:
		return v.keys, nil
	}
	if items, ok := sequence(value); ok {
		return items, nil
	}
	return nil, fmt.Errorf("%w: %s is not iterable", ErrType, typeName(value))
}

// length counts characters, elements or keys.
func (r *run) length(value any) (int64, error) {
	switch v := value.(type) {
	case Undefined:
		return 0, nil
	case string:
		return int64(utf8.RuneCountInString(v)), r.spend(len(v))
	case *Dict:
		return int64(v.Len()), nil
	}
	if items, ok := sequence(value); ok {
		return int64(len(items)), nil
	}
	return 0, fmt.Errorf("%w: %s has no length", ErrType, typeName(value))
}

// text writes a value as it is printed.
func (r *run) text(value any) (string, error) {
	if s, ok := value.(string); ok {
		return s, nil
	}
	var b strings.Builder
	err := r.write(&b, value, false, 0)
	return b.String(), err
}

// write writes a value, strings with their quotes if asked for.
func (r *run) write(b *strings.Builder, value any, quoted bool, depth int) error {
	start := b.Len()
	if err := r.visit(depth); err != nil {
		return err
	}
	switch v := value.(type) {
	case nil:
		b.WriteString("None")
	case Undefined:
		if quoted {
			b.WriteString("Undefined")
		}
	case bool:
		if v {
			b.WriteString("True")
		} else {
			b.WriteString("False")
		}
	case int64:
		b.WriteString(strconv.FormatInt(v, 10))
	case float64:
		b.WriteString(formatFloat(v))
	case string:
		if !quoted {
			b.WriteString(v)
		} else {
			quote(b, v)
		}
	case []any:
		return r.writeAll(b, "[", v, "]", depth)
	case Tuple:
		if len(v) == 1 {
			return r.writeAll(b, "(", v, ",)", depth)
		}
		return r.writeAll(b, "(", v, ")", depth)
	case *Dict:
		b.WriteByte('{')
		for i, key := range v.keys {
			if i > 0 {
				b.WriteString(", ")
			}
			if err := r.write(b, key, true, depth+1); err != nil {
				return err
			}
			b.WriteString(": ")
			if err := r.write(b, v.values[i], true, depth+1); err != nil {
				return err
			}
		}
		b.WriteByte('}')
		return nil
	default:
		b.WriteString("<" + typeName(value) + ">")
	}
	return r.spend(b.Len() - start)
}

func (r *run) writeAll(b *strings.Builder, open string, items []any, end string, depth int) error {
	b.WriteString(open)
	for i, value := range items {
		if i > 0 {
			b.WriteString(", ")
		}
		if err := r.write(b, value, true, depth+1); err != nil {
			return err
		}
	}
	b.WriteString(end)
	return nil
}

// quote writes a string as Python's repr does.
func quote(b *strings.Builder, s string) {
	mark := byte('\'')
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		mark = '"'
	}
	b.WriteByte(mark)
	for _, c := range s {
		switch {
		case c == '\n':
			b.WriteString(`\n`)
		case c == '\r':
			b.WriteString(`\r`)
		case c == '\t':
			b.WriteString(`\t`)
		case c == '\\' || c == rune(mark):
			b.WriteByte('\\')
			b.WriteRune(c)
		case c < ' ' || c == 0x7F:
			fmt.Fprintf(b, `\x%02x`, c)
		default:
			b.WriteRune(c)
		}
	}
	b.WriteByte(mark)
}

// formatFloat writes a float as Python does: the fewest digits that give it back.
func formatFloat(x float64) string {
	switch {
	case math.IsInf(x, 1):
		return "inf"
	case math.IsInf(x, -1):
		return "-inf"
	case math.IsNaN(x):
		return "nan"
	}
	if size := math.Abs(x); size != 0 && (size < 1e-4 || size >= 1e16) {
		return strconv.FormatFloat(x, 'e', -1, 64)
	}
	s := strconv.FormatFloat(x, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}
