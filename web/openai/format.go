package openai

import (
	"encoding/json"
	"regexp"
	"strings"

	"github.com/realm-webgpu/realm/guest"
	"github.com/realm-webgpu/realm/web/service"
)

// ending refuses to go on behind the end of an answer that is held to a grammar: there
// is nothing to go on with.
func ending(o *object, q *guest.Request, c *service.Chat) {
	calls := c != nil && (c.Choice == service.ToolRequired || c.Choice == service.ToolNamed)
	if q.IgnoreEOS && (q.Grammar != nil || calls) {
		o.fail("ignore_eos", "is not for an answer that is held to a grammar, which says where it ends")
	}
}

// anyObject is the schema of json_object.
const anyObject = `{"type":"object"}`

var schemaName = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,64}$`)

// constraint reads what an answer is held to: response_format, or one of the members
// that vLLM and llama.cpp have besides.
func constraint(o *object, l Limits) *guest.Grammar {
	var all []*guest.Grammar
	for _, read := range []func(*object, Limits) *guest.Grammar{responseFormat, grammar, structured, guided} {
		if g := read(o, l); g != nil {
			all = append(all, g)
		}
	}
	if len(all) > 1 {
		o.fail("response_format", "an answer is held to one grammar, and the request has %d", len(all))
	}
	if len(all) == 0 {
		return nil
	}
	return all[0]
}

// responseFormat reads response_format. A schema is kept to whether it is strict or
// not: there is no other way here.
func responseFormat(o *object, l Limits) *guest.Grammar {
	f := o.object("response_format")
	if f == nil {
		return nil
	}
	defer func() {
		f.finish()
		o.adopt(f)
	}()
	switch f.choice("type", "text", "json_object", "json_schema") {
	case "json_object":
		if g := schema(f, "schema", l); g != nil {
			return g // as llama.cpp's server has it
		}
		return &guest.Grammar{Kind: "schema", Text: anyObject}
	case "json_schema":
		s := f.object("json_schema")
		if s == nil {
			f.fail("json_schema", "is missing")
			return nil
		}
		g := namedSchema(s, l)
		s.finish()
		f.adopt(s)
		return g
	case "":
		f.fail("type", "is missing")
	}
	return nil
}

// namedSchema reads a schema with its name.
func namedSchema(o *object, l Limits) *guest.Grammar {
	if name := o.text("name", int(l.Body)); !schemaName.MatchString(name) {
		o.fail("name", "%q is no name: want 1 to 64 letters, digits, _ and -", clip(name))
	}
	o.accept("description")
	o.flag("strict", false)
	if !o.has("schema") {
		o.accept("schema")
		return &guest.Grammar{Kind: "schema", Text: anyObject}
	}
	return schema(o, "schema", l)
}

// schema reads a JSON schema: an object, or a string that has one.
func schema(o *object, name string, l Limits) *guest.Grammar {
	raw := o.take(name)
	if raw == nil {
		return nil
	}
	text := string(raw)
	switch raw[0] {
	case '{', 't', 'f':
	case '"':
		if json.Unmarshal(raw, &text) != nil || !json.Valid([]byte(text)) {
			o.fail(name, "the string is no JSON schema")
			return nil
		}
	default:
		o.fail(name, "a JSON schema is expected, not %s", kindOf(raw))
	}
	return bounded(o, name, l, &guest.Grammar{Kind: "schema", Text: text})
}

func bounded(o *object, name string, l Limits, g *guest.Grammar) *guest.Grammar {
	if len(g.Text) > l.Grammar {
		o.fail(name, "%d bytes, at most %d", len(g.Text), l.Grammar)
	}
	g.From = o.at(name)
	return g
}

// textGrammar reads a grammar that is a string.
func textGrammar(o *object, name, kind string, l Limits) *guest.Grammar {
	if !o.has(name) {
		o.accept(name)
		return nil
	}
	return bounded(o, name, l, &guest.Grammar{Kind: kind, Text: o.text(name, int(l.Body))})
}

// grammar reads grammar: a string as llama.cpp has it, an EBNF, or {"kind", "text"} as
// the guest has it.
func grammar(o *object, l Limits) *guest.Grammar {
	const name = "grammar"
	if raw := o.members[name]; len(raw) == 0 || raw[0] != '{' {
		return textGrammar(o, name, "ebnf", l)
	}
	g := o.object(name)
	if g == nil {
		return nil
	}
	out := &guest.Grammar{Kind: g.choice("kind", "schema", "regex", "ebnf"), From: name}
	if out.Kind == "" {
		g.fail("kind", "is missing")
	}
	out.Text = g.text("text", l.Grammar)
	g.finish()
	o.adopt(g)
	return out
}

// structured reads structured_outputs, vLLM's.
func structured(o *object, l Limits) *guest.Grammar {
	s := o.object("structured_outputs")
	if s == nil {
		return nil
	}
	g := oneOf(s, l, "")
	if s.flag("json_object", false) && g == nil {
		g = &guest.Grammar{Kind: "schema", Text: anyObject}
	}
	s.finish()
	o.adopt(s)
	return g
}

// guided reads guided_json and its like, vLLM's older names.
func guided(o *object, l Limits) *guest.Grammar { return oneOf(o, l, "guided_") }

// oneOf reads the grammars of vLLM.
func oneOf(o *object, l Limits, prefix string) *guest.Grammar {
	var found *guest.Grammar
	for _, g := range []*guest.Grammar{
		schema(o, prefix+"json", l),
		textGrammar(o, prefix+"regex", "regex", l),
		choiceGrammar(o, prefix+"choice", l),
		textGrammar(o, prefix+"grammar", "ebnf", l),
	} {
		if g != nil && found != nil {
			o.keep(service.Invalid(g.From, "%s: an answer is held to one grammar, and there is %s", g.From, found.From))
		}
		if g != nil {
			found = g
		}
	}
	return found
}

// choiceGrammar reads texts of which the answer is one.
func choiceGrammar(o *object, name string, l Limits) *guest.Grammar {
	var all []string
	if !o.read(name, "an array of strings", &all) {
		return nil
	}
	if len(all) == 0 {
		o.fail(name, "there are none")
	}
	for i, s := range all {
		all[i] = regexp.QuoteMeta(s)
	}
	return bounded(o, name, l, &guest.Grammar{Kind: "regex", Text: "(" + strings.Join(all, "|") + ")"})
}
