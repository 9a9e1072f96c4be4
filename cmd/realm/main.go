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
	ctx := untilSignal(context.Background())
	err := newRoot().ExecuteContext(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, "realm: "+message(ctx, err))
	}
	os.Exit(exitCode(ctx, err))
}

// untilSignal returns a context that the first Ctrl-C, or SIGTERM, ends, so that the
// command ends in order. From then on signals do what they do by default: a second one
// ends the process at once, also one that came before the first was heard.
func untilSignal(ctx context.Context) context.Context {
	ctx, cancel := context.WithCancel(ctx)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		signal.Stop(signals)
		cancel()
		select {
		case second := <-signals:
			if self, err := os.FindProcess(os.Getpid()); err == nil {
				_ = self.Signal(second) // where there are none, the next Ctrl-C does it
			}
		default:
		}
	}()
	return ctx
}
