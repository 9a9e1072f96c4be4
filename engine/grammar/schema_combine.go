package grammar

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
)

// schemas reads a list of schemas that are objects.
func (s *schema) schemas(v any, pointer string) []*object {
	list, _ := v.([]any)
	var all []*object
	for i, x := range list {
		o, ok := x.(*object)
		if !ok {
			s.fail(ErrUnsupported, fmt.Sprintf("%s/%d", pointer, i), "", "a schema that is no object")
			return nil
		}
		all = append(all, o)
	}
	if len(all) == 0 {
		s.fail(ErrSyntax, pointer, "", "a list of schemas")
	}
	return all
}

// anyOf is a value of any of several schemas.
func (s *schema) anyOf(v any, o *object, pointer string) expression {
	var all choice
	for i, x := range s.schemas(v, pointer) {
		x, at := s.withType(x, o), fmt.Sprintf("%s/%d", pointer, i)
		all = append(all, s.value(x, at))
	}
	return all
}

// withType adds the type that stands beside an anyOf or oneOf to one of its schemas,
// which may not say another.
func (s *schema) withType(x, outer *object) *object {
	t, ok := outer.get("type")
	if !ok {
		return x
	}
	if _, ok := x.get("type"); ok {
		return x
	}
	merged := &object{names: append([]string{"type"}, x.names...), values: map[string]any{"type": t}}
	for name, v := range x.values {
		merged.values[name] = v
	}
	return merged
}

// oneOf is a value of exactly one of several schemas: it is anyOf where no value can
// be of two.
func (s *schema) oneOf(v any, o *object, pointer string) expression {
	all := s.schemas(v, pointer)
	for i, a := range all {
		for j, b := range all[:i] {
			if !s.disjoint(a, b) {
				return s.fail(ErrUnsupported, pointer, "", "%d and %d may match the same value, as far as types, constants and required constant members tell (anyOf does not mind)", j, i)
			}
		}
	}
	return s.anyOf(v, o, pointer)
}

// disjoint reports whether two schemas are sure to have no value in common: by
// type, by constants, or by a required member of both that is so.
func (s *schema) disjoint(a, b *object) bool {
	a, b = s.resolved(a), s.resolved(b)
	if a.values["nullable"] == true || b.values["nullable"] == true {
		return false
	}
	if va, vb := constants(a), constants(b); va != nil && vb != nil {
		return !slices.ContainsFunc(va, func(x string) bool {
			return slices.ContainsFunc(vb, func(y string) bool { return same(x, y) })
		})
	}
	if ta, tb := kinds(a), kinds(b); ta != nil && tb != nil && !slices.ContainsFunc(ta, func(t string) bool {
		return slices.Contains(tb, t) || t == "integer" && slices.Contains(tb, "number") || t == "number" && slices.Contains(tb, "integer")
	}) {
		return true
	}
	pa, _ := a.values["properties"].(*object)
	pb, _ := b.values["properties"].(*object)
	if pa == nil || pb == nil {
		return false
	}
	for _, name := range required(a) {
		x, _ := pa.values[name].(*object)
		y, _ := pb.values[name].(*object)
		if x != nil && y != nil && slices.Contains(required(b), name) && constants(x) != nil && constants(y) != nil && s.disjoint(x, y) {
			return true
		}
	}
	return false
}

// same reports whether two values of JSON may be the same one: 1 is 1.0, and members
// have no order.
func same(a, b string) bool {
	var x, y any
	if json.Unmarshal([]byte(a), &x) != nil || json.Unmarshal([]byte(b), &y) != nil {
		return true // a number that is too large to compare
	}
	return reflect.DeepEqual(x, y)
}

// resolved follows references to $defs, up to a few.
func (s *schema) resolved(o *object) *object {
	for range 8 {
		target, ok := o.values["$ref"].(string)
		if !ok {
			return o
		}
		next, ok := s.find(target).(*object)
		if !ok {
			return o
		}
		o = next
	}
	return o
}

// constants returns the values that a schema names, as JSON; nil for none.
func constants(o *object) []string {
	if v, ok := o.get("const"); ok {
		return []string{string(encodeJSON(nil, v))}
	}
	list, _ := o.values["enum"].([]any)
	var all []string
	for _, v := range list {
		all = append(all, string(encodeJSON(nil, v)))
	}
	return all
}

// kinds returns the types that a schema names, or those of its constants.
func kinds(o *object) []string {
	switch t := o.values["type"].(type) {
	case string:
		return []string{t}
	case []any:
		var all []string
		for _, x := range t {
			name, _ := x.(string)
			all = append(all, name)
		}
		return all
	}
	if v, ok := o.get("const"); ok {
		return []string{typeOf(v)}
	}
	list, _ := o.values["enum"].([]any)
	var all []string
	for _, v := range list {
		all = append(all, typeOf(v))
	}
	return all
}

// required returns the members that a schema requires.
func required(o *object) []string {
	list, _ := o.values["required"].([]any)
	var all []string
	for _, x := range list {
		if name, ok := x.(string); ok {
			all = append(all, name)
		}
	}
	return all
}

// allOf is a value of all of several schemas: of one, or of objects whose
// properties differ, which become one.
func (s *schema) allOf(v any, o *object, pointer string) expression {
	all := s.schemas(v, pointer)
	if s.err != nil {
		return literal("")
	}
	if len(all) == 1 && len(constraints(o, "allOf", "type")) == 0 {
		return s.value(s.withType(all[0], o), pointer+"/0")
	}
	merged := &object{values: map[string]any{}}
	properties := &object{values: map[string]any{}}
	var names []any
	outer := &object{values: map[string]any{}}
	for _, name := range o.names {
		if name != "allOf" {
			outer.names = append(outer.names, name)
			outer.values[name] = o.values[name]
		}
	}
	for i, x := range append([]*object{outer}, all...) {
		x = s.resolved(x)
		at := fmt.Sprintf("%s/%d", pointer, i-1)
		if rest := constraints(x, "type", "properties", "required", "additionalProperties"); len(rest) > 0 {
			return s.fail(ErrUnsupported, at, rest[0], "in one of several schemas that all have to match")
		}
		if t, ok := x.get("type"); ok && t != "object" {
			return s.fail(ErrUnsupported, at, "type", "of several schemas that all have to match, other than object")
		}
		if extra, ok := x.get("additionalProperties"); ok {
			if extra != false {
				return s.fail(ErrUnsupported, at, "additionalProperties", "in one of several schemas that all have to match, other than false")
			}
			if i > 0 {
				return s.fail(ErrUnsupported, at, "additionalProperties", "false, of which the other schemas' properties are additional ones")
			}
		}
		p, _ := x.values["properties"].(*object)
		if p == nil {
			p = &object{}
		}
		for _, name := range p.names {
			if _, ok := properties.values[name]; ok {
				return s.fail(ErrUnsupported, at, "properties", "%q is in several schemas that all have to match", name)
			}
			properties.names = append(properties.names, name)
			properties.values[name] = p.values[name]
		}
		for _, name := range required(x) {
			names = append(names, name)
		}
	}
	merged.names = []string{"type", "properties", "required"}
	merged.values = map[string]any{"type": "object", "properties": properties, "required": names}
	return s.value(merged, pointer)
}
