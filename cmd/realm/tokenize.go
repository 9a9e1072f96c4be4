package main

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/realm-webgpu/realm/engine/token"
)

// tokenizeFlags are the flags of realm tokenize.
type tokenizeFlags struct {
	model   modelFlags
	bos     bool
	special bool
	decode  bool
	json    bool
}

func newTokenize() *cobra.Command {
	var f tokenizeFlags
	c := &cobra.Command{
		Use:   "tokenize",
		Short: "Turn text into token ids, and back",
		Long: `Tokenize reads a text from standard input, to the last byte, and prints the ids
of its tokens. It needs a file's vocabulary only, no weights and no device.`,
		Example: `  printf 'Hello world' | realm tokenize -m model.gguf
  echo 12 345 6 | realm tokenize --decode`,
		Args: arguments(0, 0, "none"),
		RunE: f.run,
	}
	flags := c.Flags()
	f.model.add(flags)
	flags.BoolVar(&f.bos, "bos", false, "begin with the token that begins a text")
	flags.BoolVar(&f.special, "special", false, "read text such as <|im_end|> as the token; with --decode, print such tokens")
	flags.BoolVar(&f.decode, "decode", false, "read ids, print the text")
	flags.BoolVar(&f.json, "json", false, "print one JSON object: ids, pieces, count and text")
	return c
}

// tokenizeReport is what --json prints.
type tokenizeReport struct {
	IDs    []int32  `json:"ids"`
	Pieces []string `json:"pieces"` // the text of each; a piece may be part of a character
	Count  int      `json:"count"`
	Text   string   `json:"text"`
}

func (f *tokenizeFlags) run(c *cobra.Command, _ []string) error {
	if f.decode && f.bos {
		return &usageError{c.CommandPath(), errors.New("--bos and --decode do not go together")}
	}
	if isTerminal(c.InOrStdin()) {
		fmt.Fprintln(c.ErrOrStderr(), "realm: reading standard input, up to Ctrl-D")
	}
	file, err := f.model.open()
	if err != nil {
		return err
	}
	defer file.Close()
	vocabulary, err := token.New(file)
	if err != nil {
		return &modelError{err}
	}
	text, err := readText(c.Context(), c.InOrStdin(), "standard input")
	if err != nil {
		return err
	}
	ids := []int32{}
	if f.decode {
		if ids, err = parseIDs(text, vocabulary.Len()); err != nil {
			return err
		}
		text = vocabulary.Decode(ids, token.DecodeOptions{ShowSpecial: f.special})
	} else {
		if f.bos {
			bos, ok := vocabulary.BOS()
			if !ok {
				return &modelError{errors.New("the vocabulary has no token that begins a text")}
			}
			ids = append(ids, bos)
		}
		ids = vocabulary.Encode(ids, text, token.Options{ParseSpecial: f.special})
	}
	return f.print(c.OutOrStdout(), vocabulary, ids, text)
}

func (f *tokenizeFlags) print(w io.Writer, vocabulary *token.Tokenizer, ids []int32, text string) error {
	var err error
	switch {
	case f.json:
		report := tokenizeReport{IDs: ids, Pieces: []string{}, Count: len(ids), Text: text}
		for _, id := range ids {
			report.Pieces = append(report.Pieces, vocabulary.Piece(id))
		}
		err = printJSON(w, report)
	case f.decode:
		_, err = io.WriteString(w, text)
	default:
		var line []byte
		for i, id := range ids {
			if i > 0 {
				line = append(line, ' ')
			}
			line = strconv.AppendInt(line, int64(id), 10)
		}
		_, err = w.Write(append(line, '\n'))
	}
	return err
}

// parseIDs reads ids of a vocabulary of n tokens, between spaces or commas.
func parseIDs(text string, n int) ([]int32, error) {
	ids := []int32{}
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" \t\r\n,", r) }) {
		id, err := strconv.ParseUint(word, 10, 31)
		if err != nil || id >= uint64(n) {
			return nil, fmt.Errorf("%.40q is no token id: there are 0 to %d", word, n-1)
		}
		ids = append(ids, int32(id))
	}
	return ids, nil
}
