package token

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode/utf8"
)

// unknownPenalty is how much less than the rarest token a character without one scores
// (https://github.com/google/sentencepiece/blob/master/src/unigram_model.cc).
const unknownPenalty = 10

// unigram splits text the way of SentencePiece's unigram models (Kudo 2018,
// https://arxiv.org/abs/1804.10959): of all ways to cover the normalised text with tokens, the one
// with the greatest sum of scores, which are logarithms of probabilities. It is the vocabulary of
// T5, of XLM-RoBERTa and of the embedding models made from it, such as BGE-M3 and E5.
type unigram struct {
	vocab      *vocabulary
	tokens     *lexicon
	characters *characterMap
	unknown    int32 // stands for a run of characters that no token covers
	penalty    float64
	prefix     bool // a text begins with a space
	merge      bool // spaces that follow a space are dropped, and those at the end
}

// newUnigram reads what is particular to a vocabulary of this kind.
func newUnigram(md Metadata, v *vocabulary, unknown int32) (*unigram, error) {
	if err := v.readScores(md); err != nil {
		return nil, err
	}
	if unknown == none {
		return nil, fmt.Errorf("%w: no token for what is unknown", ErrVocabulary)
	}
	u := &unigram{vocab: v, unknown: unknown}
	var err error
	if u.prefix, err = boolean(md, keySpacePrefix, false); err != nil {
		return nil, err
	}
	if u.merge, err = boolean(md, keyMergeSpaces, false); err != nil {
		return nil, err
	}
	if u.characters, err = readCharacterMap(md); err != nil {
		return nil, err
	}
	u.tokens = newLexicon(v, func(k Kind) bool { return k.isWord() || k == Unused })
	least := math.Inf(1)
	for id, score := range v.scores {
		if v.kinds[id] == Normal {
			least = min(least, float64(score))
		}
	}
	if math.IsInf(least, 1) {
		return nil, fmt.Errorf("%w: no token of text", ErrVocabulary)
	}
	u.penalty = least - unknownPenalty
	return u, nil
}

func (u *unigram) encode(dst []int32, text string, _ bool) []int32 {
	text = u.normalise(text)
	// best[i] is the best way to cover text[:i], by its last token.
	type step struct {
		score    float64
		id, size int32
	}
	best := make([]step, len(text)+1)
	for i := 1; i < len(best); i++ {
		best[i].score = math.Inf(-1)
	}
	for at := 0; at < len(text); {
		offer := func(id int32, size int, score float64) {
			if score += best[at].score; score > best[at+size].score {
				best[at+size] = step{score, id, int32(size)}
			}
		}
		_, character := utf8.DecodeRuneInString(text[at:])
		covered := false
		u.tokens.each(text[at:], func(id int32, size int) {
			covered = covered || size == character
			score := float64(u.vocab.scores[id])
			if u.vocab.kinds[id] == UserDefined {
				score = 0 // before all others
			}
			offer(id, size, score)
		})
		if !covered {
			offer(u.unknown, character, u.penalty)
		}
		at += character
	}
	// From the end to the beginning, a run of unknown characters as one.
	start := len(dst)
	for at := len(text); at > 0; at -= int(best[at].size) {
		if id := best[at].id; id != u.unknown || len(dst) == start || dst[len(dst)-1] != id {
			dst = append(dst, id)
		}
	}
	slices.Reverse(dst[start:])
	return dst
}

// normalise replaces characters as the model was trained on them, and writes spaces as tokens do.
func (u *unigram) normalise(text string) string {
	var b strings.Builder
	inWord, begun := false, false
	for text != "" {
		replacement, size := u.characters.replace(text)
		text = text[size:]
		for i := range len(replacement) {
			if replacement[i] == ' ' {
				inWord = false
				if !u.merge {
					b.WriteString(space)
				}
				continue
			}
			if !inWord && (u.merge || u.prefix && !begun) {
				b.WriteString(space)
				begun = true
			}
			inWord = true
			b.WriteByte(replacement[i])
		}
	}
	return b.String()
}

// piece gives the text that a token stands for.
func (u *unigram) piece(token string, kind Kind) string {
	switch kind {
	case Normal:
		return unescapeSpaces(token)
	case Byte:
		if b, ok := byteOf(token); ok {
			return string([]byte{b})
		}
	}
	return token
}
