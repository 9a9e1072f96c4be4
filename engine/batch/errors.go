package batch

import (
	"errors"
	"fmt"
	"time"
)

// The errors of this package. Test with errors.Is. Those of a device, of package
// sample and of cache pages (kv.ErrPages) come through.
var (
	// ErrContext marks tokens past the context; see [ContextError].
	ErrContext = errors.New("context is full")
	// ErrToken marks an id outside the vocabulary.
	ErrToken = errors.New("token outside the vocabulary")
	// ErrEmpty marks a sequence with no token to go on from.
	ErrEmpty = errors.New("sequence is empty")
	// ErrEncoder marks a model that has embeddings, and no next token.
	ErrEncoder = errors.New("the model is an encoder: it makes embeddings and no text")
	// ErrBusy marks a sequence that is in use: by a run, or by a loop of its own.
	ErrBusy = errors.New("sequence is in use")
	// ErrClosed marks a scheduler, a model or a sequence that was closed.
	ErrClosed = errors.New("closed")
	// ErrOption marks an option outside its limits.
	ErrOption = errors.New("option outside its limits")
	// ErrQueueFull marks a run that was refused; see [QueueError].
	ErrQueueFull = errors.New("queue is full")
	// ErrQueueTimeout marks a run that waited too long; see [QueueTimeoutError].
	ErrQueueTimeout = errors.New("waited too long for the device")
	// ErrCancelled is what Next tells of a run that was cancelled.
	ErrCancelled = errors.New("cancelled")
	// ErrAdapter marks a sequence whose adapter is not on the device any more.
	ErrAdapter = errors.New("the adapter is not there")
	// ErrVocabulary marks a draft model of another vocabulary.
	ErrVocabulary = errors.New("the vocabularies differ")
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

// QueueError says which queue was full, and how many runs it takes. It is an
// ErrQueueFull.
type QueueError struct {
	Tenant string // "": the queue of all tenants together
	Limit  int    // runs that wait
}

func (e *QueueError) Error() string {
	if e.Tenant == "" {
		return fmt.Sprintf("engine: %d runs wait for the device: %v", e.Limit, ErrQueueFull)
	}
	return fmt.Sprintf("engine: %d runs of tenant %s wait: %v", e.Limit, e.Tenant, ErrQueueFull)
}

func (e *QueueError) Unwrap() error { return ErrQueueFull }

// QueueTimeoutError says how long a run waited to be taken in, which is as long as it
// may. It is an ErrQueueTimeout.
type QueueTimeoutError struct {
	After time.Duration
}

func (e *QueueTimeoutError) Error() string {
	return fmt.Sprintf("engine: %s in the queue: %v", e.After, ErrQueueTimeout)
}

func (e *QueueTimeoutError) Unwrap() error { return ErrQueueTimeout }
