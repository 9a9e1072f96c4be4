package grammar

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// SchemaOptions say how a schema becomes a grammar.
type SchemaOptions struct {
	// Compact leaves no white space between values. Without, there may be a space
	// behind a colon, and a space, or a line end and up to 20 spaces of indentation,
	// behind each of { [ , and before ] and }: models are used to that, and cannot go on
	// in white space for ever.
	Compact bool
}

// ParseSchema reads a JSON schema (draft 2020-12,
// https://json-schema.org/draft/2020-12). Texts of the grammar are valid against the
// schema; not all texts that are valid are of the grammar:
//
//   - Members come in the order of "properties", and others behind them.
//   - An object with properties has no others, unless additionalProperties says so.
//   - A schema without a type, with keywords of one type alone, is of that type:
//     {"minimum": 1} is of numbers.
//   - Whole numbers have no fraction, and escapes are of no surrogates.
//   - Constants are written in their shortest form, and so are texts with a pattern or
//     a format. In the names of members that "properties" does not have nothing is
//     escaped.
//   - A format that is none of the specification's is passed over beside a pattern,
//     which is what it stands for.
//
// Keywords that only describe, such as title and default, are passed over. Of
// those that constrain, the ones that are not supported are an error by name, a
// SchemaError.
func ParseSchema(text []byte, o SchemaOptions) (*Grammar, error) {
	if len(text) > MaxSource {
		return nil, &SchemaError{"", "", fmt.Errorf("%d bytes, at most %d: %w", len(text), MaxSource, ErrLimit)}
	}
	v, err := parseJSON(text)
	if err != nil {
		if !errors.Is(err, ErrLimit) {
			err = fmt.Errorf("%w: %w", ErrSyntax, err)
		}
		return nil, &SchemaError{"", "", err}
	}
	s := &schema{whole: v, rules: map[string]expression{}, space: literal(""), gap: literal("")}
	if !o.Compact {
		s.gap = optional(literal(" "))
		s.space = optional(choice{literal(" "), sequence{literal("\n"), repeat{literal(" "), 0, 20}}})
	}
	s.common()
	s.rules[root] = s.value(v, "")
	if s.err != nil {
		return nil, s.err
	}
	return newGrammar(s.rules)
}

// AnyObject is the grammar of JSON objects.
func AnyObject() *Grammar {
	g, err := ParseSchema([]byte(`{"type":"object"}`), SchemaOptions{})
	if err != nil {
		panic(err) // of a constant
	}
	return g
}

// schema makes rules of a schema. The first error sticks.
type schema struct {
	whole any
	rules map[string]expression
	space expression // between values
	gap   expression // behind a colon
	depth int
	nodes int // of automata
	err   error
}

func (s *schema) fail(kind error, pointer, keyword, format string, args ...any) expression {
	if s.err == nil {
		s.err = &SchemaError{pointer, keyword, fmt.Errorf(format+": %w", append(args, kind)...)}
	}
	return literal("")
}

// The rules that any schema may refer to.
const (
	ruleValue  = "value"
	ruleObject = "object"
	ruleArray  = "array"
	ruleString = "string"
	ruleNumber = "number"
)

// common adds the rules of JSON: https://www.rfc-editor.org/rfc/rfc8259
func (s *schema) common() {
	s.rules[ruleValue] = choice{
		reference(ruleObject), reference(ruleArray), reference(ruleString), reference(ruleNumber),
		literal("true"), literal("false"), literal("null"),
	}
	s.rules[ruleString] = s.quoted(repeat{character(), 0, -1})
	s.rules[ruleNumber] = sequence{
		optional(literal("-")), natural(),
		optional(sequence{literal("."), repeat{digit, 1, 16}}),
		optional(sequence{class{{'E', 'E'}, {'e', 'e'}}, optional(class{{'+', '+'}, {'-', '-'}}), repeat{digit, 1, 3}}),
	}
	s.rules[ruleArray] = s.bracketed("[", s.list(reference(ruleValue), 0, -1), "]")
	member := sequence{reference(ruleString), literal(":"), s.gap, reference(ruleValue)}
	s.rules[ruleObject] = s.bracketed("{", s.list(member, 0, -1), "}")
}

// digit is a decimal digit.
var digit = class{{'0', '9'}}

// natural is a whole number without leading zeros.
func natural() expression {
	return choice{literal("0"), sequence{class{{'1', '9'}}, repeat{digit, 0, 15}}}
}

// bracketed is something in brackets, with white space inside of them.
func (s *schema) bracketed(open string, e expression, shut string) expression {
	return sequence{literal(open), s.space, e, s.space, literal(shut)}
}

// list is min to max of e with commas between them; max < 0: no end.
func (s *schema) list(e expression, min, max int) expression {
	comma := sequence{literal(","), s.space, e}
	switch {
	case max == 0:
		return literal("")
	case min == 0:
		return optional(sequence{e, repeat{comma, 0, less(max)}})
	}
	return sequence{e, repeat{comma, min - 1, less(max)}}
}

// less is a count less one; no end stays none.
func less(n int) int {
	if n < 0 {
		return n
	}
	return n - 1
}

// annotations are keywords that do not constrain.
var annotations = []string{
	"$schema", "$id", "$comment", "$anchor", "$defs", "definitions", "title", "description", "default", "examples", "example",
	"deprecated", "readOnly", "writeOnly", "strict", "name",
	"contentEncoding", "contentMediaType", "contentSchema", // of what is in a string
	"discriminator", "externalDocs", "xml", // OpenAPI's
}

// annotates reports whether a keyword does not constrain. Those with x- are of others,
// and stand for nothing here.
func annotates(name string) bool {
	return slices.Contains(annotations, name) || strings.HasPrefix(name, "x-")
}

// byType says which keywords constrain values of which type: on others they mean
// nothing.
var byType = map[string][]string{
	"object": {"properties", "required", "additionalProperties", "propertyNames", "minProperties", "maxProperties"},
	"array":  {"items", "prefixItems", "minItems", "maxItems", "uniqueItems"},
	"string": {"minLength", "maxLength", "pattern", "format"},
	"number": {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"},
}

// general are keywords that constrain values of all types.
var general = []string{"type", "enum", "const", "anyOf", "oneOf", "allOf", "$ref", "nullable"}

// types are the types in the order in which they are offered.
var types = []string{"object", "array", "string", "number", "integer", "boolean", "null"}

// value makes the expression of a schema. What nests is a rule of its own.
func (s *schema) value(v any, pointer string) expression {
	if s.depth++; s.depth > MaxNesting {
		s.depth--
		return s.fail(ErrLimit, pointer, "", "schemas %d deep", s.depth)
	}
	defer func() { s.depth-- }()
	if s.err != nil {
		return literal("")
	}
	switch v := v.(type) {
	case bool:
		if v {
			return reference(ruleValue)
		}
		return s.fail(ErrSyntax, pointer, "", "false matches nothing")
	case *object:
		return s.object(v, pointer)
	}
	return s.fail(ErrSyntax, pointer, "", "a schema is an object or a boolean")
}

// object makes the expression of a schema that is an object.
func (s *schema) object(o *object, pointer string) expression {
	if !s.known(o, pointer) {
		return literal("")
	}
	e := s.alternatives(o, pointer)
	if null, _ := o.get("nullable"); null == true {
		return choice{e, literal("null")}
	}
	return e
}

// known refuses keywords that this package does not do.
func (s *schema) known(o *object, pointer string) bool {
	for _, name := range o.names {
		ok := annotates(name) || slices.Contains(general, name)
		for _, of := range byType {
			ok = ok || slices.Contains(of, name)
		}
		if !ok {
			s.fail(ErrUnsupported, pointer, name, "the keyword")
			return false
		}
	}
	return true
}

// constraints returns the keywords of a schema that constrain, save some.
func constraints(o *object, but ...string) []string {
	var out []string
	for _, name := range o.names {
		if !annotates(name) && !slices.Contains(but, name) && name != "nullable" {
			out = append(out, name)
		}
	}
	return out
}

// alternatives makes the expression of a schema by the keyword that says most.
func (s *schema) alternatives(o *object, pointer string) expression {
	for _, k := range []struct {
		name string
		make func(v any, o *object, pointer string) expression
		with []string // keywords that may stand beside it
	}{
		{"$ref", s.ref, nil},
		{"const", s.constant, []string{"type"}},
		{"enum", s.enum, []string{"type"}},
		{"allOf", s.allOf, []string{"type", "properties", "required", "additionalProperties"}},
		{"anyOf", s.anyOf, []string{"type"}},
		{"oneOf", s.oneOf, []string{"type"}},
	} {
		v, ok := o.get(k.name)
		if !ok {
			continue
		}
		if rest := constraints(o, append(k.with, k.name)...); len(rest) > 0 {
			return s.fail(ErrUnsupported, pointer, k.name, "together with %s", strings.Join(rest, ", "))
		}
		return k.make(v, o, pointer+"/"+k.name)
	}
	wanted, ok := s.types(o, pointer)
	if !ok {
		return literal("")
	}
	var all choice
	for _, t := range types {
		if slices.Contains(wanted, t) {
			all = append(all, s.typed(t, o, pointer))
		}
	}
	if len(all) == 1 {
		return all[0]
	}
	return all
}

// types returns the types that a schema allows.
func (s *schema) types(o *object, pointer string) ([]string, bool) {
	v, ok := o.get("type")
	if !ok {
		// Without a type, keywords of one type constrain its values alone. Nobody who
		// writes properties means that a number will do.
		var meant []string
		for _, t := range []string{"object", "array", "string", "number"} {
			if slices.ContainsFunc(byType[t], func(name string) bool { _, ok := o.get(name); return ok }) {
				meant = append(meant, t)
			}
		}
		if len(meant) > 0 {
			return meant, true
		}
		return []string{"object", "array", "string", "number", "boolean", "null"}, true
	}
	var all []string
	switch v := v.(type) {
	case string:
		all = []string{v}
	case []any:
		for _, x := range v {
			t, _ := x.(string)
			all = append(all, t)
		}
	}
	if len(all) == 0 {
		s.fail(ErrSyntax, pointer, "type", "a name or a list of names")
		return nil, false
	}
	for _, t := range all {
		if !slices.Contains(types, t) {
			s.fail(ErrSyntax, pointer, "type", "%q is no type", t)
			return nil, false
		}
	}
	return all, true
}

// typed makes the expression of values of one type.
func (s *schema) typed(t string, o *object, pointer string) expression {
	switch t {
	case "object":
		return s.members(o, pointer)
	case "array":
		return s.items(o, pointer)
	case "string":
		return s.text(o, pointer)
	case "number":
		return s.number(o, pointer, false)
	case "integer":
		return s.number(o, pointer, true)
	case "boolean":
		return choice{literal("true"), literal("false")}
	}
	return literal("null")
}

// ref refers to the rule of another schema of the text.
func (s *schema) ref(v any, _ *object, pointer string) expression {
	target, _ := v.(string)
	path, ok := strings.CutPrefix(target, "#")
	if !ok {
		return s.fail(ErrUnsupported, pointer, "", "%q: only references inside of the schema, #/..., are", target)
	}
	name := "ref" + path
	if _, ok := s.rules[name]; ok {
		return reference(name)
	}
	at := s.find(target)
	if at == nil {
		return s.fail(ErrSyntax, pointer, "", "%q is not there", target)
	}
	s.rules[name] = nil // it may refer to itself
	s.rules[name] = s.value(at, path)
	return reference(name)
}

// find returns the schema that a reference names, or nil.
func (s *schema) find(target string) any {
	path, ok := strings.CutPrefix(target, "#")
	if !ok || path != "" && path[0] != '/' {
		return nil
	}
	path, err := url.PathUnescape(path) // it is the fragment of a URI
	if err != nil {
		return nil
	}
	at := s.whole
	for _, part := range strings.Split(path, "/")[1:] {
		part = strings.NewReplacer("~1", "/", "~0", "~").Replace(part)
		switch x := at.(type) {
		case *object:
			at = x.values[part]
		case []any:
			i, err := strconv.Atoi(part)
			if err != nil || i < 0 || i >= len(x) {
				return nil
			}
			at = x[i]
		default:
			return nil
		}
	}
	return at
}

// constant is one value.
func (s *schema) constant(v any, o *object, pointer string) expression {
	return s.enum([]any{v}, o, pointer)
}

// enum is one of several values, of those that the type allows.
func (s *schema) enum(v any, o *object, pointer string) expression {
	values, ok := v.([]any)
	if !ok {
		return s.fail(ErrSyntax, pointer, "", "a list of values")
	}
	wanted := types
	if _, typed := o.get("type"); typed {
		if wanted, ok = s.types(o, pointer); !ok {
			return literal("")
		}
	}
	var all choice
	for _, x := range values {
		if isOf(x, wanted) {
			all = append(all, literal(encodeJSON(nil, x)))
		}
	}
	if len(all) == 0 {
		return s.fail(ErrSyntax, pointer, "", "no value that the type allows")
	}
	return all
}

// isOf reports whether a value is of one of the types.
func isOf(v any, wanted []string) bool {
	t := typeOf(v)
	return slices.Contains(wanted, t) || t == "integer" && slices.Contains(wanted, "number")
}

// typeOf returns the type of a value.
func typeOf(v any) string {
	switch v := v.(type) {
	case *object:
		return "object"
	case []any:
		return "array"
	case string:
		return "string"
	case bool:
		return "boolean"
	case json.Number:
		if !strings.ContainsAny(string(v), ".eE") {
			return "integer"
		}
		return "number"
	}
	return "null"
}
