package grammar_test

import (
	"math/rand/v2"
	"testing"

	"github.com/realm-webgpu/realm/engine/grammar"
	"github.com/realm-webgpu/realm/engine/sample"
)

// bytesVocabulary has a token for each byte, some longer ones, and one that ends a
// text, which is the last.
func bytesVocabulary() *grammar.Vocabulary {
	var pieces []string
	for b := range 256 {
		pieces = append(pieces, string([]byte{byte(b)}))
	}
	pieces = append(pieces, `{"`, `":`, `",`, `"}`, `": "`, "true", "false", "null", "ab", "abc", "  ", "12", "Ă", "", "<end>")
	return grammar.NewVocabularyOf(pieces, []int32{int32(len(pieces) - 1)})
}

// matches reports whether a text is one of the grammar's.
func matches(g *grammar.Grammar, text string) bool {
	m := g.NewMatcher(bytesVocabulary())
	return m.AdvanceText(text) == nil && m.Done()
}

// walk writes a text at random, a token after the other of those that the masks
// allow, and checks each mask against what Advance says of every token. It fails
// where a text cannot go on. After a number of tokens it prefers to end.
func walk(t *testing.T, g *grammar.Grammar, v *grammar.Vocabulary, pieces func(int32) string, seed uint64) string {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 1))
	m := g.NewMatcher(v)
	mask := sample.NewMask(v.Size())
	end := int32(v.Size() - 1)
	text := ""
	for n := 0; n < 400; n++ {
		if err := m.Mask(mask); err != nil {
			t.Fatal(err)
		}
		var allowed []int32
		for id := range int32(v.Size()) {
			if got := m.Allows(id); got != mask.Allows(id) {
				t.Fatalf("behind %q the mask says %t of token %d, Advance %t", text, mask.Allows(id), id, got)
			}
			if mask.Allows(id) {
				allowed = append(allowed, id)
			}
		}
		if len(allowed) == 0 {
			t.Fatalf("nothing may come behind %q", text)
		}
		id := allowed[r.IntN(len(allowed))]
		if n > 60 && mask.Allows(end) {
			id = end
		}
		if n > 60 {
			// What closes a text is short: prefer that.
			for _, try := range []byte{'"', '}', ']'} {
				if mask.Allows(int32(try)) {
					id = int32(try)
				}
			}
			if mask.Allows(end) {
				id = end
			}
		}
		if err := m.Advance(id); err != nil {
			t.Fatal(err)
		}
		if id == end {
			return text
		}
		text += pieces(id)
	}
	return ""
}
