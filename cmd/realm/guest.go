package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/realm-webgpu/realm/guest"
	"github.com/realm-webgpu/realm/hostfn"
	"github.com/realm-webgpu/realm/hostfn/memory64"
	"github.com/realm-webgpu/realm/hostfn/native"
)

// guestFlags say which guest makes answers.
type guestFlags struct{ path string }

func (g *guestFlags) add(flags *pflag.FlagSet) {
	flags.StringVar(&g.path, "guest", "", "WebAssembly `FILE` of the guest that makes the answer (default: $"+hostfn.GuestVariable+", or the one that is built in)")
}

// resolve finds the guest.
func (g *guestFlags) resolve() (hostfn.Choice, error) {
	return hostfn.Resolve(hostfn.Candidates{Flag: g.path, Environment: os.Getenv(hostfn.GuestVariable), Embedded: guest.Module})
}

// runner is a guest that is ready to run.
type runner struct {
	host   *native.Host
	module *native.Module
	choice hostfn.Choice
}

// load makes the guest ready.
func (g *guestFlags) load(ctx context.Context) (*runner, error) {
	choice, err := g.resolve()
	if err != nil {
		return nil, err
	}
	host, err := native.NewHost(ctx, native.Options{})
	if err != nil {
		return nil, err
	}
	module, err := host.Load(ctx, choice.Module)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", choice.Source, err), host.Close(ctx))
	}
	return &runner{host, module, choice}, nil
}

// Close ends the host of the guest.
func (r *runner) Close() error {
	r.module.Release()
	return r.host.Close(context.Background())
}

// logTo returns the log of a guest: warnings and worse, on w.
func logTo(w io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{
		Level: slog.LevelWarn,
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		},
	}))
}

func newGuest() *cobra.Command {
	c := &cobra.Command{
		Use:   "guest",
		Short: "Look into the WebAssembly guests that make answers",
		Long: `Every answer is made by a guest: a small WebAssembly module, in a sandbox, that
asks Realm for tokens and decides what to do with them. One is built in;
docs/writing-guests.md says how to write others.`,
		Example: "  realm guest info\n  realm guest check beam.wasm",
		Args:    arguments(0, 0, "a command: info, check or lower"),
		RunE:    func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(newGuestInfo(), newGuestCheck(), newGuestLower())
	return c
}

func newGuestInfo() *cobra.Command {
	var f guestFlags
	c := &cobra.Command{
		Use:     "info",
		Short:   "Say which guest runs, and why",
		Example: "  realm guest info\n  REALM_GUEST=beam.wasm realm guest info",
		Args:    arguments(0, 0, "none"),
		RunE: func(c *cobra.Command, _ []string) error {
			choice, err := f.resolve()
			if err != nil {
				return err
			}
			report, err := native.Inspect(choice.Module)
			if err != nil {
				return fmt.Errorf("%s: %w", choice.Source, err)
			}
			w := c.OutOrStdout()
			fmt.Fprintf(w, "guest     %s\nbecause   %s\nsha256    %x\n", choice.Source, choice.Why, choice.Hash())
			return printGuest(w, report)
		},
	}
	f.add(c.Flags())
	return c
}

func newGuestCheck() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "check FILE",
		Short: "Say what a module imports, needs and may not have",
		Long: `Check says what a module imports, exports and needs, and whether it can be run as a
guest. It is compiled to find out, and nothing of it is run.`,
		Example: "  realm guest check beam.wasm",
		Args:    arguments(1, 1, "a FILE"),
		RunE: func(c *cobra.Command, args []string) error {
			data, err := os.ReadFile(args[0])
			if err != nil {
				return err
			}
			report, err := native.Inspect(data)
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			if len(report.Problems) == 0 {
				if err := compiles(c.Context(), data); err != nil {
					report.Problems = append(report.Problems, err.Error())
				}
			}
			if asJSON {
				err = printJSON(c.OutOrStdout(), report)
			} else {
				err = printGuest(c.OutOrStdout(), report)
			}
			if err == nil && len(report.Problems) > 0 {
				err = fmt.Errorf("%s: %w", args[0], native.ErrModule)
			}
			return err
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return c
}

// compiles reports why a module does not compile.
func compiles(ctx context.Context, data []byte) error {
	host, err := native.NewHost(ctx, native.Options{})
	if err != nil {
		return err
	}
	_, err = host.Load(ctx, data)
	return errors.Join(err, host.Close(ctx))
}

// printGuest prints a report for people.
func printGuest(w io.Writer, r native.Report) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	width := "32-bit"
	if r.Memory64 {
		width = "64-bit"
	}
	limit := "no limit of its own"
	if r.Max > 0 {
		limit = fmt.Sprintf("at most %d", r.Max)
	}
	fmt.Fprintf(t, "size\t%d bytes, %d functions\n", r.Bytes, r.Functions)
	fmt.Fprintf(t, "memory\t%s, %d pages of 64 KiB, %s\n", width, r.Min, limit)
	fmt.Fprintf(t, "needs\t%s\n", orNothing(strings.Join(r.Capabilities, " ")))
	fmt.Fprintf(t, "imports\t%s\n", orNothing(strings.Join(r.Imports, "\n\t")))
	fmt.Fprintf(t, "exports\t%s\n", orNothing(strings.Join(r.Exports, "\n\t")))
	for _, p := range r.Problems {
		fmt.Fprintf(t, "problem\t%s\n", p)
	}
	return t.Flush()
}

func orNothing(text string) string {
	if text == "" {
		return "nothing"
	}
	return text
}

func newGuestLower() *cobra.Command {
	return &cobra.Command{
		Use:   "lower IN OUT",
		Short: "Write a module as it is without 64-bit memory",
		Long: `Lower writes a module with 64-bit memory as the one with 32-bit memory that Realm
runs in its place, for inspection. A module without 64-bit memory or tables is
written as it is.`,
		Example: "  realm guest lower beam.wasm beam32.wasm",
		Args:    arguments(2, 2, "IN and OUT"),
		RunE: func(_ *cobra.Command, args []string) error {
			data, err := os.ReadFile(args[0])
			if err != nil {
				return err
			}
			lowered, err := memory64.Lower(data)
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			err = replaceFile(args[1], func(w io.Writer) error {
				_, err := w.Write(lowered.Bytes)
				return err
			})
			if err == nil && lowered.Instantiation != nil {
				err = fmt.Errorf("%s: it was written, and cannot be run: %w", args[0], lowered.Instantiation)
			}
			return err
		},
	}
}
