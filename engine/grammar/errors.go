package grammar

import (
	"errors"
	"fmt"
)

// The errors of this package. Test with errors.Is.
var (
	// ErrSyntax marks a text that is no grammar of its kind.
	ErrSyntax = errors.New("malformed grammar")
	// ErrUnsupported marks what a grammar asks for and this package does not do. It
	// is never ignored.
	ErrUnsupported = errors.New("unsupported in a grammar")
	// ErrLimit marks a grammar, or a text, that passes a bound.
	ErrLimit = errors.New("grammar is too large")
	// ErrRejected marks a token that the grammar does not allow.
	ErrRejected = errors.New("rejected by the grammar")
	// ErrRewind marks a rollback past the beginning.
	ErrRewind = errors.New("rollback past the beginning")
)

// SchemaError says what is wrong with a JSON schema, and where.
type SchemaError struct {
	Pointer string // to the schema, RFC 6901; "" is the whole
	Keyword string // "" for none
	Err     error  // ErrSyntax, ErrUnsupported or ErrLimit, with a reason
}

func (e *SchemaError) Error() string {
	where := "#" + e.Pointer
	if e.Keyword != "" {
		where += ": " + e.Keyword
	}
	return fmt.Sprintf("grammar: schema %s: %v", where, e.Err)
}

func (e *SchemaError) Unwrap() error { return e.Err }
