package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/realm-webgpu/realm/web/tenant"
)

func newKey() *cobra.Command {
	c := &cobra.Command{
		Use:   "key",
		Short: "Make, list and revoke the keys of tenants",
		Long: `A key opens the server for a tenant: "Authorization: Bearer rk_...". It is shown once,
when it is made; what is kept is its SHA-256. Keys of a tenant have names, so that one
can be revoked and the others go on.`,
		Example: `  realm key create acme
  realm key create acme ci --expires 90d
  realm key list acme
  realm key revoke acme ci`,
		Args: arguments(0, 0, "a command: create, list or revoke"),
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(newKeyCreate(), newKeyList(), newKeyRevoke())
	return c
}

// firstKey is the name of a key that nobody has named.
const firstKey = "main"

// keyReport is what --json prints of a new key.
type keyReport struct {
	Secret string `json:"key"`
	tenant.Key
}

func newKeyCreate() *cobra.Command {
	var d databaseFlags
	var expires expiryValue
	var asJSON bool
	c := &cobra.Command{
		Use:   "create TENANT [NAME]",
		Short: "Make a key and show it, this once",
		Long: `Create makes a key and prints it on standard output. Nobody can say it again. A NAME
that is not given is "` + firstKey + `".`,
		Example: `  realm key create acme
  realm key create acme ci --expires 2027-12-31
  REALM_API_KEY=$(realm key create acme laptop)`,
		Args:              arguments(1, 2, "a TENANT, and a NAME if you like"),
		ValidArgsFunction: d.tenantNames,
		RunE: func(c *cobra.Command, args []string) error {
			name := firstKey
			if len(args) > 1 {
				name = args[1]
			}
			ctx := c.Context()
			return d.use(ctx, false, func(s *tenant.Store) error {
				key, k, err := s.CreateKey(ctx, args[0], name, expires.at)
				if err != nil {
					return err
				}
				if asJSON {
					return printJSON(c.OutOrStdout(), keyReport{key, k})
				}
				fmt.Fprintf(c.ErrOrStderr(), "realm: key %s of tenant %s; it is shown this once\n", k.Name, k.Tenant)
				_, err = fmt.Fprintln(c.OutOrStdout(), key)
				return err
			})
		},
	}
	c.Flags().Var(&expires, "expires", "the day or the time `WHEN` it ends to be good: 2027-12-31, 2027-12-31T12:00:00Z, 90d or 12h from now (default: never)")
	d.add(c.Flags())
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return c
}

func newKeyList() *cobra.Command {
	var d databaseFlags
	var all, asJSON bool
	c := &cobra.Command{
		Use:               "list [TENANT]",
		Short:             "List the keys of a tenant, or of all",
		Long:              "List shows keys that are good. Of each it shows the first and the last letters.",
		Example:           "  realm key list\n  realm key list acme --all --json",
		Args:              arguments(0, 1, "a TENANT, or none for all"),
		ValidArgsFunction: d.tenantNames,
		RunE: func(c *cobra.Command, args []string) error {
			ctx := c.Context()
			return d.use(ctx, false, func(s *tenant.Store) error {
				list, err := s.Keys(ctx, strings.Join(args, ""))
				if err != nil {
					return err
				}
				now := time.Now()
				shown := []tenant.Key{}
				for _, k := range list {
					if all || k.Live(now) {
						shown = append(shown, k)
					}
				}
				if asJSON {
					return printJSON(c.OutOrStdout(), map[string]any{"keys": shown})
				}
				t := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
				fmt.Fprintln(t, "TENANT\tNAME\tKEY\tID\tCREATED\tLAST USED\tSTATE")
				for _, k := range shown {
					fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", k.Tenant, k.Name, k.Hint, k.ID, k.Created.Format(time.DateOnly), orNever(k.LastUsed), keyState(k, now))
				}
				return t.Flush()
			})
		},
	}
	c.Flags().BoolVar(&all, "all", false, "those that were revoked or have expired too")
	d.add(c.Flags())
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return c
}

func orNever(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.Format(time.DateOnly)
}

// keyState says whether a key is good, and until or since when.
func keyState(k tenant.Key, now time.Time) string {
	switch {
	case !k.Revoked.IsZero():
		return "revoked " + k.Revoked.Format(time.DateOnly)
	case k.Expires.IsZero():
		return "good"
	case k.Live(now):
		return "good until " + k.Expires.Format(time.DateOnly)
	}
	return "expired " + k.Expires.Format(time.DateOnly)
}

func newKeyRevoke() *cobra.Command {
	var d databaseFlags
	c := &cobra.Command{
		Use:   "revoke TENANT NAME | revoke ID",
		Short: "Make a key worth nothing",
		Long: `Revoke ends a key, by the tenant's name and its own or by its ID, for good. A server
that runs refuses it within a second.`,
		Example:           "  realm key revoke acme ci\n  realm key revoke key_jxq3zq6aw7p2m5nd",
		Args:              arguments(1, 2, "a TENANT and a NAME, or an ID"),
		ValidArgsFunction: d.tenantNames,
		RunE: func(c *cobra.Command, args []string) error {
			of, key := "", args[0]
			if len(args) == 2 {
				of, key = args[0], args[1]
			}
			ctx := c.Context()
			return d.use(ctx, false, func(s *tenant.Store) error {
				k, err := s.RevokeKey(ctx, of, key)
				if err == nil {
					fmt.Fprintf(c.ErrOrStderr(), "realm: key %s of tenant %s is revoked\n", k.Name, k.Tenant)
				}
				return err
			})
		},
	}
	d.add(c.Flags())
	return c
}

// expiryValue is a time to come.
type expiryValue struct{ at time.Time }

func (v *expiryValue) Set(s string) error {
	if days, ok := strings.CutSuffix(s, "d"); ok {
		if n, err := strconv.ParseUint(days, 10, 16); err == nil && n > 0 {
			v.at = time.Now().AddDate(0, 0, int(n))
			return nil
		}
	}
	if d, err := time.ParseDuration(s); err == nil && d > 0 {
		v.at = time.Now().Add(d)
		return nil
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if at, err := time.Parse(layout, s); err == nil && at.After(time.Now()) {
			v.at = at
			return nil
		}
	}
	return errors.New("want a time to come, such as 90d, 12h, 2027-12-31 or 2027-12-31T12:00:00Z")
}

func (v *expiryValue) String() string {
	if v.at.IsZero() {
		return ""
	}
	return v.at.Format(time.RFC3339)
}

func (v *expiryValue) Type() string { return "WHEN" }
