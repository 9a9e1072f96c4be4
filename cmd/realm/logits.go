package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
)

// logitsFlags are the flags of realm logits.
type logitsFlags struct {
	sessionFlags
	encode promptFlags
	tokens string
	prompt string
	output string
}

func newLogits() *cobra.Command {
	var f logitsFlags
	c := &cobra.Command{
		Use:   "logits (--tokens FILE | -p PROMPT) -o FILE",
		Short: "Write what a model makes of a text, number by number",
		Long: `Logits reads tokens and writes the logits after the last of them, one for each
token of the vocabulary: to compare devices, formats and other programs.

Token ids are read as little-endian int32, logits are written as little-endian
float32, with no header.`,
		Example: `  realm logits -m model.gguf --tokens ids.i32 -o logits.f32 --device cpu
  realm logits -p "What is the capital of France?" --kv-type f32 -o logits.f32`,
		Args: arguments(0, 0, "none"),
		RunE: f.run,
	}
	flags := c.Flags()
	f.add(flags)
	flags.StringVar(&f.tokens, "tokens", "", "read token ids from `FILE`")
	flags.StringVarP(&f.prompt, "prompt", "p", "", "take the tokens of `PROMPT`, in the model's chat template")
	flags.StringVar(&f.encode.system, "system", "", "`TEXT` of a system message before the prompt")
	flags.BoolVar(&f.encode.raw, "raw", false, "no chat template around the prompt")
	f.load.addTemplate(flags)
	flags.StringVarP(&f.output, "output", "o", "", "write the logits to `FILE`; -: standard output")
	f.load.addCache(flags)
	return c
}

func (f *logitsFlags) run(c *cobra.Command, _ []string) (err error) {
	switch {
	case (f.tokens == "") == (f.prompt == ""):
		return &usageError{c.CommandPath(), errors.New("want one of --tokens FILE and -p PROMPT")}
	case f.output == "":
		return &usageError{c.CommandPath(), errors.New("no file to write: give -o FILE")}
	}
	var ids []int32
	if f.tokens != "" {
		if ids, err = readIDs(c.Context(), f.tokens); err != nil {
			return fmt.Errorf("tokens: %w", err)
		}
	}
	s, err := f.open(c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if f.prompt != "" {
		if ids, err = f.encode.encode(s.model, f.prompt); err != nil {
			return err
		}
	}
	sequence, err := s.model.NewSequence()
	if err != nil {
		return err
	}
	defer sequence.Close()
	if err := sequence.Append(ids...); err != nil {
		return fmt.Errorf("tokens: %w", err)
	}
	logits, err := sequence.Logits(c.Context())
	if err != nil {
		return err
	}
	write := func(w io.Writer) error { return binary.Write(w, binary.LittleEndian, logits) }
	if f.output == "-" {
		return write(c.OutOrStdout())
	}
	return replaceFile(f.output, write)
}

// readIDs reads a file of little-endian int32.
func readIDs(ctx context.Context, path string) ([]int32, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text, err := readText(ctx, file, path)
	if err != nil {
		return nil, err
	}
	if len(text) == 0 || len(text)%4 != 0 {
		return nil, fmt.Errorf("%s: %d bytes are no int32 token ids", path, len(text))
	}
	ids := make([]int32, len(text)/4)
	if _, err := binary.Decode([]byte(text), binary.LittleEndian, ids); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return ids, nil
}
