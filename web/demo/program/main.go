//go:build js && wasm

package main

import (
	"context"
	"fmt"

	"github.com/realm-webgpu/realm/engine"
	"github.com/realm-webgpu/realm/guest"
	"github.com/realm-webgpu/realm/hostfn"
	"github.com/realm-webgpu/realm/hostfn/meter"
)

func main() {
	e, err := engine.Open(engine.Options{})
	fmt.Println(e, err)
	fmt.Println(hostfn.Functions())
	fmt.Println(meter.Meter(guest.Module))
	fmt.Println(e.Load(context.Background(), nil, engine.LoadOptions{}))
}
