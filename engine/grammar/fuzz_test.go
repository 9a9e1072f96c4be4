package grammar_test

import (
	"errors"
	"testing"

	"github.com/realm-webgpu/realm/engine/grammar"
	"github.com/realm-webgpu/realm/engine/sample"
)

// judge holds a grammar, if there is one, to what is true of all: an error is one
// of the package's, a mask agrees with Advance, and a rollback leads back.
func judge(t *testing.T, g *grammar.Grammar, err error, input []byte) {
	if err != nil {
		if !errors.Is(err, grammar.ErrSyntax) && !errors.Is(err, grammar.ErrUnsupported) && !errors.Is(err, grammar.ErrLimit) {
			t.Fatalf("an error of no kind: %v", err)
		}
		return
	}
	v := bytesVocabulary()
	m := g.NewMatcher(v)
	mask, again := sample.NewMask(v.Size()), sample.NewMask(v.Size())
	for i, b := range input {
		if i == 32 {
			break
		}
		if err := m.Mask(mask); err != nil {
			if errors.Is(err, grammar.ErrLimit) {
				return
			}
			t.Fatal(err)
		}
		for id := range int32(v.Size()) {
			if m.Allows(id) != mask.Allows(id) {
				t.Fatalf("token %d: the mask says %t, Advance %t", id, mask.Allows(id), !mask.Allows(id))
			}
		}
		if !mask.Allows(int32(b)) {
			continue
		}
		if err := m.Advance(int32(b)); err != nil {
			t.Fatal(err)
		}
		fork := m.Fork()
		if err := m.Rollback(1); err != nil {
			t.Fatal(err)
		}
		if err := m.Mask(again); err != nil {
			t.Fatal(err)
		}
		for w := range mask {
			if mask[w] != again[w] {
				t.Fatalf("word %d of the mask is %x, and %x behind a rollback", w, mask[w], again[w])
			}
		}
		m = fork
	}
}

func FuzzEBNF(f *testing.F) {
	for _, s := range []string{
		`root ::= "a" | [^b-d]+ "\x41"`, "root ::= x*\nx ::= (\"a\" root \"b\")? \"c\"{2,3}", "root ::= root", `root ::= ("a"*)*`, `root ::= "a"{99999999}`,
	} {
		f.Add(s, []byte("abc"))
	}
	f.Fuzz(func(t *testing.T, text string, input []byte) {
		g, err := grammar.ParseEBNF(text)
		judge(t, g, err, input)
	})
}

func FuzzRegex(f *testing.F) {
	for _, s := range []string{`^a(b|c)*[^\d]{2,5}$`, `(?i)straße|\p{Greek}+`, `((a?)*)*b`, `.{0,1000}x`, `(`, `\bq`} {
		f.Add(s, []byte("abcd"))
	}
	f.Fuzz(func(t *testing.T, text string, input []byte) {
		g, err := grammar.ParseRegex(text)
		judge(t, g, err, input)
	})
}

func FuzzSchema(f *testing.F) {
	for _, c := range schemas {
		f.Add([]byte(c.schema), []byte(c.good[0]))
	}
	f.Fuzz(func(t *testing.T, text, input []byte) {
		g, err := grammar.ParseSchema(text, grammar.SchemaOptions{})
		judge(t, g, err, input)
	})
}
