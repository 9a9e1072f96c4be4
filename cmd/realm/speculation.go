package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/realm-webgpu/realm/e2e/models"
	"github.com/realm-webgpu/realm/engine"
	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/engine/draft"
	"github.com/realm-webgpu/realm/engine/gguf"
	"github.com/realm-webgpu/realm/engine/model"
)

// speculationFlags say whether tokens are drafted, for the model to check several
// of them in one step.
type speculationFlags struct {
	mode   draftModeValue
	path   string
	tokens countValue
}

func (s *speculationFlags) add(flags *pflag.FlagSet) {
	flags.Var(&s.mode, "speculative", "have tokens drafted, which the model checks several at a time, so that the same answer may come sooner: lookup (they are looked up in the text so far), model (a smaller model writes them, see --draft) or none")
	s.addDraft(flags)
	flags.Var(&s.tokens, "draft-tokens", fmt.Sprintf("tokens of the first draft, 1 to %d, 0: 4; how long later ones are follows how many were right", draft.MaxTokens))
}

func (s *speculationFlags) addDraft(flags *pflag.FlagSet) {
	flags.StringVar(&s.path, "draft", "", "GGUF `FILE` of a smaller model of the same vocabulary, for --speculative model (default: for atlas, one that is built in)")
}

// options returns how tokens are drafted ahead of a model. Errors are usage errors.
func (s *speculationFlags) options(c *cobra.Command, m *modelFlags) (engine.DraftOptions, error) {
	o := engine.DraftOptions{Mode: draft.Mode(s.mode), Tokens: int(s.tokens)}
	if s.path != "" && !c.Flags().Changed("speculative") {
		o.Mode = draft.Model
	}
	err := o.Validate()
	switch {
	case err != nil:
	case s.path != "" && o.Mode != draft.Model:
		err = fmt.Errorf("--draft %s: --speculative %v has no use for it", s.path, o.Mode)
	case s.tokens > 0 && o.Mode == draft.None:
		err = errors.New("--draft-tokens: nothing is drafted without --speculative")
	case o.Mode == draft.Model && s.path == "" && m.path != "":
		err = fmt.Errorf("--speculative model: name the draft model of %s with --draft", m.path)
	}
	if err != nil {
		return o, &usageError{c.CommandPath(), err}
	}
	return o, nil
}

// open opens the file of the draft model.
func (s *speculationFlags) open() (*gguf.File, error) {
	if s.path == "" {
		return gguf.Read(bytes.NewReader(models.Draft))
	}
	return gguf.Open(s.path)
}

// name is the draft model as people call it.
func (s *speculationFlags) name() string {
	if s.path == "" {
		return "draft (built in)"
	}
	return s.path
}

// withDraft loads the draft model and has it draft for the model of the session.
// Its errors are modelErrors and those of the device.
func (s *session) withDraft(ctx context.Context, notes io.Writer, f *speculationFlags, l loadFlags) (err error) {
	name := f.name()
	defer func() {
		if err != nil {
			err = &modelError{fmt.Errorf("%s: %w", name, err)}
		}
	}()
	if s.draftFile, err = f.open(); err != nil {
		return err
	}
	config, err := model.ReadConfig(s.draftFile)
	if err != nil {
		return err
	}
	progress := newProgress(notes, "loading the draft model")
	s.draft, err = s.engine.Load(ctx, s.draftFile, engine.LoadOptions{
		Context: min(s.model.Context(), config.ContextLength), CacheTokens: l.cacheTokens, CacheType: device.CacheType(l.cacheType), Progress: progress.show,
	})
	progress.end()
	if err != nil {
		return err
	}
	if own := s.draft.Context(); own < s.model.Context() {
		fmt.Fprintf(notes, "realm: %s: it drafts up to token %d of the %d of the context, which is all that it was trained for\n", name, own, s.model.Context())
	}
	return s.model.SetDraft(s.draft)
}

// draftModeValue is where drafts come from.
type draftModeValue draft.Mode

func (v *draftModeValue) Set(s string) error {
	for _, m := range []draft.Mode{draft.None, draft.Lookup, draft.Model} {
		if s == m.String() {
			*v = draftModeValue(m)
			return nil
		}
	}
	return fmt.Errorf("want %v, %v or %v", draft.Lookup, draft.Model, draft.None)
}

func (v *draftModeValue) String() string { return draft.Mode(*v).String() }
func (v *draftModeValue) Type() string   { return "MODE" }
