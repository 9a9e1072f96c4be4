package token

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"unicode/utf8"
)

// maxReplacement bounds the bytes that a character map puts in place of some of a text's. NFKC's
// longest, of U+FDFA, has 33.
const maxReplacement = 256

// characterMap replaces prefixes of a text as SentencePiece's normaliser does
// (https://github.com/google/sentencepiece/blob/master/src/normalizer.cc). The table is a trie in a
// double array (Yata et al. 2007, https://github.com/s-yata/darts-clone) and, behind it, the
// replacements, each ended by a zero. In GGUF it is tokenizer.ggml.precompiled_charsmap:
//
//	offset  bytes
//	0       4      u32 bytes of the array
//	4       ...    u32 units of the array
//	...     ...    replacements
//
// A unit has the byte that leads to it in bits 0 to 7, whether a prefix ends there in bit 8, and
// in bits 10 to 30 how far its children are, times 256 where bit 9 is set. A unit with bit 31 has
// the place of a replacement in the other bits.
type characterMap struct {
	units        []uint32
	replacements string
}

// readCharacterMap reads the map of a file; one without changes nothing.
func readCharacterMap(md Metadata) (*characterMap, error) {
	if !md.Has(keyCharacterMap) {
		return &characterMap{}, nil
	}
	numbers, err := md.Ints(keyCharacterMap)
	if err != nil {
		return nil, err
	}
	table := make([]byte, len(numbers))
	for i, n := range numbers {
		if n < -128 || n > 255 {
			return nil, fmt.Errorf("%w: element %d of %s is %d, no byte", ErrVocabulary, i, keyCharacterMap, n)
		}
		table[i] = byte(n) // files have them as i8 or as u8
	}
	if len(table) == 0 {
		return &characterMap{}, nil
	}
	if len(table) < 4 {
		return nil, fmt.Errorf("%w: %s has %d bytes", ErrVocabulary, keyCharacterMap, len(table))
	}
	size, rest := uint64(binary.LittleEndian.Uint32(table)), table[4:]
	if size%4 != 0 || size >= uint64(len(rest)) {
		return nil, fmt.Errorf("%w: %s has an array of %d bytes in %d", ErrVocabulary, keyCharacterMap, size, len(rest))
	}
	m := &characterMap{units: make([]uint32, size/4), replacements: string(rest[size:])}
	for i := range m.units {
		m.units[i] = binary.LittleEndian.Uint32(rest[4*i:])
	}
	// So that every place has an end, and a text cannot grow without bound.
	for last := rest[size:]; len(last) > 0; {
		n := bytes.IndexByte(last, 0)
		if n < 0 || n > maxReplacement {
			return nil, fmt.Errorf("%w: %s has a replacement of over %d bytes, or without an end", ErrVocabulary, keyCharacterMap, maxReplacement)
		}
		last = last[n+1:]
	}
	return m, nil
}

// replace gives what the longest prefix of text that the map has is replaced by, and its length in
// bytes. Where it has none, that is the first character itself, or U+FFFD for a byte that is none.
func (m *characterMap) replace(text string) (replacement string, size int) {
	if value, size := m.longest(text); size > 0 {
		replacement := m.replacements[value:]
		return replacement[:strings.IndexByte(replacement, 0)], size
	}
	r, size := utf8.DecodeRuneInString(text)
	if r == utf8.RuneError && size == 1 {
		return "\ufffd", 1
	}
	return text[:size], size
}

// longest gives the place of the replacement of the longest prefix of text in the trie, and its
// length in bytes, or 0. What leads out of the array leads nowhere.
func (m *characterMap) longest(text string) (value, size int) {
	const end, far, replacement = 1 << 8, 1 << 9, 1 << 31
	unit := func(at uint32) uint32 {
		if uint64(at) >= uint64(len(m.units)) {
			return replacement
		}
		return m.units[at]
	}
	children := func(u uint32) uint32 { return u >> 10 << (u & far >> 6) }
	at := children(unit(0))
	for i := range len(text) {
		if text[i] == 0 {
			break
		}
		at ^= uint32(text[i])
		u := unit(at)
		if u&(replacement|0xFF) != uint32(text[i]) {
			break
		}
		at ^= children(u)
		if u&end == 0 {
			continue
		}
		if v := unit(at) &^ replacement; uint64(v) < uint64(len(m.replacements)) {
			value, size = int(v), i+1
		}
	}
	return value, size
}
