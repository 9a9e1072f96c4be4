package main

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// print prints the report for people: a block for each device.
func (r *batchReport) print(w io.Writer) error {
	fmt.Fprintf(w, "%s: %d times, %s keys and values\n", printable(r.Model), r.Rounds, r.CacheType)
	for i := range r.Devices {
		if err := r.Devices[i].print(w, r); err != nil {
			return err
		}
	}
	return nil
}

func (d *batchDevice) print(w io.Writer, r *batchReport) error {
	fmt.Fprintf(w, "\n%s: %s (%s)\n", d.Option, d.Name, d.Driver)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	if len(d.Sequences) > 0 {
		fmt.Fprintf(w, "texts written side by side, %d tokens each behind a prompt of %d; tokens/s of all together\n", r.Tokens, r.PromptTokens)
		fmt.Fprintln(t, "texts\tmin\tmedian\tmax\ttimes one\t")
		for _, s := range d.Sequences {
			fmt.Fprintf(t, "%d\t%.4g\t%.4g\t%.4g\t", s.Sequences, s.Rate.Min, s.Rate.Median, s.Rate.Max)
			if s.TimesOne > 0 {
				fmt.Fprintf(t, "%.2f", s.TimesOne)
			}
			fmt.Fprintln(t, "\t")
		}
		if err := t.Flush(); err != nil {
			return err
		}
	}
	if s := d.Stall; s != nil {
		fmt.Fprintf(w, "from one token to the next, alone and beside a prompt of %d tokens that is read\n", s.PromptTokens)
		fmt.Fprintln(t, "\tmedian\tp99\tmax\ttokens\t")
		for _, row := range []struct {
			name string
			gaps
		}{{"alone", s.Alone}, {"beside", s.Meanwhile}} {
			fmt.Fprintf(t, "%s\t%v\t%v\t%v\t%d\t\n", row.name, seconds(row.Median), seconds(row.P99), seconds(row.Max), row.Tokens)
		}
		if err := t.Flush(); err != nil {
			return err
		}
		fmt.Fprintf(w, "the p99 is %.2f times that alone; ", s.TimesAlone)
		if s.Reading > 0 {
			fmt.Fprintf(w, "the prompt was read in %v\n", seconds(s.Reading))
		} else {
			fmt.Fprintln(w, "the context was full before the prompt was read")
		}
	}
	if s := d.Speculation; s != nil {
		fmt.Fprintf(w, "answers with drafts of %s; tokens/s\n", printable(r.Draft))
		fmt.Fprintln(t, "\tmin\tmedian\tmax\t")
		fmt.Fprintf(t, "plain\t%.4g\t%.4g\t%.4g\t\n", s.Plain.Min, s.Plain.Median, s.Plain.Max)
		fmt.Fprintf(t, "drafted\t%.4g\t%.4g\t%.4g\t\n", s.Drafted.Min, s.Drafted.Median, s.Drafted.Max)
		if err := t.Flush(); err != nil {
			return err
		}
		fmt.Fprintf(w, "%d of %d drafts accepted; made whether they pay or not, %.0f%% are right of those judged; a draft costs %.2f of a token, a row that is checked %.2f of a step\n",
			s.Accepted, s.Proposed, 100*s.Acceptance, s.DraftCost, s.RowCost)
		fmt.Fprintf(w, "%.2f times as fast; Leviathan's formula allows %.2f with %d drafts (%.2f of it), %.2f with %d where rows are priced (%.2f of it)\n",
			s.Speedup, s.Allowed, s.Drafts, s.Speedup/s.Allowed, s.Priced, s.PricedWith, s.Speedup/s.Priced)
	}
	if f := d.Fork; f != nil {
		fmt.Fprintf(w, "a fork of %d tokens: %v in the median, %v at most; %d forks took %d pages\n", f.Tokens, seconds(f.Time.Median), seconds(f.Time.Max), forks, f.Pages)
	}
	if len(d.Adapters) > 0 {
		fmt.Fprintf(w, "a step with adapters of rank %d, one a text, and without\n", adapterRank)
		fmt.Fprintln(t, "texts\twithout\twith\tmore\tdispatches\twith\tbefore there were any\t")
		for _, a := range d.Adapters {
			fmt.Fprintf(t, "%d\t%v\t%v\t%.1f%%\t%.4g\t%.4g\t%.4g\t\n", a.Texts, seconds(a.Without.Median), seconds(a.With.Median), 100*a.Share, a.Unused, a.Adapted, a.Before)
		}
		if err := t.Flush(); err != nil {
			return err
		}
	}
	if c := d.Cycles; c != nil {
		fmt.Fprintf(w, "%d sequences opened, written on and closed, %v each: %d pages, %d goroutines and %d bytes of the device are left\n",
			c.Cycles, seconds(c.Seconds), c.Pages, c.Goroutines, c.Bytes)
	}
	for _, line := range d.Skipped {
		fmt.Fprintln(w, line)
	}
	return nil
}
