package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/dustin/go-humanize"
)

// print prints the report for people: a block for each device.
func (r *benchReport) print(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "%s: %s weights; prompt of %d tokens, %d written, %d times, %s keys and values\n",
		printable(r.Model), count(r.Weights), r.PromptTokens, r.Tokens, r.Repetitions, r.CacheType)
	for _, d := range r.Devices {
		fmt.Fprintf(w, "\n%s: %s (%s)\n", d.Option, d.Name, d.Driver)
		row := func(name string, s spread, unit string) {
			fmt.Fprintf(t, "%s\t%.4g\t%.4g\t%.4g\t\t%s\n", name, s.Min, s.Median, s.Max, unit)
		}
		fmt.Fprintln(t, "\tmin\tmedian\tmax\t\t")
		row("prefill", d.Prefill, "tokens/s")
		row("decode", d.Decode, "tokens/s")
		row("weights read", d.Bandwidth, "GB/s")
		row("first token", d.FirstToken.scaled(1000), "ms")
		if err := t.Flush(); err != nil {
			return err
		}
		_, err := fmt.Fprintf(w, "a token: %.4g dispatches, %.4g submits, %.4g bytes written, %.4g read back\nloaded in %v, first token after %v, %s on the device\n",
			d.PerToken.Dispatches, d.PerToken.Submits, d.PerToken.Written, d.PerToken.ReadBack,
			seconds(d.Load), seconds(d.Ready), humanize.IBytes(uint64(d.Memory)))
		if err != nil {
			return err
		}
	}
	return nil
}
