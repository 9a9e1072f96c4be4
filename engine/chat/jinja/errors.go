package jinja

import "errors"

var (
	// ErrSyntax says that a template is no Jinja, or uses a part of it that is left out here.
	ErrSyntax = errors.New("syntax error")
	// ErrUndefined says that something was asked of a variable or an attribute that does not exist.
	ErrUndefined = errors.New("undefined")
	// ErrType says that an operation does not go with the values it was given.
	ErrType = errors.New("type error")
	// ErrLimit says that a template does more than its Limits let it.
	ErrLimit = errors.New("over the limit")
)

// RaisedError is what a template's own call of raise_exception gives.
type RaisedError struct{ Message string }

func (e *RaisedError) Error() string { return e.Message }
