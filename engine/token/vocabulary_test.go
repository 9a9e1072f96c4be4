package token

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// FuzzNew reads vocabularies made of arbitrary strings and numbers, and uses those it can read.
func FuzzNew(f *testing.F) {
	f.Add(byte(0), "<unk>\n<s>\n</s>\n<0x41>\na\nb\nab\n▁", "\x02\x03\x03\x06\x01\x01\x01\x01", "", "ab <s>\xff")
	f.Add(byte(1), "a\nb\nab\n<|im_end|>\nĠ\nĠa", "\x01\x01\x01\x03\x01\x01", "a b\nĠ a", "ab ab<|im_end|>")
	f.Add(byte(2), "▁a\nb\n▁,\n[UNK]\n[CLS]", "\x01\x01\x01\x02\x03", "", "ab, A [CLS]")
	f.Add(byte(3), "<s>\n</s>\n<unk>\n▁\na\n▁ab", "\x03\x03\x02\x01\x01\x04", "", "ab a?")
	f.Add(byte(5), "a\na", "\x07", "x", "")
	f.Fuzz(func(t *testing.T, choice byte, tokens, kinds, merges, text string) {
		md := header{
			keyModel:  []string{"llama", "gpt2", "bert", "t5"}[choice%4],
			keyPre:    []string{"default", "llama-bpe", "deepseek-v3"}[choice/4%3],
			keyTokens: strings.Split(tokens, "\n"),
			keyMerges: strings.Split(merges, "\n"),
			keyEOT:    uint64(choice / 16),
		}
		if merges == "" {
			md[keyMerges] = []string{}
		}
		var numbers []int64
		var scores []float32
		for _, b := range []byte(kinds) {
			numbers = append(numbers, int64(b))
			scores = append(scores, -float32(b%5))
		}
		md[keyKinds], md[keyScores] = numbers, scores
		tokenizer, err := New(md)
		if err != nil {
			return
		}
		ids := tokenizer.Encode(nil, text, Options{AddSpecial: true, ParseSpecial: true})
		for _, id := range ids {
			if id < 0 || int(id) >= tokenizer.Len() {
				t.Fatalf("id %d of %d tokens", id, tokenizer.Len())
			}
		}
		tokenizer.Decode(ids, DecodeOptions{ShowSpecial: true})
	})
}

func TestLexicon(t *testing.T) {
	v := &vocabulary{tokens: []string{"ab", "abc", "b", "", "zz", "abcd\xff", "a b"}, kinds: make([]Kind, 7)}
	l := newLexicon(v, func(Kind) bool { return true })
	for _, test := range []struct {
		text     string
		id       int32
		at, size int
	}{
		{"", none, 0, 0},
		{"a", none, 0, 0},
		{"ab", 0, 0, 2},
		{"abcd", 1, 0, 3},
		{"abcd\xff", 5, 0, 5},
		{"xxzabd", 0, 3, 2},
		{"a bb", 6, 0, 3},
		{"zyb", 2, 2, 1},
		{"\xff\xff", none, 0, 0},
	} {
		if id, at, size := l.find(test.text); id != test.id || at != test.at || size != test.size {
			t.Errorf("%q: got token %d, %d bytes at %d; want %d, %d at %d", test.text, id, size, at, test.id, test.size, test.at)
		}
	}
	none := newLexicon(v, func(Kind) bool { return false })
	if _, _, size := none.find("ab"); size != 0 {
		t.Error("an empty lexicon finds something")
	}
}

// The queue gives what looking at all pairs after every merge gives.
func TestMergerAgreesWithAFullSearch(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	words := []string{"a", "b", "c"}
	for len(words) < 60 {
		word := words[random.IntN(len(words))] + words[random.IntN(len(words))]
		if !slices.Contains(words, word) && len(word) < 7 {
			words = append(words, word)
		}
	}
	md := sentencePieces(words...).with(header{keySpacePrefix: false})
	scores := md[keyScores].([]float32)
	for i := range scores {
		scores[i] = -float32(random.IntN(8)) // with ties
	}
	tokenizer := mustRead(t, md)
	for range 500 {
		text := make([]byte, random.IntN(40))
		for i := range text {
			text[i] = "abc"[random.IntN(3)]
		}
		var parts []string
		for _, b := range text {
			parts = append(parts, string(b))
		}
		for {
			best, at := none, 0
			for i := 1; i < len(parts); i++ {
				id, found := tokenizer.Lookup(parts[i-1] + parts[i])
				if found && (best == none || scores[id] > scores[best]) {
					best, at = id, i
				}
			}
			if best == none {
				break
			}
			parts[at-1] += parts[at]
			parts = slices.Delete(parts, at, at+1)
		}
		var want []int32
		for _, part := range parts {
			id, _ := tokenizer.Lookup(part)
			want = append(want, id)
		}
		if got := tokenizer.Encode(nil, string(text), Options{}); !slices.Equal(got, want) {
			t.Fatalf("%s: got %d, want %d", text, got, want)
		}
	}
}
