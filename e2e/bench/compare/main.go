// Compare runs Realm and llama.cpp by turns on the same files, with the same threads
// and the same prompt, and prints what Realm takes as a ratio of llama.cpp's figure of
// the same round: on a machine that others use too, ratios within a round are what can
// be believed.
//
//	go run ./e2e/bench/compare synth.gguf
//	go run ./e2e/bench/compare --threads 2 --prompt 128 --tokens 64 --rounds 7 --vulkan q4_0.gguf q8_0.gguf
//
// llama.cpp comes as node-llama-cpp from npm, prebuilt, which is installed into a folder
// of the user's caches the first time; Node 20 or later is wanted. --json prints all that
// was measured.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"

	"github.com/realm-webgpu/realm/e2e/bench/memory"
)

// options are what the command line says.
type options struct {
	models  []string
	threads int
	prompt  int // tokens
	tokens  int // written after the first
	context int // tokens that either keeps keys and values for
	rounds  int
	vulkan  bool
	realm   string // the binary; "": it is built
	llama   string // the folder that node-llama-cpp is in
	json    bool
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	o, err := parse(os.Args[1:], os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return
	case err != nil:
		fmt.Fprintf(os.Stderr, "compare: %v\n", err)
		os.Exit(2)
	}
	if err := run(ctx, o, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintf(os.Stderr, "compare: %v\n", err)
		os.Exit(1)
	}
}

// parse reads the command line.
func parse(args []string, usage io.Writer) (o options, err error) {
	flags := flag.NewFlagSet("compare", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // main says what is wrong
	flags.IntVar(&o.threads, "threads", runtime.NumCPU(), "threads that either computes with")
	flags.IntVar(&o.prompt, "prompt", 128, "`TOKENS` of the prompt")
	flags.IntVar(&o.tokens, "tokens", 32, "`TOKENS` to write after the first")
	flags.IntVar(&o.context, "context", 0, "`TOKENS` that there is room for (default: the prompt's and those written, and 64 more)")
	flags.IntVar(&o.rounds, "rounds", 5, "how often each is run, by turns")
	flags.BoolVar(&o.vulkan, "vulkan", false, "compare WebGPU and llama.cpp's Vulkan too, on the first adapter of either")
	flags.StringVar(&o.realm, "realm", "", "`FILE` of the realm binary (default: built from this tree)")
	flags.StringVar(&o.llama, "llama", "", "`FOLDER` that node-llama-cpp is, or gets, installed in (default: realm/compare in the user's caches)")
	flags.BoolVar(&o.json, "json", false, "print one JSON object")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(usage, "usage: compare [flags] MODEL...")
			flags.SetOutput(usage)
			flags.PrintDefaults()
		}
		return o, err
	}
	for _, n := range []struct {
		flag  string
		value int
	}{{"threads", o.threads}, {"prompt", o.prompt}, {"tokens", o.tokens}, {"rounds", o.rounds}} {
		if n.value < 1 {
			return o, fmt.Errorf("--%s %d: want 1 or more", n.flag, n.value)
		}
	}
	if o.context == 0 {
		o.context = o.prompt + o.tokens + 64
	}
	if need := o.prompt + o.tokens + 1; o.context < need {
		return o, fmt.Errorf("--context %d: --prompt and --tokens need %d", o.context, need)
	}
	if o.models = flags.Args(); len(o.models) == 0 {
		return o, errors.New("no model: name one GGUF file or more")
	}
	for i, path := range o.models {
		if _, err := os.Stat(path); err != nil {
			return o, err
		}
		if o.models[i], err = filepath.Abs(path); err != nil {
			return o, err
		}
	}
	return o, nil
}

// run compares the models, and prints.
func run(ctx context.Context, o options, out, progress io.Writer) error {
	folder, err := os.MkdirTemp("", "realm-compare-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	if o.realm == "" {
		o.realm = filepath.Join(folder, "realm")
		build := exec.CommandContext(ctx, "go", "build", "-o", o.realm, "github.com/realm-webgpu/realm/cmd/realm")
		build.Stderr = progress
		if err := build.Run(); err != nil {
			return fmt.Errorf("building realm: %w", err)
		}
	}
	llama, err := installLlama(ctx, o.llama, progress)
	if err != nil {
		return err
	}
	r := report{Threads: o.threads, PromptTokens: o.prompt, Tokens: o.tokens, Rounds: o.rounds}
	for _, path := range o.models {
		pairs := []pair{{Name: "CPU", devices: [2]string{"cpu", "cpu"}}}
		if o.vulkan {
			pairs = append(pairs, pair{Name: "WebGPU", devices: [2]string{"webgpu", "vulkan"}})
		}
		m := modelReport{Model: filepath.Base(path)}
		if m.prompts, err = prompts(path, o.prompt); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		for round := range o.rounds {
			for i := range pairs {
				fmt.Fprintf(progress, "%s, %s, round %d of %d\n", m.Model, pairs[i].Name, round+1, o.rounds)
				if err := pairs[i].round(ctx, o, llama, path, m.prompts, round); err != nil {
					return fmt.Errorf("%s: %s: %w", m.Model, pairs[i].Name, err)
				}
			}
		}
		m.Pairs = pairs
		r.Models = append(r.Models, m)
	}
	// At the end: what a process has taken before it starts others counts in their peaks.
	r.Bandwidth = memory.Bandwidth(o.threads)
	if o.json {
		e := json.NewEncoder(out)
		e.SetIndent("", "  ")
		return e.Encode(r)
	}
	return r.print(out)
}

// round runs both once. Who comes first changes from round to round.
func (p *pair) round(ctx context.Context, o options, llama, path string, prompts [2][]int32, round int) error {
	turns := []func() error{
		func() error {
			m, err := runRealm(ctx, o, p.devices[0], path)
			p.Realm = append(p.Realm, m)
			return err
		},
		func() error {
			m, err := runLlama(ctx, o, llama, p.devices[1], path, prompts)
			p.Llama = append(p.Llama, m)
			return err
		},
	}
	if round%2 == 1 {
		slices.Reverse(turns)
	}
	return errors.Join(turns[0](), turns[1]())
}
