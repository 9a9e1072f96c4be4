package jinja

import (
	"fmt"
	"strconv"
	"strings"
)

// format is Python's str.format, with fields {}, {0} and {name}. Those with a conversion, a format
// or a path are refused.
func (r *run) format(s string, a Arguments) (any, error) {
	var b strings.Builder
	next := 0 // argument of {}
	for s != "" {
		i := strings.IndexAny(s, "{}")
		if i < 0 {
			i = len(s)
		}
		text, rest := s[:i], s[i:]
		switch {
		case strings.HasPrefix(rest, "{{"), strings.HasPrefix(rest, "}}"):
			text, rest = s[:i+1], rest[2:]
		case strings.HasPrefix(rest, "{"):
			field, after, found := strings.Cut(rest[1:], "}")
			if !found {
				return nil, fmt.Errorf("%w: a { without a }", ErrType)
			}
			value, err := formatField(field, a, &next)
			if err != nil {
				return nil, err
			}
			written, err := r.text(value)
			if err != nil {
				return nil, err
			}
			text, rest = text+written, after
		case rest != "":
			return nil, fmt.Errorf("%w: a } without a {", ErrType)
		}
		if err := r.spend(len(text)); err != nil {
			return nil, err
		}
		b.WriteString(text)
		s = rest
	}
	return b.String(), nil
}

// formatField gives the argument that a field names. next counts those without a name, and is
// negative once there has been one with a number.
func formatField(field string, a Arguments, next *int) (any, error) {
	if value, found := a.Named[field]; found {
		return value, nil
	}
	index, err := strconv.ParseUint(field, 10, 31)
	switch {
	case field == "" && *next < 0, err == nil && *next > 0:
		return nil, fmt.Errorf("%w: fields with and without numbers", ErrType)
	case field == "":
		index = uint64(*next)
		*next++
	case err != nil:
		return nil, fmt.Errorf("%w: no argument for the field {%s}", ErrType, field)
	default:
		*next = -1
	}
	if index >= uint64(len(a.Positional)) {
		return nil, fmt.Errorf("%w: no argument %d", ErrType, index)
	}
	return a.Positional[index], nil
}
