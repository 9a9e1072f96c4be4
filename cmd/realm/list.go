package main

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/realm-webgpu/realm/web/store"
)

func newList() *cobra.Command {
	var f storeFlags
	var asJSON bool
	c := &cobra.Command{
		Use:   "list",
		Short: "List the models that were pulled",
		Long: `List prints the models that realm pull has brought here. -m takes their names, or
the end of a name from a slash on, without the quantisation where there is one only.`,
		Example: `  realm list
  realm list --json`,
		Args: arguments(0, 0, "none"),
		RunE: func(c *cobra.Command, _ []string) error {
			s, err := f.open()
			if err != nil {
				return err
			}
			models, err := s.List()
			if err != nil {
				return err
			}
			reports := make([]storedReport, 0, len(models))
			for _, m := range models {
				reports = append(reports, newStoredReport(s, m))
			}
			if asJSON {
				return printJSON(c.OutOrStdout(), map[string]any{"models": reports})
			}
			if len(reports) == 0 {
				fmt.Fprintln(c.ErrOrStderr(), "realm: no models yet: realm pull brings some")
				return nil
			}
			return printStored(c.OutOrStdout(), reports)
		},
	}
	f.add(c.Flags())
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return c
}

// storedReport is what realm list prints of a model.
type storedReport struct {
	Name         string    `json:"name"`
	Size         int64     `json:"size_bytes"`
	Architecture string    `json:"architecture"`
	Format       string    `json:"format"`
	Parameters   int64     `json:"parameters"`
	Pulled       time.Time `json:"pulled"`
	Files        []string  `json:"files"` // paths
	// Missing says that files are gone, or not what they were.
	Missing bool `json:"missing,omitempty"`
}

func newStoredReport(s *store.Store, m store.Model) storedReport {
	return storedReport{m.Name, m.Size(), m.Architecture, m.Format, m.Parameters, m.Pulled, s.Paths(m), s.Missing(m)}
}

func printStored(w io.Writer, reports []storedReport) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "name\tsize\tarchitecture\tformat\tparameters\tpulled")
	for _, r := range reports {
		date := r.Pulled.Local().Format("2006-01-02 15:04")
		if r.Missing {
			date = "files are missing: pull it again"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", r.Name, humanize.IBytes(uint64(r.Size)), r.Architecture, r.Format, count(int(r.Parameters)), date)
	}
	return t.Flush()
}
