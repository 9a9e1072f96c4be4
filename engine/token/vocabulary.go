package token

import (
	"fmt"
	"math"
)

// Kind says what a token is for. The numbers are those of tokenizer.ggml.token_type.
type Kind uint8

const (
	Undefined   Kind = iota
	Normal           // a piece of text
	Unknown          // stands for text that no token covers
	Control          // steers the model and is no text: <s>, <|im_end|>
	UserDefined      // a piece of text found before all others
	Unused           // never seen in training
	Byte             // <0xXX>, one byte
	kinds            // how many there are
)

// isWord reports whether tokens of kind k are what plain text is made of.
func (k Kind) isWord() bool { return k == Normal || k == UserDefined }

// isText reports whether tokens of kind k stand for text; the others are shown only on request.
func (k Kind) isText() bool { return k.isWord() || k == Byte }

// vocabulary is the list of tokens as the file has it.
type vocabulary struct {
	tokens []string
	kinds  []Kind
	scores []float32 // higher is preferred; nil for kinds of vocabulary that have none
	ids    map[string]int32
}

// readVocabulary reads the tokens with their kinds. An empty token keeps its id and is
// never found; two tokens of one text are an error, as is a list of another length.
func readVocabulary(md Metadata) (*vocabulary, error) {
	tokens, err := md.Strings(keyTokens)
	if err != nil {
		return nil, err
	}
	if len(tokens) == 0 || len(tokens) > math.MaxInt32 {
		return nil, fmt.Errorf("%w: %d tokens", ErrVocabulary, len(tokens))
	}
	v := &vocabulary{tokens: tokens, ids: make(map[string]int32, len(tokens))}
	for id, token := range tokens {
		if token == "" {
			continue
		}
		if first, found := v.ids[token]; found {
			return nil, fmt.Errorf("%w: tokens %d and %d are both %.64q", ErrVocabulary, first, id, token)
		}
		v.ids[token] = int32(id)
	}
	if v.kinds, err = readKinds(md, len(tokens)); err != nil {
		return nil, err
	}
	return v, nil
}

// readKinds reads the kinds of n tokens; all are Normal where the file has no list.
func readKinds(md Metadata, n int) ([]Kind, error) {
	all := make([]Kind, n)
	if !md.Has(keyKinds) {
		for i := range all {
			all[i] = Normal
		}
		return all, nil
	}
	numbers, err := md.Ints(keyKinds)
	if err != nil {
		return nil, err
	}
	if len(numbers) != n {
		return nil, fmt.Errorf("%w: %s has %d of %d entries", ErrVocabulary, keyKinds, len(numbers), n)
	}
	for i, k := range numbers {
		if k < 0 || k >= int64(kinds) {
			return nil, fmt.Errorf("%w: token %d is of kind %d", ErrVocabulary, i, k)
		}
		all[i] = Kind(k)
	}
	return all, nil
}

// readScores reads the scores of the tokens. Kinds of vocabulary that do not use them do not ask:
// their files may have a list that is none.
func (v *vocabulary) readScores(md Metadata) error {
	scores, err := md.Floats(keyScores)
	if integers, other := md.Ints(keyScores); other == nil { // some files have them so
		scores, err = make([]float32, len(integers)), nil
		for i, score := range integers {
			scores[i] = float32(score)
		}
	}
	if err != nil {
		return err
	}
	if len(scores) != len(v.tokens) {
		return fmt.Errorf("%w: %s has %d of %d entries", ErrVocabulary, keyScores, len(scores), len(v.tokens))
	}
	for i, score := range scores {
		if score != score || math.IsInf(float64(score), 0) {
			return fmt.Errorf("%w: the score of token %d is %v", ErrVocabulary, i, score)
		}
	}
	v.scores = scores
	return nil
}

// word finds the token that plain text may become: never one that steers the model.
func (v *vocabulary) word(text string) (int32, bool) {
	if id, found := v.ids[text]; found && v.kinds[id].isWord() {
		return id, true
	}
	return none, false
}
