package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/realm-webgpu/realm/hostfn/native"
	"github.com/realm-webgpu/realm/web/config"
	"github.com/realm-webgpu/realm/web/tenant"
)

// databaseFlags say which database of tenants is meant.
type databaseFlags struct{ config, path string }

func (d *databaseFlags) add(flags *pflag.FlagSet) {
	flags.StringVar(&d.path, "db", "", "database `FILE` of tenants, keys and usage (default: that of the configuration)")
	flags.StringVar(&d.config, "config", "", "configuration `FILE` of the server (default: realm/realm.toml in the user's configurations, if it is there)")
}

// open opens the database. One that there is none of is made where create says so.
func (d *databaseFlags) open(ctx context.Context, create bool) (*tenant.Store, error) {
	c, err := config.Load(d.config)
	if err != nil {
		return nil, err
	}
	path := c.Database
	if d.path != "" {
		path = d.path
	}
	if path == "" {
		return nil, errors.New("the configuration names no database: name one with --db")
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) && !create {
		return nil, fmt.Errorf("%s: there are no tenants yet: realm tenant create makes one", path)
	}
	return tenant.Open(ctx, path, tenant.Options{Defaults: c.Tenants.Limits()})
}

// use opens the database, does f with it and closes it.
func (d *databaseFlags) use(ctx context.Context, create bool, f func(*tenant.Store) error) error {
	s, err := d.open(ctx, create)
	if err != nil {
		return err
	}
	return errors.Join(f(s), s.Close())
}

// tenantNames offers the names of tenants as the first argument. It is silent about
// errors, as a shell shows nothing but offers.
func (d *databaseFlags) tenantNames(c *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
	var names []string
	if len(args) == 0 {
		_ = d.use(c.Context(), false, func(s *tenant.Store) error {
			list, err := s.List(c.Context())
			for _, t := range list {
				names = append(names, t.Name)
			}
			return err
		})
	}
	return words(names)(c, args, begun)
}

func newTenant() *cobra.Command {
	c := &cobra.Command{
		Use:   "tenant",
		Short: "Say who may use the server, and how much",
		Long: `A tenant is someone who uses the server: with keys, limits and usage of their own.
Tenants are in a database beside the server, which takes over what is changed here
within a second. A server in whose database there ever was a key lets nobody in
without one.`,
		Example: `  realm tenant create acme --tokens-per-minute 100000 --models "atlas,qwen*"
  realm key create acme
  realm tenant list
  realm tenant set acme --sequences 8 --weight 2`,
		Args: arguments(0, 0, "a command: create, list, show, set or delete"),
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(newTenantCreate(), newTenantList(), newTenantShow(), newTenantSet(), newTenantDelete())
	return c
}

func newTenantCreate() *cobra.Command {
	var d databaseFlags
	var f settingsFlags
	var asJSON bool
	c := &cobra.Command{
		Use:   "create NAME",
		Short: "Add a tenant",
		Long: `Create adds a tenant, which may use everything until flags say otherwise. It has no
key yet: realm key create makes one.`,
		Example: `  realm tenant create acme
  realm tenant create acme --requests-per-minute 60 --models atlas --adapters "atlas:*"`,
		Args: arguments(1, 1, "a NAME"),
		RunE: func(c *cobra.Command, args []string) error {
			settings := tenant.NewSettings()
			f.apply(c.Flags(), &settings)
			module, err := f.module(c.Flags())
			if err != nil {
				return err
			}
			ctx := c.Context()
			return d.use(ctx, true, func(s *tenant.Store) error {
				t, err := s.Create(ctx, args[0], settings)
				if err == nil && len(module) > 0 {
					if err = s.SetGuest(ctx, t.ID, module); err == nil {
						t, err = s.Get(ctx, t.ID)
					}
				}
				if err != nil {
					return err
				}
				if !asJSON {
					fmt.Fprintf(c.ErrOrStderr(), "realm: made; realm key create %s gives it a key\n", t.Name)
				}
				return reportTenant(c.OutOrStdout(), asJSON, t)
			})
		},
	}
	f.add(c.Flags())
	d.add(c.Flags())
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return c
}

func newTenantList() *cobra.Command {
	var d databaseFlags
	var asJSON bool
	c := &cobra.Command{
		Use:     "list",
		Short:   "List the tenants",
		Example: "  realm tenant list\n  realm tenant list --json",
		Args:    arguments(0, 0, "none"),
		RunE: func(c *cobra.Command, _ []string) error {
			ctx := c.Context()
			return d.use(ctx, false, func(s *tenant.Store) error {
				list, err := s.List(ctx)
				if err != nil {
					return err
				}
				if asJSON {
					return printJSON(c.OutOrStdout(), map[string]any{"tenants": list})
				}
				t := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
				fmt.Fprintln(t, "NAME\tID\tWEIGHT\tREQUESTS/MIN\tTOKENS/MIN\tMODELS\tCREATED")
				for _, one := range list {
					l := one.Limits
					fmt.Fprintf(t, "%s\t%s\t%v\t%s\t%s\t%s\t%s\n", one.Name, one.ID, one.Weight,
						limitText(unitCount, int64(l.RequestsPerMinute)), limitText(unitCount, int64(l.TokensPerMinute)),
						printable(strings.Join(one.Models, ",")), one.Created.Format(time.DateOnly))
				}
				return t.Flush()
			})
		},
	}
	d.add(c.Flags())
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return c
}

func newTenantShow() *cobra.Command {
	var d databaseFlags
	var asJSON bool
	c := &cobra.Command{
		Use:               "show NAME",
		Short:             "Say what is known of a tenant",
		Example:           "  realm tenant show acme",
		Args:              arguments(1, 1, "a NAME or an ID"),
		ValidArgsFunction: d.tenantNames,
		RunE: func(c *cobra.Command, args []string) error {
			ctx := c.Context()
			return d.use(ctx, false, func(s *tenant.Store) error {
				t, err := s.Get(ctx, args[0])
				if err != nil {
					return err
				}
				return reportTenant(c.OutOrStdout(), asJSON, t)
			})
		},
	}
	d.add(c.Flags())
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return c
}

func newTenantSet() *cobra.Command {
	var d databaseFlags
	var f settingsFlags
	var asJSON bool
	c := &cobra.Command{
		Use:   "set NAME",
		Short: "Change what a tenant may do",
		Long: `Set changes what its flags name, and leaves the rest as it is. A server that runs
takes it over within a second; requests that run keep what they began with.`,
		Example: `  realm tenant set acme --tokens-per-minute 200000 --queue default
  realm tenant set acme --models "" --admin=false`,
		Args:              arguments(1, 1, "a NAME or an ID"),
		ValidArgsFunction: d.tenantNames,
		RunE: func(c *cobra.Command, args []string) error {
			module, err := f.module(c.Flags())
			if err != nil {
				return err
			}
			if !f.changes(c.Flags()) {
				return &usageError{c.CommandPath(), errors.New("nothing to set")}
			}
			ctx := c.Context()
			return d.use(ctx, false, func(s *tenant.Store) error {
				t, err := s.Update(ctx, args[0], func(settings *tenant.Settings) error {
					f.apply(c.Flags(), settings)
					return nil
				})
				if err == nil && c.Flags().Changed(guestFileFlag) {
					if err = s.SetGuest(ctx, t.ID, module); err == nil {
						t, err = s.Get(ctx, t.ID)
					}
				}
				if err != nil {
					return err
				}
				return reportTenant(c.OutOrStdout(), asJSON, t)
			})
		},
	}
	f.add(c.Flags())
	d.add(c.Flags())
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return c
}

func newTenantDelete() *cobra.Command {
	var d databaseFlags
	c := &cobra.Command{
		Use:   "delete NAME",
		Short: "Take a tenant away",
		Long: `Delete revokes the keys of a tenant and takes away its guest and its settings, for
good. What it has used stays to be seen with realm usage.`,
		Example:           "  realm tenant delete acme",
		Args:              arguments(1, 1, "a NAME or an ID"),
		ValidArgsFunction: d.tenantNames,
		RunE: func(c *cobra.Command, args []string) error {
			return d.use(c.Context(), false, func(s *tenant.Store) error { return s.Delete(c.Context(), args[0]) })
		},
	}
	d.add(c.Flags())
	return c
}

// reportTenant prints a tenant, for people or as JSON.
func reportTenant(w io.Writer, asJSON bool, t *tenant.Tenant) error {
	if asJSON {
		return printJSON(w, t)
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(name string, value any) { fmt.Fprintf(table, "%s\t%v\n", name, value) }
	row("name", t.Name)
	row("id", t.ID)
	row("created", t.Created.Format(time.RFC3339))
	row("admin", t.Admin)
	row("weight", t.Weight)
	row("priority", t.Priority)
	row("models", orNothing(printable(strings.Join(t.Models, ","))))
	row("adapters", orNothing(printable(strings.Join(t.Adapters, ","))))
	row("guests", orNothing(printable(strings.Join(t.Guests, ","))))
	if t.DefaultAdapter != "" {
		row("default adapter", printable(t.DefaultAdapter))
	}
	if t.Guest != "" {
		row("default guest", printable(t.Guest))
	}
	if t.GuestHash != "" {
		row("own guest", "sha256 "+t.GuestHash)
	}
	for _, l := range tenantLimits() {
		if n := l.get(&t.Limits); n != 0 {
			row(strings.ReplaceAll(l.name, "-", " "), limitText(l.unit, n))
		}
	}
	return table.Flush()
}

const guestFileFlag = "guest-file"

// settingsFlags are the flags of what an operator decides about a tenant.
type settingsFlags struct {
	settings  tenant.Settings
	guestFile string
	limits    []*limitValue
}

func (f *settingsFlags) add(flags *pflag.FlagSet) {
	s := &f.settings
	flags.StringSliceVar((*[]string)(&s.Models), "models", nil, "`PATTERNS` of the models it may use, such as \"atlas,qwen*\"")
	flags.StringSliceVar((*[]string)(&s.Adapters), "adapters", nil, "`PATTERNS` of the adapters it may use, such as \"terse,atlas:*\"")
	flags.StringSliceVar((*[]string)(&s.Guests), "guests", nil, "`PATTERNS` of the server's guests it may use")
	flags.StringVar(&s.DefaultAdapter, "default-adapter", "", "`ADAPTER` or MODEL:ADAPTER of requests that name none")
	flags.StringVar(&s.Guest, "default-guest", "", "`GUEST` of requests that name none, of those under the server's guest-root")
	flags.StringVar(&f.guestFile, guestFileFlag, "", "WebAssembly `FILE` of a guest of its own, which is kept in the database; \"\": none")
	flags.BoolVar(&s.Admin, "admin", false, "may change the server, such as load adapters")
	flags.Float64Var(&s.Weight, "weight", 1, "`SHARE` of the device, against those of others who want it at the same time")
	flags.IntVar(&s.Priority, "priority", 0, "`N` of its requests: those of a higher one go first")
	for _, l := range tenantLimits() {
		v := &limitValue{limit: l}
		f.limits = append(f.limits, v)
		flags.Var(v, l.name, l.what)
	}
}

// changes reports whether there is anything to change.
func (f *settingsFlags) changes(flags *pflag.FlagSet) bool {
	var settings tenant.Settings
	return f.apply(flags, &settings) > 0 || flags.Changed(guestFileFlag)
}

// apply sets what flags were given for, and returns how many.
func (f *settingsFlags) apply(flags *pflag.FlagSet, s *tenant.Settings) (set int) {
	for name, apply := range map[string]func(){
		"models":          func() { s.Models = f.settings.Models },
		"adapters":        func() { s.Adapters = f.settings.Adapters },
		"guests":          func() { s.Guests = f.settings.Guests },
		"default-adapter": func() { s.DefaultAdapter = f.settings.DefaultAdapter },
		"default-guest":   func() { s.Guest = f.settings.Guest },
		"admin":           func() { s.Admin = f.settings.Admin },
		"weight":          func() { s.Weight = f.settings.Weight },
		"priority":        func() { s.Priority = f.settings.Priority },
	} {
		if flags.Changed(name) {
			apply()
			set++
		}
	}
	for _, v := range f.limits {
		if flags.Changed(v.limit.name) {
			v.limit.set(&s.Limits, v.n)
			set++
		}
	}
	return set
}

// module reads the guest, and holds it to what a guest is. It is nil if there is none.
func (f *settingsFlags) module(flags *pflag.FlagSet) ([]byte, error) {
	if !flags.Changed(guestFileFlag) || f.guestFile == "" {
		return nil, nil
	}
	data, err := os.ReadFile(f.guestFile)
	if err != nil {
		return nil, err
	}
	report, err := native.Inspect(data)
	if err == nil && len(report.Problems) > 0 {
		err = fmt.Errorf("%s: %w", strings.Join(report.Problems, ", "), native.ErrModule)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.guestFile, err)
	}
	return data, nil
}
