package engine

import (
	"errors"
	"fmt"

	"github.com/realm-webgpu/realm/engine/chat"
)

// The errors of this package. Test with errors.Is. Those of a device
// (device.ErrMemory, device.ErrLost, ...), of a file (gguf.ErrFormat, ...), of
// a model, of chat templates (chat.ErrUnknownTemplate, ...), of sampling
// (sample.ErrSpec, ...) and of cache pages (kv.ErrPages) come through.
var (
	// ErrContext marks tokens past the context; see [ContextError].
	ErrContext = errors.New("context is full")
	// ErrToken marks an id outside the vocabulary.
	ErrToken = errors.New("token outside the vocabulary")
	// ErrEmpty marks a sequence with no token to go on from.
	ErrEmpty = errors.New("sequence is empty")
	// ErrEncoder marks a model that has embeddings, and no next token.
	ErrEncoder = errors.New("the model is an encoder: it makes embeddings and no text")
	// ErrBusy marks a sequence that is in use: by another goroutine, or by the
	// Generate loop that the call is made from.
	ErrBusy = errors.New("sequence is in use")
	// ErrClosed marks an engine, a model or a sequence that was closed.
	ErrClosed = errors.New("closed")
	// ErrDevice marks the name of a device that there is none of.
	ErrDevice = errors.New("unknown device")
	// ErrTemplate marks a model without a chat template.
	ErrTemplate = chat.ErrNoTemplate
	// ErrOption marks an option outside its limits.
	ErrOption = errors.New("option outside its limits")
)

// ContextError says how many tokens a sequence would have had, and how many it
// may have. It is an ErrContext.
type ContextError struct {
	Need, Limit int // tokens
}

func (e *ContextError) Error() string {
	return fmt.Sprintf("engine: %d tokens, the context has room for %d: %v", e.Need, e.Limit, ErrContext)
}

func (e *ContextError) Unwrap() error { return ErrContext }
