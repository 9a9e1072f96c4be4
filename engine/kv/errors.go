package kv

import (
	"errors"
	"fmt"
)

// ErrPages marks a cache with too few free pages. See [PagesError].
var ErrPages = errors.New("out of cache pages")

// PagesError says how many pages were wanted at once, and how many there were.
// It is an ErrPages.
type PagesError struct {
	Need, Free, Total int // pages
}

func (e *PagesError) Error() string {
	return fmt.Sprintf("kv: %d pages wanted, %d of %d free: %v", e.Need, e.Free, e.Total, ErrPages)
}

func (e *PagesError) Unwrap() error { return ErrPages }
