package hostfn

import (
	"context"
	"errors"
	"fmt"

	"github.com/realm-webgpu/realm/engine"
	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/engine/kv"
	"github.com/realm-webgpu/realm/engine/sample"
	"github.com/realm-webgpu/realm/hostfn/abi"
)

// The errors of this package. Test with errors.Is.
var (
	// ErrLimit marks a guest that was ended as it reached a limit; see [LimitError].
	ErrLimit = errors.New("limit reached")
	// ErrNotFound is what Models returns for a name that is none.
	ErrNotFound = errors.New("not found")
	// ErrNotAllowed is what Models returns for what the tenant may not use.
	ErrNotAllowed = errors.New("not allowed")
	// ErrNotReady is what Models returns for a model that is being loaded.
	ErrNotReady = errors.New("not ready")
	// ErrEnd is what a Source returns when no message will come any more.
	ErrEnd = errors.New("no more messages")
	// ErrModule marks a module that is no guest: it is malformed, imports what there
	// is not, or lacks an export.
	ErrModule = errors.New("not a guest")
	// ErrTrap marks a guest that trapped.
	ErrTrap = errors.New("trap")
)

// The errors of rows that a limit of the instance ends, and of what may not be kept.
var (
	errTokens = errors.New("the tokens of the instance are used up")
	errPages  = errors.New("the cache pages of the instance are used up")
	errSaved  = errors.New("no sequences may be kept")
)

// LimitError says which limit ended a guest. It is an ErrLimit.
type LimitError struct {
	Name  string // "fuel", "wall time", "memory"
	Limit string // with its unit
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("hostfn: guest: %s of %s is used up: %v", e.Name, e.Limit, ErrLimit)
}

func (e *LimitError) Unwrap() error { return ErrLimit }

// ExitError is a guest that ended with a code other than 0: an errno of realm_run,
// or the exit code of a command.
type ExitError struct {
	Code int32
	Exit bool // by proc_exit
	// Message is what the guest told in an error event, "" if nothing.
	Message string
	// Err is why the last call that failed did so, where the guest ended with its
	// errno; nil: it is not known.
	Err error
}

func (e *ExitError) Unwrap() error { return e.Err }

func (e *ExitError) Error() string {
	what := abi.Errno(e.Code).String()
	if e.Exit {
		what = fmt.Sprintf("exit code %d", e.Code)
	}
	switch {
	case e.Err != nil:
		return fmt.Sprintf("hostfn: guest: %s: %v", what, e.Err)
	case e.Message != "":
		return fmt.Sprintf("hostfn: guest: %s: %s", what, e.Message)
	}
	return "hostfn: guest: " + what
}

// errnoOf returns the errno of an error of the engine.
func errnoOf(err error) abi.Errno {
	switch {
	case err == nil:
		return abi.OK
	case errors.Is(err, engine.ErrContext):
		return abi.Overflow
	case errors.Is(err, engine.ErrTensorLimit), errors.Is(err, errTokens), errors.Is(err, errPages), errors.Is(err, errSaved):
		return abi.Quota
	case errors.Is(err, engine.ErrNoWeight):
		return abi.Noent
	case errors.Is(err, engine.ErrTensor), errors.Is(err, device.ErrUnsupported):
		return abi.Inval
	case errors.Is(err, kv.ErrPages), errors.Is(err, device.ErrMemory):
		return abi.Nomem
	case errors.Is(err, engine.ErrBusy):
		return abi.Busy
	case errors.Is(err, engine.ErrQueueFull):
		return abi.Quota
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, engine.ErrQueueTimeout):
		return abi.Timedout
	case errors.Is(err, context.Canceled), errors.Is(err, engine.ErrCancelled):
		return abi.Canceled
	case errors.Is(err, errGrammar), errors.Is(err, sample.ErrNoToken):
		return abi.Grammar
	case errors.Is(err, engine.ErrToken), errors.Is(err, engine.ErrEmpty), errors.Is(err, engine.ErrOption),
		errors.Is(err, engine.ErrEncoder), errors.Is(err, sample.ErrSpec), errors.Is(err, sample.ErrToken), errors.Is(err, sample.ErrSize):
		return abi.Inval
	case errors.Is(err, ErrNotFound):
		return abi.Noent
	case errors.Is(err, ErrNotAllowed):
		return abi.Perm
	case errors.Is(err, ErrNotReady):
		return abi.Again
	}
	return abi.IO
}
