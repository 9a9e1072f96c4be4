package draft

import (
	"errors"
	"fmt"
)

// ErrOption marks options outside their limits.
var ErrOption = errors.New("draft option outside its limits")

// MaxTokens bounds the tokens of a draft.
const MaxTokens = 16

// Mode says where drafts come from.
type Mode int

// The modes.
const (
	None   Mode = iota // no drafts
	Lookup             // from the text itself; see [Find]
	Model              // from a smaller model of the same vocabulary
)

// String returns the name used in flags: "none", "lookup" or "model".
func (m Mode) String() string {
	switch m {
	case None:
		return "none"
	case Lookup:
		return "lookup"
	case Model:
		return "model"
	}
	return fmt.Sprintf("mode(%d)", int(m))
}

// Options say how a text is drafted ahead of the model that decides. The zero
// value drafts nothing.
type Options struct {
	Mode Mode
	// Tokens is the most tokens of one draft, 1 to MaxTokens. 0: DefaultTokens.
	// How many are drafted follows what is accepted and what it costs; see [Length].
	Tokens int
	// Fixed drafts Tokens tokens each time, whatever is accepted.
	Fixed bool
}

// DefaultTokens is the Tokens of options that do not say.
const DefaultTokens = 6

// Validate reports the first field outside its limits. The error wraps ErrOption.
func (o Options) Validate() error {
	if o.Mode < None || o.Mode > Model {
		return fmt.Errorf("draft: %v: %w", o.Mode, ErrOption)
	}
	if o.Tokens < 0 || o.Tokens > MaxTokens {
		return fmt.Errorf("draft: %d tokens, at most %d: %w", o.Tokens, MaxTokens, ErrOption)
	}
	return nil
}
