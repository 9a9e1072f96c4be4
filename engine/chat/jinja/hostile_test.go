package jinja

import (
	"errors"
	"strings"
	"testing"
)

// Templates that would not end, or would take all memory or stack, are stopped.
func TestLimits(t *testing.T) {
	deep := func(open, middle, end string, n int) string {
		return strings.Repeat(open, n) + middle + strings.Repeat(end, n)
	}
	for _, test := range []struct{ name, source string }{
		{"nested loops", "{% for a in range(100000) %}{% for b in range(100000) %}{% for c in range(100000) %}{% endfor %}{% endfor %}{% endfor %}"},
		{"nested loops that write", "{% for a in range(100000) %}{% for b in range(100000) %}0123456789abcdef0123456789abcdef0123456789abcdef{% endfor %}{% endfor %}"},
		{"a large range", "{{ range(10 ** 9) }}"},
		{"a large range upwards in large steps", "{{ range(-9223372036854775807, 9223372036854775807, 2) }}"},
		{"string doubling", "{% set ns = namespace(x='ab') %}{% for i in range(99) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}"},
		{"string doubling by addition", "{% set ns = namespace(x='ab') %}{% for i in range(99) %}{% set ns.x = ns.x + ns.x %}{% endfor %}"},
		{"list doubling", "{% set ns = namespace(x=[1]) %}{% for i in range(99) %}{% set ns.x = ns.x + ns.x %}{% endfor %}"},
		{"doubling in a block", "{% set ns = namespace(x='ab') %}{% for i in range(99) %}{% set y %}{{ ns.x }}{{ ns.x }}{% endset %}{% set ns.x = y %}{% endfor %}"},
		{"repetition", "{{ 'ab' * 10 ** 9 }}"},
		{"repetition beyond an integer", "{{ 'ab' * 9223372036854775807 }}"},
		{"list repetition", "{{ [1] * 9223372036854775807 }}"},
		{"an integer too large", "{{ 9223372036854775807 + 1 }}"},
		{"a power too large", "{{ 7 ** 999999999 }}"},
		{"replacement", "{% set a = 'a' * 100000 %}{{ a.replace('a', a) }}"},
		{"replacement of nothing", "{% set a = 'a' * 100000 %}{{ a.replace('', a) }}"},
		{"joining", "{% set a = 'a' * 100000 %}{{ a.join(a|list) }}"},
		{"an indent", "{{ 'a'|indent(999999999, true) }}"},
		{"many indents", "{{ ('\n' * 10000000)|indent(100, true, true) }}"},
		{"a JSON indent", "{{ [1]|tojson(indent=99999) }}"},
		{"printing a shared value", "{% set ns = namespace(x=[1]) %}{% for i in range(60) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x }}"},
		{"JSON of a shared value", "{% set ns = namespace(x={}) %}{% for i in range(60) %}{% set ns.x = {'a': ns.x, 'b': ns.x} %}{% endfor %}{{ ns.x|tojson }}"},
		{"comparing shared values", "{% set ns = namespace(x=[1], y=[1]) %}{% for i in range(60) %}{% set ns.x = [ns.x, ns.x] %}{% set ns.y = [ns.y, ns.y] %}{% endfor %}{{ ns.x == ns.y }}"},
		{"a value nested deep", "{% set ns = namespace(x=[]) %}{% for i in range(9999) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x }}"},
		{"a search again and again", "{% set a = 'a' * 1000000 %}{% for i in range(100000) %}{% if 'b' in a %}{% endif %}{% endfor %}"},
		{"a macro that calls itself", "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}"},
		{"a macro that calls itself twice", "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(60) }}"},
		{"a macro that calls itself as a default", "{% macro f(a=f()) %}{% endmacro %}{{ f() }}"},
		{"deep parentheses", "{{ " + deep("(", "1", ")", 100000) + " }}"},
		{"deep lists", "{{ " + deep("[", "", "]", 100000) + " }}"},
		{"deep dicts", "{{ " + deep("{1:", "1", "}", 100000) + " }}"},
		{"deep negation", "{{ " + deep("not ", "1", "", 100000) + " }}"},
		{"deep signs", "{{ " + deep("- ", "1", "", 100000) + " }}"},
		{"deep conditions", "{{ " + deep("1 if 1 else ", "1", "", 100000) + " }}"},
		{"a long sum", "{{ " + deep("1 + ", "1", "", 100000) + " }}"},
		{"a long chain of filters", "{{ 1" + deep("|string", "", "", 100000) + " }}"},
		{"a long chain of attributes", "{{ a" + deep(".a", "", "", 100000) + " }}"},
		{"a long chain of calls", "{{ a" + deep("()", "", "", 100000) + " }}"},
		{"deep tags", deep("{% if 1 %}", "", "{% endif %}", 20000)},
		{"deep calls of deep macros", "{% macro f() %}" + deep("{% if 1 %}", "{{ f() }}", "{% endif %}", 200) + "{% endmacro %}{{ f() }}"},
		{"a long template", strings.Repeat(" ", maxSource+1)},
	} {
		t.Run(test.name, func(t *testing.T) {
			if out, err := render(test.source, nil); !errors.Is(err, ErrLimit) {
				t.Errorf("got %d bytes and %v", len(out), err)
			}
		})
	}
}

// What is wide rather than deep is no harm.
func TestLongTemplates(t *testing.T) {
	for _, source := range []string{
		strings.Repeat("{{ 1 }}", 50000),
		"{{ [" + strings.Repeat("1,", 50000) + "]|length }}",
		"{{ 1" + strings.Repeat(" ~ 1", 50000) + " }}",
		strings.Repeat("{% if 0 %}{% endif %}", 20000),
		"{% if 0 %}" + strings.Repeat("{% elif 0 %}", 50000) + "{% endif %}",
		strings.Repeat("{ ", 100000),
		"{% raw %}" + strings.Repeat("{%", 300000) + "{% endraw %}",
		strings.Repeat("{# #}", 100000),
		strings.Repeat("{% filter upper %}{% endfilter %}", 20000),
	} {
		if _, err := render(source, nil); err != nil {
			t.Errorf("%.30s...: %v", source, err)
		}
	}
}

func TestOutputLimit(t *testing.T) {
	template, err := Parse("{% for i in range(10) %}0123456789{% endfor %}")
	if err != nil {
		t.Fatal(err)
	}
	limits := DefaultLimits()
	for limits.Output = 99; limits.Output <= 100; limits.Output++ {
		if _, err := template.Render(nil, limits); (err == nil) != (limits.Output == 100) {
			t.Errorf("100 bytes of %d gave %v", limits.Output, err)
		}
	}
}

func TestErrorsNameTheLine(t *testing.T) {
	for source, want := range map[string]string{
		"a\n{{ b.c }}":                           `jinja: render: line 2: undefined: "b", asked for .c`,
		"{% if 1 %}\n\n{{ 1 + 'a' }}{% endif %}": "jinja: render: line 3: type error: int + str",
		"\n{% nonsense %}":                       `jinja: parse: line 2: syntax error: the tag "nonsense" is unknown or has no place here`,
		"{{ 'a'|nonsense }}":                     "jinja: render: line 1: filter nonsense: syntax error: there is no such filter",
		"{% include '/etc/passwd' %}":            `jinja: parse: line 1: syntax error: the tag "include" is unknown or has no place here`,
	} {
		if _, err := render(source, nil); err == nil || err.Error() != want {
			t.Errorf("%q gave %v", source, err)
		}
	}
}

func FuzzRender(f *testing.F) {
	for _, seed := range []string{
		"{{ a.b[0]|upper }} {% for x in y if x %}{{ loop.index }}{% else %}-{% endfor %}",
		"{%- set ns = namespace(a=1) -%}{% macro m(x, y=2) %}{{ x ~ y }}{% endmacro %}{{ m('z') }}",
		"{% raw %}{{{% endraw %}{# c #}{{ {'a': (1, 2.5e3)}|tojson(indent=2) }}{{ 'é\\n'[::-1] }}",
		"{% set x | trim %} a {% endset %}{{ x is string and not x in y or 1 < 2 ** 3 // 4 }}",
		"{{ 'x'|items }}{{ 1|dictsort }}{{ 'a'|reverse }}{{ n|abs }}",
		"{% generation %}{% filter upper %}{{ y|map(attribute='a')|join(',') }}{% endfilter %}{% endgeneration %}",
	} {
		f.Add(seed)
	}
	variables := decodeVariables(f, []byte(`{"a": {"b": ["x", 1]}, "y": [{"a": "1"}, {"a": null}], "n": -3}`))
	f.Fuzz(func(t *testing.T, source string) {
		template, err := Parse(source)
		if err != nil {
			return
		}
		limits := Limits{Steps: 10_000, Bytes: 1 << 20, Output: 1 << 16}
		if out, err := template.Render(variables, limits); err == nil && len(out) > limits.Output {
			t.Fatalf("%d bytes of output", len(out))
		}
	})
}

func FuzzFromJSON(f *testing.F) {
	f.Add([]byte(`{"a": [1, 2.5, "é", null, true, {}], "b": 99999999999999999999}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		value, err := FromJSON(text)
		if err != nil {
			return
		}
		template, err := Parse("{{ value|tojson }}")
		if err != nil {
			t.Fatal(err)
		}
		out, err := template.Render(map[string]any{"value": value}, DefaultLimits())
		if err != nil {
			t.Fatal(err)
		}
		again, err := FromJSON([]byte(out))
		if err != nil {
			t.Fatalf("%s came back as %s: %v", text, out, err)
		}
		if equal, err := (&run{limits: DefaultLimits()}).equal(value, again, 0); err != nil || !equal {
			t.Fatalf("%s came back as %s: %v", text, out, err)
		}
	})
}
