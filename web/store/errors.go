package store

import (
	"errors"
	"fmt"
	"time"
)

// What can be wrong.
var (
	ErrReference = errors.New("bad reference")               // it names no model that could be pulled
	ErrNotFound  = errors.New("not in the store")            // no model of that name
	ErrAmbiguous = errors.New("ambiguous")                   // a name of several models, or files
	ErrNoFile    = errors.New("no such file")                // the repository has no file of that quantisation
	ErrManifest  = errors.New("damaged manifest")            // manifest.json is not what Pull writes
	ErrHash      = errors.New("wrong SHA-256")               // the bytes are not those that were promised
	ErrSpace     = errors.New("not enough space on disk")    // for what is to be pulled
	ErrChanged   = errors.New("it changed while being read") // on the server, too often
	ErrProtocol  = errors.New("bad answer")                  // the server does not keep to HTTP, or to the listing
)

// StatusError is an answer of a server that is no success.
type StatusError struct {
	Status string // such as "404 Not Found"
	Code   int

	wait time.Duration // what Retry-After asked for
}

func (e *StatusError) Error() string { return e.Status }

// temporary reports whether it may help to ask again.
func (e *StatusError) temporary() bool {
	switch e.Code {
	case 408, 425, 429, 500, 502, 503, 504:
		return true
	}
	return false
}

// hint says what a user can do about an answer of a hub of models.
func (e *StatusError) hint(token bool) string {
	switch {
	case e.Code != 401 && e.Code != 403 && e.Code != 404:
		return ""
	case token:
		return ": it is not there, or the token in HF_TOKEN does not open it"
	}
	return ": it is not there, or not for everyone: HF_TOKEN can hold a token that opens it"
}

// choiceError is a name that does not say which.
type choiceError struct {
	name    string
	err     error // ErrAmbiguous or ErrNoFile
	choices []string
}

// shownChoices bounds an error's list.
const shownChoices = 50

func (e *choiceError) Error() string {
	list := ""
	for i, c := range e.choices {
		if i == shownChoices {
			list += fmt.Sprintf(" and %d more", len(e.choices)-i)
			break
		}
		if i > 0 {
			list += ", "
		}
		list += c
	}
	return fmt.Sprintf("%s: %v: there are %s", e.name, e.err, list)
}

func (e *choiceError) Unwrap() error { return e.err }
