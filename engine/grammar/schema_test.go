package grammar_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/realm-webgpu/realm/engine/grammar"
)

var schemas = []struct {
	name, schema string
	good, bad    []string
}{
	{"anything", `{}`, []string{`1`, `"x"`, `[1, "a"]`, `{"a": {"b": null}}`, `true`, "{\n  \"a\":1\n}"}, []string{``, `{`, `01`, `'a'`, `{"a":1,}`}},
	{"true", `true`, []string{`null`}, nil},
	{"null", `{"type":"null"}`, []string{`null`}, []string{`0`}},
	{"boolean", `{"type":"boolean"}`, []string{`true`, `false`}, []string{`"true"`}},
	{"string", `{"type":"string"}`, []string{`""`, `"aé😀"`, `"\n\"\\\u00e9"`}, []string{`"`, `"\x"`, "\"\n\"", `"\ud800"`}},
	{"lengths", `{"type":"string","minLength":2,"maxLength":3}`, []string{`"ab"`, `"é\n\u0041"`}, []string{`"a"`, `"abcd"`}},
	{"pattern", `{"type":"string","pattern":"^[a-z\"]+$"}`, []string{`"abc"`, `"a\""`}, []string{`""`, `"A"`, `"a""`}},
	{"pattern somewhere", `{"type":"string","pattern":"b+"}`, []string{`"abc"`, `"b"`}, []string{`"ac"`}},
	{"date", `{"type":"string","format":"date"}`, []string{`"2024-02-28"`, `"1999-12-31"`}, []string{`"2024-13-01"`, `"2024-04-31"`, `"24-01-01"`}},
	{"uuid", `{"type":"string","format":"uuid"}`, []string{`"123e4567-e89b-12d3-a456-426614174000"`}, []string{`"123e4567"`}},
	{"ipv4", `{"type":"string","format":"ipv4"}`, []string{`"127.0.0.1"`, `"255.255.255.255"`}, []string{`"256.1.1.1"`, `"01.1.1.1"`}},
	{"email", `{"format":"email","type":"string"}`, []string{`"a.b@c.de"`}, []string{`"a@b"`, `"@c.de"`}},
	{"pattern and lengths", `{"type":"string","pattern":"^[a-z]+$","minLength":2,"maxLength":3}`, []string{`"ab"`, `"abc"`}, []string{`"a"`, `"abcd"`, `"AB"`}},
	{"pattern somewhere and lengths", `{"type":"string","pattern":"é","minLength":2}`, []string{`"éa"`, `"aaé"`}, []string{`"é"`, `"aa"`}},
	{"pattern of alternatives", `{"type":"string","pattern":"^$|^a+$|b$"}`, []string{`""`, `"aa"`, `"xb"`}, []string{`"ab "`, `"x"`}},
	{"pattern of ECMA-262", `{"type":"string","pattern":"^\\S\\s.[\\s\\u00e9\\u{1F600}]\\cA?\\/[[\\S]$"}`,
		[]string{`"a xé/["`, "\"a\u00a0x😀/z\"", "\"a\u2003x\ufeff\\u0001/z\""}, []string{`"\u000b xé/z"`, "\"\u00a0 xé/z\"", "\"a \u2028é/z\"", `"a xé/ "`}},
	{"format and pattern", `{"type":"string","format":"email","pattern":"@example\\.com$"}`, []string{`"a.b@example.com"`}, []string{`"a@b.com"`, `"@example.com"`}},
	{"format of others and pattern", `{"type":"string","format":"cuid2","pattern":"^[0-9a-z]{2}$"}`, []string{`"a1"`}, []string{`"A1"`, `"a"`}},
	{"format and lengths", `{"type":"string","format":"uri","minLength":1,"maxLength":2083}`, []string{`"https://example.com/a?b=c#d"`}, []string{`""`, `"x"`}},
	{"integer", `{"type":"integer"}`, []string{`0`, `-12`, `7`}, []string{`01`, `1.5`, `-`}},
	{"number", `{"type":"number"}`, []string{`0`, `-1.5e+3`, `1E9`, `0.001`}, []string{`.5`, `1.`, `+1`}},
	{"range", `{"type":"integer","minimum":-3,"maximum":12}`, []string{`-3`, `-1`, `0`, `9`, `10`, `12`}, []string{`-4`, `13`, `20`, `100`}},
	{"exclusive", `{"type":"integer","exclusiveMinimum":5,"exclusiveMaximum":8}`, []string{`6`, `7`}, []string{`5`, `8`}},
	{"from", `{"type":"integer","minimum":95}`, []string{`95`, `99`, `100`, `123456`}, []string{`94`, `9`, `-95`}},
	{"up to", `{"type":"integer","maximum":-20}`, []string{`-20`, `-21`, `-100`}, []string{`-19`, `0`, `20`}},
	{"fractional bounds", `{"type":"integer","minimum":1.5,"maximum":3.5}`, []string{`2`, `3`}, []string{`1`, `4`}},
	{"number range", `{"type":"number","minimum":0,"exclusiveMaximum":2}`, []string{`0`, `0.5`, `1.99`, `1`}, []string{`2`, `2.0`, `-1`, `-0.5`}},
	{"number between fractions", `{"type":"number","minimum":-0.5,"exclusiveMaximum":9.25}`,
		[]string{`-0.5`, `-0.50`, `-0.4`, `0`, `0.0`, `0.123`, `9`, `9.2`, `9.2499`, `9.0`}, []string{`-0.51`, `-1`, `9.25`, `9.250`, `9.3`, `10`, `.5`, `00.5`, `9.`}},
	{"multiples", `{"type":"integer","multipleOf":5,"minimum":-7,"exclusiveMaximum":100}`, []string{`-5`, `0`, `5`, `95`}, []string{`-10`, `100`, `7`, `05`, `5.0`}},
	{"multiples of a fraction", `{"type":"number","multipleOf":0.25,"minimum":0,"maximum":10}`, []string{`0`, `0.25`, `2.5`, `10`}, []string{`0.3`, `10.25`, `-0.25`}},
	{"whole multiples of a fraction", `{"type":"integer","multipleOf":1.5,"exclusiveMinimum":0,"maximum":6}`, []string{`3`, `6`}, []string{`0`, `1.5`, `4`}},
	{"places", `{"type":"number","multipleOf":0.01,"minimum":0}`, []string{`0`, `1.5`, `12.34`, `100`}, []string{`0.001`, `-1`, `1.`, `12.345`}},
	{"number above", `{"type":"number","exclusiveMinimum":1}`, []string{`1.01`, `2`, `100.5`}, []string{`1`, `1.0`, `0.5`}},
	{"enum", `{"enum":["a", 1, null, {"b": [1, 2]}]}`, []string{`"a"`, `1`, `null`, `{"b":[1,2]}`}, []string{`"b"`, `{"b": [1,2]}`}},
	{"enum with a type", `{"type":"string","enum":["a", 1]}`, []string{`"a"`}, []string{`1`}},
	{"const", `{"const":"x\"y"}`, []string{`"x\"y"`}, []string{`"xy"`}},
	{"object", `{"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"string"}},"required":["a"],"additionalProperties":false}`,
		[]string{`{"a":1}`, `{"a": 1, "b": "x"}`, "{\n  \"a\": 1\n}"}, []string{`{}`, `{"b":"x"}`, `{"b":"x","a":1}`, `{"a":1,"c":2}`, `{"a":1,}`, `{"a":"x"}`}},
	{"optional members", `{"properties":{"a":{"const":1},"b":{"const":2},"c":{"const":3}},"additionalProperties":false}`,
		[]string{`{}`, `{"a":1}`, `{"b":2}`, `{"a":1,"c":3}`, `{"a":1,"b":2,"c":3}`, `{"b":2,"c":3}`}, []string{`{,"b":2}`, `{"c":3,"a":1}`}},
	{"additional", `{"type":"object","properties":{"a":{"const":1}},"additionalProperties":{"type":"boolean"}}`,
		[]string{`{}`, `{"a":1}`, `{"b":true}`, `{"a":1,"aa":false,"":true}`}, []string{`{"b":1}`, `{"a":true}`, `{"b":true,"a":true}`}},
	{"additional alone", `{"additionalProperties":{"type":"integer"},"minProperties":1,"maxProperties":2}`,
		[]string{`{"x":1}`, `{"x":1,"y":2}`}, []string{`{}`, `{"x":1,"y":2,"z":3}`, `{"x":"y"}`}},
	{"names of any text", `{"type":"object","propertyNames":{"type":"string"},"additionalProperties":{"const":1}}`, []string{`{}`, `{"x":1}`}, []string{`{"x":2}`}},
	{"names of a list", `{"type":"object","propertyNames":{"type":"string","enum":["a","b"]},"additionalProperties":{"const":1},"required":["b"]}`,
		[]string{`{"b":1}`, `{"a":1,"b":1}`}, []string{`{}`, `{"a":1}`, `{"b":1,"c":1}`, `{"b":2}`}},
	{"names of a pattern", `{"propertyNames":{"pattern":"^k"},"additionalProperties":{"const":1},"minProperties":1}`, []string{`{"k":1}`, `{"k1":1, "kk":1}`}, []string{`{}`, `{"a":1}`, `{"k":1,"a":1}`}},
	{"no such members", `{"type":"object","properties":{"a":{"const":1},"b":false,"c":{"not":{}}},"additionalProperties":{"not":true}}`, []string{`{}`, `{"a":1}`}, []string{`{"b":1}`, `{"c":1}`, `{"d":1}`}},
	{"no such members among others", `{"type":"object","properties":{"b":false},"additionalProperties":{"const":1}}`, []string{`{}`, `{"a":1}`}, []string{`{"b":1}`}},
	{"array", `{"type":"array","items":{"type":"integer"}}`, []string{`[]`, `[1]`, `[1, 2,3]`}, []string{`[1,]`, `["a"]`}},
	{"array lengths", `{"type":"array","items":{"const":1},"minItems":2,"maxItems":3}`, []string{`[1,1]`, `[1,1,1]`}, []string{`[]`, `[1]`, `[1,1,1,1]`}},
	{"tuple", `{"type":"array","prefixItems":[{"const":1},{"const":"a"}],"items":false,"minItems":1}`, []string{`[1]`, `[1,"a"]`}, []string{`[]`, `["a"]`, `[1,"a",2]`}},
	{"tuple and more", `{"prefixItems":[{"const":1}],"items":{"const":2},"minItems":2}`, []string{`[1,2]`, `[1,2,2]`}, []string{`[1]`, `[2,2]`}},
	{"types", `{"type":["integer","null"]}`, []string{`1`, `null`}, []string{`"1"`}},
	{"nullable", `{"type":"string","nullable":true}`, []string{`"a"`, `null`}, []string{`1`}},
	{"anyOf", `{"anyOf":[{"type":"integer"},{"type":"string"}]}`, []string{`1`, `"a"`}, []string{`true`}},
	{"oneOf", `{"oneOf":[{"properties":{"k":{"const":"a"}},"required":["k"]},{"properties":{"k":{"const":"b"},"x":{"type":"integer"}},"required":["k"]}]}`,
		[]string{`{"k":"a"}`, `{"k":"b","x":1}`}, []string{`{"k":"a","x":1}`, `{"k":"c"}`}},
	{"allOf", `{"allOf":[{"properties":{"a":{"const":1}},"required":["a"]},{"properties":{"b":{"const":2}},"required":["b"]}]}`,
		[]string{`{"a":1,"b":2}`}, []string{`{"a":1}`, `{"b":2}`}},
	{"allOf of one", `{"allOf":[{"type":"integer"}]}`, []string{`1`}, []string{`"a"`}},
	{"recursion", `{"$defs":{"tree":{"type":"object","properties":{"v":{"type":"integer"},"kids":{"type":"array","items":{"$ref":"#/$defs/tree"}}},"required":["v"],"additionalProperties":false}},"$ref":"#/$defs/tree"}`,
		[]string{`{"v":1}`, `{"v":1,"kids":[{"v":2,"kids":[]}]}`}, []string{`{"kids":[]}`, `{"v":1,"kids":[1]}`}},
	{"recursion to the whole", `{"type":"array","items":{"$ref":"#"}}`, []string{`[]`, `[[],[[]]]`}, []string{`[1]`}},
	{"annotations of others", `{"type":"string","contentEncoding":"base64","contentMediaType":"a/b","discriminator":{"propertyName":"k"},"x-order":1,"externalDocs":{},"xml":{},"const":"a"}`, []string{`"a"`}, []string{`"b"`}},
	{"annotations", `{"$schema":"x","title":"t","description":"d","default":1,"examples":[1],"type":"integer"}`, []string{`1`}, []string{`"a"`}},
	{"escaped names", `{"properties":{"a\"b":{"const":1}},"required":["a\"b"]}`, []string{`{"a\"b":1}`}, []string{`{}`}},
	{"escaped texts", `{"enum":["\b\f\n\r\t\u0001"]}`, []string{`"\b\f\n\r\t\u0001"`}, []string{`"\u0008\f\n\r\t\u0001"`}},
}

func TestSchema(t *testing.T) {
	for _, c := range schemas {
		t.Run(c.name, func(t *testing.T) {
			g, err := grammar.ParseSchema([]byte(c.schema), grammar.SchemaOptions{})
			if err != nil {
				t.Fatal(err)
			}
			check(t, g, c.good, c.bad)
		})
	}
}

// TestSchemaWalks writes texts at random, which all have to be JSON, with masks
// that agree with Advance on every token.
func TestSchemaWalks(t *testing.T) {
	v := bytesVocabulary()
	names := []string{`{"`, `":`, `",`, `"}`, `": "`, "true", "false", "null", "ab", "abc", "  ", "12", "Ă", ""}
	piece := func(id int32) string {
		if id < 256 {
			return string([]byte{byte(id)})
		}
		return names[id-256]
	}
	ended := 0
	for _, c := range schemas {
		g, err := grammar.ParseSchema([]byte(c.schema), grammar.SchemaOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for seed := range uint64(3) {
			text := walk(t, g, v, piece, seed)
			if text == "" {
				continue // it went on and on
			}
			ended++
			if !json.Valid([]byte(text)) {
				t.Errorf("%s: %q is no JSON", c.name, text)
			}
			if !matches(g, text) {
				t.Errorf("%s: %q does not match", c.name, text)
			}
		}
	}
	if ended < len(schemas) {
		t.Errorf("%d of %d texts came to an end", ended, 3*len(schemas))
	}
}

func TestSchemaErrors(t *testing.T) {
	for _, c := range []struct {
		schema string
		kind   error
		want   string
	}{
		{`{`, grammar.ErrSyntax, ""},
		{`{} {}`, grammar.ErrSyntax, "more than one"},
		{`{"type":"x"}`, grammar.ErrSyntax, `"x" is no type`},
		{`{"type":"object","type":"array"}`, grammar.ErrSyntax, "twice"},
		{`{"properties":{"a":{"not":{"type":"null"}}}}`, grammar.ErrUnsupported, "#/properties/a: not"},
		{`{"patternProperties":{}}`, grammar.ErrUnsupported, "patternProperties"},
		{`{"if":{}}`, grammar.ErrUnsupported, "if"},
		{`{"uniqueItems":true}`, grammar.ErrUnsupported, "uniqueItems"},
		{`{"type":"integer","multipleOf":3}`, grammar.ErrUnsupported, "multipleOf"},
		{`{"type":"integer","multipleOf":5,"minimum":0,"maximum":1000000}`, grammar.ErrLimit, "multiples of 5"},
		{`{"type":"integer","multipleOf":5,"minimum":1,"maximum":4}`, grammar.ErrSyntax, "no multiple"},
		{`{"type":"integer","multipleOf":0,"minimum":1,"maximum":4}`, grammar.ErrUnsupported, "above 0"},
		{`{"type":"integer","multipleOf":"x","minimum":1,"maximum":4}`, grammar.ErrUnsupported, "multipleOf"},
		{`{"type":"number","minimum":1e-7}`, grammar.ErrUnsupported, "minimum"},
		{`{"type":"number","minimum":0.5,"exclusiveMaximum":0.5}`, grammar.ErrSyntax, "no number"},
		{`{"type":"string","format":"iri"}`, grammar.ErrUnsupported, `"iri"`},
		{`{"type":"string","pattern":"^a$","minLength":2}`, grammar.ErrSyntax, "no text"},
		{`{"type":"string","pattern":"^(((a?){30}){30})b$","maxLength":16384}`, grammar.ErrLimit, "transitions"},
		{`{"type":"string","pattern":"` + strings.Repeat("a?", 5000) + `"}`, grammar.ErrLimit, "transitions"},
		{`{"prefixItems":[` + strings.Repeat(`{"type":"string","pattern":"[^a]","minLength":16000,"maxLength":16384},`, 9) + `{}]}`, grammar.ErrLimit, "states"},
		{`{"type":"string","pattern":"a{1001}"}`, grammar.ErrLimit, "pattern"},
		{`{"type":"string","format":"uuid","pattern":"^x"}`, grammar.ErrSyntax, "matches no text"},
		{`{"type":"string","format":"cuid"}`, grammar.ErrUnsupported, `"cuid"`},
		{`{"type":"string","format":"iri","pattern":"a"}`, grammar.ErrUnsupported, `"iri"`},
		{`{"type":"string","pattern":"(?=a)"}`, grammar.ErrUnsupported, "look-around"},
		{`{"type":"string","pattern":"("}`, grammar.ErrSyntax, "pattern"},
		{`{"type":"string","maxLength":100000000}`, grammar.ErrLimit, "maxLength"},
		{`{"oneOf":[{"type":"integer"},{"type":"number"}]}`, grammar.ErrUnsupported, "same value"},
		{`{"oneOf":[{"const":1},{"const":1.0}]}`, grammar.ErrUnsupported, "same value"},
		{`{"oneOf":[{"const":{"a":1,"b":2}},{"const":{"b":2,"a":1}}]}`, grammar.ErrUnsupported, "same value"},
		{`{"oneOf":[{"type":"string","nullable":true},{"type":"null"}]}`, grammar.ErrUnsupported, "same value"},
		{`{"propertyNames":{"pattern":"^a"},"properties":{"a":{}}}`, grammar.ErrUnsupported, "propertyNames"},
		{`{"propertyNames":{"not":{}}}`, grammar.ErrUnsupported, "#/propertyNames: not"},
		{`{"propertyNames":false}`, grammar.ErrSyntax, "propertyNames"},
		{`{"propertyNames":{"enum":["a"]},"required":["b"]}`, grammar.ErrUnsupported, "required"},
		{`{"allOf":[{"type":"integer"},{"minimum":2}]}`, grammar.ErrUnsupported, "allOf"},
		{`{"anyOf":[{"type":"integer"}],"minimum":2}`, grammar.ErrUnsupported, "minimum"},
		{`{"$ref":"#/$defs/x"}`, grammar.ErrSyntax, "is not there"},
		{`{"$ref":"http://x/y"}`, grammar.ErrUnsupported, "http://x/y"},
		{`{"$ref":"#"}`, grammar.ErrUnsupported, "left recursion"},
		{`{"enum":[]}`, grammar.ErrSyntax, "no value"},
		{`false`, grammar.ErrSyntax, "false"},
		{`{"type":"integer","minimum":3,"maximum":2}`, grammar.ErrSyntax, "no number"},
		{strings.Repeat(`{"items":`, 400) + `{}` + strings.Repeat(`}`, 400), grammar.ErrLimit, "deep"},
	} {
		_, err := grammar.ParseSchema([]byte(c.schema), grammar.SchemaOptions{})
		if !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.60s: %v, want %v with %q", c.schema, err, c.kind, c.want)
		}
	}
}

// TestFormats has texts of every format, and some that nearly are.
func TestFormats(t *testing.T) {
	formats := map[string]struct{ good, bad []string }{
		"date":      {[]string{"2024-02-28", "1999-12-31"}, []string{"2024-13-01", "2024-04-31", "2023-02-30", "24-01-01"}},
		"time":      {[]string{"08:30:06Z", "23:59:59.999+02:00"}, []string{"08:30Z", "24:00:00Z", "08:30:06"}},
		"date-time": {[]string{"2024-02-28T08:30:06Z"}, []string{"2024-02-28", "2024-02-28 08:30:06Z"}},
		"duration":  {[]string{"P4DT12H30M5S", "P1Y2M3D", "PT36H", "P2W", "P1D"}, []string{"P", "PT", "P1", "P1Y2D", "PT1H2S", "P1W1D"}},
		"uuid":      {[]string{"123e4567-e89b-12d3-a456-426614174000"}, []string{"123e4567", "123e4567-e89b-12d3-a456-42661417400g"}},
		"email":     {[]string{"a.b@c.de", "x+y@mail.example.com"}, []string{"a@b", "@c.de", "a..b@c.de", ".a@c.de", "a@-c.de", strings.Repeat("a", 65) + "@c.de"}},
		"hostname":  {[]string{"a", "www.example.com", "a-b.c"}, []string{"-a", "a-", "a..b", "a_b", "xn--x", strings.Repeat("a", 64), strings.Repeat("a.", 130) + "a"}},
		"ipv4":      {[]string{"127.0.0.1", "255.255.255.255"}, []string{"256.1.1.1", "01.1.1.1", "1.1.1"}},
		"ipv6":      {[]string{"2001:db8:0:0:0:0:0:1"}, []string{"1:2", "12345:0:0:0:0:0:0:1", "g:0:0:0:0:0:0:1"}},
		"uri":       {[]string{"https://example.com/a?b=c#d", "urn:", "http://a:80"}, []string{"example.com", "http://a b", "https://a:99999"}},
	}
	_, err := grammar.ParseSchema([]byte(`{"type":"string","format":"none"}`), grammar.SchemaOptions{})
	_, known, _ := strings.Cut(err.Error(), "known are ")
	known, _, _ = strings.Cut(known, ")")
	for name := range strings.SplitSeq(known, ", ") {
		f, ok := formats[name]
		g, err := grammar.ParseSchema([]byte(`{"type":"string","format":"`+name+`"}`), grammar.SchemaOptions{})
		if !ok || err != nil {
			t.Errorf("%s: %v, with texts: %t", name, err, ok)
			continue
		}
		delete(formats, name)
		for _, text := range f.good {
			if !matches(g, `"`+text+`"`) {
				t.Errorf("%s: %q is rejected", name, text)
			}
		}
		for _, text := range f.bad {
			if matches(g, `"`+text+`"`) {
				t.Errorf("%s: %q is accepted", name, text)
			}
		}
	}
	if len(formats) > 0 {
		t.Errorf("%v are not known, of %s", formats, known)
	}
}
