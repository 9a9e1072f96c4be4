// Synth writes a GGUF model of the Llama architecture with random weights: the
// real shapes that speed depends on, with no download. What such a model says
// is noise.
//
//	go run ./e2e/bench/synth -o synth.gguf
//	go run ./e2e/bench/synth -o synth-1b.gguf --type Q4_K --embd 2048 --layers 22 --heads 32 --heads-kv 4 --ff 5632
//
// The same flags give the same bytes on every machine.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"

	"github.com/dustin/go-humanize"

	"github.com/realm-webgpu/realm/engine/gguf"
	"github.com/realm-webgpu/realm/shaders/quant"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	path, shape, err := parse(os.Args[1:], os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return
	case err != nil:
		fmt.Fprintf(os.Stderr, "synth: %v\n", err)
		os.Exit(2)
	}
	size, err := create(ctx, path, shape)
	if err != nil {
		fmt.Fprintf(os.Stderr, "synth: %v\n", err)
		os.Exit(1)
	}
	fmt.Fprintf(os.Stderr, "%s: %s parameters, %s of %s\n", path,
		humanize.SIWithDigits(float64(shape.parameters()), 1, ""), humanize.IBytes(uint64(size)), shape.format.Name)
}

// parse reads the command line. The defaults make a model of 134 M parameters, the
// size that speed is quoted for.
func parse(args []string, usage io.Writer) (path string, s shape, err error) {
	var names []string
	for _, f := range quant.All() {
		names = append(names, f.Name)
	}
	flags := flag.NewFlagSet("synth", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // main says what is wrong
	flags.StringVar(&path, "o", "", "write the model to `FILE`")
	name := flags.String("type", "Q4_0", "`FORMAT` of the matrices: "+strings.Join(names, ", "))
	flags.IntVar(&s.embd, "embd", 768, "width of the model (embedding_length)")
	flags.IntVar(&s.layers, "layers", 12, "layers (block_count)")
	flags.IntVar(&s.heads, "heads", 12, "attention heads (head_count)")
	flags.IntVar(&s.headsKV, "heads-kv", 12, "heads of keys and values (head_count_kv)")
	flags.IntVar(&s.ff, "ff", 2048, "width of the feed-forward network (feed_forward_length)")
	flags.IntVar(&s.vocab, "vocab", 32000, "tokens of the vocabulary")
	flags.IntVar(&s.context, "ctx", 4096, "tokens of the context (context_length)")
	flags.Uint64Var(&s.seed, "seed", 1, "seed of the weights")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(usage, "Synth writes a GGUF model of random weights. Flags:")
			flags.SetOutput(usage)
			flags.PrintDefaults()
		}
		return "", s, err
	}
	if flags.NArg() > 0 {
		return "", s, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if path == "" {
		return "", s, errors.New("no file to write: give -o FILE")
	}
	var ok bool
	if s.format, ok = quant.ByName(*name); !ok {
		return "", s, fmt.Errorf("no format %q: there are %s", *name, strings.Join(names, ", "))
	}
	return path, s, s.check()
}

// create writes the model to a file, which is gone again after an error, and
// returns its bytes.
func create(ctx context.Context, path string, s shape) (size int64, err error) {
	file, err := os.Create(path)
	if err != nil {
		return 0, err
	}
	err = gguf.Write(file, s.metadata(), s.tensors(ctx))
	if err == nil {
		size, err = file.Seek(0, io.SeekCurrent)
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return 0, errors.Join(err, os.Remove(path))
	}
	return size, nil
}
