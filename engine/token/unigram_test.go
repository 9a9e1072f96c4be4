package token

import (
	"encoding/binary"
	"errors"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
)

// unigrams is a unigram vocabulary: <s>, </s>, <unk>, and words from id 3 with their scores.
func unigrams(words []string, scores ...float32) header {
	tokens := append([]string{"<s>", "</s>", "<unk>"}, words...)
	kinds := []int64{int64(Control), int64(Control), int64(Unknown)}
	for range words {
		kinds = append(kinds, int64(Normal))
	}
	return header{keyModel: "t5", keyTokens: tokens, keyKinds: kinds, keyScores: append(make([]float32, 3), scores...)}
}

// tableOf builds the table of a character map: every unit is put at the first place that is free.
func tableOf(replacements map[string]string) []int64 {
	const end, replacement = 1 << 8, 1 << 31
	units, used := make([]uint32, 1), map[uint32]bool{0: true}
	var texts []byte
	var place func(node uint32, prefix string)
	place = func(node uint32, prefix string) {
		var next []uint32 // bytes that lead on; 0 is for the replacement
		for from := range replacements {
			switch {
			case from == prefix:
				next = append(next, 0)
			case strings.HasPrefix(from, prefix) && !slices.Contains(next, uint32(from[len(prefix)])):
				next = append(next, uint32(from[len(prefix)]))
			}
		}
		slices.Sort(next)
		children := uint32(1) // exclusive or with the node
		for slices.ContainsFunc(next, func(b uint32) bool { return used[node^children^b] }) {
			children++
		}
		units[node] |= children << 10
		for _, b := range next {
			used[node^children^b] = true
		}
		for _, b := range next {
			at := node ^ children ^ b
			for uint32(len(units)) <= at {
				units = append(units, replacement)
			}
			if b == 0 {
				units[node] |= end
				units[at] = replacement | uint32(len(texts))
				texts = append(append(texts, replacements[prefix]...), 0)
				continue
			}
			units[at] = b
		}
		for _, b := range next {
			if b != 0 {
				place(node^children^b, prefix+string([]byte{byte(b)}))
			}
		}
	}
	place(0, "")
	table := binary.LittleEndian.AppendUint32(nil, uint32(4*len(units)))
	for _, u := range units {
		table = binary.LittleEndian.AppendUint32(table, u)
	}
	var numbers []int64
	for _, b := range append(table, texts...) {
		numbers = append(numbers, int64(int8(b)))
	}
	return numbers
}

func TestUnigram(t *testing.T) {
	const at = 3
	words := unigrams([]string{"▁", "a", "b", "ab", "▁ab", "abc", "é", "▁▁"}, -2, -3, -3, -5, -6, -20, -4, -9)
	mapped := words.with(header{keyCharacterMap: tableOf(map[string]string{"A": "a", "Å": "ab", "Åb": "é", "\t": " ", "\u200b": ""})})
	prefixed := words.with(header{keySpacePrefix: true})
	merged := words.with(header{keySpacePrefix: true, keyMergeSpaces: true})
	custom, id := words.plus("bb", UserDefined)
	for _, test := range []struct {
		name string
		md   header
		text string
		want []int32
	}{
		{"the greatest sum, not the longest token", words, "abab", []int32{at + 3, at + 3}},
		{"a long token where the sum of others is less", unigrams([]string{"a", "b", "ab"}, -1, -1, -3), "ab", []int32{at, at + 1}},
		{"of equals the one whose last token begins first", unigrams([]string{"a", "aa"}, -1, -1), "aaa", []int32{at, at + 1}},
		{"a run of unknown characters is one token", words, "xya日本", []int32{2, at + 1, 2}},
		{"what is before the unknown is kept", words, "abx", []int32{at + 3, 2}},
		{"bytes that are no character", words, "\xffa", []int32{2, at + 1}},
		{"no space goes before the text", words, "ab", []int32{at + 3}},
		{"unless the file says so", prefixed, "ab", []int32{at + 4}},
		{"spaces", words, "a  b", []int32{at + 1, at, at, at + 2}},
		{"spaces that merge", merged, "  a   b  ", []int32{at, at + 1, at, at + 2}},
		{"characters are replaced", mapped, "AB", []int32{at + 1, 2}},
		{"the longest first", mapped, "ÅÅbÅa", []int32{at + 3, at + 6, at + 3, at + 1}},
		{"by a space", mapped, "a\tb", []int32{at + 1, at, at + 2}},
		{"by nothing", mapped, "a\u200bb", []int32{at + 3}},
		{"a token of the user's before all others", custom, "abb", []int32{at + 1, id}},
		{"nothing", merged, "", nil},
		{"nothing but spaces", merged, "  ", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := mustRead(t, test.md).Encode(nil, test.text, Options{}); !slices.Equal(got, test.want) {
				t.Errorf("got %d, want %d", got, test.want)
			}
		})
	}
	tokenizer := mustRead(t, merged)
	if got, want := tokenizer.Encode(nil, "ab", Options{AddSpecial: true}), []int32{at + 4, 1}; !slices.Equal(got, want) {
		t.Errorf("with special tokens: got %d, want %d", got, want)
	}
	if got := tokenizer.Decode([]int32{at + 4, at, at + 1, 1}, DecodeOptions{}); got != "ab a" {
		t.Errorf("decoded %q", got)
	}
}

func TestMalformedUnigrams(t *testing.T) {
	words := unigrams([]string{"a"}, -1)
	table := func(bytes ...int64) header { return words.with(header{keyCharacterMap: bytes}) }
	for _, test := range []struct {
		name string
		md   header
		want error
	}{
		{"no scores", words.with(header{keyScores: nil}), errAbsent},
		{"an infinite score", unigrams([]string{"a"}, float32(math.Inf(-1))), ErrVocabulary},
		{"no unknown token", header{keyModel: "t5", keyTokens: []string{"a", "b"}, keyScores: make([]float32, 2)}, ErrVocabulary},
		{"no token of text", unigrams(nil), ErrVocabulary},
		{"a map that is none", words.with(header{keyCharacterMap: "a"}), errAbsent},
		{"a map of no bytes", table(4, 0, 0, 256), ErrVocabulary},
		{"a short map", table(4, 0, 0), ErrVocabulary},
		{"a map over its end", table(8, 0, 0, 0, 1, 2, 3, 4), ErrVocabulary},
		{"a map of half a unit", table(2, 0, 0, 0, 1, 2, 0), ErrVocabulary},
		{"a replacement without an end", table(4, 0, 0, 0, 1, 2, 3, 4, 'a'), ErrVocabulary},
		{"a long replacement", table(append([]int64{0, 0, 0, 0}, append(slices.Repeat([]int64{'a'}, maxReplacement+1), 0)...)...), ErrVocabulary},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, err := New(test.md); !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
		})
	}
}

// FuzzCharacterMap reads tables that may be anything: what they make of a text is bounded.
func FuzzCharacterMap(f *testing.F) {
	for _, from := range []map[string]string{{"A": "a", "Å": "é"}, {"a": ""}} {
		var table []byte
		for _, n := range tableOf(from) {
			table = append(table, byte(n))
		}
		for text := range maps.Keys(from) {
			f.Add(table, text+"x"+text)
		}
	}
	f.Fuzz(func(t *testing.T, table []byte, text string) {
		var numbers []int64
		for _, b := range table {
			numbers = append(numbers, int64(b))
		}
		m, err := readCharacterMap(header{keyCharacterMap: numbers})
		if err != nil {
			return
		}
		for rest := text; rest != ""; {
			replacement, size := m.replace(rest)
			if size < 1 || size > len(rest) || len(replacement) > maxReplacement {
				t.Fatalf("%q: %d bytes of it become %q", rest, size, replacement)
			}
			rest = rest[size:]
		}
	})
}
