package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/realm-webgpu/realm/engine"
)

// tuneReport is what realm bench --tune prints of a device, in JSON or for people.
type tuneReport struct {
	Option string `json:"option"` // as --device named it
	deviceReport
	Measured []tilingReport `json:"measured"`
	Chosen   []tilingReport `json:"chosen"`
	Folder   string         `json:"folder"` // where the choice is remembered
}

// tilingReport is a tiling of the matrix product: see engine.Tiling.
type tilingReport struct {
	Vectors int     `json:"vectors"`
	Columns int     `json:"columns"`
	Lanes   int     `json:"lanes"`
	Rate    float64 `json:"gmac_per_second,omitempty"` // 10^9 multiply-adds
	Error   string  `json:"error,omitempty"`           // why the adapter does not take it
}

func newTilingReport(t engine.Tiling) tilingReport {
	r := tilingReport{Vectors: t.Vectors, Columns: t.Columns, Lanes: t.Lanes, Rate: t.Rate}
	if t.Err != nil {
		r.Error = t.Err.Error()
	}
	return r
}

// runTune finds the best tilings of every device, in order.
func runTune(c *cobra.Command, options []string, asJSON bool) error {
	quietMesa()
	var reports []tuneReport
	for _, option := range options {
		r := tuneReport{Option: option}
		tuning, err := engine.Tune(c.Context(), engine.Options{Device: option}, func(t engine.Tiling) {
			r.Measured = append(r.Measured, newTilingReport(t))
		})
		if err != nil {
			return fmt.Errorf("%s: %w", option, err)
		}
		r.deviceReport, r.Folder = newDeviceReport(tuning.Device), tuning.Dir
		for _, t := range tuning.Tilings {
			r.Chosen = append(r.Chosen, newTilingReport(t))
		}
		reports = append(reports, r)
	}
	if asJSON {
		return printJSON(c.OutOrStdout(), map[string]any{"devices": reports})
	}
	for i := range reports {
		if err := reports[i].print(c.OutOrStdout()); err != nil {
			return err
		}
	}
	return nil
}

// print prints the report for people: a line for each lanes and vectors, a column
// for each number of rows of activations.
func (r *tuneReport) print(w io.Writer) error {
	type line struct{ lanes, vectors int }
	var lines []line
	cells := map[line]map[int]string{}
	columns := 0
	for _, t := range r.Measured {
		key := line{t.Lanes, t.Vectors}
		if cells[key] == nil {
			lines = append(lines, key)
			cells[key] = map[int]string{}
		}
		columns = max(columns, t.Columns)
		cells[key][t.Columns] = fmt.Sprintf("%.4g ", t.Rate)
		if t.Error != "" {
			cells[key][t.Columns] = "fails "
		}
	}
	for _, t := range r.Chosen {
		if cell := cells[line{t.Lanes, t.Vectors}]; cell[t.Columns] != "" {
			cell[t.Columns] = cell[t.Columns][:len(cell[t.Columns])-1] + "*"
		}
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "%s: %s (%s)\nGMAC/s by lanes and rows of the matrix a thread (down), rows of activations a thread (across)\n", r.Option, r.Name, r.Driver)
	fmt.Fprint(t, "lanes\trows\t")
	for n := 1; n <= columns; n *= 2 {
		fmt.Fprintf(t, "%d \t", n)
	}
	fmt.Fprintln(t)
	for _, key := range lines {
		fmt.Fprintf(t, "%d\t%d\t", key.lanes, 4*key.vectors)
		for n := 1; n <= columns; n *= 2 {
			fmt.Fprintf(t, "%s\t", cells[key][n])
		}
		fmt.Fprintln(t)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "* is used from now on, also where more rows are read at once; remembered in %s\n", r.Folder)
	return err
}
