package grammar_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/realm-webgpu/realm/engine/gguf"
	"github.com/realm-webgpu/realm/engine/grammar"
	"github.com/realm-webgpu/realm/engine/sample"
	"github.com/realm-webgpu/realm/engine/token"
)

// realVocabulary has the 128,256 tokens of llama-bpe.
const realVocabulary = "../../../shared/vocab/ggml-vocab-llama-bpe.gguf"

// benchVocabularies are that of a real model, where it is there, and one of as many
// tokens at random.
func benchVocabularies(b *testing.B) map[string]*grammar.Vocabulary {
	r := rand.New(rand.NewPCG(1, 2))
	const letters = "etaoinshrdlcumwfgypbvk ,.:{}[]\"0123456789ETAOINSHRDLCUMWFGYPBVK\n\t-_éüж中"
	runes := []rune(letters)
	pieces := make([]string, 0, 128<<10)
	for i := range 256 {
		pieces = append(pieces, string([]byte{byte(i)}))
	}
	for len(pieces) < 128<<10 {
		piece := ""
		for range 2 + r.IntN(9) {
			piece += string(runes[r.IntN(len(runes))])
		}
		pieces = append(pieces, piece)
	}
	all := map[string]*grammar.Vocabulary{"random-131072": grammar.NewVocabularyOf(pieces, []int32{0})}
	if _, err := os.Stat(realVocabulary); err != nil {
		b.Log("NOT MEASURED with a real vocabulary: there is no ../shared beside the module")
		return all
	}
	f, err := gguf.Open(realVocabulary)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	tokens, err := token.New(f)
	if err != nil {
		b.Fatal(err)
	}
	all["llama-bpe-128256"] = grammar.NewVocabulary(tokens)
	return all
}

// benchSchema is of the kind that tools have.
const benchSchema = `{"type":"object","properties":{
	"name":{"type":"string","maxLength":40},
	"age":{"type":"integer","minimum":0,"maximum":150},
	"kind":{"enum":["cat","dog","catfish"]},
	"tags":{"type":"array","items":{"type":"string"},"maxItems":8},
	"born":{"type":"string","format":"date"},
	"at":{"anyOf":[{"type":"null"},{"type":"object","properties":{"x":{"type":"number"},"y":{"type":"number"}},"required":["x","y"],"additionalProperties":false}]}
},"required":["name","age","kind"],"additionalProperties":false}`

// BenchmarkMask writes texts at random, a token after the other, with a mask for
// each. It reports the mean time of a mask with a grammar that has just been
// compiled, and that of the slowest one.
func BenchmarkMask(b *testing.B) {
	for name, v := range benchVocabularies(b) {
		for _, kind := range []string{"schema", "any-json", "regex", "ebnf"} {
			b.Run(fmt.Sprintf("%s/%s", name, kind), func(b *testing.B) {
				r := rand.New(rand.NewPCG(3, 4))
				mask := sample.NewMask(v.Size())
				masks, spent, slowest := 0, time.Duration(0), time.Duration(0)
				for b.Loop() {
					g := benchGrammar(b, kind)
					for range 4 {
						m := g.NewMatcher(v)
						for range 100 {
							start := time.Now()
							if err := m.Mask(mask); err != nil {
								b.Fatal(err)
							}
							took := time.Since(start)
							spent, slowest, masks = spent+took, max(slowest, took), masks+1
							id, ok := pick(r, mask, v.Size())
							if !ok || m.Advance(id) != nil {
								break
							}
						}
					}
				}
				b.ReportMetric(float64(spent.Microseconds())/float64(masks), "µs/mask")
				b.ReportMetric(float64(slowest.Microseconds()), "µs/slowest")
			})
		}
	}
}

// pick returns one of the tokens that a mask allows, found from a place at random on.
func pick(r *rand.Rand, mask sample.Mask, size int) (int32, bool) {
	from := r.IntN(size)
	for i := range size {
		if id := int32((from + i) % size); mask.Allows(id) {
			return id, true
		}
	}
	return 0, false
}

func benchGrammar(b *testing.B, kind string) *grammar.Grammar {
	var g *grammar.Grammar
	var err error
	switch kind {
	case "schema":
		g, err = grammar.ParseSchema([]byte(benchSchema), grammar.SchemaOptions{})
	case "any-json":
		g, err = grammar.ParseSchema([]byte(`{}`), grammar.SchemaOptions{})
	case "regex":
		g, err = grammar.ParseRegex(`([A-Z][a-z]+ ){2,5}\(\d{4}-\d{2}-\d{2}\): .{0,80}`)
	case "ebnf":
		g, err = grammar.ParseEBNF("root ::= (expr \"=\" ws term \"\\n\")+\nexpr ::= term ([-+*/] term)*\nterm ::= ident | num | \"(\" ws expr \")\" ws\nident ::= [a-z] [a-z0-9_]* ws\nnum ::= [0-9]+ ws\nws ::= [ \\t\\n]*")
	}
	if err != nil {
		b.Fatal(err)
	}
	return g
}
