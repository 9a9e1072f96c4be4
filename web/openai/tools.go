package openai

import (
	"encoding/json"
	"regexp"
	"slices"

	"github.com/realm-webgpu/realm/guest"
	"github.com/realm-webgpu/realm/web/service"
)

// tool is a function as templates and the service take it.
type tool struct {
	Type     string   `json:"type"`
	Function function `json:"function"`
}

type function struct {
	Name        string          `json:"name"`
	Description string          `json:"description,omitempty"`
	Parameters  json.RawMessage `json:"parameters,omitempty"`
}

// functionName is OpenAI's, and dots, which the names of others have.
var functionName = regexp.MustCompile(`^[a-zA-Z0-9_.-]{1,64}$`)

// readFunction reads the definition of a function.
//
// strict says that arguments have to be of the schema. They are where a call is
// required or named, by a grammar, whether it is set or not.
func readFunction(o *object, l Limits) tool {
	t := tool{Type: "function", Function: function{Name: o.text("name", int(l.Body)), Description: o.text("description", int(l.Body))}}
	if !functionName.MatchString(t.Function.Name) {
		o.fail("name", "%q is no name: want 1 to 64 letters, digits, _, - and dots", clip(t.Function.Name))
	}
	if raw := o.take("parameters"); raw != nil {
		if raw[0] != '{' {
			o.fail("parameters", "a JSON schema is expected, not %s", kindOf(raw))
		}
		if len(raw) > l.Grammar {
			o.fail("parameters", "%d bytes, at most %d", len(raw), l.Grammar)
		}
		t.Function.Parameters = raw
	}
	o.flag("strict", false)
	return t
}

// readTools reads tools, functions (their older name), tool_choice, function_call and
// parallel_tool_calls. It reports whether the older names were used.
func readTools(o *object, l Limits, c *service.Chat) (legacy bool) {
	var all []tool
	o.objects("tools", l.Tools, func(t *object) {
		if kind := t.text("type", 256); kind != "function" {
			t.fail("type", "%q is not supported: tools are functions", clip(kind))
		}
		if f := t.object("function"); f != nil {
			all = addTool(f, all, readFunction(f, l))
			f.finish()
			t.adopt(f)
		} else {
			t.fail("function", "is missing")
		}
		t.finish()
	})
	legacy = o.has("functions") || o.has("function_call")
	if legacy && (len(all) > 0 || o.has("tool_choice")) {
		o.fail("functions", "is the older name of tools: use one of both")
	}
	o.objects("functions", l.Tools, func(f *object) {
		all = addTool(f, all, readFunction(f, l))
		f.finish()
	})
	c.OneCall = !o.flag("parallel_tool_calls", true) || legacy
	if legacy {
		readFunctionChoice(o, c)
	} else {
		all = readToolChoice(o, l, c, all)
	}
	setTools(o, c, all)
	return legacy
}

// setTools gives a conversation its tools, which have to be those of the choice.
func setTools(o *object, c *service.Chat, all []tool) {
	if (c.Choice == service.ToolRequired || c.Choice == service.ToolNamed) && len(all) == 0 {
		o.fail("tool_choice", "there are no tools")
	}
	if c.Choice == service.ToolNamed && !slices.ContainsFunc(all, func(t tool) bool { return t.Function.Name == c.Function }) {
		o.fail("tool_choice", "there is no tool %q", clip(c.Function))
	}
	if len(all) > 0 {
		c.Tools = marshal(all)
	}
}

// besideTools returns what holds the text of an answer that may call tools. Where it has
// to call, there is no text. Where it may, a grammar would forbid the model its own way to
// call, and tools would be offered in vain.
func besideTools(o *object, name string, c *service.Chat, g *guest.Grammar) *guest.Grammar {
	switch {
	case c.Choice == service.ToolRequired || c.Choice == service.ToolNamed:
		return nil
	case g != nil && c.Choice == service.ToolAuto && len(c.Tools) > 0:
		o.fail(name, "an answer that is held to a grammar cannot call tools: tool_choice has to be none, required or a function")
	}
	return g
}

// choiceNamed returns the choice that a word stands for.
func choiceNamed(word string) service.ToolChoice {
	switch word {
	case "none":
		return service.ToolNone
	case "required":
		return service.ToolRequired
	}
	return service.ToolAuto
}

// readFunctionChoice reads the older function_call.
func readFunctionChoice(o *object, c *service.Chat) {
	if raw := o.members["function_call"]; len(raw) > 0 && raw[0] == '{' {
		f := o.object("function_call")
		if f == nil {
			return
		}
		c.Choice, c.Function = service.ToolNamed, f.text("name", 256)
		f.finish()
		o.adopt(f)
		return
	}
	c.Choice = choiceNamed(o.choice("function_call", "none", "auto"))
}

// readToolChoice reads tool_choice, and returns the tools that it leaves.
func readToolChoice(o *object, l Limits, c *service.Chat, all []tool) []tool {
	const name = "tool_choice"
	if raw := o.members[name]; len(raw) == 0 || raw[0] != '{' {
		c.Choice = choiceNamed(o.choice(name, "none", "auto", "required"))
		return all
	}
	t := o.object(name)
	if t == nil {
		return all
	}
	defer func() {
		t.finish()
		o.adopt(t)
	}()
	switch kind := t.choice("type", "function", "allowed_tools"); kind {
	case "allowed_tools":
		inner := t.object("allowed_tools")
		if inner == nil {
			t.fail("allowed_tools", "is missing")
			return all
		}
		all = allowed(inner, l, c, all)
		t.adopt(inner)
	default:
		c.Choice = service.ToolNamed
		f := t.object("function")
		if f == nil {
			t.fail("function", "is missing")
			return all
		}
		c.Function = f.text("name", 256)
		f.finish()
		t.adopt(f)
	}
	return all
}

// allowed leaves the tools that are allowed.
func allowed(o *object, l Limits, c *service.Chat, all []tool) []tool {
	if o.choice("mode", "auto", "required") == "required" {
		c.Choice = service.ToolRequired
	}
	var left []tool
	o.objects("tools", l.Tools, func(t *object) {
		t.choice("type", "function")
		f := t // the name is a member, as the Responses API has it,
		if inner := t.object("function"); inner != nil {
			f = inner // or one of function, as chat has it
		}
		name := f.text("name", 256)
		i := slices.IndexFunc(all, func(t tool) bool { return t.Function.Name == name })
		if i < 0 {
			f.fail("name", "there is no tool %q", clip(name))
		} else {
			left = append(left, all[i])
		}
		f.finish()
		t.adopt(f)
	})
	o.finish()
	return left
}
