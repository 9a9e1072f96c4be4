package grammar

import (
	"errors"
	"maps"
	"slices"
	"strings"
)

// character is a character of a JSON string, escaped or not.
func character() expression {
	return choice{plain, sequence{literal(`\`), choice{
		class{{'"', '"'}, {'\\', '\\'}, {'/', '/'}, {'b', 'b'}, {'f', 'f'}, {'n', 'n'}, {'r', 'r'}, {'t', 't'}},
		sequence{literal("u"), choice{
			// Not half of a pair: that would be no character.
			sequence{class{{'0', '9'}, {'a', 'c'}, {'A', 'C'}, {'e', 'f'}, {'E', 'F'}}, repeat{hex, 3, 3}},
			sequence{class{{'d', 'd'}, {'D', 'D'}}, class{{'0', '7'}}, repeat{hex, 2, 2}},
		}},
	}}}
}

var hex = class{{'0', '9'}, {'a', 'f'}, {'A', 'F'}}

// quoted is something between quotation marks.
func (s *schema) quoted(e expression) expression {
	return sequence{literal(`"`), e, literal(`"`)}
}

// formats are regular expressions of the formats that are known.
// https://json-schema.org/draft/2020-12/json-schema-validation#section-7.3
var formats = map[string]string{
	"date":      date,
	"time":      clock,
	"date-time": date + "T" + clock,
	"duration":  `P([0-9]{1,9}W|[0-9]{1,9}D(T[0-9]{1,9}[HMS])?|[0-9]{1,9}Y([0-9]{1,9}M)?([0-9]{1,9}D)?(T[0-9]{1,9}[HMS])?|[0-9]{1,9}M([0-9]{1,9}D)?(T[0-9]{1,9}[HMS])?|T([0-9]{1,9}H([0-9]{1,9}M([0-9]{1,9}S)?)?|[0-9]{1,9}M([0-9]{1,9}S)?|[0-9]{1,9}S))`,
	"uuid":      `[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}`,
	"email":     `[A-Za-z0-9_+-]{1,32}(\.[A-Za-z0-9_+-]{1,16}){0,2}@` + label + `(\.` + label + `){1,4}`,
	"hostname":  label + `(\.` + label + `){0,7}`,
	"ipv4":      octet + `(\.` + octet + `){3}`,
	"ipv6":      `([0-9a-fA-F]{1,4}:){7}[0-9a-fA-F]{1,4}`,
	"uri":       `[a-z][a-z0-9+.-]{0,15}:(//` + label + `(\.` + label + `){0,7}(:[1-9][0-9]{0,3})?)?(/[A-Za-z0-9._~-]{0,64}){0,16}(\?[A-Za-z0-9._~=&-]{0,256})?(#[A-Za-z0-9._~-]{0,64})?`,
}

// The parts of formats.
const (
	month31 = `(0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])`
	month30 = `(0[469]|11)-(0[1-9]|[12][0-9]|30)`
	// February has 28 days: no regular expression this short knows of leap years.
	february = `02-(0[1-9]|1[0-9]|2[0-8])`
	date     = `[0-9]{4}-(` + month31 + `|` + month30 + `|` + february + `)`
	clock    = `([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,9})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])`
	label    = `[A-Za-z0-9]([A-Za-z0-9-]{0,30}[A-Za-z0-9])?`
	octet    = `(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])`
)

// text makes the expression of strings.
func (s *schema) text(o *object, pointer string) expression {
	least, most, ok := s.counts(o, pointer, "minLength", "maxLength")
	if !ok {
		return literal("")
	}
	bounded := least > 0 || most >= 0
	pattern, hasPattern := o.get("pattern")
	format, hasFormat := o.get("format")
	switch {
	case hasPattern && (bounded || hasFormat):
		return s.fail(ErrUnsupported, pointer, "pattern", "together with minLength, maxLength or format")
	case hasFormat && bounded:
		return s.fail(ErrUnsupported, pointer, "format", "together with minLength or maxLength")
	case hasFormat:
		name, _ := format.(string)
		regex, ok := formats[name]
		if !ok {
			return s.fail(ErrUnsupported, pointer, "format", "%q (known are %s)", name, strings.Join(slices.Sorted(maps.Keys(formats)), ", "))
		}
		return s.matching(regex, false, pointer, "format")
	case hasPattern:
		regex, ok := pattern.(string)
		if !ok {
			return s.fail(ErrSyntax, pointer, "pattern", "a string")
		}
		return s.matching(regex, true, pointer, "pattern")
	case !bounded:
		return reference(ruleString)
	}
	s.rules[ruleCharacter] = character()
	return s.quoted(repeat{reference(ruleCharacter), least, most})
}

const ruleCharacter = "character"

// matching is a string whose text matches a regular expression: somewhere, with
// search.
func (s *schema) matching(regex string, search bool, pointer, keyword string) expression {
	e, err := regexExpression(regex, search, inString)
	if err != nil {
		kind := ErrSyntax
		for _, k := range []error{ErrUnsupported, ErrLimit} {
			if errors.Is(err, k) {
				kind = k
			}
		}
		return s.fail(kind, pointer, keyword, "%v", err)
	}
	return s.quoted(e)
}

// inString is one character of a class as it stands in a JSON string: escaped where
// it has to be.
func inString(c class) expression {
	var all choice
	if p := intersect(c, plain); len(p) > 0 {
		all = append(all, p)
	}
	for _, special := range intersect(c, negate(plain)) {
		for r := special.lo; r <= special.hi; r++ {
			all = append(all, literal(escaped(r)))
		}
	}
	if len(all) == 1 {
		return all[0]
	}
	return all
}
