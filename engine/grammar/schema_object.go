package grammar

import (
	"encoding/json"
	"slices"
	"strconv"
)

// members makes the expression of objects.
func (s *schema) members(o *object, pointer string) expression {
	least, most, ok := s.counts(o, pointer, "minProperties", "maxProperties")
	if !ok {
		return literal("")
	}
	properties := &object{}
	if v, given := o.get("properties"); given {
		if properties, ok = v.(*object); !ok {
			return s.fail(ErrSyntax, pointer, "properties", "an object")
		}
	}
	if v, given := o.get("propertyNames"); given && v != true {
		return s.named(o, v, properties, pointer)
	}
	must := required(o)
	extra, hasExtra := o.get("additionalProperties")
	switch {
	case !hasExtra && len(properties.names) == 0:
		extra = true // any object
	case impossible(extra):
		extra = false
	}
	for _, name := range must {
		if _, ok := properties.get(name); !ok && (!hasExtra && len(properties.names) > 0 || extra == false) {
			return s.fail(ErrUnsupported, pointer, "required", "%q, which properties does not have", name)
		}
	}
	if len(properties.names) > 0 && (least > 0 || most >= 0) {
		return s.fail(ErrUnsupported, pointer, "minProperties, maxProperties", "together with properties")
	}
	known := s.properties(properties, must, pointer)
	if extra == nil || extra == false {
		if len(known) == 0 && least > 0 {
			return s.fail(ErrSyntax, pointer, "minProperties", "%d members of none", least)
		}
		return s.bracketed("{", s.ordered(known, nil), "}")
	}
	// Names that are required and have no schema come first, of any value.
	for _, name := range must {
		if _, ok := properties.get(name); !ok {
			known = append(known, part{s.member(literal(appendString(nil, name)), s.value(extra, pointer+"/additionalProperties")), true})
		}
	}
	names := append(slices.Clone(properties.names), must...)
	other := s.member(s.otherName(names), s.value(extra, pointer+"/additionalProperties"))
	if len(known) == 0 {
		return s.bracketed("{", s.list(other, least, most), "}")
	}
	if least > 0 || most >= 0 {
		return s.fail(ErrUnsupported, pointer, "minProperties, maxProperties", "together with required")
	}
	return s.bracketed("{", s.ordered(known, other), "}")
}

// named makes the expression of objects whose names are held to a schema: to no more
// than texts, to some names, which are properties then, or to what is said of texts.
func (s *schema) named(o *object, v any, properties *object, pointer string) expression {
	const keyword = "propertyNames"
	at := pointer + "/" + keyword
	names, ok := v.(*object)
	if !ok {
		return s.fail(ErrSyntax, at, "", "a schema that is an object is wanted")
	}
	if !s.known(names, at) {
		return literal("")
	}
	rest := o.without(keyword)
	if t, ok := names.get("type"); ok && t != "string" {
		return s.fail(ErrUnsupported, at, "type", "other than string")
	}
	said := constraints(names, "type")
	if len(said) == 0 {
		return s.members(rest, pointer)
	}
	if len(properties.names) > 0 {
		return s.fail(ErrUnsupported, pointer, keyword, "together with properties")
	}
	extra, ok := o.get("additionalProperties")
	if !ok {
		extra = true
	}
	if listed := constants(names); listed != nil && len(said) == 1 {
		properties = &object{values: map[string]any{}}
		for _, text := range listed {
			var name string
			if json.Unmarshal([]byte(text), &name) == nil && properties.values[name] == nil {
				properties.names = append(properties.names, name)
				properties.values[name] = extra
			}
		}
		if extra == false {
			properties = &object{}
		}
		return s.members(rest.with("properties", properties).with("additionalProperties", false), pointer)
	}
	for _, name := range said {
		if !slices.Contains(byType["string"], name) {
			return s.fail(ErrUnsupported, at, name, "of names")
		}
	}
	if len(required(o)) > 0 {
		return s.fail(ErrUnsupported, pointer, keyword, "together with required")
	}
	least, most, ok := s.counts(o, pointer, "minProperties", "maxProperties")
	if !ok {
		return literal("")
	}
	if extra == false {
		return s.members(rest, pointer)
	}
	member := s.member(s.rule(s.text(names, at)), s.value(extra, pointer+"/additionalProperties"))
	return s.bracketed("{", s.list(member, least, most), "}")
}

// impossible reports whether a schema is sure to have no value: false, or what is not
// anything.
func impossible(v any) bool {
	o, ok := v.(*object)
	if !ok {
		return v == false
	}
	not, ok := o.get("not")
	if !ok || len(constraints(o, "not")) > 0 || o.values["nullable"] == true {
		return false
	}
	anything, ok := not.(*object)
	return not == true || ok && len(anything.names) == 0
}

// part is a member of an object.
type part struct {
	expression
	must bool
}

// member is a name and a value.
func (s *schema) member(name, value expression) expression {
	return sequence{name, literal(":"), s.gap, value}
}

// properties makes the members of an object.
func (s *schema) properties(o *object, must []string, pointer string) []part {
	var all []part
	for _, name := range o.names {
		if impossible(o.values[name]) && !slices.Contains(must, name) {
			continue
		}
		value := s.value(o.values[name], pointer+"/properties/"+name)
		all = append(all, part{s.member(literal(appendString(nil, name)), value), slices.Contains(must, name)})
	}
	return all
}

// ordered is members in order, those that need not be there perhaps, and any number
// of others behind them; nil: none. Rules keep it from growing with the square of
// the members: that of a member says what may come from it on, behind a comma.
func (s *schema) ordered(all []part, other expression) expression {
	comma := sequence{literal(","), s.space}
	var rest expression = literal("") // what follows something
	var first expression = literal("")
	if other != nil {
		rest = repeat{sequence{comma, other}, 0, -1}
		first = optional(sequence{other, rest})
	}
	for i := len(all) - 1; i >= 0; i-- {
		p := all[i]
		follows := s.rule(rest)
		if p.must {
			first = sequence{p.expression, follows}
			rest = sequence{comma, p.expression, follows}
			continue
		}
		first = choice{sequence{p.expression, follows}, s.rule(first)}
		rest = sequence{optional(sequence{comma, p.expression}), follows}
	}
	return first
}

// rule makes an expression a rule of its own.
func (s *schema) rule(e expression) expression {
	if l, ok := e.(literal); ok {
		return l
	}
	name := "rule-" + strconv.Itoa(len(s.rules))
	s.rules[name] = e
	return reference(name)
}

// otherName is the name of a member that is none of some names, with nothing
// escaped.
func (s *schema) otherName(names []string) expression {
	var all [][]rune
	for _, n := range names {
		all = append(all, []rune(n))
	}
	return sequence{literal(`"`), not(all), literal(`"`)}
}

// plain are the characters of a string that are not escaped.
var plain = negate(class{{0, 0x1f}, {'"', '"'}, {'\\', '\\'}})

// not is a text that is none of some texts.
func not(texts [][]rune) expression {
	if len(texts) == 0 {
		return repeat{plain, 0, -1}
	}
	var all choice
	var firsts class
	empty := false
	tails := map[rune][][]rune{}
	var order []rune
	for _, t := range texts {
		if len(t) == 0 {
			empty = true
			continue
		}
		if _, ok := tails[t[0]]; !ok {
			order = append(order, t[0])
			firsts = append(firsts, span{t[0], t[0]})
		}
		tails[t[0]] = append(tails[t[0]], t[1:])
	}
	if !empty {
		all = append(all, literal(""))
	}
	for _, r := range order {
		if c := intersect(plain, class{{r, r}}); len(c) > 0 {
			all = append(all, sequence{c, not(tails[r])})
		}
	}
	return append(all, sequence{intersect(plain, negate(firsts)), repeat{plain, 0, -1}})
}

// items makes the expression of arrays.
func (s *schema) items(o *object, pointer string) expression {
	least, most, ok := s.counts(o, pointer, "minItems", "maxItems")
	if !ok {
		return literal("")
	}
	if v, _ := o.get("uniqueItems"); v == true {
		if most < 0 || most > 1 {
			return s.fail(ErrUnsupported, pointer, "uniqueItems", "of more than one item")
		}
	}
	var rest any = true
	if v, ok := o.get("items"); ok {
		if rest = v; impossible(v) {
			rest = false
		}
	}
	var heads []any
	if v, ok := o.get("prefixItems"); ok {
		if heads, ok = v.([]any); !ok {
			return s.fail(ErrSyntax, pointer, "prefixItems", "a list of schemas")
		}
	}
	if most >= 0 && len(heads) > most {
		heads = heads[:most]
	}
	// The items behind the first ones.
	tail := most
	if rest == false {
		tail = len(heads)
		if most >= 0 {
			tail = min(tail, most)
		}
		if least > tail {
			return s.fail(ErrSyntax, pointer, "minItems", "%d items of at most %d", least, tail)
		}
	}
	if len(heads) == 0 {
		if rest == false {
			return s.bracketed("[", literal(""), "]")
		}
		return s.bracketed("[", s.list(s.rule(s.value(rest, pointer+"/items")), least, most), "]")
	}
	comma := sequence{literal(","), s.space}
	var follows expression = literal("")
	if rest != false && (most < 0 || most > len(heads)) {
		left := most
		if most >= 0 {
			left -= len(heads)
		}
		follows = repeat{sequence{comma, s.rule(s.value(rest, pointer+"/items"))}, max(0, least-len(heads)), left}
	}
	for i := len(heads) - 1; i >= 0; i-- {
		e := s.value(heads[i], pointer+"/prefixItems/"+strconv.Itoa(i))
		if i == 0 {
			e = sequence{e, follows}
		} else {
			e = sequence{comma, e, follows}
		}
		if i >= least {
			e = optional(e)
		}
		follows = e
	}
	return s.bracketed("[", follows, "]")
}

// counts reads two keywords that are numbers of something; most is -1 without one.
func (s *schema) counts(o *object, pointer, minimum, maximum string) (least, most int, ok bool) {
	least, most = 0, -1
	for name, to := range map[string]*int{minimum: &least, maximum: &most} {
		v, given := o.get(name)
		if !given {
			continue
		}
		number, _ := v.(json.Number)
		n, err := strconv.Atoi(string(number))
		if err != nil || n < 0 {
			s.fail(ErrSyntax, pointer, name, "a whole number")
			return 0, 0, false
		}
		if n > MaxRepeat {
			s.fail(ErrLimit, pointer, name, "%d, at most %d", n, MaxRepeat)
			return 0, 0, false
		}
		*to = n
	}
	if most >= 0 && least > most {
		s.fail(ErrSyntax, pointer, minimum, "%d, which is over %s", least, maximum)
		return 0, 0, false
	}
	return least, most, true
}
