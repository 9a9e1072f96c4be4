package main

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"

	"github.com/dustin/go-humanize"
)

// report is all that was measured.
type report struct {
	Threads      int           `json:"threads"`
	PromptTokens int           `json:"prompt_tokens"`
	Tokens       int           `json:"tokens"`
	Rounds       int           `json:"rounds"`
	Bandwidth    float64       `json:"memory_bytes_per_second"` // as the probe reads
	Models       []modelReport `json:"models"`
}

// modelReport are the comparisons of one model.
type modelReport struct {
	Model   string `json:"model"`
	Pairs   []pair `json:"pairs"`
	prompts [2][]int32
}

// pair are Realm on a device and llama.cpp on its counterpart, a measurement a round.
type pair struct {
	Name    string        `json:"name"`
	Realm   []measurement `json:"realm"`
	Llama   []measurement `json:"llama_cpp"`
	devices [2]string
}

// rows are what is compared. More is better where a rate is.
var rows = []struct {
	name string
	of   func(measurement) float64
	show func(float64) string
}{
	{"decode", func(m measurement) float64 { return m.Decode }, perSecond},
	{"prefill", func(m measurement) float64 { return m.Prefill }, perSecond},
	{"to first token", func(m measurement) float64 { return m.Ready }, func(x float64) string { return fmt.Sprintf("%.3g s", x) }},
	{"peak memory", func(m measurement) float64 { return float64(m.Peak) }, func(x float64) string { return humanize.IBytes(uint64(x)) }},
}

func perSecond(x float64) string { return fmt.Sprintf("%.4g tokens/s", x) }

// print prints tables for people.
func (r *report) print(w io.Writer) error {
	fmt.Fprintf(w, "%d threads, prompt of %d tokens, %d written, %d rounds by turns; memory is read at %.1f GB/s\n",
		r.Threads, r.PromptTokens, r.Tokens, r.Rounds, r.Bandwidth/1e9)
	fmt.Fprintln(w, "Ratios are Realm's figure by llama.cpp's of the same round: min, median, max.")
	for _, m := range r.Models {
		for _, p := range m.Pairs {
			fmt.Fprintf(w, "\n%s, %s: %s and %s\n", m.Model, p.Name, p.Realm[0].Device, p.Llama[0].Device)
			t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
			fmt.Fprintln(t, "\tRealm\tllama.cpp\tmin\tmedian\tmax\t")
			for _, row := range rows {
				var realm, llama, ratios []float64
				for i := range p.Realm {
					a, b := row.of(p.Realm[i]), row.of(p.Llama[i])
					realm, llama, ratios = append(realm, a), append(llama, b), append(ratios, a/b)
				}
				fmt.Fprintf(t, "%s\t%s\t%s\t%.2f\t%.2f\t%.2f\t\n", row.name, row.show(middle(realm)), row.show(middle(llama)),
					slices.Min(ratios), middle(ratios), slices.Max(ratios))
			}
			if err := t.Flush(); err != nil {
				return err
			}
			for _, side := range []struct {
				name string
				runs []measurement
			}{{"Realm", p.Realm}, {"llama.cpp", p.Llama}} {
				var decode []float64
				for _, m := range side.runs {
					decode = append(decode, m.Decode)
				}
				read := middle(decode) * float64(p.Realm[0].BytesToken)
				fmt.Fprintf(w, "%s reads weights at %.1f GB/s, %.0f %% of what the probe reads\n", side.name, read/1e9, 100*read/r.Bandwidth)
			}
		}
	}
	return nil
}

// middle returns the median.
func middle(x []float64) float64 {
	x = slices.Sorted(slices.Values(x))
	n := len(x)
	return (x[(n-1)/2] + x[n/2]) / 2
}
