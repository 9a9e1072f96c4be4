package main

import (
	"fmt"
	"io"
	"os"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/engine/gguf"
	"github.com/realm-webgpu/realm/engine/model"
	"github.com/realm-webgpu/realm/web/store"
)

// The environment variables of Hugging Face's own tools.
const (
	tokenVariable = "HF_TOKEN"
	hubVariable   = "HF_ENDPOINT"
)

const pullHelp = `Pull has a model on this machine: a quantisation in a repository of Hugging Face, or
the file at a URL. It prints the name that the model has from then on, for -m.

QUANT is the end of a file's name, such as Q4_K_M, in any case of letters, or the
file's path. Without one, or with one that is not there, an error lists what there
is. All shards of a split are pulled, of a URL that of the first names them.
#sha256=HEX behind a URL is the hash that the file must have; of Hugging Face it is
known.

What was broken off is gone on with by the same command. Models are kept in the
configuration's model-root, by default realm/models in the folder XDG_DATA_HOME, which
is ~/.local/share. HF_TOKEN holds the token for private repositories, HF_ENDPOINT the
address of a mirror.`

func newPull() *cobra.Command {
	var f storeFlags
	c := &cobra.Command{
		Use:   "pull hf.co/ORG/REPO:QUANT | URL",
		Short: "Download a model",
		Long:  pullHelp,
		Example: `  realm pull hf.co/bartowski/Llama-3.2-1B-Instruct-GGUF:Q4_0
  realm pull https://example.com/model.gguf
  realm run -m model.gguf "Why is the sky blue?"`,
		Args:              arguments(1, 1, "one of hf.co/ORG/REPO:QUANT and a URL"),
		RunE:              func(c *cobra.Command, args []string) error { return runPull(c, args[0], &f) },
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	f.add(c.Flags())
	return c
}

func runPull(c *cobra.Command, name string, f *storeFlags) error {
	reference, err := store.ParseReference(name)
	if err != nil {
		return &usageError{c.CommandPath(), err}
	}
	notes := c.ErrOrStderr()
	bars := &pullProgress{w: notes}
	s, err := f.open()
	if err != nil {
		return err
	}
	m, err := s.Pull(c.Context(), reference, store.PullOptions{
		Hub: os.Getenv(hubVariable), Token: os.Getenv(tokenVariable),
		Progress: bars.show,
		Notice: func(line string) {
			bars.bar.end()
			fmt.Fprintln(notes, "realm: "+line)
		},
	})
	bars.bar.end()
	switch {
	case isAny(err, gguf.ErrMagic, gguf.ErrVersion, gguf.ErrBigEndian, gguf.ErrTruncated, gguf.ErrLimit, gguf.ErrDuplicate, gguf.ErrMalformed, gguf.ErrShard):
		return &modelError{err}
	case err != nil:
		return err
	}
	if err := remarkModel(notes, s, m); err != nil {
		return err
	}
	_, err = fmt.Fprintln(c.OutOrStdout(), m.Name)
	return err
}

// pullProgress is a bar for each file and stage.
type pullProgress struct {
	w    io.Writer
	what string
	bar  progress
}

func (p *pullProgress) show(file string, stage store.Stage, done, total int64) {
	if what := string(stage) + " " + printable(file); what != p.what {
		p.bar.end()
		p.what, p.bar = what, *newProgress(p.w, what)
	}
	p.bar.show(done, total)
}

// remarkModel says what was pulled, and if it is of no use.
func remarkModel(notes io.Writer, s *store.Store, m store.Model) error {
	fmt.Fprintf(notes, "realm: %s, %s, %s weights, %s\n", m.Architecture, m.Format, count(int(m.Parameters)), humanize.IBytes(uint64(m.Size())))
	f, err := gguf.OpenSplit(s.Paths(m)...)
	if err != nil {
		return &modelError{err}
	}
	defer f.Close()
	if _, err := model.Plan(f, 0, device.CacheF16); err != nil {
		fmt.Fprintf(notes, "realm: it is kept, but this version cannot run it: %v\n", err)
	}
	return nil
}
