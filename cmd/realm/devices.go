package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/realm-webgpu/realm/engine"
)

func newDevices() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "devices",
		Short: "List the GPUs and what they can do",
		Long: `Devices lists what --device can name: the adapters that WebGPU finds, in the
driver's order, and the CPU. A software adapter is a driver that computes on the
CPU: it works, but is no faster than it.`,
		Example: `  realm devices
  realm devices --json`,
		Args: arguments(0, 0, "none"),
		RunE: func(c *cobra.Command, _ []string) error {
			quietMesa()
			devices := engine.Devices()
			if asJSON {
				return printJSON(c.OutOrStdout(), map[string]any{"devices": devices})
			}
			return printDevices(c.OutOrStdout(), devices)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return c
}

func printDevices(w io.Writer, devices []engine.DeviceInfo) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for i, d := range devices {
		if i > 0 {
			fmt.Fprintln(t)
		}
		fmt.Fprintf(t, "%s\t%s\n", d.Option, d.Name)
		row := func(name string, value any) { fmt.Fprintf(t, "  %s\t%v\n", name, value) }
		kind := d.Kind
		if d.Software && d.Backend != "cpu" {
			kind = "software adapter: computes on the CPU"
		}
		for _, r := range []struct{ name, value string }{
			{"kind", kind}, {"driver", d.Driver}, {"api", d.API}, {"class", d.Class},
		} {
			if r.value != "" {
				row(r.name, r.value)
			}
		}
		for _, r := range []struct {
			name  string
			bytes int64
		}{
			{"largest binding", d.Limits.StorageBinding},
			{"largest buffer", d.Limits.Buffer},
			{"workgroup memory", int64(d.Limits.WorkgroupMemory)},
		} {
			if r.bytes > 0 {
				row(r.name, humanize.IBytes(uint64(r.bytes)))
			}
		}
		for _, r := range []struct {
			name  string
			count int
		}{
			{"workgroup invocations", d.Limits.WorkgroupInvocations},
			{"storage buffers", d.Limits.StorageBuffers},
			{"workgroups a dimension", d.Limits.WorkgroupsPerDimension},
		} {
			if r.count > 0 {
				row(r.name, r.count)
			}
		}
	}
	return t.Flush()
}
