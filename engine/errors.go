package engine

import (
	"errors"

	"github.com/realm-webgpu/realm/engine/batch"
	"github.com/realm-webgpu/realm/engine/chat"
)

// The errors of this package. Test with errors.Is. Those of a device
// (device.ErrMemory, device.ErrLost, ...), of a file (gguf.ErrFormat, ...), of
// a model, of chat templates (chat.ErrUnknownTemplate, ...), of sampling
// (sample.ErrSpec, ...) and of cache pages (kv.ErrPages) come through.
var (
	// ErrContext marks tokens past the context; see [ContextError].
	ErrContext = batch.ErrContext
	// ErrToken marks an id outside the vocabulary.
	ErrToken = batch.ErrToken
	// ErrEmpty marks a sequence with no token to go on from.
	ErrEmpty = batch.ErrEmpty
	// ErrEncoder marks a model that has embeddings, and no next token.
	ErrEncoder = batch.ErrEncoder
	// ErrBusy marks a sequence that is in use: by a Run, by another goroutine, or by
	// the Generate loop that the call is made from.
	ErrBusy = batch.ErrBusy
	// ErrClosed marks an engine, a model or a sequence that was closed.
	ErrClosed = batch.ErrClosed
	// ErrQueueFull marks a run that was refused; see [QueueError].
	ErrQueueFull = batch.ErrQueueFull
	// ErrQueueTimeout marks a run that waited too long; see [QueueTimeoutError].
	ErrQueueTimeout = batch.ErrQueueTimeout
	// ErrCancelled is the error of a run that was cancelled.
	ErrCancelled = batch.ErrCancelled
	// ErrAdapter marks an adapter that was closed, or that the device has lost.
	ErrAdapter = batch.ErrAdapter
	// ErrVocabulary marks a draft model of another vocabulary.
	ErrVocabulary = batch.ErrVocabulary
	// ErrDevice marks the name of a device that there is none of.
	ErrDevice = errors.New("unknown device")
	// ErrTemplate marks a model without a chat template, or without one that can be
	// read.
	ErrTemplate = chat.ErrNoTemplate
	// ErrOption marks an option outside its limits.
	ErrOption = batch.ErrOption
)

// ContextError says how many tokens a sequence would have had, and how many it
// may have. It is an ErrContext.
type ContextError = batch.ContextError

// QueueError says which queue was full, and how many runs it takes. It is an
// ErrQueueFull.
type QueueError = batch.QueueError

// QueueTimeoutError says how long a run waited to be taken in, which is as long as it
// may. It is an ErrQueueTimeout.
type QueueTimeoutError = batch.QueueTimeoutError
