package main

import (
	"fmt"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/realm-webgpu/realm/web/store"
)

func newRm() *cobra.Command {
	return &cobra.Command{
		Use:   "rm NAME",
		Short: "Remove a model that was pulled",
		Long: `Rm removes a model of realm list, by its name or what -m takes for it. Files that
another model has too stay.`,
		Example:           "  realm rm Llama-3.2-1B-Instruct-GGUF:Q4_0",
		Args:              arguments(1, 1, "one NAME of realm list"),
		ValidArgsFunction: storedNames,
		RunE: func(c *cobra.Command, args []string) error {
			m, freed, err := store.Open("").Remove(c.Context(), args[0])
			if err != nil {
				return &modelError{err}
			}
			fmt.Fprintf(c.ErrOrStderr(), "realm: removed %s: %s are free\n", m.Name, humanize.IBytes(uint64(freed)))
			return nil
		},
	}
}

// storedNames offers the names of the store.
func storedNames(c *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
	models, err := store.Open("").List()
	if err != nil || len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp // the command itself says what is wrong
	}
	var names []string
	for _, m := range models {
		names = append(names, m.Name)
	}
	return words(names)(c, args, begun)
}
