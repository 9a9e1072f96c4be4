// Harness checks a binary of Realm as its users have it: over its command line, its
// sockets, and its pages in Chromium. It writes a report for people, and on request one
// for programs; docs/harness.md describes both.
//
//	go run ./e2e/cmd/harness
//	go run ./e2e/cmd/harness --binary /usr/local/bin/realm --artifacts out --report report.json
//
// It exits with 0 if nothing has failed, 1 if something has, and 2 if nothing was run.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/realm-webgpu/realm/e2e/harness"
)

// The exit codes.
const (
	exitFailed = 1
	exitUsage  = 2
)

// flags are those of the command.
type flags struct {
	list   bool
	only   names
	report string
	// pictures is a folder, "" for none.
	pictures string
	o        harness.Options
}

// names is a flag that may be given several times, or with commas.
type names []string

// String implements flag.Value.
func (n *names) String() string { return strings.Join(*n, ",") }

// Set implements flag.Value.
func (n *names) Set(text string) error {
	*n = append(*n, strings.Split(text, ",")...)
	return nil
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	code, err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	if err != nil {
		fmt.Fprintln(os.Stderr, "harness: "+err.Error())
	}
	stop()
	os.Exit(code)
}

// run runs the command and returns its exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) (int, error) {
	var f flags
	set := flag.NewFlagSet("harness", flag.ContinueOnError)
	set.SetOutput(stderr)
	set.BoolVar(&f.list, "list", false, "list the checks and end")
	set.Var(&f.only, "only", "run the checks of these `NAMES` only (several times, or with commas)")
	set.StringVar(&f.report, "report", "", "write a report for programs to `FILE`; -: standard output")
	set.StringVar(&f.o.Binary, "binary", "", "test the binary at `PATH`, not one that is built for this")
	set.StringVar(&f.o.Device, "device", "auto", "`DEVICE` to compute on, as realm run --device has it")
	set.StringVar(&f.o.Artifacts, "artifacts", "", "keep pictures, logs and the report in the folder `DIR`")
	set.StringVar(&f.pictures, "pictures", "", "make the pictures of the pages that docs show, in the folder `DIR`")
	set.DurationVar(&f.o.Limit, "limit", 0, "how long one check may take (default 10m)")
	if err := set.Parse(args); err != nil {
		return exitUsage, nil // it was said
	}
	if set.NArg() > 0 {
		return exitUsage, fmt.Errorf("%q: there are flags only", set.Arg(0))
	}
	checks := harness.Checks()
	if f.pictures != "" {
		checks = append(checks, harness.Pictures(f.pictures))
	}
	checks, err := choose(checks, f.only)
	if err != nil {
		return exitUsage, err
	}
	if f.list {
		for _, c := range checks {
			fmt.Fprintf(stdout, "%-20s%s\n", c.Name, c.About)
		}
		return 0, nil
	}
	out := stdout
	if f.report == "-" {
		out = stderr
	}
	return f.run(ctx, checks, stdout, out)
}

// choose returns those checks that are named, or all where none is.
func choose(all []harness.Check, only []string) ([]harness.Check, error) {
	if len(only) == 0 {
		return all, nil
	}
	wanted := map[string]bool{}
	for _, name := range only {
		wanted[name] = true
	}
	var chosen []harness.Check
	for _, c := range all {
		if wanted[c.Name] {
			chosen = append(chosen, c)
			delete(wanted, c.Name)
		}
	}
	for name := range wanted {
		return nil, fmt.Errorf("--only: there is no check %q; --list has all", name)
	}
	return chosen, nil
}

// run runs checks, and says what came of them to people on out.
func (f *flags) run(ctx context.Context, checks []harness.Check, stdout, out io.Writer) (int, error) {
	if f.o.Binary == "" {
		fmt.Fprintln(out, "building the binary")
	}
	h, err := harness.New(ctx, f.o)
	if err != nil {
		return exitUsage, err
	}
	defer h.Close()
	report, err := h.Run(ctx, checks, func(r harness.Result) { fmt.Fprint(out, r.Summary()) })
	if report == nil {
		return exitUsage, err
	}
	fmt.Fprintln(out, report.Summary())
	if writing := f.write(report, stdout); writing != nil {
		return exitFailed, writing
	}
	if err != nil || report.Failed > 0 {
		return exitFailed, err
	}
	return 0, nil
}

// write writes the report where it is wanted.
func (f *flags) write(report *harness.Report, stdout io.Writer) error {
	if f.o.Artifacts != "" {
		if err := report.WriteFile(filepath.Join(f.o.Artifacts, "report.json")); err != nil {
			return err
		}
	}
	switch f.report {
	case "":
		return nil
	case "-":
		return report.Write(stdout)
	}
	return report.WriteFile(f.report)
}
