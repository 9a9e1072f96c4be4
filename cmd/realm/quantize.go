package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/realm-webgpu/realm/engine/gguf"
	"github.com/realm-webgpu/realm/engine/quantize"
)

const quantizeHelp = `Quantize writes a GGUF file anew with its matrices in other formats, smaller and
less exact or the other way round.

A type is llama.cpp's mix of that name: most matrices get its format, those that
suffer most get a finer one. --pure gives all the same. --tensor, and the two
options for embedding and output, come before either.

Norms and biases are written as F32, the router of a mixture of experts stays as
it is. A matrix whose rows are no whole number of the format's blocks gets the
smallest format that is no less exact and does fit; a line on standard error
says so. OUT is replaced when all is written, and left alone on an error.

An importance matrix, from llama.cpp's imatrix program, says which columns of the
weights matter most. It makes the coarser formats better at the same size.`

const quantizeExample = `  realm quantize model-f16.gguf model-q4_k_m.gguf --type Q4_K_M
  realm quantize model-00001-of-00003.gguf model-q6_k.gguf --type q6_k
  realm quantize model-f16.gguf model-q2_k.gguf --type Q2_K --imatrix model.imatrix
  realm quantize model-f16.gguf out.gguf --type Q4_0 --pure --tensor 'ffn_down=Q5_0' --tensor '^blk\.0\.=Q8_0'`

// quantizeFlags are the flags of realm quantize.
type quantizeFlags struct {
	mix        mixValue
	pure       bool
	overrides  overridesValue
	output     formatValue
	embedding  formatValue
	importance string
}

func newQuantize() *cobra.Command {
	var f quantizeFlags
	c := &cobra.Command{
		Use:     "quantize IN OUT --type TYPE",
		Short:   "Write a GGUF file in other weight formats",
		Long:    quantizeHelp + "\n\nTypes:\n" + mixTable(),
		Example: quantizeExample,
		Args:    arguments(2, 2, "IN and OUT"),
		RunE:    f.run,

		ValidArgsFunction: modelFiles,
	}
	flags := c.Flags()
	flags.Var(&f.mix, "type", "one of the types above, in any case of letters")
	flags.BoolVar(&f.pure, "pure", false, "the type's format for every matrix")
	flags.Var(&f.overrides, "tensor", "a format for the matrices in whose names a regular expression is found; may be repeated, the first that is found counts")
	flags.Var(&f.output, "output-tensor-type", "format of output.weight, or of the embedding that stands for it")
	flags.Var(&f.embedding, "token-embedding-type", "format of token_embd.weight")
	flags.StringVar(&f.importance, "imatrix", "", "`FILE` of an importance matrix, in GGUF or llama.cpp's older format")
	return c
}

// mixTable lists the types.
func mixTable() string {
	var b strings.Builder
	for _, m := range quantize.Mixes() {
		most := "all"
		if !m.Pure {
			most = "mostly"
		}
		fmt.Fprintf(&b, "  %-7s %-6s %-5s %7.4g bits a weight, rows of a multiple of %d\n",
			m.Name, most, m.Format.Name, quantize.BitsPerWeight(m.Format), m.Format.BlockElements)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func (f *quantizeFlags) run(c *cobra.Command, args []string) error {
	in, out := args[0], args[1]
	if f.mix.Format == nil {
		return &usageError{c.CommandPath(), fmt.Errorf("no type: give --type, one of %s", mixNames())}
	}
	o := quantize.Options{Mix: f.mix.Mix, Embedding: f.embedding.Format, Output: f.output.Format, Overrides: f.overrides}
	if f.pure {
		o.Mix = quantize.Pure(f.mix.Format)
	}
	model := modelFlags{path: in}
	file, err := model.open()
	if err != nil {
		return err
	}
	defer file.Close()
	for _, source := range model.files {
		if sameFile(source, out) {
			return &usageError{c.CommandPath(), fmt.Errorf("%s is the input", out)}
		}
	}
	if f.importance != "" {
		if o.Importance, err = quantize.OpenImportance(f.importance); err != nil {
			return err
		}
	}
	plan, err := quantize.Plan(file, o)
	switch {
	case errors.Is(err, quantize.ErrImportance):
		return fmt.Errorf("%s: %w", f.importance, err)
	case err != nil:
		return &modelError{err}
	case o.Importance != nil && !slices.ContainsFunc(plan, func(p quantize.Conversion) bool { return p.Weighted() }):
		return fmt.Errorf("%s: %w: it has none of the matrices of %s", f.importance, quantize.ErrImportance, in)
	}
	return replaceFile(out, func(w io.Writer) error {
		notes := c.ErrOrStderr()
		remarkPlan(notes, plan)
		remarkImportance(notes, plan, o)
		bar := newProgress(notes, "quantizing")
		defer bar.end()
		buffered := bufio.NewWriterSize(w, 1<<20)
		if err := quantize.Write(c.Context(), buffered, file, o, plan, bar.show); err != nil {
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
func remarkPlan(notes io.Writer, plan []quantize.Conversion) {
	type change struct {
		format, wanted  string
		blocks, columns int
	}
	var changes []change
	tensors := map[change][]string{}
	again := map[string]int{}
	for _, p := range plan {
		if p.Fallback() {
			key := change{p.Format.Name, p.Wanted.Name, p.Wanted.BlockElements, p.Tensor.Dims[0]}
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
			len(names), key.format, key.columns, key.wanted, key.blocks, printable(names[0]))
	}
	for _, from := range slices.Sorted(maps.Keys(again)) {
		fmt.Fprintf(notes, "realm: %d tensors come from %s and keep its errors: quantize from F16 or F32 where you can\n", again[from], from)
	}
}

// remarkImportance says where the importance of columns would count and is not
// known. That of embedding and output never is.
func remarkImportance(notes io.Writer, plan []quantize.Conversion, o quantize.Options) {
	var without []string
	for _, p := range plan {
		if len(p.Tensor.Dims) > 1 && p.Format.ID != p.Tensor.Format.ID && !p.Weighted() && strings.HasPrefix(p.Tensor.Name, "blk.") {
			without = append(without, p.Tensor.Name)
		}
	}
	switch {
	case o.Importance != nil && len(without) > 0:
		fmt.Fprintf(notes, "realm: %d matrices are not in the importance matrix (the first is %s)\n", len(without), printable(without[0]))
	case o.Importance == nil && o.Mix.Name == "Q2_K_S":
		fmt.Fprintln(notes, "realm: Q2_K_S was made for use with --imatrix: without, expect poor text")
	}
}
