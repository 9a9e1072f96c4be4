package token

import "errors"

var (
	// ErrModel says that the vocabulary is of a kind (tokenizer.ggml.model) this package does not read.
	ErrModel = errors.New("unsupported tokenizer model")
	// ErrPreTokenizer says that the way to split text (tokenizer.ggml.pre) is not known.
	ErrPreTokenizer = errors.New("unknown pre-tokenizer")
	// ErrVocabulary says that the vocabulary's metadata contradicts itself.
	ErrVocabulary = errors.New("malformed vocabulary")
)
