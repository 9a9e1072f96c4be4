package main

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/realm-webgpu/realm/engine/gguf"
	"github.com/realm-webgpu/realm/engine/quantize"
	"github.com/realm-webgpu/realm/shaders/quant"
)

const quantizeHelp = `Quantize writes a GGUF file anew with its matrices in another format, smaller and
less exact or the other way round.

Norms and biases are written as F32, the router of a mixture of experts stays as
it is. A matrix whose rows are no whole number of the format's blocks gets the
smallest format that is no less exact and does fit; a line on standard error
says so. OUT is replaced when all is written, and left alone on an error.`

func newQuantize() *cobra.Command {
	var to formatValue
	c := &cobra.Command{
		Use:   "quantize IN OUT --type FORMAT",
		Short: "Write a GGUF file in another weight format",
		Long:  quantizeHelp + "\n\nFormats:\n" + formatTable(),
		Example: `  realm quantize model-f16.gguf model-q4_0.gguf --type Q4_0
  realm quantize model-00001-of-00003.gguf model-q6_k.gguf --type q6_k`,
		Args: arguments(2, 2, "IN and OUT"),
		RunE: func(c *cobra.Command, args []string) error {
			if to.Format == nil {
				return &usageError{c.CommandPath(), fmt.Errorf("no format: give --type, one of %s", formatNames())}
			}
			return runQuantize(c, args[0], args[1], to.Format)
		},
	}
	c.Flags().Var(&to, "type", "weight format of the matrices, in any case of letters")
	return c
}

// formatTable lists the formats with what a weight takes.
func formatTable() string {
	var b strings.Builder
	for _, f := range quant.All() {
		fmt.Fprintf(&b, "  %-5s %7.4g bits a weight, rows of a multiple of %d\n", f.Name, quantize.BitsPerWeight(f), f.BlockElements)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func runQuantize(c *cobra.Command, in, out string, to *quant.Format) error {
	f, err := (&modelFlags{path: in}).open()
	if err != nil {
		return err
	}
	defer f.Close()
	for _, source := range shards(in, f) {
		if sameFile(source, out) {
			return &usageError{c.CommandPath(), fmt.Errorf("%s is the input", out)}
		}
	}
	plan, err := quantize.Plan(f, to)
	if err != nil {
		return &modelError{err}
	}
	return replaceFile(out, func(w io.Writer) error {
		notes := c.ErrOrStderr()
		remarkPlan(notes, plan, to)
		bar := newProgress(notes, "quantizing")
		defer bar.end()
		buffered := bufio.NewWriterSize(w, 1<<20)
		if err := quantize.Write(c.Context(), buffered, f, to, plan, bar.show); err != nil {
			return err
		}
		return buffered.Flush()
	})
}

// shards lists the files that a model at a path is read from.
func shards(path string, f *gguf.File) []string {
	count, err := f.Uint("split.count")
	suffix := func(i uint64) string { return fmt.Sprintf("-%05d-of-%05d.gguf", i, count) }
	base, ok := strings.CutSuffix(path, suffix(1))
	if err != nil || !ok {
		return []string{path}
	}
	var paths []string
	for i := range count {
		paths = append(paths, base+suffix(i+1))
	}
	return paths
}

// sameFile reports whether two paths name one file that is there.
func sameFile(a, b string) bool {
	x, errX := os.Stat(a)
	y, errY := os.Stat(b)
	return errX == nil && errY == nil && os.SameFile(x, y)
}

// remarkPlan says what is lost: formats that were not to be had, and sources
// that have lost something before.
func remarkPlan(notes io.Writer, plan []quantize.Conversion, to *quant.Format) {
	type change struct {
		format  string
		columns int
	}
	var changes []change
	tensors := map[change][]string{}
	again := map[string]int{}
	for _, p := range plan {
		if p.Fallback {
			key := change{p.Format.Name, p.Tensor.Dims[0]}
			if tensors[key] == nil {
				changes = append(changes, key)
			}
			tensors[key] = append(tensors[key], p.Tensor.Name)
		}
		if from := p.Tensor.Format; !from.Layout.Plain && from.ID != p.Format.ID {
			again[from.Name]++
		}
	}
	for _, key := range changes {
		names := tensors[key]
		fmt.Fprintf(notes, "realm: %d tensors become %s: rows of %d are no multiple of %s's %d (the first is %s)\n",
			len(names), key.format, key.columns, to.Name, to.BlockElements, printable(names[0]))
	}
	for _, from := range slices.Sorted(maps.Keys(again)) {
		fmt.Fprintf(notes, "realm: %d tensors come from %s and keep its errors: quantize from F16 or F32 where you can\n", again[from], from)
	}
}
