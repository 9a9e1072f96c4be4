//go:build js && !interpreter

package main

import (
	"context"

	"github.com/realm-webgpu/realm/hostfn"
	"github.com/realm-webgpu/realm/hostfn/browser"
)

// interpreted says that guests run in an interpreter.
const interpreted = false

// runner runs a guest.
type runner interface{ Run(*hostfn.Guest) error }

// newRunner makes a guest's module ready.
func newRunner(ctx context.Context, module []byte) (runner, error) {
	host, err := browser.NewHost()
	if err != nil {
		return nil, err
	}
	return host.Load(ctx, module)
}
