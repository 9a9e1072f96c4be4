package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

const rootHelp = `Realm runs GGUF language models on any GPU through WebGPU, or on the CPU where
there is none.

Without a command it starts a server on this machine and opens the playground in the
browser, until Ctrl-C.

A model need not be downloaded to try it: where -m names no file, commands use
atlas, a small model that is built in and knows the countries of the world.
Answers go to standard output, everything else to standard error.`

const rootExample = `  # Open the playground in the browser.
  realm

  # Ask the model that is built in.
  realm run "What is the capital of France?"

  # Hold a conversation.
  realm chat

  # Ask a model of your own, and limit the answer to 200 tokens.
  realm run -m llama-3.2-1b-q4_0.gguf -n 200 "Why is the sky blue?"

  # Have a model of Hugging Face on this machine, and ask it.
  realm pull hf.co/bartowski/Llama-3.2-1B-Instruct-GGUF:Q4_0
  realm run -m Llama-3.2-1B-Instruct-GGUF "Why is the sky blue?"

  # See which GPUs there are, and use one.
  realm devices
  realm run --device webgpu:0 "Tell me about Brazil."

  # Look into a file, make it smaller, and see how fast it is.
  realm info -m model-f16.gguf
  realm quantize model-f16.gguf model-q4_k_m.gguf --type Q4_K_M
  realm bench -m model-q4_k_m.gguf`

// The groups of the root's help.
const (
	groupModels  = "models"
	groupServer  = "server"
	groupMachine = "machine"
)

// newRoot returns the command line.
func newRoot() *cobra.Command {
	var desktop desktopFlags
	var asked bool
	root := &cobra.Command{
		Use:     "realm",
		Short:   "Run GGUF language models on any GPU",
		Long:    rootHelp + "\n\n" + exitHelp,
		Example: rootExample,
		// Errors are printed by main, on one line.
		SilenceErrors: true,
		SilenceUsage:  true,
		// Edits between what was typed and what is suggested.
		SuggestionsMinimumDistance: 2,
		// Runs without a subcommand and for an unknown one.
		Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if asked {
				return printVersion(c)
			}
			if len(args) == 0 {
				return desktop.run(c)
			}
			err := fmt.Errorf("unknown command %q", args[0])
			if near := c.SuggestionsFor(args[0]); len(near) > 0 {
				err = fmt.Errorf("%w: did you mean %q?", err, near[0])
			}
			return &usageError{c.CommandPath(), err}
		},
	}
	desktop.add(root)
	root.Flags().BoolVar(&asked, "version", false, "print the version, as the command of that name does")
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error { return &usageError{c.CommandPath(), err} })
	root.AddGroup(
		&cobra.Group{ID: groupModels, Title: "Models:"},
		&cobra.Group{ID: groupServer, Title: "Server:"},
		&cobra.Group{ID: groupMachine, Title: "This machine:"},
	)
	add := func(group string, commands ...*cobra.Command) {
		for _, c := range commands {
			c.GroupID = group
			root.AddCommand(c)
			for _, c := range append(c.Commands(), c) {
				c.Flags().SortFlags = false // in the order in which they were added
				if err := complete(c); err != nil {
					panic(err) // a flag of that name is there, and completed once
				}
			}
		}
	}
	add(groupModels, newRun(), newChat(), newInfo(), newQuantize(), newPerplexity(), newEmbed(), newTokenize(), newLogits(), newGuest(), newPull(), newList(), newRm())
	add(groupServer, newServe(), newTenant(), newKey(), newUsage())
	add(groupMachine, newDevices(), newBench(), newCompletion(), newVersion())
	return root
}

// arguments takes from least to most arguments, which are named for the error.
func arguments(least, most int, names string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		switch {
		case len(args) > most && most == 0:
			return &usageError{c.CommandPath(), fmt.Errorf("unexpected argument %q", args[0])}
		case len(args) < least, len(args) > most:
			return &usageError{c.CommandPath(), fmt.Errorf("%d arguments, want %s", len(args), names)}
		}
		return nil
	}
}
