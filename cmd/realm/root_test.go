package main

import (
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// TestHelp holds every command to having a help that a newcomer can use.
func TestHelp(t *testing.T) {
	root := newRoot()
	for _, code := range []int{exitOK, exitFailure, exitUsage, exitModel, exitDevice, exitInterrupted} {
		if !strings.Contains(root.Long, "\n  "+strconv.Itoa(code)+" ") {
			t.Errorf("the help does not explain exit code %d", code)
		}
	}
	f := newFolder(t)
	if o := f.good("", "--help"); !strings.Contains(o.stdout, root.Example) || o.stderr != "" {
		t.Errorf("realm --help printed %q and %q", o.stdout, o.stderr)
	}
	for _, c := range root.Commands() {
		if c.Short == "" || c.GroupID == "" || c.Name() != "version" && (c.Long == "" || c.Example == "") {
			t.Errorf("%s: Short, GroupID, Long or Example is missing", c.CommandPath())
		}
		if o := f.good("", c.Name(), "--help"); !strings.Contains(o.stdout, helpOf(c)) || o.stderr != "" {
			t.Errorf("realm %s --help printed %q and %q", c.Name(), o.stdout, o.stderr)
		}
	}
	f.holds()
}

// helpOf is the text that the help of a command begins with.
func helpOf(c *cobra.Command) string {
	if c.Long == "" {
		return c.Short
	}
	return c.Long
}

func TestVersion(t *testing.T) {
	for _, way := range []string{"version", "--version"} {
		o := newFolder(t).good("", way)
		if !strings.HasPrefix(o.stdout, "realm ") || !strings.Contains(o.stdout, runtime.Version()) {
			t.Errorf("%s printed %q", way, o.stdout)
		}
	}
}
