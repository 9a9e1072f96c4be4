// Command generate compiles the default guest: go run ./guest/generate, from the
// folder of the module.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/realm-webgpu/realm/guest/build"
)

func main() {
	if err := build.Default(context.Background(), ".", "guest/guest.wasm", true); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
