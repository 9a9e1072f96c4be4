package jinja

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// FromJSON makes a value of JSON text. Objects become dicts with their keys in order, and integers
// stay integers as far as they fit.
func FromJSON(text []byte) (any, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	value, err := decode(decoder, 0)
	if err == nil {
		if _, end := decoder.Token(); end != io.EOF {
			err = fmt.Errorf("%w: more than one value", ErrSyntax)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("jinja: read JSON: %w", err)
	}
	return value, nil
}

func decode(decoder *json.Decoder, depth int) (any, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("%w: nested more than %d deep", ErrLimit, maxDepth)
	}
	token, err := decoder.Token()
	if err != nil {
		return nil, err
	}
	switch t := token.(type) {
	case json.Number:
		if n, err := strconv.ParseInt(string(t), 10, 64); err == nil {
			return n, nil
		}
		return t.Float64()
	case json.Delim:
		if t == '[' {
			return decodeList(decoder, depth)
		}
		return decodeDict(decoder, depth)
	}
	return token, nil
}

func decodeList(decoder *json.Decoder, depth int) (any, error) {
	items := []any{}
	for decoder.More() {
		value, err := decode(decoder, depth+1)
		if err != nil {
			return nil, err
		}
		items = append(items, value)
	}
	_, err := decoder.Token()
	return items, err
}

func decodeDict(decoder *json.Decoder, depth int) (any, error) {
	d := NewDict()
	for decoder.More() {
		key, err := decoder.Token()
		if err != nil {
			return nil, err
		}
		value, err := decode(decoder, depth+1)
		if err != nil {
			return nil, err
		}
		d.Set(key, value)
	}
	_, err := decoder.Token()
	return d, err
}

// jsonStyle is how JSON is written.
type jsonStyle struct {
	indent          string // "" for one line
	pretty          bool
	comma, colon    string
	ascii, sortKeys bool
}

// toJSON is tojson(indent, ensure_ascii, sort_keys, separators) as Hugging Face has it: Python's
// json.dumps, with characters as they are.
func (r *run) toJSON(value any, a Arguments) (any, error) {
	values, err := a.Bind("indent", "ensure_ascii", "separators", "sort_keys")
	if err != nil {
		return nil, err
	}
	style := jsonStyle{comma: ", ", colon: ": "}
	switch indent := values[0].(type) {
	case int64:
		if indent > 64 {
			return nil, fmt.Errorf("%w: an indent of %d", ErrLimit, indent)
		}
		style.indent, style.pretty, style.comma = strings.Repeat(" ", int(max(indent, 0))), true, ","
	case string:
		style.indent, style.pretty, style.comma = indent, true, ","
	}
	style.ascii = Given(values[1]) && truth(values[1])
	style.sortKeys = Given(values[3]) && truth(values[3])
	if separators, ok := sequence(values[2]); ok {
		if len(separators) != 2 {
			return nil, fmt.Errorf("%w: %d separators", ErrType, len(separators))
		}
		var ok1, ok2 bool
		style.comma, ok1 = separators[0].(string)
		style.colon, ok2 = separators[1].(string)
		if !ok1 || !ok2 {
			return nil, fmt.Errorf("%w: separators are strings", ErrType)
		}
	}
	var b strings.Builder
	err = r.encode(&b, value, style, 0)
	return b.String(), err
}

// encode writes a value as JSON at a depth inside others.
func (r *run) encode(b *strings.Builder, value any, style jsonStyle, depth int) error {
	start := b.Len()
	if err := r.visit(depth); err != nil {
		return err
	}
	if items, ok := sequence(value); ok {
		return r.encodeAll(b, "[", len(items), "]", style, depth, func(i int) error {
			return r.encode(b, items[i], style, depth+1)
		})
	}
	switch v := value.(type) {
	case nil:
		b.WriteString("null")
	case bool:
		b.WriteString(strconv.FormatBool(v))
	case int64:
		b.WriteString(strconv.FormatInt(v, 10))
	case float64:
		b.WriteString(jsonFloat(v))
	case string:
		quoteJSON(b, v, style.ascii)
	case *Dict:
		return r.encodeDict(b, v, style, depth)
	default:
		return fmt.Errorf("%w: %s is not JSON", ErrType, typeName(value))
	}
	return r.spend(b.Len() - start)
}

func (r *run) encodeDict(b *strings.Builder, d *Dict, style jsonStyle, depth int) error {
	names := make([]string, d.Len())
	order := make([]int, d.Len())
	for i, key := range d.keys {
		order[i] = i
		if name, ok := key.(string); ok {
			names[i] = name
			continue
		}
		var name strings.Builder
		if err := r.encode(&name, key, style, depth); err != nil {
			return err
		}
		names[i] = name.String()
	}
	if style.sortKeys {
		slices.SortStableFunc(order, func(i, j int) int { return strings.Compare(names[i], names[j]) })
	}
	return r.encodeAll(b, "{", d.Len(), "}", style, depth, func(i int) error {
		quoteJSON(b, names[order[i]], style.ascii)
		b.WriteString(style.colon)
		if err := r.spend(len(names[order[i]])); err != nil {
			return err
		}
		return r.encode(b, d.values[order[i]], style, depth+1)
	})
}

// encodeAll writes n elements between brackets.
func (r *run) encodeAll(b *strings.Builder, open string, n int, end string, style jsonStyle, depth int, element func(int) error) error {
	b.WriteString(open)
	margin := func(depth int) error {
		if !style.pretty {
			return nil
		}
		if err := r.spend(1 + depth*len(style.indent)); err != nil {
			return err
		}
		b.WriteString("\n" + strings.Repeat(style.indent, depth))
		return nil
	}
	for i := range n {
		if i > 0 {
			b.WriteString(style.comma)
		}
		if err := margin(depth + 1); err != nil {
			return err
		}
		if err := element(i); err != nil {
			return err
		}
	}
	if n > 0 {
		if err := margin(depth); err != nil {
			return err
		}
	}
	b.WriteString(end)
	return r.spend(len(open) + n*len(style.comma) + len(end))
}

func jsonFloat(x float64) string {
	switch {
	case math.IsInf(x, 1):
		return "Infinity"
	case math.IsInf(x, -1):
		return "-Infinity"
	case math.IsNaN(x):
		return "NaN"
	}
	return formatFloat(x)
}

// quoteJSON writes a string with its quotes.
func quoteJSON(b *strings.Builder, s string, ascii bool) {
	const from, to = "\"\\\b\f\n\r\t", `"\bfnrt`
	b.WriteByte('"')
	for _, c := range s {
		i := strings.IndexRune(from, c)
		switch {
		case i >= 0:
			b.WriteByte('\\')
			b.WriteByte(to[i])
		case c < ' ' || ascii && 0x7F <= c && c <= 0xFFFF:
			fmt.Fprintf(b, `\u%04x`, c)
		case ascii && c > utf8.RuneSelf:
			c -= 0x10000
			fmt.Fprintf(b, `\u%04x\u%04x`, 0xD800+c>>10, 0xDC00+c&0x3FF)
		default:
			b.WriteRune(c)
		}
	}
	b.WriteByte('"')
}
