package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/peterh/liner"
)

// errAborted says that Ctrl-C was pressed at a prompt. What was typed is gone.
var errAborted = errors.New("aborted")

// lineSource is where the lines of a conversation come from: a terminal, with
// keys to edit them, or a pipe.
type lineSource interface {
	// line returns the next line, without its end. Errors: io.EOF, errAborted.
	line(prompt string) (string, error)
	// remember keeps an input to be found with the arrow keys.
	remember(input string)
	Close() error
}

// newLineSource returns that of the streams of a command. complete offers the
// ends of a line that has been begun.
func newLineSource(in io.Reader, out io.Writer, complete func(line string) []string) (lineSource, error) {
	if isTerminal(in) && isTerminal(out) && liner.TerminalSupported() {
		return newTerminalLines(complete)
	}
	return newPipedLines(in), nil
}

// terminalLines has people type lines. Between prompts the terminal is as it was
// before, so that nothing need be put in order when the process is killed.
type terminalLines struct {
	state        *liner.State
	usual, edits liner.ModeApplier
}

func newTerminalLines(complete func(line string) []string) (lineSource, error) {
	usual, err := liner.TerminalMode()
	if err != nil {
		return nil, fmt.Errorf("terminal: %w", err)
	}
	t := &terminalLines{state: liner.NewLiner(), usual: usual}
	t.state.SetCtrlCAborts(true)
	t.state.SetMultiLineMode(true)
	t.state.SetCompleter(complete)
	if t.edits, err = liner.TerminalMode(); err == nil {
		err = usual.ApplyMode()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("terminal: %w", err), t.Close())
	}
	return t, nil
}

func (t *terminalLines) line(prompt string) (string, error) {
	if err := t.edits.ApplyMode(); err != nil {
		return "", fmt.Errorf("terminal: %w", err)
	}
	text, err := t.state.Prompt(prompt)
	if errors.Is(err, liner.ErrPromptAborted) {
		err = errAborted
	}
	return text, errors.Join(err, t.usual.ApplyMode())
}

func (t *terminalLines) remember(input string) {
	if !strings.Contains(input, "\n") {
		t.state.AppendHistory(input)
	}
}

func (t *terminalLines) Close() error { return t.state.Close() }

// pipedLines reads lines that another program wrote, and shows no prompts.
type pipedLines struct{ scanner *bufio.Scanner }

func newPipedLines(r io.Reader) *pipedLines {
	p := &pipedLines{bufio.NewScanner(r)}
	p.scanner.Buffer(nil, maxTextBytes)
	return p
}

func (p *pipedLines) line(string) (string, error) {
	if p.scanner.Scan() {
		return p.scanner.Text(), nil
	}
	if err := p.scanner.Err(); err != nil {
		return "", fmt.Errorf("input: %w", err)
	}
	return "", io.EOF
}

func (p *pipedLines) remember(string) {}
func (p *pipedLines) Close() error    { return nil }

// The prompts, and what keeps lines together as one input.
const (
	prompt       = ">>> "
	furtherLines = "... "
	continuation = `\`
	fence        = `"""`
)

// readInput reads what is one input: a line, lines that end in a backslash and
// the one behind them, or the lines between two fences. fenced says that it was
// the latter. What the end of the source breaks off is an input too.
func readInput(ctx context.Context, source lineSource) (input string, fenced bool, err error) {
	text, err := nextLine(ctx, source, prompt)
	if err != nil {
		return "", false, err
	}
	more := func(so *string) error {
		further, err := nextLine(ctx, source, furtherLines)
		if err == nil {
			*so += "\n" + further
			if len(*so) > maxTextBytes {
				err = fmt.Errorf("input: over %d MiB", maxTextBytes>>20)
			}
		}
		return err
	}
	block, fenced := strings.CutPrefix(strings.TrimSpace(text), fence)
	for !fenced && strings.HasSuffix(text, continuation) && err == nil {
		text = strings.TrimSuffix(text, continuation)
		err = more(&text)
	}
	if fenced {
		text = block
		for !strings.HasSuffix(strings.TrimRight(text, " \t"), fence) && err == nil {
			err = more(&text)
		}
		text = strings.TrimSuffix(strings.TrimRight(text, " \t"), fence)
		text = strings.TrimSuffix(strings.TrimPrefix(text, "\n"), "\n")
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return text, fenced, err
}

// nextLine waits for a line, or for ctx to end: the line that is read then is
// left alone.
func nextLine(ctx context.Context, source lineSource, prompt string) (string, error) {
	type result struct {
		text string
		err  error
	}
	done := make(chan result, 1)
	go func() {
		text, err := source.line(prompt)
		done <- result{text, err}
	}()
	select {
	case <-ctx.Done():
		return "", ctx.Err()
	case read := <-done:
		return read.text, read.err
	}
}
