package main

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// print prints the report for people.
func (r *serveReport) print(w io.Writer) error {
	fmt.Fprintf(w, "%s on %s: %s (%s); prompts of %d tokens, texts of %d\n", printable(r.Model), r.Option, r.Name, r.Driver, r.PromptTokens, r.Tokens)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	if len(r.Streams) > 0 {
		fmt.Fprintln(w, "\nclients at a time; tokens/s of all together, time to the first token and to the next")
		fmt.Fprintln(t, "way\tclients\ttokens/s\tfirst p50\tp99\tnext p50\tp99\t")
		for _, s := range r.Streams {
			fmt.Fprintf(t, "%s\t%d\t%.4g\t%v\t%v\t%v\t%v\t\n", s.Way, s.Clients, s.Rate, seconds(s.First.P50), seconds(s.First.P99), seconds(s.Gap.P50), seconds(s.Gap.P99))
		}
		if err := t.Flush(); err != nil {
			return err
		}
	}
	if o := r.Overhead; o != nil {
		fmt.Fprintf(w, "\n%d texts, prompts read too; tokens/s\n", o.Clients)
		fmt.Fprintln(t, "\tmin\tmedian\tmax\t")
		fmt.Fprintf(t, "engine\t%.4g\t%.4g\t%.4g\t\n", o.Engine.Min, o.Engine.Median, o.Engine.Max)
		fmt.Fprintf(t, "server\t%.4g\t%.4g\t%.4g\t\n", o.Server.Min, o.Server.Median, o.Server.Max)
		if err := t.Flush(); err != nil {
			return err
		}
		fmt.Fprintf(w, "the server costs %.1f %% (%.1f to %.1f, pair by pair)\n", 100*o.Share.Median, 100*o.Share.Min, 100*o.Share.Max)
	}
	if f := r.Flood; f != nil {
		fmt.Fprintf(w, "\n%d clients of a quiet tenant beside %d of another; time to the first token\n", quietClients, f.Clients)
		fmt.Fprintln(t, "\tp50\tp99\tmax\t")
		fmt.Fprintf(t, "alone\t%v\t%v\t%v\t\n", seconds(f.Alone.P50), seconds(f.Alone.P99), seconds(f.Alone.Max))
		fmt.Fprintf(t, "beside\t%v\t%v\t%v\t\n", seconds(f.Beside.P50), seconds(f.Beside.P99), seconds(f.Beside.Max))
		if err := t.Flush(); err != nil {
			return err
		}
		fmt.Fprintf(w, "the p99 is %.2f times that alone; the quiet tenant has %.0f %% of the tokens (%.4g and %.4g tokens/s, alone %.4g), and %d of its requests failed\n",
			f.TimesAlone, 100*f.QuietShare, f.QuietRate, f.FloodRate, f.AloneRate, f.QuietFailed)
	}
	if s := r.Soak; s != nil {
		fmt.Fprintf(w, "\n%d tenants, %d connections for %v: %d answers, %d failed, %.4g tokens/s, first token p50 %v and p99 %v\n",
			s.Tenants, s.Connections, seconds(s.Seconds), s.Answers, s.Failed, s.Rate, seconds(s.First.P50), seconds(s.First.P99))
		fmt.Fprintf(w, "goroutines %d before and %d after, bytes on the device %d and %d, pages held %d, answers left %d\n",
			s.Goroutines[0], s.Goroutines[1], s.DeviceBytes[0], s.DeviceBytes[1], s.PagesHeld, s.Answering)
		if s.FirstError != "" {
			fmt.Fprintf(w, "the first failure: %s\n", printable(s.FirstError))
		}
	}
	return nil
}
