package main

import (
	"fmt"
	"io"

	"github.com/cli/browser"
	"github.com/spf13/cobra"
)

// desktopFlags are those of realm without a command.
type desktopFlags struct{ noOpen bool }

func (d *desktopFlags) add(c *cobra.Command) {
	c.Flags().BoolVar(&d.noOpen, "no-open", false, "without a command: do not open the playground in the browser")
}

// run starts a server on a free port of this machine and opens its page.
func (d *desktopFlags) run(c *cobra.Command) error {
	f := serveFlags{listen: "127.0.0.1:0", quiet: true}
	return f.run(c, func(page string) {
		if d.noOpen {
			return
		}
		// What a browser says is not for the terminal.
		browser.Stdout, browser.Stderr = io.Discard, io.Discard
		if err := browser.OpenURL(page); err != nil {
			fmt.Fprintf(c.ErrOrStderr(), "realm: the browser was not opened (%v): open the address yourself, or see realm --help\n", err)
		}
	})
}
