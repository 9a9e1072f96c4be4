package grammar_test

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/realm-webgpu/realm/engine/grammar"
	"github.com/realm-webgpu/realm/engine/sample"
)

func TestEBNF(t *testing.T) {
	for _, c := range []struct {
		name, text string
		good, bad  []string
	}{
		{"literal", `root ::= "yes"`, []string{"yes"}, []string{"", "ye", "yess", "no"}},
		{"choice", `root ::= "yes" | "no"`, []string{"yes", "no"}, []string{"yesno"}},
		{"escapes", `root ::= "\"\\\n\t\x41\u00e9\U0001F600"`, []string{"\"\\\n\tAé😀"}, nil},
		{"class", `root ::= [a-c] [^a-c] [\]\-x]`, []string{"adx", "b]-", "cé]"}, []string{"aax", "dd]"}},
		{"minus at the end", `root ::= [a-]+`, []string{"a-a"}, []string{"b"}},
		{"any", `root ::= . "x"`, []string{"ax", "éx", "\nx", "😀x"}, []string{"x", "\xffx"}},
		{"repetitions", `root ::= "a"* "b"+ "c"? "d"{2} "e"{1,2} "f"{2,}`,
			[]string{"bddeff", "aabbcddeefff"}, []string{"ddeff", "bdeff", "bddeeeff", "bddef", "bccddeff"}},
		{"brackets", `root ::= ("a" | "b" "c")+`, []string{"a", "bc", "abca"}, []string{"b", "ac"}},
		{"recursion", "root ::= \"(\" root \")\" | \"x\"", []string{"x", "((x))"}, []string{"((x)", "()"}},
		{"rules and comments", "# first\nroot ::= a-b # behind\n\n\na-b ::= \"x\" |\n  \"y\"\n", []string{"x", "y"}, []string{"z"}},
		{"line ends in brackets", "root ::= (\n \"a\"\n \"b\"\n)", []string{"ab"}, nil},
		{"empty", `root ::= "" | "a"`, []string{"", "a"}, nil},
		{"arithmetic", "root ::= (expr \"=\" ws term \"\\n\")+\nexpr ::= term ([-+*/] term)*\nterm ::= ident | num | \"(\" ws expr \")\" ws\nident ::= [a-z] [a-z0-9_]* ws\nnum ::= [0-9]+ ws\nws ::= [ \\t\\n]*",
			[]string{"a+1= 2\n", "(a*b)-3=c\n"}, []string{"a+=1\n", "=1\n"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			g, err := grammar.ParseEBNF(c.text)
			if err != nil {
				t.Fatal(err)
			}
			check(t, g, c.good, c.bad)
		})
	}
}

func check(t *testing.T, g *grammar.Grammar, good, bad []string) {
	t.Helper()
	for _, s := range good {
		if !matches(g, s) {
			t.Errorf("%q is rejected", s)
		}
	}
	for _, s := range bad {
		if matches(g, s) {
			t.Errorf("%q is accepted", s)
		}
	}
}

func TestEBNFErrors(t *testing.T) {
	for _, c := range []struct {
		text string
		kind error
		want string
	}{
		{``, grammar.ErrSyntax, `no rule "root"`},
		{`a ::= "x"`, grammar.ErrSyntax, `no rule "root"`},
		{`root ::= b`, grammar.ErrSyntax, `rule "b" is not defined`},
		{"root ::= \"a\"\nroot ::= \"b\"", grammar.ErrSyntax, "line 2"},
		{`root ::= "a`, grammar.ErrSyntax, "unexpected end"},
		{`root ::= [a`, grammar.ErrSyntax, "unexpected end"},
		{`root ::= ("a"`, grammar.ErrSyntax, "expected )"},
		{`root ::= "\q"`, grammar.ErrSyntax, `unknown escape \q`},
		{`root ::= "a"{3,2}`, grammar.ErrSyntax, "3 to 2"},
		{`root ::= "a"{99999999}`, grammar.ErrLimit, "repetitions"},
		{`root ::= (("a"{16384}){16384})`, grammar.ErrLimit, "states"},
		{`root ::= ("a"?){16384}`, grammar.ErrLimit, "transitions"},
		{`root ::= root "a" | "b"`, grammar.ErrUnsupported, "left recursion"},
		{"root ::= a\na ::= b? a \"x\" | \"y\"\nb ::= \"b\"", grammar.ErrUnsupported, "left recursion"},
		{`root ::= "a" root`, grammar.ErrSyntax, "matches no text"},
		{`root ::= <think>`, grammar.ErrUnsupported, "tokens by name"},
		{`root ::= ` + strings.Repeat("(", 1000), grammar.ErrLimit, "brackets"},
	} {
		_, err := grammar.ParseEBNF(c.text)
		if !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.40q: %v, want %v with %q", c.text, err, c.kind, c.want)
		}
	}
}

// TestRegex compares with Go's own matching.
func TestRegex(t *testing.T) {
	texts := []string{"", "a", "b", "ab", "aab", "abc", "abab", "A", "1", "12", "123", "a1", "é", "éa", "\n", "a\nb", "2024-01-31", "x.y@z.com", "aaaaaaaaaa", " ", "-"}
	for _, text := range []string{
		`a`, `a*`, `(a|b)+`, `[a-c]{2,3}`, `\d+`, `\d{4}-\d{2}-\d{2}`, `(?i)ab?`, `.`, `.*`, `(?s).*`, `[^a]`, `(ab)*`, `a?b?c?`, `\w+@\w+\.com`,
		`^a+$`, `^(a|b)$`, `(?:a|b)c?`, `\p{L}+`, `a{0}`, `[\s-]`, `x.y@z\.com|\n`, `(((a)))`, `a+?b`, `^a|b$`, `^$|^(a|b)+$`, `a(b|$)`, `(^|a)b`, `(a?){20}b`, `$^`,
	} {
		g, err := grammar.ParseRegex(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		want := regexp.MustCompile(`\A(?:` + text + `)\z`)
		for _, s := range texts {
			if matches(g, s) != want.MatchString(s) {
				t.Errorf("%q on %q: %t", text, s, !want.MatchString(s))
			}
		}
	}
}

func TestRegexErrors(t *testing.T) {
	for text, kind := range map[string]error{
		`(a`: grammar.ErrSyntax, `a\b`: grammar.ErrUnsupported, `(?=a)b`: grammar.ErrUnsupported, `(?<!a)b`: grammar.ErrUnsupported,
		`a^b`: grammar.ErrSyntax, `(?m)^a`: grammar.ErrUnsupported, `(a)\1`: grammar.ErrSyntax, `a{1001}`: grammar.ErrLimit, `[^\x00-\x{10FFFF}]`: grammar.ErrSyntax,
	} {
		if _, err := grammar.ParseRegex(text); !errors.Is(err, kind) {
			t.Errorf("%q: %v, want %v", text, err, kind)
		}
	}
}

func TestMatcher(t *testing.T) {
	g, err := grammar.ParseEBNF(`root ::= "abc" | "abd"+`)
	if err != nil {
		t.Fatal(err)
	}
	v := bytesVocabulary()
	end := int32(v.Size() - 1)
	m := g.NewMatcher(v)
	if forced := m.Forced(); forced != "ab" {
		t.Errorf("%q is forced, want ab", forced)
	}
	if err := m.Advance(end); !errors.Is(err, grammar.ErrRejected) {
		t.Errorf("ended at once: %v", err)
	}
	for _, b := range "ab" {
		if err := m.Advance(int32(b)); err != nil {
			t.Fatal(err)
		}
	}
	fork := m.Fork()
	if err := m.Advance('c'); err != nil || !m.Done() {
		t.Errorf("%v, done %t", err, m.Done())
	}
	if err := m.Advance('c'); !errors.Is(err, grammar.ErrRejected) {
		t.Errorf("went on: %v", err)
	}
	if err := m.Advance(end); err != nil {
		t.Fatal(err)
	}
	mask := sample.NewMask(v.Size())
	if err := m.Mask(mask); err != nil || mask.Allows(end) {
		t.Errorf("behind the end: %v, end allowed %t", err, mask.Allows(end))
	}
	if err := m.Rollback(2); err != nil || !m.Allows('d') || m.Done() {
		t.Errorf("rolled back: %v, d allowed %t, done %t", err, m.Allows('d'), m.Done())
	}
	if err := m.Rollback(3); !errors.Is(err, grammar.ErrRewind) {
		t.Errorf("rolled back past the beginning: %v", err)
	}
	if !fork.Allows('c') || !fork.Allows('d') || fork.Allows('a') {
		t.Error("the fork is not where it was made")
	}
	if err := m.Mask(mask[:1]); !errors.Is(err, sample.ErrSize) {
		t.Errorf("mask of another size: %v", err)
	}
}

func TestBuilders(t *testing.T) {
	number, err := grammar.ParseRegex(`[0-9]+`)
	if err != nil {
		t.Fatal(err)
	}
	open, _ := grammar.Literal("<call>")
	shut, _ := grammar.Literal("</call>")
	one, err := grammar.Sequence(open, number, shut)
	if err != nil {
		t.Fatal(err)
	}
	many, err := grammar.Repeat(one, 1, 2)
	if err != nil {
		t.Fatal(err)
	}
	either, err := grammar.Choice(many, grammar.AnyObject())
	if err != nil {
		t.Fatal(err)
	}
	check(t, either, []string{"<call>12</call>", "<call>1</call><call>2</call>", `{"a": [1, {}]}`},
		[]string{"", "<call></call>", "<call>1</call><call>2</call><call>3</call>", "[]"})
}

// TestHostile has grammars that are ambiguous without end.
func TestHostile(t *testing.T) {
	for _, text := range []string{
		`root ::= (("a"*)*)*`, `root ::= ("a"? "a"?)* "b"`, "root ::= a a a a | a\na ::= \"a\" | \"a\" a | \"\"",
		`root ::= ((("" | "a") ("" | "a"))*)+ "c"`, "root ::= \"a\" root \"a\" | \"a\" root | root2\nroot2 ::= \"a\"*",
	} {
		g, err := grammar.ParseEBNF(text)
		if err != nil {
			if !errors.Is(err, grammar.ErrUnsupported) && !errors.Is(err, grammar.ErrLimit) {
				t.Errorf("%q: %v", text, err)
			}
			continue
		}
		m := g.NewMatcher(bytesVocabulary())
		mask := sample.NewMask(bytesVocabulary().Size())
		for range 3000 {
			if err := m.Advance('a'); err != nil {
				if !errors.Is(err, grammar.ErrLimit) {
					t.Errorf("%q: %v", text, err)
				}
				break
			}
			if err := m.Mask(mask); err != nil && !errors.Is(err, grammar.ErrLimit) {
				t.Errorf("%q: %v", text, err)
			}
		}
	}
}
