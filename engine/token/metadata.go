package token

import (
	"fmt"
	"math"
)

// Metadata is the part of a GGUF header that a vocabulary is read from; a *gguf.File is one.
// Each getter fails when the key is absent or its value is of another type.
type Metadata interface {
	Has(key string) bool
	String(key string) (string, error)
	Strings(key string) ([]string, error)
	Floats(key string) ([]float32, error)
	Ints(key string) ([]int64, error)
	Uint(key string) (uint64, error)
	Bool(key string) (bool, error)
}

// Keys of the tokenizer in a GGUF header,
// https://github.com/ggml-org/ggml/blob/master/docs/gguf.md#tokenizer.
const (
	keyModel        = "tokenizer.ggml.model"
	keyPre          = "tokenizer.ggml.pre"
	keyTokens       = "tokenizer.ggml.tokens"
	keyScores       = "tokenizer.ggml.scores"
	keyKinds        = "tokenizer.ggml.token_type"
	keyMerges       = "tokenizer.ggml.merges"
	keyBOS          = "tokenizer.ggml.bos_token_id"
	keyEOS          = "tokenizer.ggml.eos_token_id"
	keyEOT          = "tokenizer.ggml.eot_token_id"
	keyEOM          = "tokenizer.ggml.eom_token_id"
	keyUnknown      = "tokenizer.ggml.unknown_token_id"
	keySeparator    = "tokenizer.ggml.seperator_token_id" // the format spells it so
	keyClass        = "tokenizer.ggml.cls_token_id"
	keyFillPad      = "tokenizer.ggml.fim_pad_token_id"
	keyFillRepo     = "tokenizer.ggml.fim_rep_token_id"
	keyFillFile     = "tokenizer.ggml.fim_sep_token_id"
	keyAddBOS       = "tokenizer.ggml.add_bos_token"
	keyAddEOS       = "tokenizer.ggml.add_eos_token"
	keyAddSeparator = "tokenizer.ggml.add_sep_token"
	keySpacePrefix  = "tokenizer.ggml.add_space_prefix"
	keyLowercase    = "tokenizer.ggml.normalizer.lowercase"
	keyStripAccents = "tokenizer.ggml.normalizer.strip_accents"
	keyCharacterMap = "tokenizer.ggml.precompiled_charsmap"
	keyMergeSpaces  = "tokenizer.ggml.remove_extra_whitespaces"
	keyName         = "general.name"
)

// none is the id of a special token that a vocabulary lacks.
const none int32 = -1

// boolean reads a flag, or fallback where the file has none.
func boolean(md Metadata, key string, fallback bool) (bool, error) {
	if !md.Has(key) {
		return fallback, nil
	}
	return md.Bool(key)
}

// text reads a string, or "" where the file has none.
func text(md Metadata, key string) (string, error) {
	if !md.Has(key) {
		return "", nil
	}
	return md.String(key)
}

// tokenID reads the id of a special token of a vocabulary of n tokens. Where the file has none it
// gives fallback, or none if the vocabulary does not reach that far. Converters have written -1 as
// a u32 for a token that a model lacks: that is no id.
func tokenID(md Metadata, key string, fallback int32, n int) (int32, error) {
	id, err := uint64(math.MaxUint32), error(nil)
	if md.Has(key) {
		id, err = md.Uint(key)
	}
	switch {
	case err != nil:
		return none, err
	case id == math.MaxUint32 && int(fallback) >= n:
		return none, nil
	case id == math.MaxUint32:
		return fallback, nil
	case id >= uint64(n):
		return none, fmt.Errorf("%w: %s is %d, of %d tokens", ErrVocabulary, key, id, n)
	}
	return int32(id), nil
}
