package token

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// wordPiece splits text the way of BERT (Devlin et al. 2018, https://arxiv.org/abs/1810.04805):
// the text is normalised and cut at spaces and around punctuation, and from the start of a word
// on the longest token that fits is taken. In a GGUF file a token that starts a word begins with
// U+2581, and the others have no mark.
type wordPiece struct {
	tokens    *lexicon
	unknown   int32 // stands for a word that tokens do not cover
	lowercase bool
	strip     bool // accents
}

// newWordPiece reads what is particular to a vocabulary of this kind.
func newWordPiece(md Metadata, v *vocabulary, unknown int32) (*wordPiece, error) {
	lowercase, err := boolean(md, keyLowercase, true)
	if err != nil {
		return nil, err
	}
	strip, err := boolean(md, keyStripAccents, lowercase)
	if err != nil {
		return nil, err
	}
	words := newLexicon(v, Kind.isWord)
	return &wordPiece{tokens: words, unknown: unknown, lowercase: lowercase, strip: strip}, nil
}

func (w *wordPiece) encode(dst []int32, text string, _ bool) []int32 {
	for _, word := range w.words(text) {
		dst = w.word(dst, space+word)
	}
	return dst
}

// word appends the tokens of a word, or the unknown token where they do not cover it.
func (w *wordPiece) word(dst []int32, word string) []int32 {
	start := len(dst)
	for word != "" {
		id, size := w.tokens.longest(word)
		if size == 0 {
			if dst = dst[:start]; w.unknown != none {
				dst = append(dst, w.unknown)
			}
			return dst
		}
		dst, word = append(dst, id), word[size:]
	}
	return dst
}

// words normalises text and cuts it: control characters are dropped, accents and case as the model
// wants it, and punctuation and Chinese characters are words of their own.
func (w *wordPiece) words(text string) []string {
	if w.strip {
		text = norm.NFD.String(text)
	}
	var words []string
	var word strings.Builder
	end := func() {
		if word.Len() > 0 {
			words = append(words, word.String())
			word.Reset()
		}
	}
	for _, r := range text {
		switch {
		case unicode.IsSpace(r):
			end()
		case r == unicode.ReplacementChar, isControl(r), w.strip && unicode.Is(unicode.Mn, r):
		case unicode.IsPunct(r), r < 0x80 && unicode.IsSymbol(r), isChinese(r):
			end()
			words = append(words, string(r))
		default:
			if w.lowercase {
				r = unicode.ToLower(r)
			}
			word.WriteRune(r)
		}
	}
	end()
	return words
}

// isControl reports whether r is a control or a format character, or one of private use. Characters
// that Unicode has not assigned are none of them: they stay, and make a word unknown.
func isControl(r rune) bool { return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Cs) }

// isChinese reports whether BERT takes r for a CJK ideograph,
// https://github.com/google-research/bert/blob/master/tokenization.py.
func isChinese(r rune) bool {
	return 0x4E00 <= r && r <= 0x9FFF || 0x3400 <= r && r <= 0x4DBF ||
		0x20000 <= r && r <= 0x2A6DF || 0x2A700 <= r && r <= 0x2B73F ||
		0x2B740 <= r && r <= 0x2B81F || 0x2B820 <= r && r <= 0x2CEAF ||
		0xF900 <= r && r <= 0xFAFF || 0x2F800 <= r && r <= 0x2FA1F
}

// piece gives the text that a token stands for.
func (w *wordPiece) piece(token string, kind Kind) string {
	if kind == Normal {
		return unescapeSpaces(token)
	}
	return token
}
