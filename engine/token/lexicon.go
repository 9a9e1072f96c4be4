package token

import "sort"

// lexicon finds the longest word of a fixed set at the start of a text. The words are kept sorted
// and the range that shares a prefix with the text is narrowed byte by byte.
type lexicon struct {
	words []string
	ids   []int32
	first [257]int // words that begin with byte b are words[first[b]:first[b+1]]
}

// newLexicon makes a lexicon of the tokens of v that keep accepts.
func newLexicon(v *vocabulary, keep func(Kind) bool) *lexicon {
	l := &lexicon{}
	for id, word := range v.tokens {
		if word != "" && keep(v.kinds[id]) {
			l.ids = append(l.ids, int32(id))
		}
	}
	sort.Slice(l.ids, func(i, j int) bool { return v.tokens[l.ids[i]] < v.tokens[l.ids[j]] })
	l.words = make([]string, len(l.ids))
	for i, id := range l.ids {
		l.words[i] = v.tokens[id]
		l.first[int(l.words[i][0])+1] = i + 1
	}
	for b := 1; b < len(l.first); b++ {
		l.first[b] = max(l.first[b], l.first[b-1])
	}
	return l
}

// longest gives the longest word that text begins with and its length in bytes, or 0.
func (l *lexicon) longest(text string) (id int32, size int) {
	id = none
	l.each(text, func(i int32, n int) { id, size = i, n })
	return id, size
}

// each gives the words that text begins with and their lengths in bytes, the shortest first.
func (l *lexicon) each(text string, word func(id int32, size int)) {
	if text == "" {
		return
	}
	low, high := l.first[text[0]], l.first[int(text[0])+1]
	for depth := 1; low < high; depth++ {
		// words[low:high] begin with text[:depth]; the shortest of them comes first.
		if len(l.words[low]) == depth {
			word(l.ids[low], depth)
			low++
		}
		if depth == len(text) {
			break
		}
		next, span := text[depth], l.words[low:high]
		from := sort.Search(len(span), func(i int) bool { return span[i][depth] >= next })
		to := sort.Search(len(span), func(i int) bool { return span[i][depth] > next })
		low, high = low+from, low+to
	}
}

// find gives the leftmost occurrence of a word in text, the longest where several begin there.
// A size of 0 says that there is none.
func (l *lexicon) find(text string) (id int32, at, size int) {
	if len(l.words) == 0 {
		return none, 0, 0
	}
	for at := range len(text) {
		if l.first[text[at]] == l.first[int(text[at])+1] {
			continue
		}
		if id, size := l.longest(text[at:]); size > 0 {
			return id, at, size
		}
	}
	return none, 0, 0
}
