package lora

import (
	"errors"
	"fmt"
)

// What can be wrong with an adapter. Every error that wraps one of these names the
// tensor, the key or the file.
var (
	// ErrFormat is a file or a folder that is no adapter, or a damaged one.
	ErrFormat = errors.New("not an adapter")
	// ErrUnsupported is an adapter that says, correctly, what Realm does not compute.
	ErrUnsupported = errors.New("not supported")
	// ErrModel is an adapter that was made for another model: of another
	// architecture, or with names or shapes that the model does not have.
	ErrModel = errors.New("the adapter is not for this model")
	// ErrLimit is an adapter that is over one of the limits of this package. It is an
	// ErrUnsupported.
	ErrLimit = fmt.Errorf("%w: over the limit", ErrUnsupported)
)
