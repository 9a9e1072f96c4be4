package grammar

import (
	"fmt"
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
	"duration":  `P(\d{1,9}W|` + days + `(` + hours + `)?|` + hours + `)`,
	"uuid":      `[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}`,
	"email":     `[A-Za-z0-9_+-]{1,30}(\.[A-Za-z0-9_+-]{1,16}){0,2}@` + label + `(\.` + label + `){1,4}`,
	"hostname":  hostname,
	"ipv4":      octet + `(\.` + octet + `){3}`,
	"ipv6":      `([0-9a-fA-F]{1,4}:){7}[0-9a-fA-F]{1,4}`,
	"uri":       `[a-z][a-z0-9+.-]{0,15}:(//` + hostname + `(:[1-9][0-9]{0,3})?)?(/[A-Za-z0-9._~-]{0,32}){0,8}(\?[A-Za-z0-9._~=&-]{0,128})?(#[A-Za-z0-9._~-]{0,32})?`,
}

// The parts of formats.
const (
	month31 = `(0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])`
	month30 = `(0[469]|11)-(0[1-9]|[12][0-9]|30)`
	// February has 28 days: no regular expression this short knows of leap years.
	february = `02-(0[1-9]|1[0-9]|2[0-8])`
	date     = `[0-9]{4}-(` + month31 + `|` + month30 + `|` + february + `)`
	clock    = `([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,9})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])`
	// Units come without gaps: https://www.rfc-editor.org/rfc/rfc3339#appendix-A
	days  = `(\d{1,9}Y(\d{1,9}M(\d{1,9}D)?)?|\d{1,9}M(\d{1,9}D)?|\d{1,9}D)`
	hours = `T(\d{1,9}H(\d{1,9}M(\d{1,9}S)?)?|\d{1,9}M(\d{1,9}S)?|\d{1,9}S)`
	// Two hyphens in a row would be an encoding of other scripts, which has rules of its
	// own: https://www.rfc-editor.org/rfc/rfc5890#section-2.3.1
	label    = `[A-Za-z0-9](-?[A-Za-z0-9]){0,15}`
	hostname = label + `(\.` + label + `){0,6}`
	octet    = `(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])`
)

// defined are the formats that the specification has.
var defined = []string{
	"date", "time", "date-time", "duration", "email", "idn-email", "hostname", "idn-hostname", "ipv4", "ipv6", "uri", "uri-reference",
	"iri", "iri-reference", "uuid", "uri-template", "json-pointer", "relative-json-pointer", "regex",
}

// text makes the expression of strings.
func (s *schema) text(o *object, pointer string) expression {
	least, most, ok := s.counts(o, pointer, "minLength", "maxLength")
	if !ok {
		return literal("")
	}
	var all []*regex
	read := func(keyword, text string, search bool) {
		r, err := readRegex(text, search)
		if err != nil {
			if s.err == nil {
				s.err = &SchemaError{pointer, keyword, err}
			}
			return
		}
		all = append(all, r)
	}
	pattern, hasPattern := o.get("pattern")
	if hasPattern {
		text, ok := pattern.(string)
		if !ok {
			return s.fail(ErrSyntax, pointer, "pattern", "a string")
		}
		read("pattern", ecmaRegex(text), true)
	}
	if format, ok := o.get("format"); ok {
		name, _ := format.(string)
		text, known := formats[name]
		switch {
		case known:
			read("format", text, false)
		case !hasPattern || slices.Contains(defined, name):
			return s.fail(ErrUnsupported, pointer, "format", "%q (known are %s)", name, strings.Join(slices.Sorted(maps.Keys(formats)), ", "))
		}
		// Formats of others come with the pattern that they stand for.
	}
	if len(all) == 0 {
		if least == 0 && most < 0 {
			return reference(ruleString)
		}
		s.rules[ruleCharacter] = character()
		return s.quoted(repeat{reference(ruleCharacter), least, most})
	}
	if s.err != nil {
		return literal("")
	}
	for _, r := range all { // bounds that are kept to in any case take no states
		if r.least >= least {
			least = 0
		}
		if r.most >= 0 && r.most <= most {
			most = -1
		}
	}
	a, err := intersection(all, least, most, s.inString)
	if err != nil {
		s.err = &SchemaError{pointer, "pattern, format", err}
		return literal("")
	}
	// Before all of them are made states: together they may not pass the bound either.
	if s.nodes += len(a.nodes); s.nodes > MaxStates {
		return s.fail(ErrLimit, pointer, "pattern, format", "the texts of the schema take more than %d states", MaxStates)
	}
	if len(a.nodes) == 0 && !a.empty {
		return s.fail(ErrSyntax, pointer, "pattern, format", "no text matches")
	}
	return s.quoted(a)
}

const ruleCharacter = "character"

// inString is one character of a class in a JSON string. What takes many states is a rule
// of its own, so that it does not take them again and again.
func (s *schema) inString(c class) expression {
	const few = 4 // encodings
	if len(encodings(c)) <= few {
		return inString(c)
	}
	name := "characters " + fmt.Sprint(c)
	if _, ok := s.rules[name]; !ok {
		s.rules[name] = inString(c)
	}
	return reference(name)
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
