package tenant

import (
	"errors"
	"fmt"
	"time"
)

// The errors of this package. Test with errors.Is.
var (
	// ErrUnauthorized marks a key that opens nothing: malformed, unknown, revoked or
	// expired. A client is told no more than that.
	ErrUnauthorized = errors.New("unauthorized")
	// ErrUnavailable marks a database that could not be read for StaleLimit.
	ErrUnavailable = errors.New("the database of tenants cannot be read")
	// ErrNotFound marks a tenant, a key or a guest that there is none of.
	ErrNotFound = errors.New("not found")
	// ErrExists marks a name that is taken.
	ErrExists = errors.New("exists already")
	// ErrInvalid marks a name or a setting outside its limits.
	ErrInvalid = errors.New("not valid")
	// ErrVersion marks a database that a later version of Realm wrote, or that is
	// not one of Realm's.
	ErrVersion = errors.New("a database of another version")
	// ErrRateLimit marks a request that comes too soon; see [RateError].
	ErrRateLimit = errors.New("rate limit exceeded")
	// ErrReservation marks a request that asks for more tokens than its tenant may use
	// in a minute, and so could never be admitted; see [ReservationError].
	ErrReservation = errors.New("more tokens than a minute has")
)

// RateError says which rate a tenant has reached, and when to try again. It is an
// ErrRateLimit.
type RateError struct {
	Kind       string        // "requests" or "tokens"
	Limit      int           // a minute
	Need       int           // of what the request asked for
	RetryAfter time.Duration // until the request would be admitted, if nothing else is
	Rates      Rates         // as they are now
}

func (e *RateError) Error() string {
	return fmt.Sprintf("tenant: admit: %d %s, the limit is %d a minute, try again in %v: %v",
		e.Need, e.Kind, e.Limit, e.RetryAfter.Round(time.Millisecond), ErrRateLimit)
}

func (e *RateError) Unwrap() error { return ErrRateLimit }

// ReservationError says how many tokens a request may use, and how many its tenant
// may use in a minute. It is an ErrReservation.
type ReservationError struct {
	Need, Limit int // tokens
}

func (e *ReservationError) Error() string {
	return fmt.Sprintf("tenant: admit: %d tokens of prompt and max_tokens, the limit is %d a minute: %v", e.Need, e.Limit, ErrReservation)
}

func (e *ReservationError) Unwrap() error { return ErrReservation }
