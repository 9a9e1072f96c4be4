package grammar

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// object is a JSON object with its members in order.
type object struct {
	names  []string
	values map[string]any
}

func (o *object) get(name string) (any, bool) {
	v, ok := o.values[name]
	return v, ok
}

// with returns the object with another value of a member.
func (o *object) with(name string, v any) *object {
	out := o.without(name)
	out.names = append(out.names, name)
	out.values[name] = v
	return out
}

// without returns the object without a member.
func (o *object) without(name string) *object {
	out := &object{values: make(map[string]any, len(o.names))}
	for _, n := range o.names {
		if n != name {
			out.names = append(out.names, n)
			out.values[n] = o.values[n]
		}
	}
	return out
}

// parseJSON reads one JSON value: *object, []any, string, json.Number, bool or nil.
// A member that comes twice is an error.
func parseJSON(text []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	v, err := parseValue(d, 0)
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one JSON value")
	}
	return v, nil
}

func parseValue(d *json.Decoder, depth int) (any, error) {
	if depth > MaxNesting {
		return nil, fmt.Errorf("JSON values %d deep: %w", depth, ErrLimit)
	}
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch t {
	case json.Delim('{'):
		o := &object{values: map[string]any{}}
		for d.More() {
			name, err := d.Token()
			if err != nil {
				return nil, err
			}
			v, err := parseValue(d, depth+1)
			if err != nil {
				return nil, err
			}
			key := name.(string) // the decoder takes nothing else there
			if _, ok := o.values[key]; ok {
				return nil, fmt.Errorf("member %q comes twice", key)
			}
			o.names = append(o.names, key)
			o.values[key] = v
		}
		_, err := d.Token()
		return o, err
	case json.Delim('['):
		all := []any{}
		for d.More() {
			v, err := parseValue(d, depth+1)
			if err != nil {
				return nil, err
			}
			all = append(all, v)
		}
		_, err := d.Token()
		return all, err
	}
	return t, nil
}

// encodeJSON writes a value of parseJSON as short as it can be, with members in
// order.
func encodeJSON(b []byte, v any) []byte {
	switch v := v.(type) {
	case *object:
		b = append(b, '{')
		for i, name := range v.names {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(appendString(b, name), ':')
			b = encodeJSON(b, v.values[name])
		}
		return append(b, '}')
	case []any:
		b = append(b, '[')
		for i, x := range v {
			if i > 0 {
				b = append(b, ',')
			}
			b = encodeJSON(b, x)
		}
		return append(b, ']')
	case string:
		return appendString(b, v)
	case json.Number:
		return append(b, v...)
	case bool:
		return strconv.AppendBool(b, v)
	}
	return append(b, "null"...)
}

// appendString writes a JSON string. It escapes what has to be and nothing else.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	for _, r := range s {
		b = append(b, escaped(r)...)
	}
	return append(b, '"')
}

// escaped returns a character as it stands in a JSON string.
func escaped(r rune) string {
	switch r {
	case '"', '\\':
		return `\` + string(r)
	case '\b':
		return `\b`
	case '\f':
		return `\f`
	case '\n':
		return `\n`
	case '\r':
		return `\r`
	case '\t':
		return `\t`
	}
	if r < 0x20 {
		return fmt.Sprintf(`\u%04x`, r)
	}
	return string(r)
}
