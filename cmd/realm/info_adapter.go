package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/realm-webgpu/realm/engine/lora"
)

// adapterReport is what an adapter is.
type adapterReport struct {
	Format       string  `json:"format"`                 // GGUF or PEFT
	Name         string  `json:"name,omitempty"`         // what it calls itself
	Architecture string  `json:"architecture,omitempty"` // of its model; PEFT does not say
	Alpha        float64 `json:"alpha"`
	RankMin      int     `json:"rank_min"`
	RankMax      int     `json:"rank_max"`
	Parameters   int     `json:"parameters"`
	// Matrices are what it changes, as the file names them.
	Matrices []adapterMatrix `json:"matrices"`
}

type adapterMatrix struct {
	Name    string  `json:"name"`
	Rows    int     `json:"rows"`    // n_out
	Columns int     `json:"columns"` // n_in
	Rank    int     `json:"rank"`
	Scale   float32 `json:"scale"`
}

func newAdapterReport(a *lora.Adapter) *adapterReport {
	r := &adapterReport{Format: a.Format, Name: a.Name, Architecture: a.Architecture, Alpha: a.Alpha, Parameters: a.Parameters()}
	r.RankMin, r.RankMax = a.Ranks()
	for _, p := range a.Pairs {
		r.Matrices = append(r.Matrices, adapterMatrix{p.Name, p.Rows, p.Columns, p.Rank, p.Scale})
	}
	return r
}

// describeAdapter says what an adapter is, or why it is of no use.
func (r *infoReport) describeAdapter(a *lora.Adapter, err error) {
	if err != nil {
		r.Unsupported = err.Error()
		return
	}
	r.Adapter = newAdapterReport(a)
}

// folder describes the adapter of a PEFT folder.
func (f *infoFlags) folder(c *cobra.Command) error {
	a, err := lora.Open(f.model.path)
	if err != nil {
		return &modelError{err}
	}
	r := newAdapterReport(a)
	if f.json {
		return printJSON(c.OutOrStdout(), struct {
			File    string         `json:"file"`
			Adapter *adapterReport `json:"adapter"`
		}{f.model.path, r})
	}
	t := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "%s: ", printable(f.model.path))
	r.print(t)
	return t.Flush()
}

func (r *adapterReport) print(w io.Writer) {
	rank := fmt.Sprint(r.RankMin)
	if r.RankMax != r.RankMin {
		rank += fmt.Sprintf(" to %d", r.RankMax)
	}
	of := "a model that it does not name"
	if r.Architecture != "" {
		of = "a " + printable(r.Architecture)
	}
	fmt.Fprintf(w, "LoRA adapter in the format of %s for %s: rank %s, alpha %g, %s weights on %d matrices\n",
		strings.NewReplacer("GGUF", "llama.cpp").Replace(r.Format), of, rank, r.Alpha, count(r.Parameters), len(r.Matrices))
	fmt.Fprintln(w, "  matrix\tn_out\tn_in\trank\tscale")
	for _, m := range r.Matrices {
		fmt.Fprintf(w, "  %s\t%d\t%d\t%d\t%g\n", printable(m.Name), m.Rows, m.Columns, m.Rank, m.Scale)
	}
}
