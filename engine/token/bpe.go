package token

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// bytePair splits text the way of GPT-2's byte-level BPE (Radford et al. 2019,
// https://github.com/openai/gpt-2/blob/master/src/encoder.py): a pre-tokenizer cuts the text into
// words, a word starts as its bytes, and the pair that comes first in the list of merges is merged
// first.
type bytePair struct {
	pre    preTokenizer
	alpha  *alphabet
	bytes  [256]int32
	merges map[[2]int32]merge
	words  map[string]int32 // whole words that need no merging; nil where the model has no such rule
}

// merge is what two neighbouring tokens become. A lower rank goes first.
type merge struct {
	id, rank int32
}

// newBytePair reads what is particular to a vocabulary of this kind. A byte that it lacks is left
// out of a text, as the models' own tokenizers do: the unknown token that a file may name is there
// for other uses, and is <|endoftext|> in some.
func newBytePair(md Metadata, v *vocabulary, pre preTokenizer) (*bytePair, error) {
	b := &bytePair{pre: pre, alpha: newAlphabet()}
	for i := range b.bytes {
		b.bytes[i], _ = v.word(string(b.alpha.runes[i]))
	}
	list, err := md.Strings(keyMerges)
	if err != nil {
		return nil, err
	}
	b.merges = make(map[[2]int32]merge, len(list))
	var joined []byte
	for rank, line := range list {
		left, right, found := cutMerge(line)
		if !found {
			return nil, fmt.Errorf("%w: merge %d is %.64q", ErrVocabulary, rank, line)
		}
		joined = append(append(joined[:0], left...), right...)
		l, hasLeft := v.ids[left]
		r, hasRight := v.ids[right]
		id, hasBoth := v.ids[string(joined)]
		if !hasLeft || !hasRight || !hasBoth {
			return nil, fmt.Errorf("%w: merge %d, %.64q, names an unknown token", ErrVocabulary, rank, line)
		}
		if _, found := b.merges[[2]int32{l, r}]; !found {
			b.merges[[2]int32{l, r}] = merge{id: id, rank: int32(rank)}
		}
	}
	if pre.wholeWords {
		b.words = make(map[string]int32, len(v.tokens))
		for id, token := range v.tokens {
			if v.kinds[id] == Normal {
				b.words[b.alpha.decode(token)] = int32(id)
			}
		}
	}
	return b, nil
}

// cutMerge splits "left right" at the first space that can be the separator.
func cutMerge(line string) (left, right string, found bool) {
	if line == "" {
		return "", "", false
	}
	left, right, found = strings.Cut(line[1:], " ")
	return line[:1+len(left)], right, found && right != ""
}

func (b *bytePair) encode(dst []int32, text string, _ bool) []int32 {
	var m merger
	for _, word := range b.pre.split(text) {
		if id, found := b.words[word]; found {
			dst = append(dst, id)
			continue
		}
		m.reset(len(word))
		for i := range len(word) {
			m.add(i, i+1, b.bytes[word[i]])
		}
		m.run(b.pair, func(sym *symbol) {
			if sym.id != none {
				dst = append(dst, sym.id)
			}
		})
	}
	return dst
}

func (b *bytePair) pair(left, right *symbol) (int32, float64, bool) {
	m, found := b.merges[[2]int32{left.id, right.id}]
	return m.id, float64(m.rank), found
}

// piece gives the text that a token stands for.
func (b *bytePair) piece(token string, kind Kind) string {
	if kind == Normal {
		return b.alpha.decode(token)
	}
	return token
}

// alphabet writes the 256 bytes as printable characters, as GPT-2's vocabulary does: printable
// Latin-1 as itself, the others as U+0100 and on in their order.
type alphabet struct {
	runes [256]rune
	bytes map[rune]byte
}

func newAlphabet() *alphabet {
	a := &alphabet{bytes: make(map[rune]byte, 256)}
	next := rune(0x100)
	for b := range a.runes {
		r := rune(b)
		if r <= ' ' || 0x7F <= r && r <= 0xA0 || r == 0xAD {
			r = next
			next++
		}
		a.runes[b] = r
		a.bytes[r] = byte(b)
	}
	return a
}

// decode gives the bytes that token is written for. Characters outside the alphabet, which some
// vocabularies have in added tokens, stand for themselves.
func (a *alphabet) decode(token string) string {
	out := make([]byte, 0, len(token))
	for _, r := range token {
		if b, found := a.bytes[r]; found {
			out = append(out, b)
		} else {
			out = utf8.AppendRune(out, r)
		}
	}
	return string(out)
}
