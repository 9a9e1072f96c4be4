package abi

import "fmt"

// Errno is what every function returns.
type Errno int32

// The errnos. Those of a row of a step are in its result.
const (
	OK       Errno = iota
	Inval          // an argument is outside its limits
	Badf           // the handle or ticket is none of this guest's, or of another kind
	Fault          // a range is not inside the guest's memory
	Nosys          // the host has no such function or option
	Perm           // the guest lacks the capability, or the tenant the right
	Again          // not ready yet: try later
	Noent          // there is nothing of that name, or nothing more to come
	Toobig         // the buffer is too small; the length that is needed was stored
	Nomem          // no cache pages or device memory are left
	Quota          // a limit of the tenant or the instance is reached
	Overflow       // the context of the model is full
	Timedout       // the time is over
	Canceled       // the request, or the ticket, was cancelled
	Evicted        // what was saved is gone
	Grammar        // the grammar does not allow it, or is not one
	IO             // the device or the other side failed
	Busy           // the sequence is in a step already
	errnoCount
)

// errnos names and explains each.
var errnos = [errnoCount]struct{ name, doc string }{
	OK:       {"OK", "success"},
	Inval:    {"INVAL", "an argument is outside its limits"},
	Badf:     {"BADF", "the handle or ticket is none of this guest's, or is of another kind"},
	Fault:    {"FAULT", "a range is not inside the guest's memory"},
	Nosys:    {"NOSYS", "this host has no such function or option"},
	Perm:     {"PERM", "the guest lacks the capability, or its tenant the right"},
	Again:    {"AGAIN", "not ready yet: try later"},
	Noent:    {"NOENT", "there is nothing of that name, or nothing more to come"},
	Toobig:   {"TOOBIG", "the buffer is too small; the length that is needed was stored"},
	Nomem:    {"NOMEM", "no cache pages, or no device memory, are left"},
	Quota:    {"QUOTA", "a limit of the tenant or of the instance is reached"},
	Overflow: {"OVERFLOW", "the context of the model is full"},
	Timedout: {"TIMEDOUT", "the time is over"},
	Canceled: {"CANCELED", "the request, or the ticket, was cancelled"},
	Evicted:  {"EVICTED", "what was saved is gone"},
	Grammar:  {"GRAMMAR", "the grammar does not allow it, or the text is no grammar"},
	IO:       {"IO", "the device, or the other side, failed"},
	Busy:     {"BUSY", "the sequence is in a step already"},
}

// Errnos returns all errnos in order.
func Errnos() []Errno {
	all := make([]Errno, errnoCount)
	for i := range all {
		all[i] = Errno(i)
	}
	return all
}

// String returns the name, "TOOBIG".
func (e Errno) String() string {
	if e < 0 || e >= errnoCount {
		return fmt.Sprintf("errno %d", int32(e))
	}
	return errnos[e].name
}

// Doc explains the errno in a line.
func (e Errno) Doc() string {
	if e < 0 || e >= errnoCount {
		return ""
	}
	return errnos[e].doc
}

// Error makes an Errno an error: "TOOBIG: the buffer is too small; ...".
func (e Errno) Error() string { return e.String() + ": " + e.Doc() }
