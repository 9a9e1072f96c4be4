package device

import (
	"errors"
	"fmt"
)

// The errors of a device. Test with errors.Is; MemoryError with errors.As.
var (
	ErrMemory      = errors.New("out of device memory")
	ErrLost        = errors.New("device lost")
	ErrUnsupported = errors.New("not supported by the device")
	ErrProgram     = errors.New("malformed program")
	ErrStep        = errors.New("step does not fit the program")
	ErrNotFound    = errors.New("no such device")
	ErrClosed      = errors.New("closed")
)

// MemoryError says what was wanted and what there was. It is an ErrMemory.
type MemoryError struct {
	Kind               Kind
	Name               string // of the tensor or buffer
	Need, Used, Budget int64  // bytes
}

func (e *MemoryError) Error() string {
	const mib = 1 << 20
	return fmt.Sprintf("device: %s for %s: need %.1f MiB, %.1f of %.1f MiB in use: %v", e.Kind, e.Name,
		float64(e.Need)/mib, float64(e.Used)/mib, float64(e.Budget)/mib, ErrMemory)
}

func (e *MemoryError) Unwrap() error { return ErrMemory }
