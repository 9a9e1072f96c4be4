package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/realm-webgpu/realm/engine"
	"github.com/realm-webgpu/realm/engine/chat"
	"github.com/realm-webgpu/realm/hostfn"
)

const chatHelp = `Chat holds a conversation: every line is a question, and the model knows what was
said before. What it has read is not read again, up to some words at the end, so
that a long conversation stays quick.

A line that ends in a backslash goes on in the next; lines between """ and """
are one input. Ctrl-C stops an answer, and what there is of it stays; pressed
again it leaves, as do /exit and Ctrl-D. Lines may be piped in: standard output
then has the answers and nothing else.

Commands:
`

const chatExample = `  realm chat
  realm chat -m model.gguf --system "Answer in one sentence." --temperature 0.7
  printf 'Where is Oslo?\nAnd Rome?\n' | realm chat --device cpu`

// chatFlags are the flags of realm chat.
type chatFlags struct {
	sessionFlags
	system   string
	sampling samplingFlags
	drafting speculationFlags
	guest    guestFlags
	adapter  adapterFlag
	verbose  bool
}

func newChat() *cobra.Command {
	var f chatFlags
	c := &cobra.Command{
		Use:     "chat",
		Short:   "Hold a conversation with a model",
		Long:    chatHelp + commandTable(),
		Example: chatExample,
		Args:    arguments(0, 0, "none: realm run takes a PROMPT"),
		RunE:    f.run,
	}
	flags := c.Flags()
	f.add(flags)
	flags.StringVar(&f.system, "system", "", "`TEXT` of a system message before the conversation")
	f.load.addTemplate(flags)
	f.sampling.add(flags)
	f.drafting.add(flags)
	f.guest.add(flags)
	f.adapter.add(flags)
	f.load.addCache(flags)
	flags.BoolVarP(&f.verbose, "verbose", "v", false, "say on standard error after each answer what was read and how fast it was")
	return c
}

func (f *chatFlags) run(c *cobra.Command, _ []string) (err error) {
	options, err := f.sampling.options()
	if err != nil {
		return &usageError{c.CommandPath(), err}
	}
	adapters, err := f.adapter.read()
	if err != nil {
		return err
	}
	if options.Draft, err = f.drafting.options(c, &f.model); err != nil {
		return err
	}
	notes := c.ErrOrStderr()
	s, err := f.open(c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if s.model.Template() == nil {
		return fmt.Errorf("%w: give one with --template, or go without in realm run --raw", chat.ErrNoTemplate)
	}
	if options.Draft.Mode == engine.DraftModel {
		if err := s.withDraft(c.Context(), notes, &f.drafting, f.load); err != nil {
			return err
		}
	}
	if err := s.withGuest(c.Context(), notes, f.guest, f.model.name(), adapters); err != nil {
		return err
	}
	source, err := newLineSource(c.InOrStdin(), c.OutOrStdout(), completeCommand)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	if _, typed := source.(*terminalLines); typed {
		fmt.Fprintf(notes, "%s on %s. /help lists the commands, /exit leaves.\n", printable(f.model.name()), s.engine.Device().Name)
	}
	d := &dialogue{
		conversation: newConversation(s, f.system, &f.adapter), source: source, out: c.OutOrStdout(), notes: notes, options: options, verbose: f.verbose,
	}
	// Ctrl-C has a meaning of its own from here on.
	ctx, stop := signal.NotifyContext(context.WithoutCancel(c.Context()), syscall.SIGTERM)
	defer stop()
	err = d.hold(ctx)
	if errors.Is(err, context.Canceled) {
		<-c.Context().Done() // it hears of signals too
	}
	return err
}

// dialogue is a conversation with someone.
type dialogue struct {
	*conversation
	source  lineSource
	out     io.Writer
	notes   io.Writer
	options engine.GenerateOptions
	verbose bool
	stopped bool // by the last Ctrl-C, and nothing was asked since
}

// errExit ends a dialogue.
var errExit = errors.New("exit")

// hold reads inputs and answers them until the end.
func (d *dialogue) hold(ctx context.Context) error {
	for {
		input, fenced, err := d.input(ctx)
		switch {
		case errors.Is(err, errAborted):
			if d.stopped {
				return nil
			}
			d.stopped = true
			d.say("once more leaves, as do Ctrl-D and /exit")
			continue
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		d.stopped = false
		err = d.handle(ctx, input, fenced)
		switch {
		case errors.Is(err, errExit):
			return nil
		case err != nil:
			return err
		}
	}
}

// input waits for the next input. A signal ends that, where no key of the
// terminal's stands for it.
func (d *dialogue) input(ctx context.Context) (input string, fenced bool, err error) {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt)
	defer stop()
	return readInput(ctx, d.source)
}

// handle does what an input asks for. Its errors end the dialogue.
func (d *dialogue) handle(ctx context.Context, input string, fenced bool) error {
	switch {
	case strings.TrimSpace(input) == "":
		return nil
	case !fenced && isCommand(input):
		d.source.remember(input)
		return d.command(ctx, input)
	}
	d.source.remember(input)
	return d.askFor(ctx, input)
}

// askFor has a question answered, and Ctrl-C stops that. The second Ctrl-C does
// what it does by default, and ends the process. What is wrong with the
// conversation is said; other errors are returned.
func (d *dialogue) askFor(ctx context.Context, question string) error {
	answering, stop := signal.NotifyContext(ctx, os.Interrupt)
	defer stop()
	context.AfterFunc(answering, stop)
	err := d.ask(answering, d.out, question, d.options)
	var full *engine.ContextError
	var told *hostfn.ExitError
	switch {
	case err == nil:
		d.remark()
		return nil
	case errors.As(err, &full):
		d.say("the conversation has %d tokens, the context has room for %d: %s", full.Need-1, full.Limit, contextAdvice)
	case errors.As(err, &told):
		d.say("%v", err)
	case ctx.Err() == nil && errors.Is(err, context.Canceled):
		d.stopped = true
		d.say("stopped")
	default:
		return err
	}
	return nil
}

// contextAdvice says what to do about a context that is full.
const contextAdvice = "/save it, then /reset begins anew; a larger --ctx has room for more, up to what the model was made for (realm info)"

// remark says what an answer itself does not.
func (d *dialogue) remark() {
	a := d.last
	switch engine.FinishReason(a.end.FinishReason) {
	case engine.FinishLength:
		d.say("stopped after %d tokens (--max-tokens)", a.usage.CompletionTokens)
	case engine.FinishContext:
		d.say("stopped: the context of %d tokens is full: %s", d.session.model.Context(), contextAdvice)
	}
	if d.verbose {
		d.say("prompt of %d tokens, %d of them read before, in %v (%.1f/s); %d tokens in %v (%.1f/s)",
			a.usage.PromptTokens, a.usage.CachedTokens, round(a.prefill), a.prefillRate(),
			a.usage.CompletionTokens, round(a.decode), a.decodeRate())
		if a.usage.Proposed > 0 {
			d.say("%d of %d drafted tokens were accepted", a.usage.Accepted, a.usage.Proposed)
		}
	}
}

// say tells people something that is no answer.
func (d *dialogue) say(format string, args ...any) {
	fmt.Fprintf(d.notes, "realm: "+format+"\n", args...)
}
