package quant

import "errors"

var (
	// ErrLength reports a count of elements, rows, bytes or words that does not
	// fit the format or the other arguments.
	ErrLength = errors.New("lengths do not match")
	// ErrNotFinite reports a NaN or an infinity among the numbers to encode.
	ErrNotFinite = errors.New("not a finite number")
	// ErrRange reports a finite number whose block the format cannot hold: its
	// scale would overflow, and the block would decode to infinities.
	ErrRange = errors.New("out of the format's range")
	// ErrImportance reports an importance weight that is negative or not finite.
	ErrImportance = errors.New("importance is not a finite number from 0 up")
)
