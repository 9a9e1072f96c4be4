package token

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// space is how a SentencePiece vocabulary writes " ": U+2581, lower one eighth block.
const space = "▁"

// sentencePiece splits text the way of SentencePiece's BPE models (Kudo and Richardson 2018,
// https://arxiv.org/abs/1808.06226): symbols start as characters, and the pair whose token has
// the highest score is merged first. A character that no token covers becomes its bytes.
type sentencePiece struct {
	vocab  *vocabulary
	bytes  [256]int32 // <0xXX>
	prefix bool       // text at the start, or after a special token, is read as if after a space
	wordly bool       // no token spans two words, so that words can be merged on their own
}

// newSentencePiece reads what is particular to a vocabulary of this kind. unknown stands for a
// character when the vocabulary lacks bytes too.
func newSentencePiece(md Metadata, v *vocabulary, unknown int32) (*sentencePiece, error) {
	if err := v.readScores(md); err != nil {
		return nil, err
	}
	prefix, err := boolean(md, keySpacePrefix, true)
	if err != nil {
		return nil, err
	}
	s := &sentencePiece{vocab: v, prefix: prefix, wordly: true}
	for b := range s.bytes {
		s.bytes[b] = unknown
		if id, found := v.ids[byteToken(byte(b))]; found {
			s.bytes[b] = id
		}
	}
	for id, token := range v.tokens {
		if v.kinds[id].isWord() && wordEnd(token) < len(token) {
			s.wordly = false
			break
		}
	}
	return s, nil
}

// byteToken is how a SentencePiece vocabulary writes the byte b.
func byteToken(b byte) string { return fmt.Sprintf("<0x%02X>", b) }

// byteOf is the inverse of byteToken.
func byteOf(token string) (byte, bool) {
	var b byte
	if n, err := fmt.Sscanf(token, "<0x%02X>", &b); n != 1 || err != nil || byteToken(b) != token {
		return 0, false
	}
	return b, true
}

// wordEnd gives the length of the first word of text: its spaces and all up to the next space.
func wordEnd(text string) int {
	i := 0
	for strings.HasPrefix(text[i:], space) {
		i += len(space)
	}
	if n := strings.Index(text[i:], space); n >= 0 {
		return i + n
	}
	return len(text)
}

func (s *sentencePiece) encode(dst []int32, text string, afterSpecial bool) []int32 {
	if s.prefix && afterSpecial {
		text = " " + text
	}
	text = strings.ReplaceAll(text, " ", space)
	var m merger
	for len(text) > 0 {
		n := len(text)
		if s.wordly {
			n = wordEnd(text)
		}
		dst = s.word(dst, &m, text[:n])
		text = text[n:]
	}
	return dst
}

// word appends the tokens of a word.
func (s *sentencePiece) word(dst []int32, m *merger, word string) []int32 {
	m.reset(len(word))
	for i := 0; i < len(word); {
		_, size := utf8.DecodeRuneInString(word[i:])
		id, _ := s.vocab.word(word[i : i+size])
		m.add(i, i+size, id)
		i += size
	}
	pair := func(left, right *symbol) (int32, float64, bool) {
		id, found := s.vocab.word(word[left.start:right.end])
		if !found {
			return none, 0, false
		}
		return id, -float64(s.vocab.scores[id]), true
	}
	m.run(pair, func(sym *symbol) {
		if sym.id != none {
			dst = append(dst, sym.id)
			return
		}
		for _, b := range []byte(word[sym.start:sym.end]) {
			if id := s.bytes[b]; id != none {
				dst = append(dst, id)
			}
		}
	})
	return dst
}

// unescapeSpaces gives the text of a token in which spaces are written as SentencePiece does.
func unescapeSpaces(token string) string { return strings.ReplaceAll(token, space, " ") }

// piece gives the text that a token stands for.
func (s *sentencePiece) piece(token string, kind Kind) string {
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
