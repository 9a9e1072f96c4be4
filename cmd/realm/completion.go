package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/realm-webgpu/realm/engine"
	"github.com/realm-webgpu/realm/engine/chat"
	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/engine/draft"
)

// shell is a program that completes what is typed in it.
type shell struct {
	name, install string
	script        func(root *cobra.Command, w io.Writer) error
}

// shells is the table of all there are scripts for.
func shells() []shell {
	return []shell{
		{"bash", "source <(realm completion bash)   in ~/.bashrc",
			func(root *cobra.Command, w io.Writer) error { return root.GenBashCompletionV2(w, true) }},
		{"zsh", "source <(realm completion zsh)   in ~/.zshrc, behind compinit",
			func(root *cobra.Command, w io.Writer) error { return root.GenZshCompletion(w) }},
		{"fish", "realm completion fish > ~/.config/fish/completions/realm.fish",
			func(root *cobra.Command, w io.Writer) error { return root.GenFishCompletion(w, true) }},
		{"powershell", "realm completion powershell | Out-String | Invoke-Expression   in $PROFILE",
			func(root *cobra.Command, w io.Writer) error { return root.GenPowerShellCompletionWithDesc(w) }},
	}
}

func newCompletion() *cobra.Command {
	var names []string
	var install strings.Builder
	for _, s := range shells() {
		names = append(names, s.name)
		fmt.Fprintf(&install, "\n  %-11s %s", s.name, s.install)
	}
	return &cobra.Command{
		Use:   "completion " + strings.Join(names, "|"),
		Short: "Print a script that completes commands in a shell",
		Long: `Completion prints a script for a shell. With it the Tab key completes commands
and flags, model files, devices and types. It is switched on by:
` + install.String(),
		Example:   "  realm completion bash",
		Args:      arguments(1, 1, "one of "+strings.Join(names, ", ")),
		ValidArgs: names,
		RunE: func(c *cobra.Command, args []string) error {
			for _, s := range shells() {
				if s.name == args[0] {
					return s.script(c.Root(), c.OutOrStdout())
				}
			}
			return &usageError{c.CommandPath(), fmt.Errorf("no script for %q: want one of %s", args[0], strings.Join(names, ", "))}
		},
	}
}

// complete has a shell offer what the flags of a command can be. Files are for the
// flags that name some; other arguments are no files.
func complete(c *cobra.Command) error {
	var caches []string
	for _, t := range []device.CacheType{device.CacheF16, device.CacheF32} {
		caches = append(caches, t.String())
	}
	for name, offer := range map[string]cobra.CompletionFunc{
		"model":                modelFiles,
		"draft":                modelFiles,
		"speculative":          words([]string{draft.Lookup.String(), draft.Model.String(), draft.None.String()}),
		"kl-base":              modelFiles,
		"guest":                guestFiles,
		"adapter":              adapterFiles,
		"guest-file":           guestFiles,
		"device":               deviceNames,
		"type":                 words(strings.Fields(mixNames())),
		"output-tensor-type":   words(strings.Fields(formatNames())),
		"token-embedding-type": words(strings.Fields(formatNames())),
		"kv-type":              words(caches),
		"measure":              words(batchMeasurementNames()),
		"pooling":              words([]string{"mean", "cls", "last", "none"}),
		"template":             words(chat.BuiltinNames()),
	} {
		if c.Flags().Lookup(name) == nil {
			continue
		}
		if err := c.RegisterFlagCompletionFunc(name, offer); err != nil {
			return err
		}
	}
	if c.ValidArgsFunction == nil && c.ValidArgs == nil {
		c.ValidArgsFunction = cobra.NoFileCompletions
	}
	return nil
}

// words offers words, in any case of letters.
func words(all []string) cobra.CompletionFunc {
	return func(_ *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
		var fit []string
		for _, word := range all {
			if len(begun) <= len(word) && strings.EqualFold(word[:len(begun)], begun) {
				fit = append(fit, word)
			}
		}
		return fit, cobra.ShellCompDirectiveNoFileComp
	}
}

// modelFiles offers files by the end of their names.
func modelFiles(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return []string{"gguf"}, cobra.ShellCompDirectiveFilterFileExt
}

// guestFiles offers files by the end of their names.
func guestFiles(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return []string{"wasm"}, cobra.ShellCompDirectiveFilterFileExt
}

// adapterFiles offers those that are built in, and files.
func adapterFiles(c *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
	names, _ := words(adapterNames())(c, args, begun)
	return names, cobra.ShellCompDirectiveDefault
}

// deviceNames offers what --device can be, adapters by their number.
func deviceNames(c *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
	quietMesa()
	names := []string{"auto"}
	for _, d := range engine.Devices() {
		names = append(names, d.Option)
	}
	if slices.ContainsFunc(names, func(name string) bool { return strings.HasPrefix(name, "webgpu:") }) {
		names = append(names, "webgpu")
	}
	return words(names)(c, args, begun)
}
