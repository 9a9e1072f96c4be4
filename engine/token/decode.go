package token

import (
	"strings"
	"unicode/utf8"
)

// DecodeOptions say how ids become text.
type DecodeOptions struct {
	// ShowSpecial writes out control tokens, which are left out otherwise.
	ShowSpecial bool
	// Continue says that the ids go on from a text before them. Otherwise the space that Encode
	// puts before a text is taken off.
	Continue bool
}

// Piece gives the bytes that a token stands for, a part of a UTF-8 character perhaps; for a control
// token its name. It is "" for an id out of range.
func (t *Tokenizer) Piece(id int32) string {
	if uint(id) >= uint(len(t.pieces)) {
		return ""
	}
	return t.pieces[id]
}

// text gives what a token adds to a text. first says that no token before it added any.
func (t *Tokenizer) text(id int32, options DecodeOptions, first bool) string {
	if !options.ShowSpecial && !t.Kind(id).isText() {
		return ""
	}
	piece := t.Piece(id)
	if first && !options.Continue && t.spacePrefix && t.Kind(id) == Normal {
		piece = strings.TrimPrefix(piece, " ")
	}
	return piece
}

// Decode gives the text of ids, the inverse of Encode: the bytes come back as they were, be they
// UTF-8 or not, where the vocabulary has a token for every byte. (WordPiece has not.)
func (t *Tokenizer) Decode(ids []int32, options DecodeOptions) string {
	var b strings.Builder
	first := true
	for _, id := range ids {
		b.WriteString(t.text(id, options, first))
		first = first && !t.begins(id, options)
	}
	return b.String()
}

// begins reports whether a token is the text's first, rather than one before it that is not shown.
func (t *Tokenizer) begins(id int32, options DecodeOptions) bool {
	return options.ShowSpecial || t.Kind(id).isText()
}

// Stream decodes a token at a time and gives out whole characters only. It belongs to one
// goroutine.
type Stream struct {
	tokenizer *Tokenizer
	options   DecodeOptions
	first     bool
	pending   []byte // the start of a character
}

// NewStream starts a text.
func (t *Tokenizer) NewStream(options DecodeOptions) *Stream {
	return &Stream{tokenizer: t, options: options, first: true}
}

// Push gives the characters that the token completes, "" while one is unfinished. Bytes that are
// no UTF-8 become U+FFFD each.
func (s *Stream) Push(id int32) string {
	s.pending = append(s.pending, s.tokenizer.text(id, s.options, s.first)...)
	s.first = s.first && !s.tokenizer.begins(id, s.options)
	return s.take(false)
}

// Flush ends the text: what was held back becomes U+FFFD. The stream can then be used again.
func (s *Stream) Flush() string {
	text := s.take(true)
	s.first = true
	return text
}

// take removes the finished characters from what is pending, or all of it.
func (s *Stream) take(all bool) string {
	var b strings.Builder
	rest := s.pending
	for len(rest) > 0 && (all || utf8.FullRune(rest)) {
		r, size := utf8.DecodeRune(rest)
		b.WriteRune(r)
		rest = rest[size:]
	}
	s.pending = append(s.pending[:0], rest...)
	return b.String()
}
