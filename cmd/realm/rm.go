package main

import (
	"fmt"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"
)

func newRm() *cobra.Command {
	var f storeFlags
	c := &cobra.Command{
		Use:   "rm NAME",
		Short: "Remove a model that was pulled",
		Long: `Rm removes a model of realm list, by its name or what -m takes for it. Files that
another model has too stay.`,
		Example:           "  realm rm Llama-3.2-1B-Instruct-GGUF:Q4_0",
		Args:              arguments(1, 1, "one NAME of realm list"),
		ValidArgsFunction: f.names,
		RunE: func(c *cobra.Command, args []string) error {
			s, err := f.open()
			if err != nil {
				return err
			}
			m, freed, err := s.Remove(c.Context(), args[0])
			if err != nil {
				return &modelError{err}
			}
			fmt.Fprintf(c.ErrOrStderr(), "realm: removed %s: %s are free\n", m.Name, humanize.IBytes(uint64(freed)))
			return nil
		},
	}
	f.add(c.Flags())
	return c
}
