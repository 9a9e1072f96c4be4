package main

import (
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/realm-webgpu/realm/web/tenant"
)

// usedReport is what --json prints.
type usedReport struct {
	Days  int            `json:"days"`
	Usage []tenant.Usage `json:"usage"` // by day, tenant, model and adapter
	Total tenant.Counts  `json:"total"`
}

func newUsage() *cobra.Command {
	var d databaseFlags
	var days countValue = 30
	var asJSON bool
	c := &cobra.Command{
		Use:   "usage [TENANT]",
		Short: "Show what tenants have used",
		Long: `Usage shows requests and tokens by day (UTC), tenant, model and adapter. Tokens are
counted, not estimated; those of prompts that were in the cache are shown beside them.
A server writes what it has counted every few seconds, and when it ends.`,
		Example: `  realm usage
  realm usage acme --days 7
  realm usage --days 1 --json`,
		Args:              arguments(0, 1, "a TENANT, or none for all"),
		ValidArgsFunction: d.tenantNames,
		RunE: func(c *cobra.Command, args []string) error {
			if days == 0 {
				return &usageError{c.CommandPath(), errors.New("--days 0: at least 1")}
			}
			ctx := c.Context()
			return d.use(ctx, false, func(s *tenant.Store) error {
				list, err := s.Usage(ctx, strings.Join(args, ""), int(days))
				if err != nil {
					return err
				}
				r := usedReport{Days: int(days), Usage: list}
				for _, u := range list {
					r.Total.Add(u.Counts)
				}
				if asJSON {
					return printJSON(c.OutOrStdout(), r)
				}
				t := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
				fmt.Fprintln(t, "DAY\tTENANT\tMODEL\tADAPTER\tREQUESTS\tERRORS\tPROMPT\tCACHED\tCOMPLETION")
				row := func(day, of, model, adapter string, n tenant.Counts) {
					fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%d\t%d\t%d\t%d\t%d\n", day, of, printable(model), printable(adapter),
						n.Requests, n.Errors, n.PromptTokens, n.CachedTokens, n.CompletionTokens)
				}
				for _, u := range list {
					of := u.Tenant
					if u.Deleted {
						of += " (deleted)"
					}
					row(u.Day, of, u.Model, u.Adapter, u.Counts)
				}
				row("total", "", "", "", r.Total)
				return t.Flush()
			})
		},
	}
	c.Flags().Var(&days, "days", "how many days, today being the first")
	d.add(c.Flags())
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return c
}
