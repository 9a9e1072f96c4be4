// Package render makes docs/api.md of docs/openapi.yaml.
package render

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// Page returns the page of a description. The error is what is wrong with it.
func Page(description []byte) (string, error) {
	doc, err := openapi3.NewLoader().LoadFromData(description)
	if err != nil {
		return "", fmt.Errorf("render: page: %w", err)
	}
	p := &page{doc: doc}
	p.line("# HTTP\n\nThis page is made from openapi.yaml beside it, which the server has at `/openapi.yaml`.\n\n%s", strings.TrimSpace(doc.Info.Description))
	p.errors()
	for _, tag := range doc.Tags {
		p.tag(tag)
	}
	p.line("## Types")
	for _, name := range slices.Sorted(maps.Keys(doc.Components.Schemas)) {
		p.schema(name, doc.Components.Schemas[name].Value)
	}
	return p.b.String(), nil
}

// page is a page that is being written.
type page struct {
	doc *openapi3.T
	b   strings.Builder
}

// line writes a paragraph.
func (p *page) line(format string, args ...any) {
	if p.b.Len() > 0 {
		p.b.WriteByte('\n')
	}
	fmt.Fprintf(&p.b, format+"\n", args...)
}

// errors writes the codes of errors.
func (p *page) errors() {
	e := p.doc.Components.Schemas["ErrorResponse"].Value.Properties["error"].Value
	p.line("## Errors\n\n    {\"error\": {\"message\": ..., \"type\": ..., \"param\": ..., \"code\": ...}}\n\n`type` is %s.\n`code` is %s.", values(e.Properties["type"].Value), values(e.Properties["code"].Value))
}

// tag writes the operations of a tag, by their paths.
func (p *page) tag(tag *openapi3.Tag) {
	p.line("## %s\n\n%s", strings.ToUpper(tag.Name[:1])+tag.Name[1:], tag.Description)
	for _, path := range slices.Sorted(maps.Keys(p.doc.Paths.Map())) {
		item := p.doc.Paths.Find(path)
		for _, method := range slices.Sorted(maps.Keys(item.Operations())) {
			if o := item.GetOperation(method); o.Tags[0] == tag.Name {
				p.operation(method, path, o)
			}
		}
	}
}

// operation writes a route.
func (p *page) operation(method, path string, o *openapi3.Operation) {
	p.line("### %s %s\n\n%s.", method, path, o.Summary)
	if o.Description != "" {
		p.line("%s", strings.TrimSpace(o.Description))
	}
	if o.RequestBody != nil {
		p.line("Request: %s", typeOf(o.RequestBody.Value.Content["application/json"].Schema))
	}
	good := o.Responses.Value("200").Value
	var kinds []string
	for _, kind := range slices.Sorted(maps.Keys(good.Content)) {
		if schema := good.Content[kind].Schema; schema.Ref != "" {
			kinds = append(kinds, typeOf(schema))
		} else {
			kinds = append(kinds, "`"+kind+"`")
		}
	}
	if len(kinds) > 0 {
		p.line("Response: %s", strings.Join(kinds, " or "))
	}
}

// schema writes a type: what it has of others, and a table of its own members.
func (p *page) schema(name string, s *openapi3.Schema) {
	p.line("### %s", name)
	if s.Description != "" {
		p.line("%s", strings.TrimSpace(s.Description))
	}
	parts := []*openapi3.Schema{s}
	var others []string
	for _, part := range s.AllOf {
		if part.Ref != "" {
			others = append(others, typeOf(part))
		} else {
			parts = append(parts, part.Value)
		}
	}
	if len(others) > 0 {
		p.line("All of %s, and:", strings.Join(others, ", "))
	}
	for _, part := range parts {
		p.members(part)
	}
}

// members writes a table of members.
func (p *page) members(s *openapi3.Schema) {
	if len(s.Properties) == 0 {
		return
	}
	p.line("| member | type | |\n|---|---|---|")
	p.rows("", s)
}

// rows writes rows of members, those of objects within behind them.
func (p *page) rows(prefix string, s *openapi3.Schema) {
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		m := s.Properties[name]
		wanted := ""
		if slices.Contains(s.Required, name) {
			wanted = " (required)"
		}
		text := ""
		if m.Ref == "" {
			text = strings.Join(strings.Fields(m.Value.Description), " ")
		}
		fmt.Fprintf(&p.b, "| `%s%s`%s | %s | %s |\n", prefix, name, wanted, cell(typeOf(m)), cell(text))
		if m.Ref != "" {
			continue
		}
		p.rows(prefix+name+".", m.Value)
		if items := m.Value.Items; items != nil && items.Ref == "" {
			p.rows(prefix+name+"[].", items.Value)
		}
	}
}

// cell is a text within a table.
func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }

// typeOf says what a value is.
func typeOf(ref *openapi3.SchemaRef) string {
	if name, ok := strings.CutPrefix(ref.Ref, "#/components/schemas/"); ok {
		return fmt.Sprintf("[%s](#%s)", name, strings.ToLower(name))
	}
	s := ref.Value
	if len(s.OneOf) > 0 {
		var all []string
		for _, one := range s.OneOf {
			all = append(all, typeOf(one))
		}
		return strings.Join(all, " or ")
	}
	if len(s.Enum) > 0 {
		return values(s)
	}
	if s.Type == nil {
		return "any"
	}
	kind := strings.Join(s.Type.Slice(), " or ")
	if s.Items != nil {
		return "[" + typeOf(s.Items) + "]"
	}
	return kind + bounds(s)
}

// values lists what a value may be.
func values(s *openapi3.Schema) string {
	var all []string
	for _, v := range s.Enum {
		if v != nil {
			all = append(all, fmt.Sprintf("`%v`", v))
		}
	}
	return strings.Join(all, ", ")
}

// bounds says between what a number or a length is.
func bounds(s *openapi3.Schema) string {
	out := ""
	switch {
	case s.Min != nil && s.Max != nil:
		out = fmt.Sprintf(" %g to %g", *s.Min, *s.Max)
	case s.Min != nil:
		out = fmt.Sprintf(" from %g", *s.Min)
	case s.Max != nil:
		out = fmt.Sprintf(" up to %g", *s.Max)
	}
	if s.Default != nil {
		out += fmt.Sprintf(", default %v", s.Default)
	}
	return out
}
