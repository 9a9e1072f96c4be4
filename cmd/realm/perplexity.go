package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/realm-webgpu/realm/engine"
	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/engine/gguf"
	"github.com/realm-webgpu/realm/engine/model"
)

const perplexityHelp = `Perplexity measures how well a model foresees a text: the lower, the better. It
shows what a weight format costs, by the same text on the same model in others.

The text is cut into windows of --ctx tokens, each read by itself, behind the
token that begins a text where the vocabulary has one. What counts are the
tokens of the second half of each, as in llama.cpp's program of that name, so
that the numbers can be compared.

With --kl-base it also measures how far the model's probabilities are from those
of another model of the same vocabulary, such as the one it was quantised from:
the Kullback-Leibler divergence from the base, in nats a token.`

// perplexityFlags are the flags of realm perplexity.
type perplexityFlags struct {
	sessionFlags
	base    modelFlags
	path    string
	windows countValue
	json    bool
}

// The tokens of a window: those of llama.cpp, and the least whose second half has
// a token that is foreseen.
const (
	usualWindow = 512
	leastWindow = 4
)

func newPerplexity() *cobra.Command {
	var f perplexityFlags
	c := &cobra.Command{
		Use:   "perplexity -f TEXT",
		Short: "Measure how well a model foresees a text",
		Long:  perplexityHelp,
		Example: `  realm perplexity -m model-q4_k_m.gguf -f wiki.test.raw
  realm perplexity -m model-q4_k_m.gguf -f wiki.test.raw --kl-base model-f16.gguf --windows 20`,
		Args: arguments(0, 0, "none: name the text with -f"),
		RunE: f.run,
	}
	flags := c.Flags()
	f.add(flags)
	flags.StringVarP(&f.path, "file", "f", "", "read the text from `FILE`; -: standard input")
	flags.StringVar(&f.base.path, "kl-base", "", "GGUF `FILE` of the model to compare with")
	flags.Var(&f.load.context, "ctx", fmt.Sprintf("tokens of a window; 0: %d, or what the model was trained for where that is less", usualWindow))
	flags.Var(&f.windows, "windows", "the most windows to read; 0: all")
	f.load.addCacheType(flags)
	flags.BoolVar(&f.json, "json", false, "print one JSON object")
	return c
}

// perplexityReport is what realm perplexity prints, in JSON or for people.
type perplexityReport struct {
	Model      string            `json:"model"`
	Window     int               `json:"window_tokens"`
	Windows    int               `json:"windows"`
	Tokens     int               `json:"tokens"` // that counted
	Perplexity estimate          `json:"perplexity"`
	Base       *divergenceReport `json:"kl_base,omitempty"`
	Device     deviceReport      `json:"device"`
}

// divergenceReport compares a model with a base.
type divergenceReport struct {
	Model      string   `json:"model"`
	Perplexity estimate `json:"perplexity"`
	Mean       estimate `json:"kl_mean"` // nats
	Median     float64  `json:"kl_median"`
	P99        float64  `json:"kl_99_percent"`
	Largest    float64  `json:"kl_largest"`
	SameTop    estimate `json:"same_top"` // of 1: the two agree on the most probable token
}

func (f *perplexityFlags) run(c *cobra.Command, _ []string) (err error) {
	if f.load.context > 0 && f.load.context < leastWindow {
		return &usageError{c.CommandPath(), fmt.Errorf("--ctx %d: want %d or more", f.load.context, leastWindow)}
	}
	text, err := f.text(c)
	if err != nil {
		return err
	}
	file, err := f.model.open()
	if err != nil {
		return err
	}
	if err := f.setWindow(file); err != nil {
		return errors.Join(err, file.Close())
	}
	ctx, notes := c.Context(), c.ErrOrStderr()
	s, err := f.put(c, file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	models := []*engine.Model{s.model}
	if f.base.path != "" {
		baseFile, err := f.base.open()
		if err != nil {
			return err
		}
		defer baseFile.Close()
		base, err := f.loadBase(c, s, baseFile)
		if err != nil {
			return err
		}
		models = append(models, base)
	}
	w, err := newWindows(s.model, text, int(f.load.context), int(f.windows))
	if err != nil {
		return err
	}
	bar := newCount(notes, "reading")
	var m measurement
	err = w.measure(ctx, models, &m, bar.show)
	bar.end()
	if err != nil {
		return err
	}
	r := perplexityReport{
		Model: f.model.name(), Window: w.size, Windows: w.count, Tokens: m.own.n,
		Perplexity: m.own.perplexity(), Device: newDeviceReport(s.engine.Device()),
	}
	if f.base.path != "" {
		r.Base = m.compare(f.base.name())
	}
	if f.json {
		return printJSON(c.OutOrStdout(), r)
	}
	return r.print(c.OutOrStdout())
}

// text reads the text.
func (f *perplexityFlags) text(c *cobra.Command) (string, error) {
	if f.path == "" {
		return "", &usageError{c.CommandPath(), errors.New("no text: give -f FILE")}
	}
	in, name := c.InOrStdin(), "standard input"
	if f.path != "-" {
		file, err := os.Open(f.path)
		if err != nil {
			return "", fmt.Errorf("text: %w", err)
		}
		defer file.Close()
		in, name = file, f.path
	}
	text, err := readText(c.Context(), in, name)
	if err != nil {
		return "", fmt.Errorf("text: %w", err)
	}
	return text, nil
}

// setWindow finds the tokens of a window where the flag leaves that open.
func (f *perplexityFlags) setWindow(file *gguf.File) error {
	if f.load.context > 0 {
		return nil
	}
	config, err := model.ReadConfig(file)
	if err != nil {
		return &modelError{err}
	}
	f.load.context = countValue(min(usualWindow, config.ContextLength))
	return nil
}

// loadBase puts the model to compare with on the device too. The session's engine
// closes it.
func (f *perplexityFlags) loadBase(c *cobra.Command, s *session, file *gguf.File) (*engine.Model, error) {
	bar := newProgress(c.ErrOrStderr(), "loading")
	defer bar.end()
	base, err := s.engine.Load(c.Context(), file, engine.LoadOptions{
		Context: int(f.load.context), CacheType: device.CacheType(f.load.cacheType), Progress: bar.show,
	})
	if err != nil {
		return nil, &modelError{fmt.Errorf("%s: %w", f.base.path, err)}
	}
	own, other := s.model.Tokenizer(), base.Tokenizer()
	if n, m := own.Len(), other.Len(); n != m {
		return nil, &modelError{fmt.Errorf("%s has %d tokens, %s has %d: the vocabularies differ", f.model.name(), n, f.base.path, m)}
	}
	for id := range int32(own.Len()) {
		if a, b := own.Piece(id), other.Piece(id); a != b {
			return nil, &modelError{fmt.Errorf("token %d of %s is %.40q, that of %s is %.40q: the vocabularies differ", id, f.model.name(), a, f.base.path, b)}
		}
	}
	return base, nil
}

func (r *perplexityReport) print(w io.Writer) error {
	_, err := fmt.Fprintf(w, "%s: perplexity %v, over %d tokens in %d windows of %d\n",
		printable(r.Model), r.Perplexity, r.Tokens, r.Windows, r.Window)
	if err != nil || r.Base == nil {
		return err
	}
	b := r.Base
	_, err = fmt.Fprintf(w, `%s: perplexity %v
KL divergence: mean %v, median %.6f, 99 %% %.6f, largest %.6f
the same most probable token: %.3f ± %.3f %%
`, printable(b.Model), b.Perplexity, b.Mean, b.Median, b.P99, b.Largest, 100*b.SameTop.Value, 100*b.SameTop.Error)
	return err
}
