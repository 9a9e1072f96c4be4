package wasm

import (
	"errors"
	"fmt"
)

// ErrFormat marks bytes that are no module, or one that this package does not
// know how to read.
var ErrFormat = errors.New("malformed module")

// FormatError says where a module is malformed, and why. It is an ErrFormat.
type FormatError struct {
	Section string // "code", "import", ...
	Offset  int    // bytes from the start of the module
	Reason  string
}

func (e *FormatError) Error() string {
	return fmt.Sprintf("wasm: %s section, offset %#x: %s", e.Section, e.Offset, e.Reason)
}

func (e *FormatError) Unwrap() error { return ErrFormat }
