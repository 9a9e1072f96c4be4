package main

import (
	"context"
	"errors"
	"strings"

	"github.com/realm-webgpu/realm/engine"
	"github.com/realm-webgpu/realm/engine/chat"
	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/engine/kv"
	"github.com/realm-webgpu/realm/engine/model"
	"github.com/realm-webgpu/realm/engine/sample"
	"github.com/realm-webgpu/realm/web/tenant"
)

// The exit codes. The root's help has them too.
const (
	exitOK          = 0
	exitFailure     = 1
	exitUsage       = 2
	exitModel       = 3
	exitDevice      = 4
	exitInterrupted = 130 // what a shell reports for SIGINT: 128 + 2
)

const exitHelp = `Exit codes:
  0    it worked
  1    it failed: an error that is none of those below
  2    the command line is wrong: an unknown flag, a bad value, an empty prompt
  3    the model file is missing, damaged or of a kind that Realm cannot run, or
       that cannot do what is asked
  4    the device failed: there is none of that name, it was lost, or its memory
       (or the bound given with --memory) is too small
  130  interrupted with Ctrl-C`

// usageError is a command line that is wrong.
type usageError struct {
	command string // such as "realm run"
	err     error
}

func (e *usageError) Error() string { return e.err.Error() + " (see " + e.command + " --help)" }
func (e *usageError) Unwrap() error { return e.err }

// modelError is a model file that is of no use.
type modelError struct{ err error }

func (e *modelError) Error() string { return e.err.Error() }
func (e *modelError) Unwrap() error { return e.err }

// exitCode says how the process ends after err. ctx is that of the signals.
func exitCode(ctx context.Context, err error) int {
	var usage *usageError
	var file *modelError
	switch {
	case err == nil:
		return exitOK
	case interrupted(ctx, err):
		return exitInterrupted
	case errors.As(err, &usage), isAny(err, engine.ErrDevice, engine.ErrOption, chat.ErrUnknownTemplate, model.ErrContext, sample.ErrSpec, sample.ErrToken, tenant.ErrInvalid):
		return exitUsage
	case isAny(err, device.ErrMemory, device.ErrLost, device.ErrUnsupported, device.ErrNotFound, kv.ErrPages):
		return exitDevice
	case errors.As(err, &file), errors.Is(err, engine.ErrEncoder):
		return exitModel
	}
	return exitFailure
}

func isAny(err error, targets ...error) bool {
	for _, target := range targets {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}

// interrupted reports whether err came of a signal.
func interrupted(ctx context.Context, err error) bool {
	return ctx.Err() != nil && errors.Is(err, context.Canceled)
}

// message is what err says to people, on one line.
func message(ctx context.Context, err error) string {
	if interrupted(ctx, err) {
		return "interrupted"
	}
	return strings.Join(strings.FieldsFunc(err.Error(), func(r rune) bool { return r == '\n' || r == '\r' }), "; ")
}
