package sample

import "errors"

var (
	// ErrSpec marks a Spec with a field outside its limits.
	ErrSpec = errors.New("field outside its limits")
	// ErrToken marks a token id outside the vocabulary.
	ErrToken = errors.New("token outside the vocabulary")
	// ErrSize marks a row or a mask whose length is not that of the vocabulary.
	ErrSize = errors.New("length does not match the vocabulary")
	// ErrNotFinite marks a row with a NaN or a +Inf: a distribution that does not exist.
	ErrNotFinite = errors.New("logit is NaN or +Inf")
	// ErrNoToken marks a row in which every token is impossible: -Inf or masked.
	ErrNoToken = errors.New("no token is possible")
	// ErrRewind marks a rewind past the start of the sequence.
	ErrRewind = errors.New("rewind past the start")
)
