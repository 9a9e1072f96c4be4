package grammar

import (
	"slices"
	"strings"

	"github.com/realm-webgpu/realm/engine/token"
)

// Vocabulary is the tokens that masks are made for: a trie of their bytes. It does
// not change, and may be used by many goroutines.
type Vocabulary struct {
	size   int
	pieces []string // of each token; "" for one that is no text
	ends   []int32  // tokens that end a text
	nodes  []node   // in the order of a walk: each before its children
	tokens []int32  // of nodes, in their order
}

// node is a node of the trie.
type node struct {
	byte  byte
	depth int32 // bytes from the root, its own among them
	after int32 // the node behind its children
	first int32 // its tokens
	last  int32
}

// NewVocabulary makes the trie of a tokenizer's tokens. Control tokens are no text;
// those that end a text are allowed where the grammar may end.
func NewVocabulary(t *token.Tokenizer) *Vocabulary {
	pieces := make([]string, t.Len())
	var ends []int32
	id := make([]int32, 1)
	for i := range pieces {
		id[0] = int32(i)
		switch {
		case t.IsEndOfGeneration(id[0]):
			ends = append(ends, id[0])
		case t.Kind(id[0]) == token.Control, t.Kind(id[0]) == token.Unknown, t.Kind(id[0]) == token.Unused:
		default:
			pieces[i] = t.Decode(id, token.DecodeOptions{Continue: true})
		}
	}
	return NewVocabularyOf(pieces, ends)
}

// NewVocabularyOf makes the trie of tokens by their bytes, "" for those that are no
// text; ends are the ids of those that end one, whatever their bytes.
func NewVocabularyOf(pieces []string, ends []int32) *Vocabulary {
	v := &Vocabulary{size: len(pieces), pieces: pieces, ends: ends}
	order := make([]int32, 0, len(pieces))
	for i, p := range pieces {
		if p != "" && !slices.Contains(ends, int32(i)) {
			order = append(order, int32(i))
		}
	}
	slices.SortStableFunc(order, func(a, b int32) int { return strings.Compare(pieces[a], pieces[b]) })
	v.tokens = order
	v.build(0, len(order), 0)
	return v
}

// Size returns the number of tokens.
func (v *Vocabulary) Size() int { return v.size }

// build adds the nodes of the tokens from first to last, which have depth bytes in
// common.
func (v *Vocabulary) build(first, last, depth int) {
	for first < last {
		b := v.pieces[v.tokens[first]][depth]
		same := first
		for same < last && v.pieces[v.tokens[same]][depth] == b {
			same++
		}
		n := len(v.nodes)
		v.nodes = append(v.nodes, node{byte: b, depth: int32(depth + 1), first: int32(first)})
		longer := first
		for longer < same && len(v.pieces[v.tokens[longer]]) == depth+1 {
			longer++
		}
		v.nodes[n].last = int32(longer)
		v.build(longer, same, depth+1)
		v.nodes[n].after = int32(len(v.nodes))
		first = same
	}
}
