package model

import "errors"

// What can be wrong with a model. Every error that wraps one of these names the
// metadata key or the tensor.
var (
	// ErrArchitecture is a general.architecture that this package does not have.
	ErrArchitecture = errors.New("unknown architecture")
	// ErrMetadata is metadata that is missing, contradictory or out of range.
	ErrMetadata = errors.New("bad metadata")
	// ErrTensor is a tensor that is missing, has another shape, cannot be read, or
	// is not part of the architecture.
	ErrTensor = errors.New("bad tensor")
	// ErrUnsupported is a file that says, correctly, what no operation computes yet.
	ErrUnsupported = errors.New("not supported")
	// ErrContext is a context that the model was not made for.
	ErrContext = errors.New("context out of range")
)
