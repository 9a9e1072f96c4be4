package chat

import (
	"errors"

	"github.com/realm-webgpu/realm/engine/chat/jinja"
)

var (
	// ErrNoTemplate says that a model file has no chat template.
	ErrNoTemplate = errors.New("the model has no chat template")
	// ErrUnknownTemplate says that there is no built-in template of a name.
	ErrUnknownTemplate = errors.New("unknown built-in chat template")
	// ErrUnknownFormat says that there is no format of a name.
	ErrUnknownFormat = errors.New("unknown format of answers")
	// ErrLimit says that a template does more than it may, see the limits of Render.
	ErrLimit = jinja.ErrLimit
)

// RaisedError is what a template refuses a conversation with, by calling raise_exception.
type RaisedError = jinja.RaisedError
