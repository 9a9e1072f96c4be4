package token

import (
	"errors"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
)

func TestSentencePiece(t *testing.T) {
	words := sentencePieces("▁", "a", "b", "c", "ab", "bc", "▁ab", "abc", "é", "▁▁")
	const at = 259 // the id of the first word
	for _, test := range []struct {
		name string
		md   header
		text string
		want []int32
	}{
		{"the best score merges first", words, "abc", []int32{at + 6, at + 3}},
		{"a space goes before the text", words, "ab", []int32{at + 6}},
		{"spaces merge", words, "  ab", []int32{at + 9, at + 6}},
		{"and not where the file says no", words.with(header{keySpacePrefix: false}), "abc", []int32{at + 7}},
		{"of equals the leftmost merges first", sentencePieces("a", "aa").with(header{keySpacePrefix: false}), "aaa", []int32{at + 1, at}},
		{"a character of the vocabulary", words.with(header{keySpacePrefix: false}), "é", []int32{at + 8}},
		{"another becomes its bytes", words.with(header{keySpacePrefix: false}), "ü", []int32{3 + 0xC3, 3 + 0xBC}},
		{"as do bytes that are no character", words.with(header{keySpacePrefix: false}), "\xffa\xe2", []int32{3 + 0xFF, at + 1, 3 + 0xE2}},
		{"the text of a byte token is text", words.with(header{keySpacePrefix: false}), "<0x41>",
			[]int32{3 + '<', 3 + '0', 3 + 'x', 3 + '4', 3 + '1', 3 + '>'}},
		{"nothing", words, "", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := mustRead(t, test.md).Encode(nil, test.text, Options{}); !slices.Equal(got, test.want) {
				t.Errorf("got %d, want %d", got, test.want)
			}
		})
	}
}

func TestSentencePieceWithIntegersForScores(t *testing.T) {
	words := sentencePieces("a", "b", "ab", "bc", "c").with(header{keySpacePrefix: false})
	scores := make([]int64, len(words[keyTokens].([]string)))
	scores[259+2], scores[259+3] = -2, -1
	if got, want := mustRead(t, words.with(header{keyScores: scores})).Encode(nil, "abc", Options{}), []int32{259, 259 + 3}; !slices.Equal(got, want) {
		t.Errorf("got %d, want %d", got, want)
	}
}

func TestSentencePieceWithoutBytes(t *testing.T) {
	md := header{keyModel: "llama", keySpacePrefix: false,
		keyTokens: []string{"<unk>", "<s>", "</s>", "a"}, keyScores: make([]float32, 4),
		keyKinds: []int64{int64(Unknown), int64(Control), int64(Control), int64(Normal)}}
	if got, want := mustRead(t, md).Encode(nil, "a?", Options{}), []int32{3, 0}; !slices.Equal(got, want) {
		t.Errorf("got %d, want %d", got, want)
	}
}

// A vocabulary with a token across two words takes the slower way and gives the same ids.
func TestSentencePieceAcrossWords(t *testing.T) {
	plain := sentencePieces("▁", "a", "b", "▁a", "▁b", "ab", "▁ab")
	across, _ := plain.plus("x▁y", Normal)
	split, whole := mustRead(t, plain), mustRead(t, across)
	if !split.model.(*sentencePiece).wordly || whole.model.(*sentencePiece).wordly {
		t.Fatal("a token across words was not noticed")
	}
	for _, text := range []string{"ab ab", "  a  b ", "abab b", "c a", "\u2581a \u2581"} {
		a, b := split.Encode(nil, text, Options{}), whole.Encode(nil, text, Options{})
		if !slices.Equal(a, b) {
			t.Errorf("%q: got %d, want %d", text, a, b)
		}
	}
}

func TestBytePair(t *testing.T) {
	merges := bytePairs("Ġ t", "h e", "Ġt he", "a b", "b c", "l l")
	const at = 256
	for _, test := range []struct {
		name string
		md   header
		text string
		want []int32
	}{
		{"the first rule merges first", merges, "abc", []int32{at + 3, 'c'}},
		{"words are merged on their own", merges, "a b the", []int32{'a', ' ', 'b', at + 2}},
		{"bytes that are no character", merges, "\xff\xfe", []int32{0xFF, 0xFE}},
		{"white space", merges, " \n", []int32{' ', '\n'}},
		{"nothing", merges, "", nil},
		{"whole words where the model has them", bytePairs("a b", "b c", "a bc").with(header{keyPre: "llama-bpe"}), "abc", []int32{at + 2}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := mustRead(t, test.md).Encode(nil, test.text, Options{}); !slices.Equal(got, test.want) {
				t.Errorf("got %d, want %d", got, test.want)
			}
		})
	}
}

// What the vocabulary has no token for is left out, whatever token the file calls unknown.
func TestBytePairWithoutSomeBytes(t *testing.T) {
	md := header{keyModel: "gpt2", keyPre: "gpt-2", keyTokens: []string{"<|endoftext|>", "a", "b"},
		keyMerges: []string{}, keyUnknown: uint64(0), keyScores: []string{"of another type, and not used"}}
	if got, want := mustRead(t, md).Encode(nil, "a?b\xff", Options{}), []int32{1, 2}; !slices.Equal(got, want) {
		t.Errorf("got %d, want %d", got, want)
	}
}

func TestWordPiece(t *testing.T) {
	const at = 4
	words := wordPieces("▁hello", "▁un", "able", "▁,", "▁cafe", "▁我", "▁想", "s", "▁Ab", "▁ab")
	cased := words.with(header{keyLowercase: false})
	for _, test := range []struct {
		name string
		md   header
		text string
		want []int32
	}{
		{"the longest piece first", words, "unables", []int32{at + 1, at + 2, at + 7}},
		{"punctuation is a word", words, "hello,hello", []int32{at, at + 3, at}},
		{"accents and case go", words, "CAFÉ", []int32{at + 4}},
		{"as do accents that stand alone", words, "cafe\u0301", []int32{at + 4}},
		{"unless the model has case", cased, "Ab ab", []int32{at + 8, at + 9}},
		{"Chinese characters are words", words, "我想", []int32{at + 5, at + 6}},
		{"control characters go", words, "hel\u200dlo\x00", []int32{at}},
		{"those that are not assigned stay", words, "hello\u0378 hello", []int32{1, at}},
		{"a word with an unknown part is unknown", words, "unhello hello", []int32{1, at}},
		{"white space", words, " \t\n", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := mustRead(t, test.md).Encode(nil, test.text, Options{}); !slices.Equal(got, test.want) {
				t.Errorf("got %d, want %d", got, test.want)
			}
		})
	}
	got := mustRead(t, words).Encode(nil, "hello", Options{AddSpecial: true})
	if want := []int32{2, at, 3}; !slices.Equal(got, want) {
		t.Errorf("with special tokens: got %d, want %d", got, want)
	}
	if got := mustRead(t, words).Decode([]int32{2, at, at + 3, at + 1, at + 2, 3}, DecodeOptions{}); got != "hello , unable" {
		t.Errorf("decoded %q", got)
	}
}

func TestSpecialTokens(t *testing.T) {
	md := sentencePieces("▁", "a", "▁a").with(header{keySpacePrefix: true})
	md, start := md.plus("<|im_start|>", Control)
	md, end := md.plus("<|im_end|>", Control)
	md, tool := md.plus("<tool>", UserDefined)
	md, tools := md.plus("<tool>s", UserDefined)
	tokenizer := mustRead(t, md)
	const space, a, spaceA = 259, 260, 261
	for _, test := range []struct {
		name    string
		text    string
		options Options
		want    []int32
	}{
		{"control tokens on request", "<|im_start|>a", Options{ParseSpecial: true}, []int32{start, spaceA}},
		{"BOS in front", "<|im_end|>", Options{AddSpecial: true, ParseSpecial: true}, []int32{1, end}},
		{"user-defined tokens always", "<tool>", Options{}, []int32{tool}},
		{"the longest", "<tool>sa", Options{}, []int32{tools, spaceA}},
		{"the unknown token too", "a<unk>a", Options{ParseSpecial: true}, []int32{spaceA, 0, spaceA}},
		{"one after another", "</s><s>", Options{ParseSpecial: true}, []int32{2, 1}},
		{"the empty text", "", Options{AddSpecial: true}, []int32{1}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := tokenizer.Encode(nil, test.text, test.options); !slices.Equal(got, test.want) {
				t.Errorf("got %d, want %d", got, test.want)
			}
		})
	}
	for _, id := range tokenizer.Encode(nil, "<s>a<|im_end|></s><unk>", Options{}) {
		if k := tokenizer.Kind(id); k == Control || k == Unknown {
			t.Errorf("text that is not to be parsed became %q", tokenizer.Piece(id))
		}
	}
	if id, found := tokenizer.Lookup("<|im_start|>"); !found || id != start {
		t.Errorf("Lookup gave %d, %t", id, found)
	}
	if id, found := tokenizer.BOS(); !found || id != 1 {
		t.Errorf("BOS is %d, %t", id, found)
	}
	if id, found := tokenizer.EOS(); !found || id != 2 {
		t.Errorf("EOS is %d, %t", id, found)
	}
	for id, want := range map[int32]bool{2: true, end: true, start: false, a: false, space: false, -1: false, 1 << 20: false} {
		if got := tokenizer.IsEndOfGeneration(id); got != want {
			t.Errorf("IsEndOfGeneration(%d) is %t", id, got)
		}
	}
}

func TestEndsOfGeneration(t *testing.T) {
	// <|end|> ends a turn, unless turns end with <|return|> and <|call|> in this vocabulary.
	phi, end := bytePairs().plus("<|end|>", Normal)
	harmony, _ := phi.plus("<|return|>", Control)
	harmony, _ = harmony.plus("<|call|>", Control)
	if tokenizer := mustRead(t, phi); !tokenizer.IsEndOfGeneration(end) || tokenizer.Kind(end) != Control {
		t.Errorf("<|end|> does not end, and is of kind %d", tokenizer.Kind(end))
	}
	if mustRead(t, harmony).IsEndOfGeneration(end) {
		t.Error("<|end|> ends beside <|return|>")
	}
	named, id := bytePairs().plus("<bye>", Control)
	named[keyEOT] = uint64(id)
	if !mustRead(t, named).IsEndOfGeneration(id) {
		t.Error("the file's end of turn does not end")
	}
	if ids := mustRead(t, bytePairs()).special.ends; len(ids) != 0 {
		t.Errorf("a vocabulary without ends has %v", ids)
	}
}

func TestFlags(t *testing.T) {
	both := bytePairs().with(header{keyBOS: uint64(7), keyEOS: uint64(8), keyAddBOS: true, keyAddEOS: true})
	if got := mustRead(t, both).Encode(nil, "a", Options{AddSpecial: true}); !slices.Equal(got, []int32{7, 'a', 8}) {
		t.Errorf("got %d", got)
	}
	if got := mustRead(t, both).Encode(nil, "a", Options{}); !slices.Equal(got, []int32{'a'}) {
		t.Errorf("unasked: got %d", got)
	}
	silent := bytePairs().with(header{keyBOS: uint64(7), keyPre: nil})
	tokenizer := mustRead(t, silent)
	if got := tokenizer.Encode(nil, "a", Options{AddSpecial: true}); !slices.Equal(got, []int32{'a'}) {
		t.Errorf("without flags: got %d", got)
	}
	if notes := tokenizer.Notes(); len(notes) != 1 || !strings.Contains(notes[0], keyPre) {
		t.Errorf("a missing pre-tokenizer is noted as %q", notes)
	}
}

func TestPhi3DropsSpaceAfterSpecialTokens(t *testing.T) {
	md, user := sentencePieces("▁", "a").with(header{keyName: "Phi-3-mini", keySpacePrefix: false}).plus("<|user|>", Control)
	got := mustRead(t, md).Encode(nil, "<|user|>\n a<s> a", Options{ParseSpecial: true})
	if want := []int32{user, 260, 1, 259, 260}; !slices.Equal(got, want) {
		t.Errorf("got %d, want %d", got, want)
	}
}

func TestMalformedVocabularies(t *testing.T) {
	spm, bpe, wpm := sentencePieces("a"), bytePairs("a b"), wordPieces("▁a")
	nan := append(make([]float32, 259), float32(math.NaN()))
	infinite := append(make([]float32, 259), float32(math.Inf(1)))
	for _, test := range []struct {
		name string
		md   header
		want error
	}{
		{"no model", header{}, errAbsent},
		{"a model that is no text", spm.with(header{keyModel: true}), errAbsent},
		{"an unknown model", spm.with(header{keyModel: "rwkv"}), ErrModel},
		{"an unknown pre-tokenizer", bpe.with(header{keyPre: "x"}), ErrPreTokenizer},
		{"no tokens", spm.with(header{keyTokens: nil}), errAbsent},
		{"an empty list of tokens", spm.with(header{keyTokens: []string{}}), ErrVocabulary},
		{"two tokens of one text", bpe.with(header{keyTokens: []string{"a", "a"}}), ErrVocabulary},
		{"too few scores", spm.with(header{keyScores: []float32{1}}), ErrVocabulary},
		{"too many scores", spm.with(header{keyScores: make([]float32, 500)}), ErrVocabulary},
		{"no scores", spm.with(header{keyScores: nil}), errAbsent},
		{"a score that is no number", spm.with(header{keyScores: nan}), ErrVocabulary},
		{"a score without bound", spm.with(header{keyScores: infinite}), ErrVocabulary},
		{"too few kinds", spm.with(header{keyKinds: []int64{1}}), ErrVocabulary},
		{"a kind that is none", bpe.with(header{keyKinds: slices.Repeat([]int64{7}, 257)}), ErrVocabulary},
		{"a negative kind", bpe.with(header{keyKinds: slices.Repeat([]int64{-1}, 257)}), ErrVocabulary},
		{"no merges", bpe.with(header{keyMerges: nil}), errAbsent},
		{"a merge of one part", bpe.with(header{keyMerges: []string{"ab"}}), ErrVocabulary},
		{"an empty merge", bpe.with(header{keyMerges: []string{""}}), ErrVocabulary},
		{"a merge of a space", bpe.with(header{keyMerges: []string{" "}}), ErrVocabulary},
		{"a merge that ends early", bpe.with(header{keyMerges: []string{"a "}}), ErrVocabulary},
		{"a merge of unknown tokens", bpe.with(header{keyMerges: []string{"xx y"}}), ErrVocabulary},
		{"a merge into an unknown token", bpe.with(header{keyMerges: []string{"x y"}}), ErrVocabulary},
		{"BOS out of range", spm.with(header{keyBOS: uint64(260)}), ErrVocabulary},
		{"EOS far out of range", wpm.with(header{keyEOS: uint64(math.MaxUint64)}), ErrVocabulary},
		{"end of turn out of range", spm.with(header{keyEOT: uint64(1 << 32)}), ErrVocabulary},
		{"BOS of another type", spm.with(header{keyBOS: "1"}), errAbsent},
		{"BOS wanted and absent", bpe.with(header{keyAddBOS: true}), ErrVocabulary},
		{"EOS wanted and absent", bpe.with(header{keyAddEOS: true}), ErrVocabulary},
		{"a flag of another type", wpm.with(header{keyLowercase: uint64(1)}), errAbsent},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, err := New(test.md); !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
		})
	}
}

// Converters have written -1 as a u32 for what a model lacks.
func TestMissingSpecialTokens(t *testing.T) {
	minus := uint64(math.MaxUint32)
	tokenizer := mustRead(t, sentencePieces("a").with(header{keyBOS: minus, keySeparator: minus, keyEOT: minus}))
	if bos, found := tokenizer.BOS(); !found || bos != 1 {
		t.Errorf("BOS is %d, %t", bos, found)
	}
	if _, found := mustRead(t, bytePairs("a b").with(header{keyBOS: minus})).BOS(); found {
		t.Error("there is a BOS")
	}
}

func TestEmptyTokensKeepTheirIDs(t *testing.T) {
	md, _ := bytePairs("a b").plus("", Normal)
	md, _ = md.plus("", Control)
	md, last := md.plus("<x>", Control)
	if got := mustRead(t, md).Encode(nil, "ab<x>", Options{ParseSpecial: true}); !slices.Equal(got, []int32{256, last}) {
		t.Errorf("got %d", got)
	}
}

func TestConcurrentUse(t *testing.T) {
	for _, md := range []header{sentencePieces("▁", "a", "▁a"), bytePairs("a b"), wordPieces("▁a")} {
		tokenizer := mustRead(t, md)
		want := tokenizer.Encode(nil, "ab a", Options{})
		var group sync.WaitGroup
		for range 8 {
			group.Go(func() {
				for range 50 {
					if got := tokenizer.Encode(nil, "ab a", Options{}); !slices.Equal(got, want) {
						t.Errorf("got %d, want %d", got, want)
					}
				}
			})
		}
		group.Wait()
	}
}
