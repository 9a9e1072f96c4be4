package token

import (
	"maps"
	"testing"
)

// sentencePieces is a SentencePiece vocabulary: <unk>, <s>, </s>, the 256 bytes from id 3, and
// words from id 259, the first with the highest score.
func sentencePieces(words ...string) header {
	tokens := []string{"<unk>", "<s>", "</s>"}
	kinds := []int64{int64(Unknown), int64(Control), int64(Control)}
	scores := make([]float32, 3+256)
	for b := range 256 {
		tokens = append(tokens, byteToken(byte(b)))
		kinds = append(kinds, int64(Byte))
	}
	for i, word := range words {
		tokens = append(tokens, word)
		kinds = append(kinds, int64(Normal))
		scores = append(scores, -float32(i))
	}
	return header{keyModel: "llama", keyTokens: tokens, keyKinds: kinds, keyScores: scores}
}

// bytePairs is a byte-level vocabulary: the 256 bytes, and what the merges make from id 256.
func bytePairs(merges ...string) header {
	var tokens []string
	for _, r := range newAlphabet().runes {
		tokens = append(tokens, string(r))
	}
	for _, line := range merges {
		left, right, _ := cutMerge(line)
		tokens = append(tokens, left+right)
	}
	return header{keyModel: "gpt2", keyPre: "gpt-2", keyTokens: tokens, keyMerges: merges}
}

// wordPieces is a WordPiece vocabulary: [PAD], [UNK], [CLS], [SEP], and words from id 4.
func wordPieces(words ...string) header {
	tokens := append([]string{"[PAD]", "[UNK]", "[CLS]", "[SEP]"}, words...)
	kinds := make([]int64, len(tokens))
	for id := range kinds {
		kinds[id] = int64(Normal)
		if id < 4 {
			kinds[id] = int64(Control)
		}
	}
	return header{keyModel: "bert", keyTokens: tokens, keyKinds: kinds,
		keyUnknown: uint64(1), keyBOS: uint64(2), keySeparator: uint64(3)}
}

// with is h with other entries. A nil entry takes the key out.
func (h header) with(entries header) header {
	h = maps.Clone(h)
	for key, entry := range entries {
		h[key] = entry
		if entry == nil {
			delete(h, key)
		}
	}
	return h
}

// plus is h with one more token of the given kind and its id.
func (h header) plus(token string, kind Kind) (header, int32) {
	tokens := h[keyTokens].([]string)
	kinds, found := h[keyKinds].([]int64)
	if !found {
		for range tokens {
			kinds = append(kinds, int64(Normal))
		}
	}
	more := header{
		keyTokens: append(tokens[:len(tokens):len(tokens)], token),
		keyKinds:  append(kinds[:len(kinds):len(kinds)], int64(kind)),
	}
	if scores, found := h[keyScores].([]float32); found {
		more[keyScores] = append(scores[:len(scores):len(scores)], 0)
	}
	return h.with(more), int32(len(tokens))
}

func mustRead(t testing.TB, md Metadata) *Tokenizer {
	t.Helper()
	tokenizer, err := New(md)
	if err != nil {
		t.Fatal(err)
	}
	return tokenizer
}
