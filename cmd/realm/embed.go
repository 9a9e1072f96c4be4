package main

import (
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/realm-webgpu/realm/engine"
	"github.com/realm-webgpu/realm/engine/gguf"
	"github.com/realm-webgpu/realm/engine/model"
)

const embedHelp = `Embed turns texts into vectors, which lie close together where the texts mean the
like: to search, to sort, to find what is said twice. Each argument is a text, or
each line of standard input. Each vector is a line of numbers.

Models such as BGE, E5 and MiniLM (BERT) and Qwen3-Embedding are made for it, and
say how the states of the tokens become one vector. Any model has states; of one
that was made to write, that of the last token is taken.

Vectors have the length 1, so that the scalar product of two is their cosine.`

// embedFlags are the flags of realm embed.
type embedFlags struct {
	sessionFlags
	pooling      poolingValue
	notNormalize bool
	json         bool
}

func newEmbed() *cobra.Command {
	var f embedFlags
	c := &cobra.Command{
		Use:   "embed [TEXT...]",
		Short: "Turn texts into vectors",
		Long:  embedHelp,
		Example: `  realm embed -m bge-small-en.gguf "Where is Oslo?" "Oslo is in Norway."
  realm embed -m bge-small-en.gguf < lines.txt > vectors.txt
  realm embed -m bge-small-en.gguf --pooling cls --json "Where is Oslo?"`,
		Args: cobra.ArbitraryArgs,
		RunE: f.run,
	}
	flags := c.Flags()
	f.add(flags)
	flags.Var(&f.pooling, "pooling", "how the states of tokens become a vector: mean, cls (the first), last or none (a vector of each token, and an empty line behind each text) (default: as the file says)")
	flags.BoolVar(&f.notNormalize, "no-normalize", false, "leave vectors as long as they are")
	f.load.addCache(flags)
	flags.BoolVar(&f.json, "json", false, "print one JSON object")
	return c
}

// embedReport is what --json prints.
type embedReport struct {
	Model      string       `json:"model"`
	Dimensions int          `json:"dimensions"`
	Pooling    string       `json:"pooling"`
	Normalized bool         `json:"normalized"`
	Texts      []embedText  `json:"texts"` // in the order they were given in
	Device     deviceReport `json:"device"`
}

// embedText is the vector of a text, or with no pooling those of its tokens.
type embedText struct {
	Tokens    int         `json:"tokens"`
	Embedding []float32   `json:"embedding,omitempty"`
	States    [][]float32 `json:"states,omitempty"`
}

func (f *embedFlags) run(c *cobra.Command, args []string) (err error) {
	texts, err := readTexts(c, args)
	if err != nil {
		return err
	}
	ctx, notes := c.Context(), c.ErrOrStderr()
	s, err := f.open(c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	config := s.model.Config()
	pooling := config.Pooling
	if f.pooling.set {
		pooling = f.pooling.Pooling
	} else {
		f.remark(notes, s.file, config)
	}
	r := embedReport{
		Model: f.model.name(), Dimensions: config.EmbeddingLength, Pooling: pooling.String(), Normalized: !f.notNormalize,
		Device: newDeviceReport(s.engine.Device()),
	}
	for i, text := range texts {
		ids := s.model.Encode(text, false)
		rows, err := s.model.Embed(ctx, ids, engine.EmbedOptions{Pooling: &pooling, Raw: f.notNormalize})
		if err == nil {
			err = checkFinite(rows)
		}
		if err != nil {
			return fmt.Errorf("text %d: %w", i+1, err)
		}
		switch {
		case !f.json:
			err = printVectors(c.OutOrStdout(), rows, pooling == model.PoolingNone)
		case pooling == model.PoolingNone:
			r.Texts = append(r.Texts, embedText{Tokens: len(ids), States: rows})
		default:
			r.Texts = append(r.Texts, embedText{Tokens: len(ids), Embedding: rows[0]})
		}
		if err != nil {
			return err
		}
	}
	if f.json {
		return printJSON(c.OutOrStdout(), r)
	}
	return nil
}

// readTexts returns the arguments, or the lines of standard input.
func readTexts(c *cobra.Command, args []string) ([]string, error) {
	if len(args) > 0 {
		return args, nil
	}
	if isTerminal(c.InOrStdin()) {
		fmt.Fprintln(c.ErrOrStderr(), "realm: reading lines from standard input, up to Ctrl-D")
	}
	all, err := readText(c.Context(), c.InOrStdin(), "standard input")
	if err != nil {
		return nil, fmt.Errorf("texts: %w", err)
	}
	var texts []string
	for line := range strings.Lines(all) {
		texts = append(texts, strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r"))
	}
	if len(texts) == 0 {
		return nil, &usageError{c.CommandPath(), errors.New("no text: give it in quotes, or pipe in lines")}
	}
	return texts, nil
}

// remark says where a model was not made for this, or does not say how.
func (f *embedFlags) remark(notes io.Writer, file *gguf.File, config model.Config) {
	switch {
	case file.Has(config.Architecture + ".pooling_type"):
	case config.Encoder:
		fmt.Fprintf(notes, "realm: %s does not say how to pool: each token has a vector (--pooling)\n", printable(f.model.name()))
	default:
		fmt.Fprintf(notes, "realm: %s was made to write, not to embed: taking the state of the last token (--pooling)\n", printable(f.model.name()))
	}
}

// checkFinite reports numbers that no vector should have.
func checkFinite(rows [][]float32) error {
	for _, row := range rows {
		for _, x := range row {
			if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
				return errors.New("the model's states are not finite")
			}
		}
	}
	return nil
}

// printVectors prints a line for each row, and an empty one behind those of a text
// that has several.
func printVectors(w io.Writer, rows [][]float32, several bool) error {
	var b []byte
	for _, row := range rows {
		for i, x := range row {
			if i > 0 {
				b = append(b, ' ')
			}
			b = strconv.AppendFloat(b, float64(x), 'g', -1, 32)
		}
		b = append(b, '\n')
	}
	if several {
		b = append(b, '\n')
	}
	_, err := w.Write(b)
	return err
}
