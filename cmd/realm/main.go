// Realm runs GGUF language models on any GPU through WebGPU, or on the CPU.
// See realm --help.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first Ctrl-C ends the command in order; from then on signals do what
	// they do by default, so that a second one ends the process at once.
	context.AfterFunc(ctx, stop)

	err := newRoot().ExecuteContext(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, "realm: "+message(ctx, err))
	}
	os.Exit(exitCode(ctx, err))
}
